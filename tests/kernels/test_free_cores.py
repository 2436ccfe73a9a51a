"""Speaking takes the threads whose cores are free, unless somebody set their number."""

import runpy
import threading

import pytest
import torch
from torch import nn

import hf_vits
from hf_vits.cli import main
from hf_vits.kernels import inference
from hf_vits.utils import threads

CORES = 8


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Let PyTorch have six threads on a machine of eight cores, of which others use none; return a function that sets
    how many they use."""
    before, busy = torch.get_num_threads(), [0]
    monkeypatch.setattr(inference.os, "cpu_count", lambda: CORES)
    monkeypatch.setattr(inference, "busy_cores", lambda: busy[0])
    torch.set_num_threads(6)
    threads.set_num_threads(None)
    yield lambda number: busy.__setitem__(0, number)
    threads.set_num_threads(before)


def threads_of_a_call(module=None, signal=None):
    """The threads that a call has, without gradients."""
    kernel = inference.on_free_cores(lambda plain, module, signal: torch.get_num_threads())
    with torch.no_grad():
        return kernel(None, module or nn.Identity().eval(), torch.zeros(1) if signal is None else signal)


@pytest.mark.parametrize(("busy", "expected"), [(0, 6), (2, 6), (3, 5), (7, 1), (8, 1), (50, 1)])
def test_a_call_has_as_many_threads_as_cores_are_free(machine, busy, expected):
    machine(busy)
    assert threads_of_a_call() == expected
    assert torch.get_num_threads() == 6


def test_the_number_comes_back_after_an_error(machine):
    machine(7)

    def fail(plain, module, signal):
        raise RuntimeError(torch.get_num_threads())

    with torch.no_grad(), pytest.raises(RuntimeError, match="1"):
        inference.on_free_cores(fail)(None, nn.Identity().eval(), torch.zeros(1))
    assert torch.get_num_threads() == 6


def test_an_interrupted_look_at_the_machine_leaves_nothing_behind(machine, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(inference, "busy_cores", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        threads_of_a_call()
    machine(7)
    assert threads_of_a_call() == 1


def test_a_number_that_was_set_is_kept_on_a_busy_machine(machine):
    machine(8)
    hf_vits.set_num_threads(3)
    assert threads_of_a_call() == torch.get_num_threads() == 3
    hf_vits.set_num_threads(None)
    assert threads_of_a_call() == 1


@pytest.mark.parametrize(("number", "expected"), [("6", 6), ("", 1)])
def test_a_number_in_the_environment_is_kept_too(machine, monkeypatch, number, expected):
    machine(8)
    monkeypatch.setenv("OMP_NUM_THREADS", number)
    started = runpy.run_path(threads.__file__)
    monkeypatch.setattr(threads, "number_is_set", started["number_is_set"])
    assert threads_of_a_call() == expected


@pytest.mark.parametrize(("given", "expected"), [(None, 6), (2, 2)])
def test_work_whose_figures_must_be_equal_keeps_its_threads_on_a_busy_machine(machine, given, expected):
    machine(8)
    threads.fix_threads(given)
    assert threads_of_a_call() == expected


VERBS = {
    "evaluate": ("hf_vits.evaluation.voice.evaluate_voice", ["voice", "--texts", "texts.txt"]),
    "align": ("hf_vits.alignment.folder.align_folder", ["recordings", "--voice", "voice", "--output", "aligned"]),
    "prepare": ("hf_vits.alignment.preparation.prepare_folder", ["recordings", "--output", "prepared"]),
}


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_that_measure_keep_their_threads_on_a_busy_machine(machine, monkeypatch, verb):
    pytest.importorskip("datasets")
    pytest.importorskip("librosa")
    function, arguments = VERBS[verb]
    machine(8)
    seen = []

    def measure(*_):
        seen.append(threads_of_a_call())
        raise ValueError("measured")

    monkeypatch.setattr(function, measure)
    assert main([verb, *arguments]) == 1 and seen == [6]


@pytest.mark.parametrize("number", [0, -1, 1.0, "2", True])
def test_a_number_of_threads_is_a_whole_number_above_zero(number):
    with pytest.raises(ValueError, match="above 0, or None"):
        hf_vits.set_num_threads(number)
    assert torch.get_num_threads() == 6


def test_training_and_other_devices_keep_their_threads(machine):
    machine(8)
    assert threads_of_a_call(nn.Identity().train()) == 6
    assert threads_of_a_call(signal=torch.zeros(1, device="meta")) == 6
    with torch.enable_grad():
        assert inference.on_free_cores(lambda *_: torch.get_num_threads())(None, nn.Identity(), torch.zeros(1)) == 6


def test_calls_at_the_same_time_share_the_free_cores(machine):
    machine(2)
    both, seen = threading.Barrier(2), []

    @inference.on_free_cores
    def call(plain, module, signal):
        both.wait(10)
        first = torch.get_num_threads()
        both.wait(10)
        return first

    def run():
        with torch.no_grad():
            call(None, nn.Identity().eval(), torch.zeros(1))
            seen.append((call(None, nn.Identity().eval(), torch.zeros(1)), torch.get_num_threads()))

    both_threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in both_threads:
        thread.start()
    for thread in both_threads:
        thread.join()
    counts, after = zip(*seen, strict=True)
    # The first of the two began alone, and keeps what was free then.
    assert min(counts) == 3 and max(counts) <= 6 and after == (6, 6)


def test_a_thread_that_starts_during_a_call_has_the_full_number_afterwards(machine):
    machine(7)
    inner = []

    @inference.on_free_cores
    def call(plain, module, signal):
        other = threading.Thread(target=lambda: inner.append((threads_of_a_call(), torch.get_num_threads())))
        other.start()
        other.join()

    with torch.no_grad():
        call(None, nn.Identity().eval(), torch.zeros(1))
    assert inner == [(1, 6)]


def test_a_call_within_a_call_takes_what_that_one_has(machine):
    machine(5)
    outer = inference.on_free_cores(lambda *_: (threads_of_a_call(), torch.get_num_threads()))
    with torch.no_grad():
        assert outer(None, nn.Identity().eval(), torch.zeros(1)) == (3, 3)


@pytest.fixture
def processes(monkeypatch, tmp_path):
    """A system with these threads; returns a function that writes them: those that run at all, and states of own."""
    monkeypatch.setattr(inference, "PROC", tmp_path)

    def write(running, own):
        (tmp_path / "loadavg").write_text(f"0.50 0.20 0.10 {running}/300 4242\n")
        for number, state in enumerate(own):
            (tmp_path / "self" / "task" / str(number)).mkdir(parents=True, exist_ok=True)
            (tmp_path / "self" / "task" / str(number) / "stat").write_text(f"{number} (a) R (b) {state} 1 2 3")

    return write


@pytest.mark.parametrize(("running", "own", "others"), [(1, "R", 0), (5, "RSR", 3), (1, "SSS", 1), (1, "RR", 0)])
def test_threads_of_this_process_are_not_others(processes, running, own, others):
    processes(running, own)
    assert inference._other_threads() == others


def test_a_system_that_does_not_tell_counts_as_idle(monkeypatch, tmp_path):
    monkeypatch.setattr(inference, "PROC", tmp_path)
    assert inference._other_threads() == 0


def test_a_short_task_of_the_system_does_not_count(monkeypatch):
    looks = iter([2, 0])
    monkeypatch.undo()
    monkeypatch.setattr(inference, "_other_threads", lambda: next(looks))
    monkeypatch.setattr(inference, "LASTS", 60)  # on a busy machine the second look may come late
    monkeypatch.setattr(inference, "_last_look", (float("-inf"), 0))
    assert inference.busy_cores() == inference.busy_cores() == 0


def test_every_part_of_a_model_speaks_with_the_threads_of_free_cores(machine, make_model):
    machine(7)
    model, seen = make_model().eval(), {}
    for name in ("text_encoder", "duration_predictor", "flow", "decoder"):
        part = getattr(model, name)
        layer = next(layer for layer in part.modules() if isinstance(layer, nn.Conv1d))
        layer.register_forward_hook(lambda *_, name=name: seen.update({name: torch.get_num_threads()}))
    with torch.no_grad():
        model(torch.tensor([[0, 3, 0, 5, 0]]))
    assert seen == {"text_encoder": 1, "duration_predictor": 1, "flow": 1, "decoder": 1}
