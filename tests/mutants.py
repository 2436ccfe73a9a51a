"""Deliberate faults, one at a time, each of which the nearest test file must notice: `make mutants`.

Every fault is a small edit of one source file in a copy of the tree. One that no test notices says that a test is
missing or cannot fail. One whose text is no longer in the file, or is there twice, is an error: it must follow the
code. The tests are run once without any fault too, as those that fail by themselves prove nothing.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("src", "tests", "examples", "docs", "pyproject.toml", "setup.py", "README.md", "constraints.txt")
HEAVY = ("torch", "transformers", "accelerate", "datasets", "librosa", "matplotlib.pyplot", "soundfile", "scipy.signal")
"""What tests import for seconds each, and what imports nothing of ours."""

SECONDS = 600
"""Longest run of a test file; a fault that makes it hang is noticed too."""


@dataclass(frozen=True)
class Mutant:
    """A fault: in `file`, below src/hf_vits, `old` becomes `new`. Those tests of the file `test`, below tests, whose
    names `select` matches, all if it is empty, must fail then."""

    file: str
    old: str
    new: str
    test: str
    select: str = ""


MUTANTS = [
    # What a step learns from
    Mutant("training/noise.py", "seed_of(seed, step, row)", "seed_of(seed, row)", "training/test_noise.py"),
    Mutant("training/noise.py", "(seed_of(seed, step, row))", "(seed_of(seed, step))", "training/test_noise.py"),
    Mutant(
        "training/step.py",
        "clip_generators(seed, step, batch.rows)",
        "clip_generators(seed, 0, batch.rows)",
        "training/test_noise.py",
    ),
    Mutant("training/segments.py", ".clamp(min=0) + 1", ".clamp(min=1)", "training/test_segments.py"),
    Mutant(
        "training/generator.py",
        "self.model.duration_predictor, hidden.detach()",
        "self.model.duration_predictor, hidden",
        "training/test_generator.py",
        "teach",
    ),
    Mutant("training/terms.py", "requires_grad_(True)", "requires_grad_(False)", "training/test_terms.py", "frozen"),
    Mutant(
        "training/recomputing.py",
        "module.gradient_checkpointing = True",
        "module.gradient_checkpointing = False",
        "training/test_recomputing.py",
    ),
    Mutant("losses.py", "0.5 * (error.square() - 1)", "0.5 * error.square()", "test_losses.py"),
    Mutant("losses.py", "r.detach().float()", "r.float()", "test_losses.py"),
    Mutant("spectrogram.py", 'mode="reflect"', 'mode="replicate"', "test_spectrogram.py"),
    Mutant("discriminator.py", "SLOPE = 0.1", "SLOPE = 0.2", "test_discriminator.py"),
    Mutant("alignment_kernel.py", "left[token] > same[token]", "left[token] < same[token]", "test_alignment.py"),
    # How a gradient becomes a step
    Mutant(
        "training/players.py",
        " and not any(pattern.match(name) for pattern in patterns)",
        "",
        "training/test_players.py",
        "frozen",
    ),
    Mutant("training/players.py", "_average_gradients(moving, average)", "pass", "training/test_players.py", "mean"),
    Mutant("training/players.py", "        if finite:", "        if True:", "training/test_players.py", "finite"),
    Mutant(
        "training/players.py",
        "self.learning_rate * rate_factor",
        "self.learning_rate",
        "training/test_players.py",
        "rate",
    ),
    Mutant("training/training_arguments.py", "self.lr_decay**epoch", "1.0", "training/test_players.py", "rise"),
    Mutant(
        "training/step.py", "total += loss.detach()", "total = loss.detach()", "training/test_step.py", "reported_loss"
    ),
    Mutant(
        "training/average.py",
        "averaged, current, 1 - min(decay",
        "averaged, current, min(decay",
        "training/test_average.py",
    ),
    Mutant(
        "training/trainer.py",
        "self.average.update_parameters(self.generator.module.model)",
        "pass",
        "training/test_average.py",
    ),
    # Which data a run reads, and in which order
    Mutant(
        "training/batches.py",
        "batch[self.process_index :: self.num_processes]",
        "batch[:: self.num_processes]",
        "training/test_batches.py",
    ),
    Mutant("training/batches.py", "seed_of(self.seed, self.epoch)", "seed_of(self.seed)", "training/test_batches.py"),
    Mutant(
        "training/loading.py",
        "self.order.set_epoch(epoch, start)",
        "self.order.set_epoch(epoch)",
        "training/test_loading.py",
        "midst",
    ),
    Mutant("training/sources.py", "train.skip(held_out_clips)", "train", "training/test_sources.py", "stream"),
    Mutant(
        "training/folder.py",
        "[row for row in rows if row[FILE] not in names]",
        "list(rows)",
        "training/test_folder.py",
        "held_out",
    ),
    Mutant(
        "training/data.py",
        "text_lengths=torch.tensor([len(item) for item in ids])",
        "text_lengths=torch.tensor([max(map(len, ids)) for item in ids])",
        "training/test_data.py",
        "pads",
    ),
    Mutant("training/new_tokenizer.py", "count >= least", "count > least", "training/test_new_tokenizer.py"),
    Mutant("training/speaker_column.py", "len(names) > 1", "len(names) > 99", "training/test_speaker_column.py"),
    # What a run begins with and goes on from
    Mutant(
        "training/starting.py",
        "whole.load_state_dict({**whole.state_dict(), **state})",
        "whole.load_state_dict(whole.state_dict())",
        "training/test_starting.py",
        "sounds_as_before",
    ),
    Mutant(
        "training/trainer.py",
        'self.accelerator.scaler.load_state_dict(state["scaler"])',
        "pass",
        "training/test_checkpoints.py",
        "scaler",
    ),
    Mutant(
        "training/trainer.py",
        'restore(self.average, state["average"], "average")',
        "pass",
        "training/test_trainer.py",
        "resumed_run_ends",
    ),
    Mutant(
        "training/trainer.py",
        "return self._is_evaluated(step) and not done",
        "return step == 0",
        "training/test_interruption.py",
        "catches_up",
    ),
    Mutant(
        "training/saved_state.py",
        "bool(torch.isfinite(tensor).all())",
        "True",
        "training/test_saved_state.py",
        "named",
    ),
    Mutant("training/numbering.py", ") != (now := ", ") == (now := ", "training/test_numbering.py", "resumed"),
    Mutant(
        "training/agreement.py",
        "if name not in OWN}",
        "if name in OWN}",
        "test_joint.py",
        "differ",
    ),
    Mutant("joint.py", "    if differing:", "    if False:", "test_joint.py", "difference"),
    # What a run writes
    Mutant(
        "training/checkpoints.py", "key=lambda file: file == staged / LAST", "key=str", "training/test_checkpoints.py"
    ),
    Mutant("training/checkpoints.py", "[:-keep]", "[: -keep - 1]", "training/test_checkpoints.py", "oldest"),
    Mutant(
        "training/checkpoints.py",
        "key=step_of)\n\n\ndef step_of",
        "key=str)\n\n\ndef step_of",
        "training/test_checkpoints.py",
        "oldest",
    ),
    Mutant(
        "training/checkpoints.py",
        "step_of(folder) >= step",
        "step_of(folder) > step",
        "training/test_checkpoints.py",
        "given_up",
    ),
    Mutant("training/checkpoints.py", "    elif lost:", "    elif False:", "training/test_checkpoints.py", "state"),
    Mutant("training/trackers.py", 'if line["step"] <= step]', "]", "training/test_trackers.py", "dropped"),
    Mutant("training/evaluation.py", "total / count", "total", "training/test_evaluation.py", "mean"),
    Mutant("training/held_out.py", ".amax(dim=-1).mean()", ".mean()", "training/test_held_out.py", "focus"),
    Mutant("training/card.py", "else CARD_BESIDE", "else CARD", "training/test_card.py", "somebody"),
    Mutant("training/hub.py", '["checkpoint-*", ', "[", "training/test_push.py", "pushed"),
    Mutant("training/interruption.py", "        self.__exit__()\n", "", "training/test_interruption.py", "second_acts"),
    Mutant(
        "training/interruption.py", "is not signal.SIG_IGN]", "is not None]", "training/test_interruption.py", "ignored"
    ),
    Mutant("run_lock.py", "            lock.acquire()", "            pass", "test_run_lock.py", "refused"),
    Mutant(
        "folders.py", "            os.rename(former / directory.name, directory)\n", "", "test_folders.py", "replaced"
    ),
    Mutant("synthesis/folder.py", "    if differing:", "    if False:", "synthesis/test_run.py", "other_settings"),
    # What is read and asked for
    Mutant("weights.py", "missing = sorted(shapes.keys() - matched.keys())", "missing = []", "test_weights.py"),
    Mutant("archives.py", "unpacked > size or ", "", "test_archives.py"),
    Mutant("launch.py", "launchers if own is None else own", 'own or "no"', "test_launch.py", "precision"),
    Mutant("launch.py", 'if precision == "fp16" and _on_cpu():', "if False:", "test_launch.py", "half"),
    Mutant("options.py", "str(Path(path).expanduser())", "str(Path(path))", "test_options.py", "home or expanded"),
    Mutant("options.py", "[value] if isinstance(value, str) else value", "list(value)", "test_options.py", "annotated"),
    Mutant("arguments.py", "        if unknown:", "        if False:", "test_arguments.py", "unknown"),
]


def main() -> int:
    """Run the faults and print a table; give the number of those that were not noticed, or could not be tried."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose file or test has this in its name")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a fault first")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in f"{mutant.file} {mutant.test}"]
    outcomes, began = [], time.monotonic()
    for name in HEAVY:
        import_module(name)
    assert "hf_vits" not in sys.modules
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = _copied(Path(folder))
        tests = dict.fromkeys((mutant.test, mutant.select) for mutant in chosen)
        broken = set() if options.trust else {test for test in tests if not _passes(tree, *test)}
        for mutant in chosen:
            test = (mutant.test, mutant.select)
            outcome = "fails by itself" if test in broken else _outcome(tree, mutant)
            outcomes.append(outcome)
            print(f"{outcome:16} {mutant.file:30} {' '.join(mutant.old.split())[:56]:57} {mutant.test}", flush=True)
    noticed = outcomes.count("noticed")
    print(
        f"{noticed} of {len(outcomes)} faults are noticed; {len(broken)} of {len(tests)} selections fail by themselves."
    )
    print(f"{time.monotonic() - began:.0f} s")
    return min(1, len(outcomes) - noticed + len(broken))


