"""Speech in onnxruntime is that of the pipeline: sentences, ids, durations and samples."""

import logging

import numpy as np
import pytest
from runtime_voices import KINDS, fields_of, spoken

from hf_vits import TextToSpeechPipeline, VitsTokenizer
from hf_vits.inference import limits
from hf_vits.runtime.build import build, described
from hf_vits.runtime.speech import FrontEndOfVoice
from hf_vits.text.errors import NoTokensError, UnsupportedTextError
from hf_vits.text.lexicon import Lexicon

TEXT = "A hope. ***\n\nMean coal, a big log! Oi"
CHOSEN = {"speakers and languages": {"speaker_id": "cem", "language_id": 1}, "VITS2": {"speaker_id": 1}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(shared, monkeypatch):
    """One cache for all tests here, so that equal voices get their graphs once."""
    monkeypatch.setenv("HF_VITS_CACHE", str(shared))


@pytest.fixture
def both(save_voice, cache, request):
    """The pipeline and the runtime of a kind of voice."""
    folder = save_voice(**fields_of(getattr(request, "param", "paper")))
    return TextToSpeechPipeline(str(folder)), build(folder).load(folder, threads=1)


@pytest.mark.parametrize("kind, both", [(kind, kind) for kind in KINDS], indirect=["both"])
def test_chunks_equal_those_of_the_pipeline_with_an_equal_seed(both, kind):
    settings = [{}, {"pause": 0.01, "speaking_rate": 0.5, "noise_scale": 0.0}, {"noise_scale_duration": 1.5}]
    for seed, options in enumerate(settings):
        pairs = [spoken(speech, TEXT, seed, **options, **CHOSEN.get(kind, {})) for speech in both]
        assert len(pairs[0]) == (5 if "pause" in options else 3)
        for expected, actual in zip(*pairs, strict=True):
            assert {**expected, "audio": 0} == {**actual, "audio": 0}
            assert actual["audio"].dtype == np.float32 and np.abs(expected["audio"]).max() < 1
            np.testing.assert_allclose(actual["audio"], expected["audio"], rtol=0, atol=1e-4)


def test_errors_and_warnings_are_those_of_the_pipeline(both, caplog, monkeypatch):
    for text, options, kind in (("***", {}, NoTokensError), ("a да", {"strict": True}, UnsupportedTextError)):
        messages = []
        for speech in both:
            with pytest.raises(kind) as error:
                spoken(speech, text, 0, **options)
            messages.append(str(error.value))
        assert messages[0] == messages[1]
    records = []
    for speech in both:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            spoken(speech, "a да", 0)
        records.append([(record.name, record.getMessage()) for record in caplog.records])
    assert records[0] == records[1] != []
    monkeypatch.setattr(limits, "MAX_TOKENS", 3)
    messages = []
    for speech in both:
        with pytest.raises(ValueError, match="at most 3") as error:
            spoken(speech, "a hope", 0)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"add_blank": False, "normalize": False},
        {"bos_token": "k", "eos_token": "l", "blank_token": "m"},
        {"phonemize": True, "language": "eng"},
        {"phonemize": True, "phoneme_language": "de", "phoneme_style": "piper", "unicode_form": "NFD"},
    ],
)
def test_ids_and_dropped_characters_are_those_of_the_tokenizer(make_model, options):
    vocabulary = {token: index for index, token in enumerate("_abcdefghijklmnop .'ə̃ɪŋʊˈː,")}
    tokenizer = VitsTokenizer.from_vocab(vocabulary, **{"phonemize": False, **options})
    model, lexicon = make_model(vocab_size=40), {"gif": "jiff"}
    front_end = FrontEndOfVoice(described(model, tokenizer)["tokenizer"], Lexicon())
    for text in ("A hope", "Kein Ding, oder GIF?", " am 3. Mai, café "):
        expected = tokenizer(text, lexicon=lexicon)["input_ids"]
        rewriting = front_end._rewriting(False, Lexicon.of(lexicon))
        assert front_end._ids(text, False, None, True, rewriting)[0] == expected
        assert front_end.dropped_characters(text) == tokenizer.dropped_characters(text)
    assert front_end.text_language == tokenizer.text_language


def test_damaged_weights_are_the_same_error(both, save_voice):
    speech = both[1]
    errors = []
    for factor in (np.nan, 1e9):
        speech._text = Replaced(speech._text, factor)
        with pytest.raises(ValueError) as error:
            spoken(speech, "a hope", 0)
        errors.append(str(error.value))
        speech._text = speech._text.session
    assert "NaN or infinity" in errors[0] and "would last" in errors[1]


class Replaced:
    """A graph of the text whose means are not finite, or whose tokens last long."""

    def __init__(self, session, factor):
        self.session, self.factor = session, factor

    def get_inputs(self):
        return self.session.get_inputs()

    def run(self, *arguments):
        mean, log_std, log_durations = self.session.run(*arguments)
        return [mean * self.factor, log_std, log_durations * 0 + np.log(min(1e9, np.nan_to_num(self.factor, nan=2.0)))]
