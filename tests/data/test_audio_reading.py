"""Sound files of every length that a header can declare, truly or not, and the errors of those that are not read."""

import io
import logging
import struct

import numpy as np
import pytest
import soundfile

from hf_vits.data.audio import audio_seconds, read_audio

RATE = 22050
WAVE = (0.3 * np.sin(np.arange(2 * RATE) * 0.05)).astype("float32")
HALF = r"is cut short: it holds (0\.9\d|1\.00) s of the 2\.00 s that its header declares"


def encoded(kind, subtype=None, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, WAVE, rate, format=kind, subtype=subtype)
    return bytearray(file.getvalue())


def flac_of_length(frames):
    """A FLAC file whose header declares so many samples; 0 stands for unknown, as encoders of a pipe write it."""
    file = encoded("FLAC")
    file[21] = file[21] & 0xF0 | frames >> 32  # the last 36 bits of 8 bytes, after magic, block header and sizes
    file[22:26] = struct.pack(">I", frames & 0xFFFFFFFF)
    return file


def chunk_of_size(kind, chunk, size, layout):
    file = encoded(kind)
    place = file.index(chunk) + len(chunk)
    file[place : place + struct.calcsize(layout)] = struct.pack(layout, size)
    return file


def au_of_size(size):
    file = encoded("AU")
    file[8:12] = struct.pack(">I", size)
    return file


def never_finished_wav():
    file = chunk_of_size("WAV", b"data", 0, "<I")
    file[4:8] = bytes(4)
    return file


UNKNOWN = {
    "FLAC 0": lambda: flac_of_length(0),
    "FLAC of 36 bits of ones": lambda: flac_of_length(2**36 - 1),
    "WAV 0xFFFFFFFF": lambda: chunk_of_size("WAV", b"data", 0xFFFFFFFF, "<I"),
    "WAV 0xFFFFFFFF without a header": lambda: chunk_of_size("WAV", b"data", 0xFFFFFFFF - 36, "<I"),
    "WAV 0x7FFFFFFF": lambda: chunk_of_size("WAV", b"data", 0x7FFFFFFF, "<I"),
    "WAV 0x7FFFF000": lambda: chunk_of_size("WAV", b"data", 0x7FFFF000, "<I"),
    "WAV 0x80000000": lambda: chunk_of_size("WAV", b"data", 0x80000000, "<I"),
    "WAV 0, whose recorder was stopped": never_finished_wav,
    "AIFF 0": lambda: chunk_of_size("AIFF", b"SSND", 0, ">I"),
    "AIFF 0xFFFFFFFF": lambda: chunk_of_size("AIFF", b"SSND", 0xFFFFFFFF, ">I"),
    "AU 0xFFFFFFFF": lambda: au_of_size(0xFFFFFFFF),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_file_of_unknown_length_is_read_to_its_end(name):
    content = bytes(UNKNOWN[name]())
    assert audio_seconds(content) == 2
    np.testing.assert_allclose(read_audio(content, RATE), WAVE, rtol=0, atol=1 / 32767)


@pytest.mark.parametrize("kind", ["WAV", "RF64", "AIFF", "AU", "W64"])
@pytest.mark.parametrize("read", [audio_seconds, lambda source: read_audio(source, RATE)])
def test_an_uncompressed_file_shorter_than_its_header_says_so_without_decoding(tmp_path, kind, read):
    whole = encoded(kind)
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"cut\.wav {HALF}"):
        read(tmp_path / "cut.wav")


@pytest.mark.parametrize(
    "content", [encoded("FLAC")[:6000], encoded("MP3")[:2000], flac_of_length(3 * RATE)], ids=["FLAC", "MP3", "longer"]
)
def test_a_compressed_file_shorter_than_its_header_says_so_when_it_is_decoded(content):
    with pytest.raises(ValueError, match=r"The audio is (damaged or )?cut short"):
        read_audio(bytes(content), RATE)


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "W64", "RF64", "CAF", "FLAC", "OGG", "MP3"])
def test_a_whole_file_of_any_format_is_read_whole(kind):
    content = bytes(encoded(kind))
    assert audio_seconds(content) == pytest.approx(2, abs=0.1) and len(read_audio(content, RATE)) == len(WAVE)


