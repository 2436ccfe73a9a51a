"""Whatever a file of a voice holds, reading it ends soon, in a voice or in an error that names it, and runs no code."""

import random
import resource
import shutil
import signal
from contextlib import contextmanager

import pytest
import torch
from damage import damage
from voices import VOICES

from hf_vits.utils.files import UnreadableFile

SECONDS = 20
"""Of processor time that a call may take; one of these voices takes a fraction of one."""

WAITING = 10 * SECONDS
"""Seconds that a call may take in all: on a busy machine it gets little of the processor."""

MOST_MEMORY = 500_000
"""KiB that a call may add to the process."""

PLAIN = (ValueError, OSError, FileNotFoundError, PermissionError, IsADirectoryError, FileExistsError, UnreadableFile)


@contextmanager
def limited():
    """Ends what works or waits for longer."""
    limits = {signal.SIGPROF: (signal.ITIMER_PROF, SECONDS), signal.SIGALRM: (signal.ITIMER_REAL, WAITING)}

    def end(number, frame):
        work = "worked" if number == signal.SIGPROF else "waited"
        raise AssertionError(f"it {work} for more than {limits[number][1]} s")

    before = {number: signal.signal(number, end) for number in limits}
    for timer, seconds in limits.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for number, (timer, _) in limits.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


@pytest.mark.parametrize(("number", "word"), [(signal.SIGPROF, "worked"), (signal.SIGALRM, "waited")])
def test_what_works_or_waits_for_too_long_is_ended(number, word):
    with pytest.raises(AssertionError, match=f"it {word} for more than"), limited():
        signal.raise_signal(number)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """One folder of each layout, not to be changed, and the path in it that is read."""
    folders = {}
    for name, (make, _) in VOICES.items():
        folder = tmp_path_factory.mktemp("sound") / "voice"
        folder.mkdir()
        folders[name] = folder, make(folder).relative_to(folder)
    return folders


def read_all(layout, folder, path, capfd):
    """Reads a voice by every call; gives what is wrong with how that ended, and how many calls succeeded."""
    faults, succeeded = [], 0
    for name, call in VOICES[layout][1].items():
        out, before, said = folder.parent / "out", peak(), ""
        try:
            with limited():
                result = call(path, out)
        except PLAIN as error:
            said = str(error)
            if type(error) not in PLAIN or folder.name not in said and str(folder.parent) not in said:
                faults.append(f"{name}: {type(error).__name__} without a file's name: {said:.300}")
            if len(said) > 4000:
                faults.append(f"{name}: an error of {len(said)} characters")
        except BaseException as error:
            faults.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        else:
            succeeded += 1
            printed = capfd.readouterr().err
            if "Traceback" in printed or isinstance(result, int) and result not in (0, 1):
                faults.append(f"{name}: {result}, {printed:.300}")
            if any(found.id == "doctor.failed" for found in getattr(result, "diagnostics", ())):
                faults.append(
                    f"{name}: {[found.message for found in result.diagnostics if found.id == 'doctor.failed']}"
                )
            if name == "convert, command" and (result == 0) != out.is_dir():
                faults.append(f"{name}: {result}, but the folder is {'' if out.is_dir() else 'not '}there")
        if peak() - before > MOST_MEMORY:
            faults.append(f"{name}: {peak() - before} KiB")
        left = [file.name for file in folder.parent.iterdir() if file.name not in ("out", folder.name)]
        if left or any(folder.rglob("LOOT")):
            faults.append(f"{name}: left {left or 'what code in a file made'}")
        shutil.rmtree(out, ignore_errors=True)
    return faults, succeeded


def check(layout, seed, sound, tmp_path, capfd):
    folder, path = sound[layout]
    copy = tmp_path / "voice"
    shutil.copytree(folder, copy)
    what = damage(copy, random.Random(f"{layout} {seed}"))
    faults, succeeded = read_all(layout, copy, copy / path, capfd)
    assert not faults, f"{layout} {seed}: {what}\n  " + "\n  ".join(faults)
    return succeeded


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", ["ours", "coqui", "piper"])
def test_a_sound_voice_is_read_by_most_calls(layout, sound, tmp_path, capfd):
    folder, path = sound[layout]
    shutil.copytree(folder, tmp_path / "voice")
    faults, succeeded = read_all(layout, tmp_path / "voice", tmp_path / "voice" / path, capfd)
    assert not faults
    assert succeeded >= 3


@pytest.mark.thorough(but_every=3)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", VOICES)
@pytest.mark.parametrize("seed", range(1))
def test_a_damaged_voice_is_read_or_is_one_error(layout, seed, sound, tmp_path, capfd):
    check(layout, seed, sound, tmp_path, capfd)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", VOICES)
def test_many_damaged_voices_are_read_or_are_one_error_each(layout, sound, tmp_path, capfd):
    failed, succeeded = [], 0
    for seed in range(1, 150):
        (tmp_path / str(seed)).mkdir()
        try:
            succeeded += check(layout, seed, sound, tmp_path / str(seed), capfd)
        except AssertionError as error:
            failed.append(str(error))
        shutil.rmtree(tmp_path / str(seed))
    assert not failed, f"{len(failed)} of 149:\n" + "\n".join(failed)
    assert succeeded  # the damage is not so great that nothing else is tested
