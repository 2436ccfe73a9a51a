import numpy as np
import pytest
import soundfile

from hf_vits.audio import write_audio


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
