"""CPU seconds and peak memory of a step of `from-scratch-cpu`, with its discriminators and others, and of the paper.

Each row has a process of its own, and so its own peak memory; they step in turn, on the same batches of the same
recordings. CPU seconds are those of all threads together, so that what else the machine does counts little. Run:

    python benchmarks/training_cost.py --data FOLDER [--language ru] [--rows paper …] [--steps 5] [--json FILE]
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from importlib.metadata import version
from itertools import chain, count
from statistics import median

from meters.turns import write_json

DISCRIMINATORS = {
    f"{names} {multiplier:g}": {"discriminator_config": names, "discriminator_channel_multiplier": multiplier}
    for names in ("period,scale", "multi_resolution", "multi_band")
    for multiplier in (1.0, 0.5, 0.25)
}
"""Settings of discriminators, by their names and the share of their channels."""

ROWS = {
    "preset": {},
    "paper": {"model_config": {"sampling_rate": 16_000, "layerdrop": 0.0}, **DISCRIMINATORS["period,scale 1"]},
    **DISCRIMINATORS,
}
"""Settings over those of the preset, by row."""


def trainer_of(row, options, folder):
    """Returns the trainer of a row."""
    from hf_vits.cli.settings import read_settings
    from hf_vits.cli.train import PRESETS
    from hf_vits.training import ModelAndDataArguments, VitsTrainingArguments

    given = {"dataset_name": options.data, "language": options.language, "output_dir": folder, "report_to": []}
    given |= {"per_device_train_batch_size": options.batch, "cpu_threads": options.threads}
    given |= {"mixed_precision": options.precision, "config": "from-scratch-cpu", **ROWS[row]}
    kinds = [ModelAndDataArguments, VitsTrainingArguments]
    arguments, training = read_settings(argparse.Namespace(**given), kinds, PRESETS)
    return arguments.build_trainer(training)


def work(row, options, pipe):
    """Takes a step for each message, and answers with its CPU seconds and the peak memory so far, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(row, options, folder)
    step = trainer.step_class(trainer.generator, trainer.discriminator, trainer.args, trainer.accelerator)
    models = (trainer.output_model, trainer.discriminator.module)
    pipe.send([sum(parameter.numel() for parameter in model.parameters()) for model in models])
    batches = chain.from_iterable(trainer.train_dataloader.epoch(epoch) for epoch in count())
    while (number := pipe.recv()) is not None:
        began = time.process_time()
        step([next(batches)], number, 0)
        seconds = time.process_time() - began
        pipe.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


class Worker:
    """A process that takes a step on request."""

    def __init__(self, row, options):
        forked = multiprocessing.get_context("fork")  # what is imported once serves all
        self.pipe, other = forked.Pipe()
        forked.Process(target=work, args=(row, options, other), daemon=True).start()
        other.close()
        self.row, self.weights, self.seconds, self.peak = row, self.pipe.recv(), [], 0.0

    def step(self):
        self.pipe.send(len(self.seconds))
        seconds, self.peak = self.pipe.recv()
        self.seconds.append(seconds)

    def figures(self):
        return {"row": self.row, "weights": self.weights, "seconds": self.seconds, "peak_mib": self.peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="recordings with a metadata.csv")
    parser.add_argument("--language", default="en", help="espeak voice of the texts")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="no", help="mixed precision of all rows: no or bf16")
    parser.add_argument("--steps", type=int, default=5, help="steps of each")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    import hf_vits.training.trainer  # noqa: F401 — before the processes fork

    workers = [Worker(row, options) for row in options.rows]
    for _ in range(options.steps):
        for worker in workers:
            worker.step()
    about = f"batch {options.batch}, {options.threads} thread(s), mixed precision {options.precision}"
    print(f"torch {version('torch')}, {about}, median and least of {options.steps} steps")
    print(f"{'':<22} {'CPU s':>7} {'least':>7} {'MiB':>6} {'voice M':>8} {'discriminators M':>17}")
    for worker in workers:
        voice, discriminators = (number / 1e6 for number in worker.weights)
        times = f"{median(worker.seconds):>7.2f} {min(worker.seconds):>7.2f}"
        print(f"{worker.row:<22} {times} {worker.peak:>6.0f} {voice:>8.2f} {discriminators:>17.2f}")
    write_json(options.json, [worker.figures() for worker in workers])


if __name__ == "__main__":
    main()
