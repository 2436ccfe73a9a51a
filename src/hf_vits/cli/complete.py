"""`hf-vits complete`: train the modules that an inference-only voice lacks for training on its own speech."""

import argparse
import logging
from pathlib import Path

from hf_vits.cli.parser import Parser
from hf_vits.cli.settings import add_settings, read_settings, require_train_extra

HELP = "Train what a voice lacks for training, on its own speech."

RESUME = "interrupted; the same command continues"

OUT_OF_MEMORY = "Lower `batch_size`."

COMMON = ("texts", "dataset_name", "text_column", "max_steps", "learning_rate", "batch_size", "cpu_threads")
"""The settings that `--help` shows."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    from hf_vits.training.completion import CompletionSettings
    from hf_vits.training.completion_texts import CompletionTexts

    parser.add_argument("voice", help="folder, default, name on the Hub, or file to convert")
    parser.add_argument("output", help="folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace the folder if it exists")
    add_settings(parser, {"texts": CompletionTexts, "training": CompletionSettings}, COMMON)
    parser.usage = "%(prog)s [--config FILE] [--SETTING VALUE ...] voice output"
    parser.epilog = "The result is cached. The same command continues a run that was stopped."


def settings(options: argparse.Namespace) -> tuple:
    """Return the checked settings: `CompletionTexts` and `CompletionSettings`."""
    from hf_vits.training.completion import CompletionSettings
    from hf_vits.training.completion_texts import CompletionTexts

    return read_settings(options, [CompletionTexts, CompletionSettings])


def run(options: argparse.Namespace) -> None:
    """Complete the voice, and print the check of the result."""
    require_train_extra()
    from hf_vits.training.completed_base import complete
    from hf_vits.training.completion_report import notes_of, read_report

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    texts, training = settings(options)
    folder = complete(options.voice, options.output, texts.load(), training, texts.name, options.overwrite)
    print(f"{folder}: {notes_of(read_report(Path(folder)))[2]}")