def _outcome(tree: Path, mutant: Mutant) -> str:
    """Say whether the tests fail with the fault: "noticed", "NOT NOTICED", or why it could not be tried."""
    file = tree / "src" / "hf_vits" / mutant.file
    if not file.is_file():
        return "NO SUCH FILE"
    count = file.read_text(encoding="utf-8").count(mutant.old)
    if count != 1:
        return "TEXT IS GONE" if count == 0 else f"TEXT {count} TIMES"
    with _edited(file, mutant):
        code = _run(tree, mutant.test, mutant.select)
    return {0: "NOT NOTICED", 1: "noticed", None: "noticed"}.get(code, f"PYTEST SAYS {code}")


@contextmanager
def _edited(file: Path, mutant: Mutant) -> Iterator[None]:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def _run(tree: Path, test: str, select: str) -> int | None:
    """Run a test file up to its first failure in a child process; give pytest's code, `None` if it took too long.

    The child is forked from this process, which has imported what takes seconds, but nothing that may hold a fault.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _test(tree, test, select)
        finally:
            os._exit(code)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _test(tree: Path, test: str, select: str) -> int:
    """Run pytest in this process, on the copy, without a word."""
    os.setpgrp()  # so that what the tests start can be stopped with them
    os.chdir(tree)
    os.environ |= {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    sys.path.insert(0, str(tree / "src"))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    arguments = ["-q", "-x", "-p", "no:cacheprovider", f"tests/{test}", *(["-k", select] if select else [])]
    return int(pytest.main(arguments))


def _passes(tree: Path, test: str, select: str) -> bool:
    """Say whether tests pass without any fault; print it if they do not."""
    code = _run(tree, test, select)
    if code != 0:
        print(f"fails by itself: tests/{test} -k '{select}' (pytest says {code})", flush=True)
    return code == 0


def _copied(folder: Path) -> Path:
    """Copy what the tests need into a folder."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif source.is_file():
            shutil.copy2(source, target)
    return folder


if __name__ == "__main__":
    sys.exit(main())
