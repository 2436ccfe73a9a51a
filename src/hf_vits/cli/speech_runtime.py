"""Which runtime `hf-vits speak` uses: onnxruntime, which starts in a second, or PyTorch, which can do everything."""

import argparse
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hf_vits.cli.parser import Parser, number_or_name
from hf_vits.inference.limits import RANGES
from hf_vits.utils.precision import DTYPES, usable_dtype
from hf_vits.utils.threads import cores, use_threads

if TYPE_CHECKING:
    from hf_vits.runtime.graphs import Graphs

RUNTIMES = ("auto", "onnx", "torch")

VARIABLE = "HF_VITS_RUNTIME"
"""Environment variable with the default of `--runtime`."""

PACKAGES = ("onnxruntime", "onnx")
"""Packages of the extra `onnx`: the first runs graphs, the second is needed to make them."""

NEEDS_TORCH = {
    "subtitles": "--subtitles",
    "resume": "--resume",
    "stream": "--stream",
    "short_text_context": "--short-text-context",
}
"""Options that only the pipeline of PyTorch has."""


class Speaker(NamedTuple):
    """A pipeline, its random generator, and what to do after it has spoken."""

    pipe: Any
    generator: Any
    finish: Callable[[], None] = lambda: None


def add_runtime(parser: Parser) -> None:
    """Declare the option `--runtime`."""
    default = os.environ.get(VARIABLE) or RUNTIMES[0]
    parser.add_rare("--runtime", choices=RUNTIMES, default=default, help="onnx starts faster; auto uses it if it can")


def default_runtime() -> str:
    """Return what `hf-vits speak` uses without options, and why."""
    chosen = os.environ.get(VARIABLE) or RUNTIMES[0]
    if chosen == "torch":
        return f"PyTorch, as {VARIABLE} says"
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        return f"PyTorch, because {missing[0]} is not installed"
    from hf_vits.runtime.graphs import DESCRIPTION, graphs_folder

    count = len(list(graphs_folder().glob(f"*/{DESCRIPTION}")))
    return f"onnxruntime from the second call with a voice on, PyTorch where it cannot (voices with graphs: {count})"


def speaker(options: argparse.Namespace, voice: str, text: str | None) -> Speaker:
    """
    Return what speaks a text with a voice.

    Args:
        options (`argparse.Namespace`):
            Those of `hf-vits speak`.
        voice (`str`):
            A model folder, or a name on the Hub.
        text (`str`, *optional*):
            The text; `None` for one that is not known yet, or spoken at given times.

    Raises:
        ValueError: for `--runtime onnx`, if that cannot speak it; says why.
    """
    if options.runtime not in RUNTIMES:  # the default, which argparse does not check
        raise ValueError(f"{VARIABLE} is {options.runtime!r}; it can be one of {', '.join(RUNTIMES)}.")
    if options.runtime == "torch":
        return _torch(options, voice)
    reason = why_not(options, voice, text)
    found = None if reason else _graphs(options, voice)
    if found is not None and found.refused:
        reason = f"of this voice: {found.refused}"
    if reason and options.runtime == "onnx":
        raise ValueError(f"--runtime onnx cannot be used, because {reason}; leave it out.")
    if reason or (found is not None and not _is_valid(options, found.description["config"])):
        return _torch(options, voice)  # which explains what is wrong with options
    if found is not None and (ready := _onnx(options, voice, found)) is not None:
        return ready
    return _torch(options, voice)._replace(finish=lambda: _prepare(voice))


def why_not(options: argparse.Namespace, voice: str, text: str | None) -> str | None:
    """Return why onnxruntime cannot speak, whatever the voice; `None` if it can."""
    from hf_vits.ssml import is_ssml

    if find_spec("onnxruntime") is None:
        return 'onnxruntime is not installed (`pip install "hf_vits[onnx]"`)'
    if not os.path.isdir(voice):
        return "the voice is loaded from the Hub; fetch it into a folder (`hf download --local-dir`)"
    if given := [flag for name, flag in NEEDS_TORCH.items() if getattr(options, name)]:
        return f"{given[0]} needs PyTorch"
    if options.dtype != DTYPES[0]:
        return f"--dtype {options.dtype} needs PyTorch"
    if text is None:
        return "text that arrives while it is spoken, and text at given times, need PyTorch"
    return "SSML needs PyTorch" if is_ssml(text) else None


def _graphs(options: argparse.Namespace, voice: str) -> "Graphs | None":
    """Return the graphs of a voice, if there are any; with `--runtime onnx`, make them now."""
    from hf_vits.runtime.graphs import find

    found = find(Path(voice))
    if found is None and options.runtime == "onnx":
        from hf_vits.runtime.build import build

        print("Making the graphs of this voice, once; it takes some seconds.", file=sys.stderr)
        found = build(Path(voice))
    return found


def _is_valid(options: argparse.Namespace, config: dict[str, Any]) -> bool:
    """Return True for a known speaker and language, and numbers that the model accepts."""
    for kind in ("speaker", "language"):
        count, names = config[f"num_{kind}s"], config[f"{kind}_names"] or []
        chosen = number_or_name(getattr(options, kind), names)
        if not (count == 1 if chosen is None else chosen in (*names, *range(count))):
            return False
    given = {"speaking_rate": options.speed, **{name: getattr(options, name) for name in list(RANGES)[1:]}}
    return all(value is None or RANGES[name][0] <= value <= RANGES[name][1] for name, value in given.items())


def _onnx(options: argparse.Namespace, voice: str, found: "Graphs") -> Speaker | None:
    """Return a speaker in onnxruntime; `None` if that cannot load the graphs, such as an older version of it."""
    from hf_vits.runtime.noise import TorchGenerator

    threads = os.environ.get("OMP_NUM_THREADS", "")
    default = int(threads) if threads.isdecimal() and int(threads) else cores()
    try:
        pipe = found.load(Path(voice), options.threads or default)
    except Exception:  # onnxruntime's have no common class
        return None
    return Speaker(pipe, TorchGenerator(options.seed))


def _torch(options: argparse.Namespace, voice: str) -> Speaker:
    """Return a speaker in PyTorch, which takes seconds to import: mistakes are reported before."""
    use_threads(options.threads)
    pipe = _pipeline(voice, options.dtype)
    import torch

    generator = torch.Generator()
    generator.seed() if options.seed is None else generator.manual_seed(options.seed)
    return Speaker(pipe, generator)


def _pipeline(voice: str, dtype: str):
    from transformers.utils import logging

    from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer

    logging.disable_progress_bar()  # a model loads in a fraction of a second
    model = VitsModel.from_pretrained(voice, dtype=usable_dtype(dtype))
    return TextToSpeechPipeline(model, VitsTokenizer.from_pretrained(voice))


def _prepare(voice: str) -> None:
    """Make the graphs of a voice for the next call, without waiting for them."""
    from hf_vits.runtime.build import start

    if find_spec("onnx") is not None:
        start(Path(voice))
