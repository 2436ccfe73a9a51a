"""`hf-vits demo`: try a voice in the browser with Gradio, or write the folder of a Space that does the same."""

import argparse
import shlex

from hf_vits.utils.threads import add_threads, use_threads

HELP = "Try a voice in Gradio, or write the folder of a Space."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.usage = "%(prog)s [options] [voice]"
    add = parser.add_argument
    add("voice", nargs="?", default="default", help="folder, default (if none is given), or name on the Hub")
    add("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 for all of this machine")
    add("--port", type=int, default=7860, metavar="N", help="port to listen at (default: 7860)")
    add("--space", metavar="FOLDER", help="write the folder of a Space instead")
    add("--package", metavar="REQUIREMENT", help="how pip installs hf_vits in that Space (default: by name)")
    add("--overwrite", action="store_true", help="replace that folder if it exists")
    add_threads(parser)


def run(options: argparse.Namespace) -> None:
    """Serve the demo until Ctrl-C, or write the folder and print what to do with it."""
    if options.space is not None:
        return _write(options)
    if options.overwrite or options.package is not None:
        raise ValueError("--overwrite and --package belong to the folder of a Space; name it with --space.")
    from hf_vits.serving.demo import appearance, import_gradio, make_demo

    gradio = import_gradio()
    use_threads(options.threads)
    make_demo(options.voice).launch(server_name=options.host, server_port=options.port, **appearance(gradio))


def _write(options: argparse.Namespace) -> None:
    from hf_vits.serving.space import PACKAGE, write_space

    folder = write_space(options.voice, options.space, options.package or PACKAGE, options.overwrite)
    print(f"{folder} is ready. Upload it: hf upload OWNER/NAME {shlex.quote(str(folder))} --repo-type space")
