import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from hf_vits.alignment import AlignmentSettings, align_folder
from hf_vits.alignment.aligner import ForcedAligner

TEXTS = {"one": "a bad cab ok.", "two": "dig a hole.", "deep/three": "no dice."}


@pytest.fixture
def spoken(saved_voice, tmp_path):
    """A voice, a folder of noise with texts, and settings."""
    saved_voice(tmp_path / "voice")
    for number, name in enumerate(TEXTS):
        path = tmp_path / "recordings" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(number).normal(0, 0.1, 4000), 16000)
    rows = "".join(f"{name}.wav,{text}\n" for name, text in TEXTS.items())
    (tmp_path / "recordings" / "metadata.csv").write_text(f"file_name,text\n{rows}")
    settings = AlignmentSettings(str(tmp_path / "aligned"), str(tmp_path / "voice"), min_confidence=0.0, batch_size=2)
    return tmp_path, str(tmp_path / "recordings"), settings


def calls_of(monkeypatch, fail_at=None):
    """The texts that are aligned; the call of this number is interrupted."""
    seen, plain = [], ForcedAligner._aligned

    def counted(self, latents, waveform, text, language_id, speaker_id, skipped):
        if skipped == 0:
            if len(seen) == fail_at:
                raise KeyboardInterrupt
            seen.append(text)
        return plain(self, latents, waveform, text, language_id, speaker_id, skipped)

    monkeypatch.setattr(ForcedAligner, "_aligned", counted)
    return seen


def test_each_recording_has_its_files_and_the_worst_row_is_first(spoken):
    folder, recordings, settings = spoken
    report = align_folder(recordings, replace(settings, adapt=False))
    names = {f"{name}.{ending}" for name in TEXTS for ending in ("TextGrid", "json", "ctm")}
    written = (path.relative_to(folder / "aligned") for path in (folder / "aligned").rglob("*.*"))
    assert {str(path) for path in written if ".alignment" not in path.parts} - {".alignment"} == names | {"report.csv"}
    alone = ForcedAligner(settings.voice).align(f"{recordings}/one.wav", TEXTS["one"])
    assert json.loads((folder / "aligned/one.json").read_text())["word"] == alone.words
    with (folder / "aligned/report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    confidences = [float(row["confidence"]) for row in rows]
    assert confidences == sorted(confidences) and len(rows) == 3
    assert {row["file_name"]: float(row["confidence"]) for row in rows}["one"] == alone.confidence
    assert report.coverage == 1 and not report.suspects


@pytest.mark.thorough
def test_a_stopped_run_continues_and_equals_one_that_was_not(spoken, monkeypatch):
    folder, recordings, settings = spoken
    whole = align_folder(recordings, replace(settings, output=str(folder / "whole")))
    with monkeypatch.context() as patch:
        calls_of(patch, fail_at=2)
        with pytest.raises(KeyboardInterrupt):
            align_folder(recordings, settings)
    seen = calls_of(monkeypatch)
    assert align_folder(recordings, settings).rows == whole.rows
    assert seen == [TEXTS["deep/three"]]
    align_folder(recordings, settings)
    assert len(seen) == 1


def test_what_cannot_be_aligned_or_adapted_to_is_reported_with_its_reason(spoken, caplog):
    folder, recordings, settings = spoken
    (folder / "recordings/two.wav").write_bytes(b"no sound")
    soundfile.write(folder / "recordings/one.wav", np.random.default_rng(0).normal(0, 0.1, 80), 16000)
    report = align_folder(recordings, settings)
    problems = {row["file_name"]: row["problem"] for row in report.suspects}
    assert set(problems) == {"one", "two"} and "cannot be all of what is said" in problems["one"]
    assert report.coverage == pytest.approx(1 / 3)
    assert "33.3% aligned; 2 do not fit" in str(report)
    assert caplog.text.count("too little speech to adapt to") == 1


@pytest.mark.thorough
def test_other_settings_or_files_are_not_mixed_in(spoken):
    folder, recordings, settings = spoken
    align_folder(recordings, settings)
    with pytest.raises(FileExistsError, match="--overwrite"):
        align_folder(recordings, replace(settings, formats=["srt"]))
    align_folder(recordings, replace(settings, formats=["srt"], overwrite=True))
    assert (folder / "aligned/one.srt").exists()
    (folder / "full").mkdir()
    (folder / "full/file").touch()
    with pytest.raises(FileExistsError):
        align_folder(recordings, replace(settings, output=str(folder / "full")))


@pytest.mark.parametrize("fields", [{"output": ""}, {"voice": None}, {"formats": ["docx"]}, {"min_confidence": 2.0}])
def test_settings_that_cannot_work_are_refused(fields):
    with pytest.raises(ValueError, match="output|voice|docx|min_confidence"):
        AlignmentSettings(**{"output": "x", "voice": "y", **fields})
