import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from hf_vits.alignment import result

praatio = pytest.importorskip("praatio.textgrid")


def test_files_last_as_long_as_the_recording(aligner, recordings, tmp_path):
    recordings.record("x", "a bad cab.", before=30, after=50)
    alignment = aligner.align("x", "a bad cab.")
    alignment.save(tmp_path / "x.TextGrid")
    grid = praatio.openTextgrid(str(tmp_path / "x.TextGrid"), includeEmptyIntervals=False)
    assert grid.tierNames == ("words", "phones")
    assert grid.maxTimestamp == pytest.approx(alignment.duration)
    assert [entry.label for entry in grid.getTier("words").entries] == ["a", "bad", "cab."]
    alignment.save(tmp_path / "x.json")
    read = json.loads((tmp_path / "x.json").read_text())
    assert read["duration"] == alignment.duration > alignment.words[-1]["end"]
    assert read["word"] == alignment.words and 0 <= read["word"][0]["confidence"] <= 1


def test_ctm_has_the_confidence_of_each_word(aligner, recordings, tmp_path):
    recordings.record("x", "a bad cab.")
    alignment = aligner.align("x", "a bad cab.")
    alignment.save(tmp_path / "x.ctm")
    columns = [line.split(" ") for line in (tmp_path / "x.ctm").read_text().splitlines()]
    assert [float(line[5]) for line in columns] == pytest.approx([w["confidence"] for w in alignment.words], abs=1e-3)
    assert [float(line[2]) for line in columns] == pytest.approx([w["start"] for w in alignment.words], abs=1e-5)


@pytest.mark.parametrize(("frames", "adapted"), [(40, True), (300, True), (40, False)])
def test_of_recordings_with_a_confidence_that_share_has_the_right_text(frames, adapted):
    """Misfits are drawn from the model of the confidence, as many of wrong texts as of right ones."""
    draw, is_right = np.random.default_rng(0), np.arange(4000) % 2 == 0
    mean = np.where(is_right, result.RIGHT[adapted], result.WRONG[adapted])
    spread = np.sqrt(result.VARIANCE[adapted] + result.VARIANCE_OF_FRAME[adapted] / frames)
    misfits = np.exp(draw.normal(mean, spread))
    confidence = np.array([result.confidence_of(misfit, frames, adapted) for misfit in misfits])
    for low, high in ((0, 0.2), (0.2, 0.8), (0.8, 1)):
        chosen = (low <= confidence) & (confidence <= high)
        if chosen.sum() > 50:
            assert is_right[chosen].mean() == pytest.approx(confidence[chosen].mean(), abs=0.1)


def test_a_word_that_is_wrong_in_one_place_is_doubted_more_than_one_that_is_vague_everywhere():
    evidence = SimpleNamespace(usual=np.full(40, -10.0), adaptation=None)
    vague, wrong = np.full(40, -3.0), np.where(np.arange(40) < 10, -12.0, 0.0)
    vague, wrong = (result._fit(ratios, evidence, np.arange(40), True) for ratios in (vague, wrong))
    assert vague["score"] == wrong["score"] == -3.0 and vague["confidence"] > 0.5 > wrong["confidence"]


def test_every_frame_of_a_recording_is_in_one_place(aligner, recordings):
    """Sentences and the silences around them add up to the recording."""
    frames = recordings.record("x", "a bad cab.", before=30, after=50)
    (sentence,) = aligner.align("x", "a bad cab.").sentences
    assert sentence["start"] == pytest.approx(30 * 8 / 16000)
    assert sentence["end"] - sentence["start"] == pytest.approx(sum(frames) * 8 / 16000)


def test_the_example_prints_each_word_with_its_times(saved_voice, tmp_path, monkeypatch, capsys):
    saved_voice(tmp_path)
    soundfile.write(tmp_path / "x.wav", np.random.default_rng(0).normal(0, 0.1, 4000), 16000)
    file = Path(__file__).parents[2] / "examples" / "align.py"
    monkeypatch.setattr(sys, "argv", [str(file), str(tmp_path), str(tmp_path / "x.wav"), "a", "bad", "cab"])
    runpy.run_path(str(file), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[:3]] == ["a", "bad", "cab"] and "confidence of" in lines[3]
