"""A run that is asked to stop saves first, whoever was asked: it, its workers with it, or only its launcher."""

import multiprocessing
import os
import platform
import signal
import subprocess
import sys

import pytest

from hf_vits import VitsModel
from hf_vits.training.checkpoints import list_checkpoints
from hf_vits.training.loggers import read_history
from hf_vits.training.process import GracefulShutdown, ignore_interrupts
from hf_vits.utils.distributed import LAUNCHED
from hf_vits.utils.run_lock import FolderInUse, run_lock


@pytest.fixture(params=["SIGINT", "SIGTERM", "SIGHUP"])
def number(request):
    number = getattr(signal, request.param)
    former = signal.signal(number, signal.default_int_handler)
    yield number
    signal.signal(number, former)


def interrupt_after(trainer, step, act):
    """Has `act` done once so many steps are taken."""
    advance = trainer._advance

    def interrupted(*arguments):
        advance(*arguments)
        if trainer.progress.step == step:
            act()

    trainer._advance = interrupted


def test_the_first_signal_is_a_wish_and_the_second_acts(number, caplog):
    with GracefulShutdown() as shutdown:
        assert not shutdown.requested
        signal.raise_signal(number)
        assert shutdown.requested and signal.Signals(number).name in caplog.text
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_afterwards_signals_act_as_before(number):
    with GracefulShutdown():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_a_signal_that_was_ignored_before_stays_so(number):
    """As SIGHUP under `nohup`, and SIGINT in what a script starts in the background."""
    former = signal.signal(number, signal.SIG_IGN)
    with GracefulShutdown() as shutdown:
        signal.raise_signal(number)
        assert not shutdown.requested
    assert signal.signal(number, former) is signal.SIG_IGN


@pytest.mark.parametrize("launched", [True, False])
def test_the_end_of_the_launcher_is_a_wish_and_that_of_a_shell_is_not(monkeypatch, caplog, launched):
    if launched:
        monkeypatch.setenv(LAUNCHED, "no")
    else:
        monkeypatch.delenv(LAUNCHED, raising=False)
    shutdown = GracefulShutdown()
    assert not shutdown.requested
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert shutdown.requested is launched and shutdown.requested is launched
    assert caplog.text.count("The launcher has ended") == launched


def test_a_signal_that_comes_after_the_end_of_the_launcher_is_still_the_first(number, monkeypatch):
    monkeypatch.setenv(LAUNCHED, "no")
    with GracefulShutdown() as shutdown:
        with monkeypatch.context() as orphaned:
            orphaned.setattr(os, "getppid", lambda: 1)
            assert shutdown.requested
        signal.raise_signal(number)  # as when a whole group is asked to end, one after the other
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_a_signal_to_the_workers_too_leaves_a_checkpoint_and_the_voice(make_trainer):
    trainer = make_trainer(max_steps=50, dataloader_num_workers=2)

    def terminate_all():
        everybody = [str(child.pid) for child in multiprocessing.active_children()] + [str(os.getpid())]
        assert len(everybody) == 3
        subprocess.run(["kill", "-TERM", *everybody], check=True)  # as `timeout` and schedulers do, from outside

    interrupt_after(trainer, 2, terminate_all)
    assert trainer.train().step == 2
    assert list_checkpoints(trainer.output_dir)[-1].name == "checkpoint-2" and VitsModel.from_pretrained(
        trainer.output_dir
    )
    del trainer.train_dataloader.loader
    assert not multiprocessing.active_children()


def _work(ready):
    ignore_interrupts(0)
    ready.set()
    signal.pause()


def test_a_worker_leaves_for_its_parent_alone():
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    worker = context.Process(target=_work, args=(ready,))
    worker.start()
    assert ready.wait(10)
    for name in ("-TERM", "-INT", "-HUP"):
        subprocess.run(["kill", name, str(worker.pid)], check=True)
    worker.join(0.3)
    assert worker.is_alive()
    worker.terminate()
    worker.join(10)
    assert worker.exitcode == 0


