"""Padding and chunks change no sample."""

import pytest
import torch
from torch.nn import functional as F

from hf_vits.kernels import fft_conv, inference
from hf_vits.kernels.inference import padded_length, run_chunked

CONTEXT = 3


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def signal_of(length):
    return torch.randn(2, length, 4, dtype=torch.float64).transpose(1, 2)


@pytest.mark.parametrize("length", [1, 9, 10, 11, 64, 203])
@pytest.mark.parametrize("rate", [1, 4])
def test_chunks_equal_the_whole_up_to_its_end(monkeypatch, threads, length, rate):
    monkeypatch.setattr(inference, "SAMPLES", 20)
    weight, up = torch.randn(4, 4, 7, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    called = []

    def function(chunk, end):
        called.append(chunk.shape[-1])
        chunk = chunk.clone()
        chunk[..., end:] = 0
        mixed = F.conv1d(chunk, weight, padding=CONTEXT)
        return torch.einsum("oc,bct->bot", up, mixed).repeat_interleave(rate, dim=-1)

    signal = signal_of(length)
    for end in {length, length - length // 3}:
        called.clear()
        output = run_chunked(function, signal, end, CONTEXT, channels=5, rate=rate)
        assert (len(called) > 1) == (2 * rate * length > 20 * threads)
        assert len(set(called)) == 1  # a CPU library prepares kernels for each length
        expected = function(signal, end)
        assert output.shape == expected.shape
        torch.testing.assert_close(output[..., : rate * end], expected[..., : rate * end], rtol=0, atol=1e-12)


def test_no_chunk_is_larger_than_the_share_of_each_thread(monkeypatch, threads):
    monkeypatch.setattr(inference, "SAMPLES", 20)
    seen = []
    for length in range(1, 200):
        seen.clear()
        run_chunked(lambda chunk, end: seen.append(chunk.shape[-1]) or chunk.clone(), signal_of(length), length, 0, 4)
        assert max(seen) * 2 <= 20 * threads and len(seen) == -(-length * 2 // (20 * threads))


def test_an_empty_signal_stays_empty():
    for signal in (signal_of(0), signal_of(5)[:0]):
        assert run_chunked(lambda chunk, end: chunk.clone(), signal, 0, CONTEXT, channels=4).shape == signal.shape


def test_chunks_past_the_end_of_the_signal_are_not_computed(threads):
    seen = []
    run_chunked(
        lambda chunk, end: seen.append(end) or chunk.clone(),
        signal_of(inference.SAMPLES * threads),
        8,
        CONTEXT,
        channels=4,
    )
    assert seen == [8]


KINDS = {"1": {}, "2": {"resblock_type": "2"}, "speakers": {"num_speakers": 3, "speaker_embedding_size": 6}}


def test_long_kernels_on_wide_stages_run_in_the_frequency_domain_to_speak_only(make_model, monkeypatch):
    monkeypatch.setattr(fft_conv, "is_faster", lambda channels, kernel, fewest: kernel == 5)
    monkeypatch.setattr(fft_conv, "FEWEST_TILES", 1)
    model, used = make_model().double(), []
    original = fft_conv.convolve
    monkeypatch.setattr(fft_conv, "convolve", lambda *a: used.append(1) or original(*a))
    latents = torch.randn(2, 8, 40).double()
    with torch.no_grad():
        spoken = model.decoder(latents)
    spoken_by = len(used)
    assert spoken_by and spoken_by % (2 * 2) == 0  # dilations, convolutions of a pair, for each chunk
    trained = model.decoder(latents)
    assert len(used) == spoken_by
    torch.testing.assert_close(spoken, trained.detach(), rtol=0, atol=1e-12)
    with torch.no_grad():
        model.decoder.train()(latents)
    assert len(used) == spoken_by


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("size", [16, 50, 1000])
def test_stages_in_chunks_equal_stages_at_once(make_model, monkeypatch, kind, size):
    """Forty frames are forty; thirty-three are padded to forty."""
    monkeypatch.setattr(inference, "SAMPLES", max(1, size // torch.get_num_threads()))
    model = make_model(**kind).double()
    speaker = model.speaker_vector([1, 2], 2).detach() if "num_speakers" in kind else None
    block = type(model.decoder.resblocks[0])
    counted, original = [], block.forward
    monkeypatch.setattr(block, "forward", lambda *a: counted.append(1) or original(*a))
    for frames in (40, 33, 7):
        latents = torch.randn(2, 8, frames).double()
        counted.clear()
        with torch.no_grad():
            output = model.decoder(latents, speaker)
        assert len(counted) > len(model.decoder.resblocks) or size == 1000 or frames == 7
        torch.testing.assert_close(output, model.decoder(latents, speaker).detach(), rtol=0, atol=1e-12)


def test_padded_lengths_are_few_and_little_longer_than_the_signal(make_model, monkeypatch):
    layer = make_model().decoder
    with torch.no_grad():
        lengths = {n: padded_length(layer, torch.empty(1, 1, n)) for n in range(1, 2049)}
        assert all(n <= padded <= max(n + 7, 1.07 * n) for n, padded in lengths.items())
        assert len(set(lengths.values())) < 100
        assert lengths[128] == 128 and lengths[129] == 136 and lengths[2048] == 2048
        assert padded_length(layer, torch.empty(1, 1, 129, device="meta")) == 129
    assert padded_length(layer, torch.empty(1, 1, 129)) == 129  # where gradients may be asked for


def test_padding_changes_no_latent(make_model):
    model = make_model().double()
    for frames in (5, 8, 33, 130):
        sample = torch.randn(2, 8, frames).double()
        mask = torch.ones(2, 1, frames).double()
        mask[1, :, 3:] = 0
        with torch.no_grad():
            latents = model.flow.inverse(sample * mask, mask)
        expected = model.flow.inverse(sample * mask, mask).detach()
        torch.testing.assert_close(latents, expected, rtol=0, atol=1e-12)
