"""`hf-vits convert`: a voice of another project to a folder that `VitsModel.from_pretrained` loads."""

import argparse

HELP = "Convert a voice of another project into a folder of this one."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the verb."""
    parser.add_argument(
        "source",
        help="the voice: its file of weights, such as voice.onnx or G_100000.pth, or its folder; "
        "default is the default voice",
    )
    parser.add_argument("output", help="the folder to make")
    parser.add_argument(
        "--config", metavar="FILE", help="its configuration, if it is not beside it under its usual name"
    )
    parser.add_argument(
        "--discriminator",
        metavar="FILE",
        help="the discriminators it was trained against, if they are neither in nor beside it under their usual name",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the folder if there is one")


def run(options: argparse.Namespace) -> None:
    """Converts, and prints what was inferred and what was left out."""
    from hf_vits.conversion import convert
    from hf_vits.conversion.resolve import known_voice
    from hf_vits.utils.atomic_folder import destination, refuse_existing, refuse_losing

    source = known_voice(options.source) or options.source
    directory = destination(options.output)
    refuse_losing(directory, source)
    refuse_existing(directory, options.overwrite)
    converted = convert(source, options.config, options.discriminator)
    converted.save(directory, overwrite=options.overwrite)
    for note in converted.notes:
        print(note)
    judges = "" if converted.discriminator is None else f", {len(converted.discriminator.state_dict)} of discriminators"
    print(f"{options.output}: {len(converted.state_dict)} tensors{judges}")
