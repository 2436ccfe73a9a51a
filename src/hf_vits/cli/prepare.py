"""`hf-vits prepare`: make a folder of recordings to train on, and report what was dropped."""

import argparse
import shlex

from hf_vits.cli.parser import Parser
from hf_vits.cli.settings import add_settings, begin_measuring, require_train_extra

HELP = "Resample, trim, cut and check recordings for training."

COMMON = (
    "output",
    "voice",
    "overwrite",
    "sampling_rate",
    "level",
    "min_seconds",
    "max_seconds",
    "min_confidence",
    "text_column",
)
"""The settings that `--help` shows."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    from hf_vits.alignment.settings import PreparationSettings

    parser.add_argument("recordings", help="folder with a metadata.csv, or data set of the Hub")
    add_settings(parser, {"settings": PreparationSettings}, COMMON)
    parser.usage = "%(prog)s recordings --output FOLDER [--SETTING X ...]"
    parser.epilog = "A voice finds wrong texts, and cuts long recordings into sentences."


def run(options: argparse.Namespace) -> None:
    """Prepare, and print what was kept and dropped."""
    require_train_extra()
    from hf_vits.alignment.preparation import prepare_folder
    from hf_vits.alignment.settings import PreparationSettings

    settings = begin_measuring(options, PreparationSettings)
    print(prepare_folder(options.recordings, settings))
    print(f"{settings.output}: train with `hf-vits train --dataset_name {shlex.quote(settings.output)}`")
