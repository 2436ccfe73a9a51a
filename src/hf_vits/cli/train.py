"""`hf-vits train`: train or fine-tune a voice, in one process or in all that `accelerate launch` starts."""

import argparse
import logging
import threading
from importlib.resources import files
from pathlib import Path

from hf_vits.cli.parser import Parser
from hf_vits.cli.settings import add_settings, preset_names, read_settings, require_train_extra
from hf_vits.utils.atomic_file import FULL

HELP = "Train or fine-tune a voice."

PRESETS = files("hf_vits") / "presets"
"""The packaged files of settings."""

RESUME = "interrupted; continue from the last checkpoint with --resume_from_checkpoint latest"

OUT_OF_MEMORY = "Lower `per_device_train_batch_size` first; docs/training.md says what else."

COMMON = (
    "dataset_name",
    "model_name_or_path",
    "output_dir",
    "max_steps",
    "per_device_train_batch_size",
    "learning_rate",
    "cpu_threads",
    "mixed_precision",
    "eval_steps",
    "save_steps",
    "resume_from_checkpoint",
    "push_to_hub",
)
"""The settings that `--help` shows."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    from hf_vits.training import ModelAndDataArguments, RunOptions, VitsTrainingArguments

    groups = {"model and data": ModelAndDataArguments, "training": VitsTrainingArguments, "run": RunOptions}
    add_settings(parser, groups, COMMON)
    parser.epilog = f"FILE may be a preset: {', '.join(preset_names(PRESETS))}."


def settings(options: argparse.Namespace) -> tuple:
    """Return the checked settings: `ModelAndDataArguments`, `VitsTrainingArguments` and `RunOptions`."""
    from hf_vits.training import ModelAndDataArguments, RunOptions, VitsTrainingArguments

    return read_settings(options, [ModelAndDataArguments, VitsTrainingArguments, RunOptions], PRESETS)


def run(options: argparse.Namespace) -> None:
    """Train, and upload the voice if it is finished and that is wanted."""
    require_train_extra()
    from hf_vits.training import check_login
    from hf_vits.training.checkpoints import check_resumable

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    threading.excepthook = _ignore_full_disks(threading.excepthook)
    arguments, config, run_options = settings(options)
    if run_options.push_to_hub:
        check_login()
    check_resumable(Path(config.output_dir), run_options.resume_from_checkpoint)  # the data takes time to read
    trainer = arguments.build_trainer(config)
    trainer.train(resume_from_checkpoint=run_options.resume_from_checkpoint)
    if run_options.push_to_hub and trainer.is_finished:  # else it was stopped before the end
        trainer.push_to_hub(run_options.hub_model_id, run_options.hub_private_repo)


def _ignore_full_disks(hook):
    """Wrap a hook for errors in threads: a tracker's thread prints a full disk, which the main thread then reports."""

    def wrapped(arguments) -> None:
        if not (isinstance(arguments.exc_value, OSError) and arguments.exc_value.errno in FULL):
            hook(arguments)

    return wrapped