@pytest.mark.parametrize("less", [2, 44, 1000])
def test_a_header_that_counts_a_few_bytes_too_many_is_accepted(less):
    content = bytes(encoded("WAV")[:-less])
    assert len(read_audio(content, RATE)) == len(WAVE) - less // 2


def test_an_empty_file_with_a_chunk_after_its_samples_is_not_taken_for_an_unfinished_one():
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, format="WAV") as sound:
        sound.title = "nothing"
    with pytest.raises(ValueError, match="holds no samples"):
        read_audio(file.getvalue(), RATE)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.m4a", b"\0\0\0\x20ftypM4A \0\0\0\0", r"a\.m4a is in an MPEG-4 container.*ffmpeg -i \S*a\.m4a \S*a\.wav"),
        ("a b.mp4", b"\0\0\0\x20ftypisom\0\0\0\0", r"MPEG-4.*ffmpeg -i '.*a b\.mp4' '.*a b\.wav'"),
        ("a.webm", b"\x1a\x45\xdf\xa3\x01\0\0\0webm", r"Matroska.*ffmpeg -i \S*a\.webm \S*a\.wav"),
        ("a.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", r"Windows Media.*ffmpeg -i \S*a\.wma"),
        ("a.aac", b"\xff\xf1\x50\x80\x02\x1f\xfc\0", r"is AAC.*ffmpeg -i \S*a\.aac"),
        ("a.amr", b"#!AMR\n\0\0\0\0\0", r"is AMR.*ffmpeg"),
        ("a.wav", b"", r"a\.wav is empty"),
        ("a.wav", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", r"a\.wav is a pointer.*git lfs pull"),
        ("a.wav", b"<html></html>" * 10, r"a\.wav cannot be read: Format not recognised"),
    ],
)
@pytest.mark.parametrize("read", [audio_seconds, lambda source: read_audio(source, RATE)])
def test_a_file_that_is_not_read_names_what_to_do(tmp_path, name, content, expected, read):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=expected):
        read(tmp_path / name)
    if "ffmpeg" in expected:
        with pytest.raises(ValueError, match=r"The audio is .*ffmpeg -i IN IN\.wav"):
            read(content)


@pytest.mark.parametrize("layout", ["(T, C)", "(C, T)"])
@pytest.mark.parametrize("second", [-1.0, -0.7])
def test_channels_that_cancel_each_other_are_not_mixed(caplog, layout, second):
    channels = np.stack([WAVE, second * WAVE])
    source = {"array": channels if layout == "(C, T)" else channels.T, "sampling_rate": RATE}
    with caplog.at_level(logging.WARNING):
        samples = read_audio({**source, "path": f"inverted {layout} {second}.wav"}, RATE)
    np.testing.assert_array_equal(samples, WAVE)
    assert f"inverted {layout} {second}.wav: its 2 channels cancel each other" in caplog.text
    assert "channel 1 alone is taken" in caplog.text


@pytest.mark.parametrize("second", [1.0, 0.0, 0.5, -0.05])
def test_channels_that_do_not_cancel_each_other_are_mixed(caplog, second):
    samples = read_audio({"array": np.stack([WAVE, np.float32(second) * WAVE]), "sampling_rate": RATE}, RATE)
    np.testing.assert_allclose(samples, (1 + second) / 2 * WAVE, atol=1e-6)
    assert not caplog.text


def test_channels_of_independent_noise_are_mixed(caplog):
    channels = np.random.default_rng(0).normal(0, 0.1, (2, RATE)).astype("float32")
    np.testing.assert_allclose(read_audio({"array": channels, "sampling_rate": RATE}, RATE), channels.mean(0))
    assert not caplog.text


def test_a_corpus_of_inverted_channels_is_warned_of_a_few_times(caplog, monkeypatch):
    monkeypatch.setattr("hf_vits.data.audio._cancelling", set())
    for number in [*range(20), *range(20)]:
        source = {"array": np.stack([WAVE, -WAVE]), "sampling_rate": RATE, "path": f"{number}.wav"}
        read_audio(source, RATE)
    assert len(caplog.records) == 5 and "Further ones are not named" in caplog.text
