"""`hf-vits doctor`: what is wrong with a folder that is meant to be a voice, and how to mend it."""

import argparse
import os
import sys

from hf_vits.utils.threads import add_threads, use_threads

HELP = "Examine the folder of a voice: what is wrong with it, and how to mend it."

EPILOG = (
    "Exit code: 0 if the voice is fit for use, 1 if there are errors (with --strict, or warnings), 2 for wrong usage."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument(
        "voice",
        help="the folder, or default (en_US-joe-medium); of a file of another project, it says how to convert it",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")
    parser.add_argument("--strict", action="store_true", help="let warnings count as errors in the exit code")
    add_threads(parser)


def run(options: argparse.Namespace) -> int:
    """Examines, prints the report, and returns the exit code."""
    from hf_vits.conversion.resolve import known_voice
    from hf_vits.doctor import examine
    from hf_vits.doctor.examination import as_json, in_words

    use_threads(options.threads)
    report = examine(known_voice(options.voice) or options.voice)
    try:
        print(as_json(report) if options.json else in_words(report), flush=True)
    except BrokenPipeError:  # whoever reads has read enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return report.exit_code(options.strict)
