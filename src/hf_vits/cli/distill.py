"""`hf-vits distill`: train a lighter decoder to return what a voice's own decoder returns."""

import argparse
import logging
from importlib.resources import files
from pathlib import Path

from hf_vits.cli.parser import Parser
from hf_vits.cli.settings import add_settings, preset_names, read_settings, require_train_extra

HELP = "Train a lighter decoder for a voice, on its own speech."

PRESETS = files("hf_vits") / "presets" / "distillation"
"""The packaged files of settings; the defaults are those of a run without a GPU."""

RESUME = "interrupted; continue from the last checkpoint with --resume_from_checkpoint latest"

OUT_OF_MEMORY = "Lower `per_device_train_batch_size`."

COMMON = (
    *("decoder", "texts", "dataset_name", "max_steps", "per_device_train_batch_size"),
    *("cpu_threads", "resume_from_checkpoint"),
)
"""The settings that `--help` shows."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    from hf_vits.training import RunOptions
    from hf_vits.training.completion_texts import CompletionTexts
    from hf_vits.training.distillation_arguments import DistillationArguments

    parser.add_argument("voice", help="folder, default, name on the Hub, or file to convert")
    parser.add_argument("output", help="folder of the run, and of the voice")
    groups = {"texts": CompletionTexts, "training": DistillationArguments, "run": RunOptions}
    add_settings(parser, groups, COMMON, without=["output_dir"])
    parser.usage = "%(prog)s [--config FILE] [--SETTING VALUE ...] voice output"
    parser.epilog = f"Only the decoder is replaced. FILE may be a preset: {', '.join(preset_names(PRESETS))}."


def settings(options: argparse.Namespace) -> tuple:
    """Return the checked settings: `CompletionTexts`, `DistillationArguments` and `RunOptions`."""
    from hf_vits.training import RunOptions
    from hf_vits.training.completion_texts import CompletionTexts
    from hf_vits.training.distillation_arguments import DistillationArguments

    options.output_dir = options.output
    return read_settings(options, [CompletionTexts, DistillationArguments, RunOptions], PRESETS)


def run(options: argparse.Namespace) -> None:
    """Distill the voice, and upload it if it is finished and that is wanted."""
    require_train_extra()
    from hf_vits.training import check_login
    from hf_vits.training.checkpoints import check_resumable
    from hf_vits.training.completed_base import Texts, built_in_texts, load_base
    from hf_vits.training.distillation import Distiller

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    texts, training, run_options = settings(options)
    if run_options.push_to_hub:
        check_login()
    check_resumable(Path(training.output_dir), run_options.resume_from_checkpoint)
    teacher, given = load_base(options.voice), texts.load()
    trainer = Distiller(teacher, built_in_texts(teacher) if given is None else Texts(given, texts.name), training)
    trainer.train(resume_from_checkpoint=run_options.resume_from_checkpoint)
    if run_options.push_to_hub and trainer.is_finished:
        trainer.push_to_hub(run_options.hub_model_id, run_options.hub_private_repo)
