"""`hf-vits evaluate`: measure what a voice says, how it sounds beside recordings, and how fast it is."""

import argparse

from hf_vits.cli.parser import Parser
from hf_vits.cli.settings import add_settings, begin_measuring, require_train_extra

HELP = "Measure a voice: word errors, similarity, distance, speed."

COMMON = (
    "dataset_name",
    "texts",
    "compare",
    "output_dir",
    "overwrite",
    "write_card",
    "metrics",
    "recognizer",
    "speaker_encoder",
    "max_sentences",
)
"""The settings that `--help` shows."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    from hf_vits.evaluation.settings import EvaluationSettings

    parser.add_argument("voice", help="folder, default, or name on the Hub")
    add_settings(parser, {"settings": EvaluationSettings}, COMMON)
    parser.usage = "%(prog)s VOICE [--config FILE] [--SETTING VALUE ...]"


def run(options: argparse.Namespace) -> None:
    """Measure, write the report, and print its figures."""
    require_train_extra()
    from hf_vits.evaluation.settings import EvaluationSettings
    from hf_vits.evaluation.voice import evaluate_voice

    settings = begin_measuring(options, EvaluationSettings)
    report = evaluate_voice(options.voice, settings)
    for label in ("voice", "recordings", "copy_synthesis", "compared"):
        if report[label] and report[label]["estimates"]:
            print(f"{label}: {figures(report[label]['estimates'])}")
    if report["difference"]:
        print(f"difference: {figures(report['difference'])}")
    if report["no_copy_synthesis"]:
        print(report["no_copy_synthesis"])
    print(f"{settings.output_dir}/index.html has the sentences, the worst first, with their audio.")


def figures(estimates: dict) -> str:
    """Return figures with their intervals, and verdicts on differences, in one line."""
    from hf_vits.evaluation.base import METRICS

    lines = []
    for name, estimate in estimates.items():
        value, low, high = (METRICS[name].shown(estimate[part]) for part in ("value", "low", "high"))
        lines.append(f"{name} {value} ({low} to {high}) {estimate.get('verdict', '')}".rstrip())
    return ", ".join(lines)
