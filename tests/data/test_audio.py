import numpy as np
import pytest
import soundfile

from hf_vits.data.audio import audio_seconds, read_audio, write_audio


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_what_is_written_is_read_back_within_a_16_bit_step(tmp_path, suffix):
    waveform = np.sin(np.linspace(0, 100, 8000)).astype(np.float32) * 0.9
    write_audio(tmp_path / f"speech{suffix}", waveform, 8000)
    read, rate = soundfile.read(tmp_path / f"speech{suffix}")
    assert rate == 8000
    np.testing.assert_allclose(read, waveform, rtol=0, atol=1 / 32767)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "speech.wav"
    file.write_bytes(b"old")
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        write_audio(file, np.zeros((4, 3, 2)), 8000)
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]


def test_an_unknown_ending_and_a_missing_folder_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"\.mp9.*\.wav"):
        write_audio(tmp_path / "speech.mp9", np.zeros(4), 8000)
    with pytest.raises(ValueError, match=r"\.raw"):
        write_audio(tmp_path / "speech.raw", np.zeros(4), 8000)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(IsADirectoryError, match="folder.wav"):
        write_audio(tmp_path / "folder.wav", np.zeros(4), 8000)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_audio(tmp_path / "nowhere" / "speech.wav", np.zeros(4), 8000)


WAVE = 0.5 * np.sin(np.linspace(0, 100, 8000))
INTEGERS = {"uint8": (2**7, 2**7), "int16": (0, 2**15), "int32": (0, 2**31)}


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_are_read_on_the_scale_of_their_type(kind):
    silence, full_scale = INTEGERS[kind]
    array = np.round(WAVE * full_scale + silence).astype(kind)
    waveform = read_audio({"array": array, "sampling_rate": 8000}, 8000)
    np.testing.assert_allclose(waveform, WAVE, rtol=0, atol=1 / min(full_scale, 2**15))


@pytest.mark.parametrize("read", [audio_seconds, lambda source: read_audio(source, 8000)])
@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ((WAVE * 32768).astype(int).tolist(), r"a\.wav holds samples of the type int64.*array / 32768"),
        ((WAVE * 32768).tolist(), r"a\.wav holds samples up to 16[0-9]+; scale them to ±1"),
        ((WAVE * 32768).astype("int32"), r"a\.wav holds no sound.*within ±7\.6[0-9]*e-06"),
        ([0.0] * 8000, r"a\.wav holds no sound.*within ±0\."),
        (["a"], r"a\.wav holds samples of the type str"),
        ([], r"a\.wav holds no samples"),
    ],
)
def test_samples_on_an_unknown_scale_and_silence_are_errors_that_say_what_to_do(read, array, expected):
    with pytest.raises(ValueError, match=expected):
        read({"array": array, "sampling_rate": 8000, "path": "a.wav"})


@pytest.mark.parametrize("read", [audio_seconds, lambda source: read_audio(source, 8000)])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"array": WAVE}, "`sampling_rate` None"),
        ({"array": WAVE, "sampling_rate": None}, "`sampling_rate` None"),
        ({"array": WAVE, "sampling_rate": "8k"}, "`sampling_rate` '8k'"),
        ({"array": WAVE, "sampling_rate": 0}, "`sampling_rate` 0"),
        ({"array": None, "sampling_rate": 8000}, "The audio is None; give a path"),
        ({}, "The audio is None; give a path"),
        (3, "The audio is 3; give a path"),
        ([0.5, 0.25], r"The audio is \[0.5, 0.25\]; give a path"),
    ],
)
def test_what_is_no_sound_and_samples_without_a_rate_are_errors_that_say_what_was_given(read, source, expected):
    with pytest.raises(ValueError, match=expected):
        read(source)
