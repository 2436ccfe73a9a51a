import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

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
