"""`hf-vits align`: write when each word of recordings is said, and report texts that do not fit their sound."""

import argparse
from pathlib import Path

from hf_vits.cli.parser import Parser
from hf_vits.cli.settings import add_settings, begin_measuring, require_train_extra

HELP = "Find when each word of recordings is said, and wrong texts."

COMMON = ("voice", "output", "formats", "overwrite", "min_confidence", "adapt", "speaker_id", "text_column")
"""The settings that `--help` shows."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    from hf_vits.alignment.settings import AlignmentSettings

    parser.add_argument("recordings", help="folder with a metadata.csv, or data set of the Hub")
    add_settings(parser, {"settings": AlignmentSettings}, COMMON)
    parser.usage = "%(prog)s recordings --voice VOICE --output FOLDER [--SETTING X ...]"
    parser.epilog = "The same command continues a stopped run. `hf-vits complete` makes a voice."


def run(options: argparse.Namespace) -> None:
    """Align, and print the recordings whose texts do not fit, the worst first."""
    require_train_extra()
    from hf_vits.alignment.folder import REPORT, align_folder
    from hf_vits.alignment.settings import AlignmentSettings

    settings = begin_measuring(options, AlignmentSettings)
    print(align_folder(options.recordings, settings))
    print(f"{Path(settings.output) / REPORT} has all recordings, the worst first.")
