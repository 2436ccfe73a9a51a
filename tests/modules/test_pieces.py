"""A signal that is worked on in pieces, side by side: the pieces are the whole."""

import os
from threading import Thread

import pytest
import torch
from torch.nn import functional as F

from hf_vits.modules import pieces
from hf_vits.modules.pieces import by_pieces

REACH = 3


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """So many cores, and short pieces."""
    monkeypatch.setattr(pieces, "SAMPLES", 20)
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def signal_of(length):
    return torch.randn(2, 1, length, 4, dtype=torch.float64).permute(0, 3, 1, 2)


@pytest.mark.parametrize("length", [1, 9, 10, 11, 64, 203])
@pytest.mark.parametrize("rate", [1, 4])
def test_pieces_are_the_whole_up_to_its_end(threads, length, rate):
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
        made = by_pieces(function, signal, end, REACH, channels=5, rate=rate, cores=threads)
        if length == 1 or length > 10:
            assert (len(called) > 1) == (length > 10)
        assert len(set(called)) == 1  # for each length, a CPU's kernels are made anew
        expected = function(signal, end)
        assert made.shape == expected.shape
        torch.testing.assert_close(made[..., : rate * end], expected[..., : rate * end], rtol=0, atol=1e-12)


def test_a_piece_that_fails_fails_the_whole(threads):
    def function(piece, end):
        raise ArithmeticError("no")

    with pytest.raises(ArithmeticError, match="no"):
        by_pieces(function, signal_of(60), 60, REACH, channels=4, cores=threads)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_pieces_are_made_in_the_mode_of_the_whole(threads, mode):
    seen = set()

    def function(piece, end):
        seen.add((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
        return piece.clone()

    with mode():
        by_pieces(function, signal_of(60), 60, REACH, channels=4, cores=threads)
    assert seen == {(False, mode is torch.inference_mode)}


def test_each_piece_has_one_core_and_everything_else_has_as_many_as_before(threads):
    pieces._workers.cache_clear()
    seen, later = set(), []

    def function(piece, end):
        seen.add(torch.get_num_threads())
        return piece.clone()

    with torch.no_grad():
        by_pieces(
            lambda piece, end: seen.add(torch.get_num_threads()) or piece.clone(),
            signal_of(60),
            60,
            REACH,
            channels=4,
            cores=threads,
        )
    new = Thread(target=lambda: later.append(torch.get_num_threads()))
    new.start(), new.join()
    assert seen == {1} and torch.get_num_threads() == threads and later == [threads]


def test_cores_have_pieces_of_their_own_if_there_are_frames_for_all(threads):
    assert pieces.cores_for(pieces.FRAMES * threads) == threads
    assert pieces.cores_for(pieces.FRAMES * threads - 1) == 1
    with torch.autocast("cpu", dtype=torch.bfloat16):  # holds for one thread, and others would not know
        assert pieces.cores_for(10**6) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(threads):
    with torch.no_grad():
        by_pieces(lambda piece, end: piece.clone(), signal_of(60), 60, REACH, channels=4, cores=threads)
        child = os.fork()
        if child == 0:
            signal = signal_of(60)
            made = by_pieces(lambda piece, end: piece.clone(), signal, 60, REACH, channels=4, cores=threads)
            os._exit(0 if torch.equal(made, signal) else 1)
    assert os.waitpid(child, 0)[1] == 0
