"""Sound files written in one piece or many, by many writers, to files and to what is none."""

import errno
import io
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from hf_vits.data.audio_writing import FORMATS, audio_writer, check_output, write_audio

RATE = 22050

LONG = """
import sys, threading
import numpy as np
from hf_vits.data.audio import audio_writer, write_audio
def write():
    waveform = np.random.default_rng(0).normal(0, 0.1, 2**18).astype("float32")
    write_audio(sys.argv[1], waveform, 22050)
    with audio_writer(sys.argv[1], 22050) as writer:
        writer(waveform)
        writer(waveform)
if sys.argv[2] != "0":
    threading.stack_size(int(sys.argv[2]))
    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
else:
    write_audio(sys.argv[1], np.zeros(2**21, "float32"), 22050)
"""
"""Writes long waveforms at once, in a thread with a small stack or in the main one: a crash would end the process."""


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("stack", ["0", str(2**17)])
@pytest.mark.parametrize("ending", ["ogg", "mp3"])
def test_a_long_waveform_written_at_once_does_not_end_the_process(tmp_path, ending, stack):
    file = tmp_path / f"a.{ending}"
    done = subprocess.run([sys.executable, "-c", LONG, file, stack], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(file).frames == (2**21 if stack == "0" else 2**19)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("ending", [name.lower() for name in FORMATS])
def test_pieces_of_any_length_make_the_file_that_one_piece_makes(tmp_path, ending):
    waveform = np.random.default_rng(0).normal(0, 0.1, 30_000).astype("float32")
    write_audio(tmp_path / f"one.{ending}", waveform, RATE)
    with audio_writer(tmp_path / f"many.{ending}", RATE) as write:
        for begin, end in ((0, 0), (0, 1), (1, 9000), (9000, 30_000)):
            write(waveform[begin:end])
    one, many = (soundfile.read(tmp_path / f"{name}.{ending}")[0] for name in ("one", "many"))
    rate = 24_000 if ending == "opus" else RATE
    assert soundfile.info(tmp_path / f"one.{ending}").samplerate == rate
    assert len(one) == round(len(waveform) * rate / RATE)
    np.testing.assert_array_equal(many, one)


LEAST_SNR = {"wav": 80, "flac": 80, "aiff": 80, "au": 80, "caf": 80, "w64": 80}
"""Decibels; 12 for the lossy formats, whose error at the beginning and end of a tone is large."""


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100])
@pytest.mark.parametrize("ending", [name.lower() for name in FORMATS])
def test_a_file_read_back_holds_the_sound_from_its_first_sample_to_its_last(tmp_path, ending, rate):
    time = np.arange(20_001) / rate
    waveform = (0.5 * np.sin(2 * np.pi * 500 * time)).astype("float32")
    write_audio(tmp_path / f"a.{ending}", waveform, rate)
    found, its_rate = soundfile.read(tmp_path / f"a.{ending}")
    assert its_rate == (rate if ending != "opus" else {22_050: 24_000, 44_100: 48_000}.get(rate, rate))
    assert abs(len(found) / its_rate - len(waveform) / rate) <= 0.5 / its_rate
    expected = 0.5 * np.sin(2 * np.pi * 500 * np.arange(len(found)) / its_rate)
    for part in (slice(None), slice(0, its_rate // 20), slice(-its_rate // 20, None)):
        error = np.square(found[part] - expected[part]).mean()
        assert 10 * np.log10(np.square(expected[part]).mean() / error) > LEAST_SNR.get(ending, 12)


@pytest.mark.parametrize("kind", ["float16", "float64", "int16", "int32"])
def test_opus_takes_samples_of_each_type(tmp_path, kind):
    waveform = 0.5 * np.sin(np.arange(9000) / 10)
    for name, samples in (("a", waveform), ("b", waveform if kind[0] == "f" else waveform * np.iinfo(kind).max)):
        write_audio(tmp_path / f"{name}.opus", samples.astype("float32" if name == "a" else kind), RATE)
    a, b = (soundfile.read(tmp_path / f"{name}.opus")[0] for name in "ab")
    assert np.square(a - b).mean() < 0.01 * np.square(a).mean()


def test_opus_without_the_resampler_is_refused_before_there_is_speech(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(ImportError, match=r'pip install "hf_vits\[opus\]"'):
        check_output(tmp_path / "a.opus")


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_threads_that_write_one_path_leave_one_whole_file(tmp_path, ending):
    waveforms = [np.full(8000 + 100 * number, 0.1 * number, dtype="float32") for number in range(1, 5)]
    file, errors = tmp_path / f"a.{ending}", []

    def write(waveform):
        try:
            for _ in range(10):
                write_audio(file, waveform, RATE)
                assert len(soundfile.read(file)[0]) in {len(waveform) for waveform in waveforms}
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(waveform,)) for waveform in waveforms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 4999, 5000, -1])
def test_a_waveform_that_is_not_finite_is_refused_and_the_former_file_stays(tmp_path, value, place):
    file = tmp_path / "a.wav"
    file.write_bytes(b"old")
    waveform = np.zeros(10_000)
    waveform[place] = value
    with pytest.raises(ValueError, match=r"a\.wav hold NaN or infinite values"):
        write_audio(file, waveform, RATE)
    with pytest.raises(ValueError, match="NaN or infinite"), audio_writer(file, RATE) as write:
        write(np.zeros(100))
        write(waveform)
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("waveform", "expected"),
    [(np.zeros((2, 100)), r"\(2, 100\); give those of one channel"), (np.zeros(4, complex), "complex128; give floats")],
)
def test_what_is_no_waveform_of_one_channel_is_refused(tmp_path, waveform, expected):
    with pytest.raises(ValueError, match=expected):
        write_audio(tmp_path / "a.wav", waveform, RATE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int16", "int32"])
def test_samples_of_each_type_that_holds_sound_are_written(tmp_path, kind):
    whole = kind.startswith("int")
    scale = np.iinfo(kind).max if whole else 1
    write_audio(tmp_path / "a.wav", (np.array([0.5, -0.5]) * scale).astype(kind), RATE)
    np.testing.assert_allclose(soundfile.read(tmp_path / "a.wav")[0], [0.5, -0.5], atol=1 / 16384)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("room", [0, 100, 20_000])
def test_a_full_disk_is_named_and_the_former_file_stays(tmp_path, monkeypatch, capfd, ending, room):
    file = tmp_path / f"a.{ending}"
    file.write_bytes(b"old")
    opened = type(file).open

    class Full(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    monkeypatch.setattr(
        type(file),
        "open",
        lambda path, mode="r", **kwargs: Full(path, mode) if "+" in mode else opened(path, mode, **kwargs),
    )
    with pytest.raises(OSError, match=f"No space is left on the disk of the folder {tmp_path}") as caught:
        write_audio(file, np.random.default_rng(0).normal(0, 0.1, 100_000), RATE)
    assert caught.value.errno == errno.ENOSPC
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]
    assert not capfd.readouterr().err  # functions called from C print what they raise


def test_an_interrupt_while_libsndfile_writes_is_not_lost(tmp_path, monkeypatch, capfd):
    class Interrupted(io.FileIO):
        def write(self, data):
            raise KeyboardInterrupt

    monkeypatch.setattr(type(tmp_path), "open", lambda path, mode, **_: Interrupted(path, mode))
    with pytest.raises(KeyboardInterrupt):
        write_audio(tmp_path / "a.wav", np.zeros(100_000), RATE)
    assert not list(tmp_path.iterdir()) and not capfd.readouterr().err


@pytest.mark.parametrize("name", ["fifo.wav", "fifo"])
def test_a_fifo_is_written_to_and_stays(tmp_path, name):
    waveform, read = np.linspace(-0.5, 0.5, 100_000), []
    os.mkfifo(tmp_path / name)
    reader = threading.Thread(target=lambda: read.append((tmp_path / name).read_bytes()))
    reader.start()
    write_audio(tmp_path / name, waveform, RATE)
    reader.join(10)
    samples, rate = soundfile.read(io.BytesIO(read[0]))
    assert rate == RATE and (tmp_path / name).is_fifo()
    np.testing.assert_allclose(samples, waveform, rtol=0, atol=1 / 32767)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_device_is_written_to():
    write_audio("/dev/null", np.zeros(1000), RATE)
    with pytest.raises(OSError, match="/dev/full could not be written to: No space left"):
        write_audio("/dev/full", np.zeros(1000), RATE)


@pytest.mark.parametrize("ending", ["m4a", "mp4", "webm"])
def test_an_ending_that_another_program_writes_names_its_command(tmp_path, ending):
    with pytest.raises(ValueError, match=rf"known ones are \.wav.*ffmpeg -i \S*a\.wav \S*a\.{ending}"):
        write_audio(tmp_path / f"a.{ending}", np.zeros(4), RATE)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_audio("~/a.wav", np.zeros(4), RATE)
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]
