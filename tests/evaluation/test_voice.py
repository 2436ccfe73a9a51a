"""A report has the speech that was measured, as the pipeline speaks it, the worst sentence first."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub import ModelCard

from hf_vits import TextToSpeechPipeline
from hf_vits.evaluation import EvaluationSettings, evaluate_voice
from hf_vits.modules.sampling import seed_of

pytest.importorskip("jiwer")
pytest.importorskip("datasets")
pytest.importorskip("librosa")
pytest.importorskip("matplotlib")
TEXTS = ["a hope", "feed me", "cabbage", "a big mead"]


@pytest.fixture(autouse=True)
def no_pictures_of_sentences(monkeypatch):
    """They take a second each."""
    monkeypatch.setattr("hf_vits.evaluation.voice.SHOWN", 0)


@pytest.fixture
def voice(saved_voice, tmp_path):
    saved_voice(tmp_path / "voice")
    return str(tmp_path / "voice")


@pytest.fixture
def recordings(tmp_path):
    """Four recordings, two of them to evaluate on."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(4):
        soundfile.write(folder / f"{number}.wav", np.full(8000, 0.1 * (number + 1), np.float32), 16000, subtype="FLOAT")
    rows = [f"{number}.wav,{text}" for number, text in enumerate(TEXTS)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text", *rows]) + "\n")
    (folder / "eval.txt").write_text("1.wav\n3.wav\n")
    return str(folder)


@pytest.fixture
def settings(script, tmp_path):
    def make(**given):
        fakes = {"recognizer": "script", "speaker_encoder": "numbers", "language": "xx", "metrics": ["wer"]}
        return EvaluationSettings(**{"output_dir": str(tmp_path / "report"), **fakes, **given})

    return make


def test_the_report_has_the_speech_that_was_measured_and_the_worst_sentence_first(
    voice, settings, script, monkeypatch, tmp_path
):
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS))
    answers = iter(["a hope", "feed", "cabbage", "x y z"])
    monkeypatch.setattr(script.ScriptedRecognizer, "__call__", lambda self, waveform, rate: next(answers))
    report = evaluate_voice(voice, settings(texts=str(texts), seed=3))
    folder = tmp_path / "report"
    assert json.loads((folder / "report.json").read_text()) == report
    assert report["voice"]["estimates"]["wer"]["value"] == pytest.approx(4 / 8) and report["recordings"] is None
    speak = TextToSpeechPipeline(voice)
    for number, row in enumerate(report["voice"]["rows"]):
        spoken = speak(row["text"], generator=torch.Generator().manual_seed(seed_of(3, number)))["audio"]
        written, rate = soundfile.read(folder / row["audio"], dtype="float32")
        assert rate == speak.sampling_rate
        np.testing.assert_allclose(written, spoken.clip(-1, 1), atol=2 / 32767)
    page = (folder / "README.md").read_text()
    places = [page.index(f"| {text} |") for text in ("a big mead", "feed me", "a hope")]
    player = '<audio controls preload="none" src="audio/0004.wav"></audio>'
    assert places == sorted(places) and f"| 4 | a big mead | x y z | 3 of 3 | {player} |" in page


def test_texts_of_the_evaluation_list_are_spoken_and_its_recordings_measured(voice, settings, recordings):
    report = evaluate_voice(voice, settings(dataset_name=recordings, metrics="similarity,wer"))
    assert [row["text"] for row in report["voice"]["rows"]] == ["feed me", "a big mead"]
    assert [row["text"] for row in report["recordings"]["rows"]] == ["feed me", "a big mead"]
    # Each recording has equal samples, so that all "embeddings" have one direction, also those of the target.
    assert report["recordings"]["estimates"]["similarity"]["value"] == pytest.approx(1)
    again = evaluate_voice(
        voice, settings(dataset_name=recordings, metrics="similarity,wer", output_dir=recordings + "2")
    )
    assert again == report


def test_without_an_evaluation_list_all_texts_are_spoken_and_recordings_are_not_compared_with_themselves(
    voice, settings, recordings, monkeypatch, tmp_path
):
    monkeypatch.setattr("hf_vits.evaluation.recordings.MAX_TARGET_RECORDINGS", 2)
    Path(recordings, "eval.txt").unlink()
    report = evaluate_voice(voice, settings(dataset_name=recordings, metrics=["wer", "similarity"]))
    assert [row["text"] for row in report["voice"]["rows"]] == TEXTS
    assert report["recordings"]["estimates"].keys() == {"wer"}
    (line,) = [line for line in (tmp_path / "report/README.md").read_text().splitlines() if "similarity" in line][:1]
    assert line.startswith("| speaker similarity (cosine) ↑ | ") and line.endswith(") |  |  |")


