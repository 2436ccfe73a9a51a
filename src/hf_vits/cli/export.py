"""`hf-vits export`: export a model folder to the files of another runtime."""

import argparse
from pathlib import Path

from hf_vits.cli.parser import number_or_name
from hf_vits.utils.threads import add_threads, use_threads

HELP = "Export a voice to the files of another runtime or project."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    from hf_vits.export import PRECISIONS, TARGETS, known_targets

    parser.usage = "%(prog)s --target TARGET [options] voice output"
    parser.add_argument("voice", help="folder, default, or name on the Hub")
    parser.add_argument("output", help="folder to make")
    parser.add_argument("--target", required=True, choices=TARGETS, metavar="TARGET", help=", ".join(TARGETS))
    parser.epilog = f"Targets: {'; '.join(known_targets())}."
    precisions = f"{', '.join(PRECISIONS)} (default: {PRECISIONS[0]})"
    parser.add_argument("--precision", default=PRECISIONS[0], choices=PRECISIONS, metavar="P", help=precisions)
    parser.add_argument("--name", help="name of the files, for targets that allow it")
    parser.add_argument("--language", metavar="ID", help="language of a multilingual voice, by number or name")
    parser.add_argument("--overwrite", action="store_true", help="replace the folder if it exists")
    add_threads(parser)


def run(options: argparse.Namespace) -> None:
    """Export, and print the difference from PyTorch and what could not be kept."""
    from transformers.utils import logging

    from hf_vits import VitsModel, VitsTokenizer
    from hf_vits.conversion.resolve import resolve_voice, short_name
    from hf_vits.export import TARGETS, export
    from hf_vits.training.initialization import load_discriminator

    logging.disable_progress_bar()
    voice = resolve_voice(options.voice)
    use_threads(options.threads)
    model, tokenizer = VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice)
    notes = export(
        model,
        tokenizer,
        options.output,
        target=options.target,
        precision=options.precision,
        name=short_name(options.voice) if options.name is None else options.name,
        language=number_or_name(options.language, model.config.language_names),
        overwrite=options.overwrite,
        discriminator=load_discriminator(voice) if TARGETS[options.target].takes_discriminator else None,
    )
    for note in notes:
        print(note)
    for file in sorted(Path(options.output).expanduser().iterdir()):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
