"""`hf-vits merge`: interpolate the weights of a voice and of one that was fine-tuned from it."""

import argparse
import json

HELP = "Interpolate a voice and one that was fine-tuned from it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.usage = "%(prog)s [options] base tuned output"
    parser.add_argument("base", help="the voice that fine-tuning began with: folder, name on the Hub, or default")
    parser.add_argument("tuned", help="the fine-tuned voice")
    parser.add_argument("output", help="folder to make")
    parser.add_argument(
        "--weights",
        metavar="W",
        type=_weights,
        default=0.5,
        help='weight of the tuned voice, 0 to 1, or a JSON object of weights by module, as {"decoder": 0.8, "flow": '
        "0.5}; what is not named is the tuned voice's. By default 0.5",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the folder if it exists")


def run(options: argparse.Namespace) -> None:
    """Merge, and print where the voice is."""
    from hf_vits.conversion.merging import merge_voices

    folder = merge_voices(options.base, options.tuned, options.output, options.weights, options.overwrite)
    print(f"The voice is in {folder}.")


def _weights(text: str) -> float | dict[str, float]:
    """Return the number or the JSON object of a text."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, int | float | dict):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor a JSON object of numbers by module")
    return value
