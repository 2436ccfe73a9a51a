"""Metrics are chosen by name, and what they lack is said at once, before anything is loaded."""

import re

import pytest

from hf_vits.evaluation import METRICS, RECOGNIZERS, EvaluationOptions, Metric, SpeechEvaluator
from hf_vits.evaluation.evaluator import check_metrics
from hf_vits.evaluation.model_names import TIMEOUT, source_of
from hf_vits.evaluation.requirements import choose, is_installed
from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS


class Impossible(Metric):
    """Needs packages that do not exist."""

    def __init__(self, instruments):
        raise AssertionError("It is loaded although its packages are missing.")

    @classmethod
    def packages(cls, options):
        return {"no_such_ears": '"hf_vits[eval]"', "no_such_taste": "--no-deps taste", "json": "json"}


@pytest.fixture
def impossible():
    METRICS.register("impossible")(Impossible)
    yield
    METRICS.unregister("impossible")


def test_one_error_names_all_missing_packages_and_how_to_install_them(impossible, script, options):
    for ask in (check_metrics, SpeechEvaluator):
        with pytest.raises(ImportError) as raised:
            ask(["script", "impossible"], options)
        text = str(raised.value)
        assert "no_such_ears, no_such_taste" in text and "json" not in text
        assert '`pip install "hf_vits[eval]"`' in text and "`pip install --no-deps taste`" in text


def test_unknown_names_are_errors_that_list_the_known_ones(script):
    with pytest.raises(ValueError, match=r"no metric 'wrr'.*wer, cer, similarity, naturalness, mcd"):
        SpeechEvaluator(["wrr"])
    for given, reason in (
        ("ears:x", "begins with one of faster-whisper, transformers"),
        ("script:", "after the colon"),
    ):
        with pytest.raises(ValueError, match=f"`recognizer` is '{given}'.*{reason}"):
            SpeechEvaluator(["wer"], EvaluationOptions(given, language="xx"))


def test_a_name_and_its_model_are_divided_at_the_first_colon(script):
    kind, model = choose(RECOGNIZERS, "script:C:/models/tiny", "recognizer")
    assert (kind, model) == (script.ScriptedRecognizer, "C:/models/tiny")


def test_without_a_choice_the_first_one_is_taken_that_is_installed(script):
    kind, model = choose(RECOGNIZERS, None, "recognizer")
    names = [name for name, entry in RECOGNIZERS.items() if all(map(is_installed, entry.packages))]
    assert model is None and kind is RECOGNIZERS[names[0]]


def test_instruments_are_named_with_their_models(script, options):
    pytest.importorskip("jiwer")
    evaluator = SpeechEvaluator(["wer", "similarity", "script"], options)
    assert evaluator.instruments == {"wer": "script model", "similarity": "two numbers", "script": "a list"}


def test_a_default_encoder_that_cannot_be_loaded_is_an_error_that_names_one_without_network(monkeypatch):
    def offline(name):
        raise OSError(f"{name} is not in the cache")

    monkeypatch.setattr("transformers.AutoFeatureExtractor.from_pretrained", offline)
    encoder = SPEAKER_ENCODERS["transformers"]
    with pytest.raises(OSError, match="wavlm.*is not in the cache.*pip install .*resemblyzer"):
        encoder(None, "cpu")
    with pytest.raises(OSError, match="needs the network once.$"):
        encoder("org/mine", "cpu")


def test_without_network_a_model_is_asked_for_once_and_taken_from_the_cache(monkeypatch):
    asked = []

    def unreachable(address, timeout):
        asked.append(timeout)
        raise OSError("no such host")

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", unreachable)
    with pytest.raises(ConnectionError, match=r"org/mine is not in the cache of the Hub.*no such host"):
        source_of("org/mine")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, local_files_only: f"/cache/{name}")
    assert source_of("org/mine") == "/cache/org/mine" and asked == [TIMEOUT, TIMEOUT]
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda address, timeout: None)
    assert source_of("org/mine") == "org/mine" and source_of("folder") == "folder"


def test_a_folder_without_a_model_is_an_error_that_says_what_to_give(tmp_path):
    pytest.importorskip("jiwer")
    options = EvaluationOptions(f"transformers:{tmp_path}", f"transformers:{tmp_path}", "xx")
    for metric, kind in (("wer", "recognizer"), ("similarity", "speaker encoder")):
        with pytest.raises(OSError, match=re.escape(f"transformers:{tmp_path} cannot be loaded")) as raised:
            SpeechEvaluator([metric], options)
        assert f"Give the {kind}, as --{kind.replace(' ', '_')} or in" in str(raised.value)
