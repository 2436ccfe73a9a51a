import librosa
import numpy as np
import pytest
import torch

from hf_vits import VitsConfig
from hf_vits.modules.spectrogram import Spectrogram


@pytest.fixture
def spectrogram():
    return Spectrogram(VitsConfig(sampling_rate=22050))


@pytest.fixture
def waveform():
    return torch.randn(2, 1, 256 * 20 + 100, generator=torch.Generator().manual_seed(0)) * 0.1


def test_magnitudes_are_librosas_on_the_reflected_signal(spectrogram, waveform):
    for item in range(2):
        padded = np.pad(waveform[item, 0].double().numpy(), 384, mode="reflect")
        expected = np.abs(librosa.stft(padded, n_fft=1024, hop_length=256, window="hann", center=False))
        ours = spectrogram(waveform)[item].numpy()
        np.testing.assert_allclose(ours, np.sqrt(expected**2 + 1e-6), rtol=0, atol=1e-4)


@pytest.mark.parametrize("samples", [400, 512, 1000, 256 * 7, 256 * 7 + 255])
def test_there_is_a_frame_for_every_whole_hop(spectrogram, samples):
    assert spectrogram(torch.zeros(1, 1, samples)).shape == (1, 513, samples // 256)


def test_mels_are_librosas_bank_times_the_magnitudes(spectrogram, waveform):
    bank = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0.0, fmax=None)
    magnitudes = spectrogram(waveform)
    expected = np.log(np.maximum(bank @ magnitudes[0].numpy(), 1e-5))
    np.testing.assert_allclose(spectrogram.mel(magnitudes)[0].numpy(), expected, rtol=0, atol=1e-5)


def test_it_is_float_under_autocast_and_in_half_precision(spectrogram, waveform):
    exact = spectrogram.mel(spectrogram(waveform))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(spectrogram.mel(spectrogram(waveform)), exact)
    half = spectrogram.bfloat16()
    assert half.mel(half(waveform)).dtype == torch.float32


def test_items_of_a_padded_batch_are_what_they_are_alone(spectrogram, waveform):
    lengths = torch.tensor([waveform.shape[-1], 256 * 9 + 31])
    together = spectrogram(waveform, lengths)
    for item, length in enumerate(lengths.tolist()):
        alone = spectrogram(waveform[item : item + 1, :, :length])
        torch.testing.assert_close(together[item : item + 1, :, : length // 256], alone, rtol=0, atol=1e-6)


def test_silence_has_a_gradient(spectrogram):
    waveform = torch.zeros(1, 1, 2048, requires_grad=True)
    spectrogram.mel(spectrogram(waveform)).sum().backward()
    assert torch.isfinite(waveform.grad).all()


def test_it_adds_nothing_to_a_checkpoint(spectrogram):
    assert not spectrogram.state_dict()


def test_too_short_a_clip_is_an_error(spectrogram):
    with pytest.raises(ValueError, match="384"):
        spectrogram(torch.zeros(1, 1, 384))
