"""An Opus file holds the last milliseconds of its sound, and no sample more."""

import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from hf_vits.data.audio_writing import write_audio

RATE = 24_000


def tone(samples):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(samples) / RATE)).astype(np.float32)


@pytest.mark.parametrize("samples", [500, RATE - 250, RATE - 156, RATE - 80, RATE, RATE + 30, 2 * RATE, 3 * RATE - 300])
def test_the_last_milliseconds_are_there_and_the_length_is_that_of_the_sound(tmp_path, samples):
    write_audio(tmp_path / "a.opus", tone(samples), RATE)
    found, rate = soundfile.read(tmp_path / "a.opus")
    assert rate == RATE and len(found) == samples
    end = slice(-RATE // 200, None)
    assert np.square(found[end] - tone(samples)[end]).mean() < 0.05 * np.square(tone(samples)[end]).mean()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("samples", [RATE - 156, RATE, RATE + 30])
def test_another_reader_finds_no_wrong_checksum_and_the_same_length(tmp_path, samples):
    write_audio(tmp_path / "a.opus", tone(samples), RATE)
    command = ["ffmpeg", "-v", "warning", "-i", str(tmp_path / "a.opus"), "-f", "f32le", "-ar", "48000", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"CRC" not in done.stderr and len(done.stdout) == 4 * 2 * samples
