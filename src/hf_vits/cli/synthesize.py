"""`hf-vits synthesize`: speak a data set of texts, in one process or in all that `accelerate launch` starts."""

import argparse
import logging

from hf_vits.cli.parser import Parser
from hf_vits.cli.settings import add_settings, read_settings, require_train_extra

HELP = "Speak a data set of texts into a data set of speech."

RESUME = "interrupted; the same command continues"

OUT_OF_MEMORY = "Lower `per_device_eval_batch_size`."

COMMON = (
    "dataset_name",
    "split",
    "text_column",
    "output_dir",
    "voice",
    "speaker_id",
    "speaker_column",
    "speaking_rate",
    "pause",
    "strict",
    "seed",
    "per_device_eval_batch_size",
    "push_to_hub",
    "hub_dataset_id",
)
"""The settings that `--help` shows."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    from hf_vits.synthesis import SynthesisSettings

    add_settings(parser, {"settings": SynthesisSettings}, COMMON)
    parser.epilog = "The same command continues a run that was stopped, on any number of processes."


def settings(options: argparse.Namespace) -> tuple:
    """Return the checked settings: `SynthesisSettings`."""
    from hf_vits.synthesis import SynthesisSettings

    return read_settings(options, [SynthesisSettings])


def run(options: argparse.Namespace) -> None:
    """Speak the texts into a folder that `datasets.load_dataset("audiofolder", data_dir=...)` reads."""
    require_train_extra()
    from hf_vits.synthesis import synthesize

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    synthesize(*settings(options))
