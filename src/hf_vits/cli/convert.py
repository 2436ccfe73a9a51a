"""`hf-vits convert`: a voice of another project to a folder that `VitsModel.from_pretrained` loads."""

import argparse

HELP = "Convert a voice of another project (Piper's .onnx) into a folder of this one."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the verb."""
    parser.add_argument("source", help="the voice, for example voice.onnx")
    parser.add_argument("output", help="the folder to make")
    parser.add_argument(
        "--config", metavar="FILE", help="its configuration, if it is not beside it under its usual name"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the folder if there is one")


def run(options: argparse.Namespace) -> None:
    """Converts, and prints what was inferred and what was left out."""
    from hf_vits.conversion import convert

    converted = convert(options.source, options.config)
    for note in converted.notes:
        print(note)
    converted.save(options.output, overwrite=options.overwrite)
    print(f"{options.output}: {len(converted.state_dict)} tensors")
