"""A signal that is worked on in pieces: the pieces are the whole."""

import pytest
import torch
from torch.nn import functional as F

from hf_vits.kernels import chunked
from hf_vits.kernels.chunked import run_chunked

REACH = 3


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def signal_of(length):
    return torch.randn(2, 1, length, 4, dtype=torch.float64).permute(0, 3, 1, 2)


@pytest.mark.parametrize("length", [1, 9, 10, 11, 64, 203])
@pytest.mark.parametrize("rate", [1, 4])
def test_pieces_are_the_whole_up_to_its_end(monkeypatch, threads, length, rate):
    monkeypatch.setattr(chunked, "SAMPLES", 20)
    weight, up = torch.randn(4, 4, 1, 7, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    called = []

    def function(piece, end):
        called.append(piece.shape[-1])
        piece = piece.clone()
        piece[..., end:] = 0
        mixed = F.conv2d(piece, weight, padding=(0, REACH))
        return torch.einsum("oc,bcht->boht", up, mixed).repeat_interleave(rate, dim=-1)

    signal = signal_of(length)
    for end in {length, length - length // 3}:
        called.clear()
        made = run_chunked(function, signal, end, REACH, channels=5, rate=rate)
        assert (len(called) > 1) == (2 * rate * length > 20 * threads)
        assert len(set(called)) == 1  # for each length, a CPU's kernels are made anew
        expected = function(signal, end)
        assert made.shape == expected.shape
        torch.testing.assert_close(made[..., : rate * end], expected[..., : rate * end], rtol=0, atol=1e-12)


def test_no_piece_makes_more_than_its_share_for_each_thread(monkeypatch, threads):
    monkeypatch.setattr(chunked, "SAMPLES", 20)
    seen = []
    for length in range(1, 200):
        seen.clear()
        run_chunked(lambda piece, end: seen.append(piece.shape[-1]) or piece.clone(), signal_of(length), length, 0, 4)
        assert max(seen) * 2 <= 20 * threads and len(seen) == -(-length * 2 // (20 * threads))


def test_of_nothing_nothing_is_made():
    for signal in (signal_of(0), signal_of(5)[:0]):
        assert run_chunked(lambda piece, end: piece.clone(), signal, 0, REACH, channels=4).shape == signal.shape


def test_where_the_signal_ends_nothing_is_made_after_it(threads):
    seen = []
    run_chunked(
        lambda piece, end: seen.append(end) or piece.clone(), signal_of(chunked.SAMPLES * threads), 8, REACH, channels=4
    )
    assert seen == [8]
