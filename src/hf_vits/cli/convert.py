"""`hf-vits convert`: convert a voice of another project to a folder that `VitsModel.from_pretrained` loads."""

import argparse

HELP = "Convert a voice of another project to a model folder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.usage = "%(prog)s [options] source output"
    parser.add_argument("source", help="file of weights (voice.onnx, G_100000.pth, ...), folder, or default")
    parser.add_argument("output", help="folder to make")
    parser.add_argument("--config", metavar="FILE", help="configuration file, if not found beside the source")
    parser.add_argument("--discriminator", metavar="FILE", help="discriminator file, if not found beside the source")
    parser.add_argument("--overwrite", action="store_true", help="replace the folder if it exists")


def run(options: argparse.Namespace) -> None:
    """Convert, and print what was inferred and what was dropped."""
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
    extra = (
        "" if converted.discriminator is None else f", {len(converted.discriminator.state_dict)} of the discriminator"
    )
    print(f"{options.output}: {len(converted.state_dict)} tensors{extra}")
