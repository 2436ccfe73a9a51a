import csv

import numpy as np
import pytest
import soundfile

from hf_vits.alignment import PreparationSettings, prepare_folder
from hf_vits.alignment.preparation import _quietest, _sentences
from hf_vits.alignment.result import Alignment
from hf_vits.data.levels import speech_level
from hf_vits.data.metadata_folder import read_folder


def tone(seconds, rate=16000, level=0.1):
    return level * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """A loud, a soft, a silent, a short, a long recording, one without text, and one that is no sound."""
    root = tmp_path / "recordings"
    root.mkdir()
    quiet = np.zeros(16000, np.float32)
    sounds = {
        "loud": np.concatenate([quiet, tone(2, level=0.5), quiet]),
        "soft": tone(2, level=0.004),
        "short": tone(0.2),
        "long": tone(20),
        "no_text": tone(1),
    }
    for name, sound in sounds.items():
        soundfile.write(root / f"{name}.wav", sound, 16000)
    (root / "broken.wav").write_bytes(b"no sound")
    rows = "".join(f"{name}.wav,{'' if name == 'no_text' else f'I am {name}.'},ada\n" for name in [*sounds, "broken"])
    (root / "metadata.csv").write_text(f"file_name,text,speaker\n{rows}")
    (root / "eval.txt").write_text("soft.wav\n")
    return root


def test_recordings_are_resampled_trimmed_and_of_one_level(folder, tmp_path):
    report = prepare_folder(str(folder), PreparationSettings(str(tmp_path / "out"), sampling_rate=22050))
    train, evaluated = read_folder(tmp_path / "out")
    assert train["text"] == ["I am loud."] and evaluated["text"] == ["I am soft."]
    assert train["speaker"] == ["ada"]
    for row, seconds in ((train[0], 2.1), (evaluated[0], 2.0)):
        samples, rate = soundfile.read(row["audio"]["path"])
        assert rate == 22050 and len(samples) / rate == pytest.approx(seconds, abs=0.1)
        assert speech_level([samples], rate) == pytest.approx(-20, abs=0.2)
    assert report.counts.kept == 2


def test_what_is_dropped_is_reported_with_its_reason(folder, tmp_path):
    report = prepare_folder(str(folder), PreparationSettings(str(tmp_path / "out")))
    with (tmp_path / "out/dropped.csv").open(newline="") as file:
        reasons = {row["file_name"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {
        "short": "shorter than 0.5 s",
        "long": "longer than 15 s",
        "no_text": "no text",
        "broken": "audio that cannot be read",
    }
    assert "metadata.csv, line 4 (short): 0.20 s" in str(report)
    assert (tmp_path / "out/report.txt").read_text().startswith("kept          2  clips")


def test_a_long_recording_is_cut_where_it_is_quiet_between_its_sentences():
    """Four sentences of tone with silences between; the second is too short to be alone."""
    rate, lengths, gap = 16000, [3.0, 0.4, 2.0, 3.0], 0.5
    waveform, times, start = [], [], 0.0
    for number, seconds in enumerate(lengths):
        waveform += [tone(seconds), np.zeros(int(gap * rate), np.float32)]
        word = {"text": f"S{number}.", "start": start, "end": start + seconds, "confidence": 1 - number / 10}
        times.append({**word, "end": start + seconds + 0.01})
        start += seconds + gap
    alignment = Alignment("", start, {"word": times, "sentence": times}, 0.0, 1.0)
    whole = np.concatenate(waveform)
    pieces = list(_sentences(whole, rate, alignment, 15.0))
    assert [piece.text for piece in pieces] == ["S0.", "S1. S2.", "S3."]
    assert [piece.confidence for piece in pieces] == [1.0, 0.8, 0.7]
    assert np.array_equal(np.concatenate([piece.samples for piece in pieces]), whole)
    assert all(not np.any(piece.samples[:100]) for piece in pieces[1:])


def test_the_quietest_place_of_a_pause_is_found():
    pause = np.concatenate([tone(0.2), tone(0.1, level=0.001), tone(0.2)])
    assert 0.2 * 16000 < _quietest(pause, 16000, 0.0, 0.5) < 0.3 * 16000
    assert _quietest(pause, 16000, 0.1, 0.1) == 1600


def test_wrong_texts_are_dropped_and_long_recordings_cut_with_a_voice(saved_voice, tmp_path, monkeypatch):
    saved_voice(tmp_path / "voice")
    (tmp_path / "in").mkdir()
    parts = [tone(4), np.zeros(16000, np.float32), tone(4), np.zeros(1600, np.float32)]
    soundfile.write(tmp_path / "in/long.wav", np.concatenate([*parts, *parts]), 16000)
    soundfile.write(tmp_path / "in/wrong.wav", tone(3), 16000)
    (tmp_path / "in/metadata.csv").write_text("file_name,text\nlong.wav,A cab. I do.\nwrong.wav,No.\n")

    def align(self, source, text, **options):
        words = [{"text": "A cab.", "start": 0.0, "end": 9.0}, {"text": "I do.", "start": 9.2, "end": 18.0}]
        words = [{**word, "confidence": 0.9} for word in words]
        return Alignment(text, 18.2, {"word": words, "sentence": words}, 0.0, 0.1 if text == "No." else 0.9)

    monkeypatch.setattr("hf_vits.alignment.preparation.ForcedAligner.align", align)
    settings = PreparationSettings(str(tmp_path / "out"), str(tmp_path / "voice"), adapt=False, max_seconds=10.0)
    report = prepare_folder(str(tmp_path / "in"), settings)
    assert read_folder(tmp_path / "out")[0]["text"] == ["A cab.", "I do."]
    assert report.cut == 1
    assert report.dropped == [("wrong", "No.", "text that does not fit its sound", "confidence 0.10")]


def test_nothing_is_written_if_nothing_is_left(folder, tmp_path):
    with pytest.raises(ValueError, match="Nothing of .* is left"):
        prepare_folder(str(folder), PreparationSettings(str(tmp_path / "out"), min_seconds=100.0))
    assert not (tmp_path / "out").exists()