def test_a_report_is_replaced_if_that_is_said_but_nothing_that_is_measured(voice, settings, recordings, tmp_path):
    report = tmp_path / "report"
    report.mkdir()
    (report / "old").touch()
    with pytest.raises(FileExistsError, match="`--overwrite`"):
        evaluate_voice(voice, settings(dataset_name=recordings))
    for source in (voice, recordings):
        with pytest.raises(ValueError, match="the source"):
            evaluate_voice(voice, settings(dataset_name=recordings, output_dir=source, overwrite=True))
    evaluate_voice(voice, settings(dataset_name=recordings, overwrite=True))
    assert (report / "README.md").exists() and not (report / "old").exists()


def test_mistakes_are_errors_before_anything_is_spoken(voice, settings, recordings, tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine").touch()
    with pytest.raises(FileExistsError, match="report"):
        evaluate_voice(voice, settings(dataset_name=recordings))
    for given, reason in (
        ({}, "nothing to speak"),
        ({"texts": "t", "metrics": "similarity"}, "compares with recordings"),
    ):
        with pytest.raises(ValueError, match=reason):
            settings(**given)
    with pytest.raises(ValueError, match="no metric 'wre'"):
        settings(texts="t", metrics="wre")


@pytest.mark.thorough
def test_a_second_voice_speaks_the_same_sentences_in_the_same_dtype_and_the_difference_is_reported(
    saved_voice, voice, settings, script, monkeypatch, tmp_path
):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    saved_voice(tmp_path / "other", hidden_size=8)
    answers = iter(answer for text in TEXTS for answer in (text, "no"))  # the second voice is not understood
    monkeypatch.setattr(script.ScriptedRecognizer, "__call__", lambda self, waveform, rate: next(answers))
    monkeypatch.setattr("hf_vits.utils.precision.multiplies_in_bf16", lambda on_cpu: True)
    given = {"texts": str(tmp_path / "texts.txt"), "compare": str(tmp_path / "other"), "dtype": "bfloat16"}
    report = evaluate_voice(voice, settings(**given))
    assert report["difference"]["wer"]["value"] == -1 and report["compared"]["rows"][3]["audio"] == "compared/0004.wav"
    first, second = (soundfile.read(tmp_path / "report" / part / "0001.wav")[0] for part in ("audio", "compared"))
    for name, speech in (("voice", first), ("other", second)):
        speak = TextToSpeechPipeline(str(tmp_path / name), dtype=torch.bfloat16)
        spoken = speak(TEXTS[0], generator=torch.Generator().manual_seed(seed_of(0, 0)))["audio"]
        np.testing.assert_allclose(speech, spoken.clip(-1, 1), atol=2 / 32767)
    assert report["dtype"] == "bfloat16"
    page = (tmp_path / "report" / "README.md").read_text()
    assert "| metric | this voice | other | difference |" in page and "decoded in bfloat16" in page
    assert "| 100.0 % (100.0 % to 100.0 %) | -100.0 % (-100.0 % to -100.0 %), better |" in page


def test_speech_and_copy_synthesis_stand_beside_recordings_of_the_same_sentences_and_in_the_card(
    voice, settings, recordings, tmp_path
):
    metrics = ["duration_ratio", "wer", "rhythm"]
    report = evaluate_voice(voice, settings(dataset_name=recordings, metrics=metrics, write_card=True))
    assert report["no_copy_synthesis"] is None and report["copy_synthesis"]["estimates"].keys() == {*metrics[:2]}
    assert report["recordings"]["estimates"].keys() == {"wer"}
    for part in ("recordings", "copy_synthesis"):  # a tiny decoder of constant speech is as long as its recording
        lengths = [len(soundfile.read(tmp_path / "report" / row["audio"])[0]) for row in report[part]["rows"]]
        assert lengths == [8000, 8000]
    spoken = report["voice"]["rows"][1]
    speech, rate = soundfile.read(tmp_path / "report" / spoken["audio"])
    assert spoken["duration_ratio"] == pytest.approx([len(speech) / rate, 0.5], abs=0.05)
    results = ModelCard.load(Path(voice) / "README.md").data.eval_results
    assert [result.metric_type for result in results] == metrics
    assert (tmp_path / "report" / "pictures" / "durations.png").is_file()


def test_a_voice_without_posterior_encoder_has_no_copy_synthesis_and_the_report_says_why(
    saved_voice, settings, recordings, tmp_path
):
    saved_voice(tmp_path / "exported", inference_only=True)
    report = evaluate_voice(str(tmp_path / "exported"), settings(dataset_name=recordings))
    assert report["copy_synthesis"] is None and "no posterior encoder" in report["no_copy_synthesis"]
    assert "no posterior encoder" in (tmp_path / "report" / "index.html").read_text()