def test_a_signal_while_the_finished_voice_is_put_in_place_lets_that_end(make_trainer, monkeypatch, caplog):
    trainer = make_trainer(max_steps=1)
    write = trainer._write_model

    def write_and_tell(folder, card="README.md"):
        if folder.name.startswith("..release"):
            signal.raise_signal(signal.SIGTERM)
        write(folder, card)

    monkeypatch.setattr(trainer, "_write_model", write_and_tell)
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        assert trainer.train().step == 1
    finally:
        signal.signal(signal.SIGTERM, former)
    assert VitsModel.from_pretrained(trainer.output_dir)
    assert "SIGTERM: saves the finished model and stops" in caplog.text


def evaluated_steps(folder):
    return [line["step"] for line in read_history(folder) if "eval/mel" in line]


@pytest.mark.thorough
def test_a_run_that_was_killed_between_checkpoint_and_evaluation_catches_up(make_trainer, make_data, forget_accelerate):
    def trainer(**settings):
        forget_accelerate()
        return make_trainer(eval_dataset=make_data(2), eval_steps=2, save_steps=2, **settings)

    killed = trainer(max_steps=3)
    evaluate = killed._evaluate
    killed._evaluate = lambda experiment: evaluate(experiment) if killed.progress.step == 0 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        killed.train()
    assert evaluated_steps(killed.output_dir) == [0]
    trainer(max_steps=3).train(resume_from_checkpoint="latest")
    assert evaluated_steps(killed.output_dir) == [0, 2, 3]
    trainer(max_steps=3).train(resume_from_checkpoint="latest")  # nothing is left to do, and nothing is done twice
    assert evaluated_steps(killed.output_dir) == [0, 2, 3]


def test_a_run_does_not_begin_in_the_folder_of_another(make_trainer):
    trainer = make_trainer(max_steps=1)
    with run_lock(trainer.output_dir):
        before = sorted(file.name for file in trainer.output_dir.iterdir())
        with pytest.raises(FolderInUse, match=f"writes to {trainer.output_dir}"):
            trainer.train()
        assert sorted(file.name for file in trainer.output_dir.iterdir()) == before
    assert trainer.train().step == 1


@pytest.mark.thorough
def test_a_stop_saves_at_once_and_does_not_evaluate(make_trainer, make_data):
    trainer = make_trainer(eval_dataset=make_data(2), max_steps=50, eval_steps=2)
    interrupt_after(trainer, 2, lambda: signal.raise_signal(signal.SIGTERM))
    assert trainer.train().step == 2
    assert not [line for line in read_history(trainer.output_dir) if line["step"] and "eval/mel" in line]
    assert list_checkpoints(trainer.output_dir)[-1].name == "checkpoint-2"


def test_an_evaluation_that_fails_comes_after_the_checkpoint(make_trainer, make_data, monkeypatch):
    trainer = make_trainer(eval_dataset=make_data(2), max_steps=4, eval_steps=2, save_steps=2)
    evaluate = trainer._evaluate

    def fail(experiment):
        if trainer.progress.step:
            raise OSError("No space left on device")
        evaluate(experiment)

    trainer._evaluate = fail
    with pytest.raises(OSError, match="No space"):
        trainer.train()
    assert list_checkpoints(trainer.output_dir)[-1].name == "checkpoint-2"


SCRIPT = """
import resource
import torch
from hf_vits.training.process import hold_free_memory, return_free_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [torch.ones(2**20) for _ in range(32)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

hold_free_memory()
faults()
held, full = faults(), resident()
return_free_memory()
print(resource.getpagesize(), held, full - resident(), faults())
"""


@pytest.mark.thorough
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_memory_is_not_asked_for_anew_until_it_is_given_back():
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    page, held, returned, anew = map(int, said.split())
    pages = 32 * 4 * 2**20 // page
    assert held < 0.5 * pages
    assert returned > 0.5 * pages
    assert anew > 0.5 * pages
