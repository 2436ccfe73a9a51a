"""`hf-vits info`: versions, processor and how it computes, GPU, folders and extras, as a bug report needs them."""

import argparse
import json
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any

import hf_vits
from hf_vits.cli.computation import computation, convolutions
from hf_vits.cli.parser import Parser
from hf_vits.cli.speech_runtime import VARIABLE as RUNTIME
from hf_vits.cli.speech_runtime import default_runtime
from hf_vits.utils.processor import cache_sizes, model_name

HELP = "Print versions, processor, GPU and folders, for a bug report."

VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
    "CUDA_VISIBLE_DEVICES",
    "HF_HUB_OFFLINE",
    "HF_VITS_KERNELS",
    RUNTIME,
)
"""Environment variables that change how a voice is loaded or computed."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("voice", nargs="?", help="also count its convolutions by the form in which they are computed")
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")


def run(options: argparse.Namespace) -> None:
    """Print everything, one line each."""
    table = information()
    if options.voice is not None:
        table[f"convolutions of {options.voice}"] = convolutions(options.voice)
    print(json.dumps(table, indent=2) if options.json else "\n".join(f"{k}: {_text(v)}" for k, v in table.items()))


def information() -> dict[str, Any]:
    """Return what describes this installation and machine, by name; home folders are written as `~`."""
    import torch
    from huggingface_hub import constants

    from hf_vits.conversion.default_voice import cache_folder
    from hf_vits.hub.known_voices import VOICES
    from hf_vits.utils.default_name import DEFAULT

    extras = _extras()
    packages = sorted({package for needed in extras.values() for package in needed} - {"hf_vits"}, key=str.lower)
    converted = any(cache_folder().glob(f"{VOICES[DEFAULT].name}-*/config.json"))
    return {
        "hf_vits": hf_vits.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in packages if (found := _version(name))},
        "extras installed": [name for name, needed in extras.items() if name and all(map(_version, needed))],
        "extras missing": {
            name: [package for package in needed if not _version(package)]
            for name, needed in extras.items()
            if name and not all(map(_version, needed))
        },
        "processor": processor_name(),
        "processor features": torch.backends.cpu.get_cpu_capability(),
        "caches of a core": cache_sizes(),
        "threads": torch.get_num_threads(),
        **computation(),
        "gpu": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "folder of the Hub's files": _folder(constants.HF_HUB_CACHE),
        "folder of converted voices": _folder(cache_folder()),
        "default voice": "converted" if converted else "not converted yet",
        "runtime of hf-vits speak": default_runtime(),
    }


def _extras() -> dict[str, list[str]]:
    """Return the packages that each extra requires, by its name; those that are always required under ""."""
    try:
        about = metadata("hf_vits")
    except PackageNotFoundError:  # run from its source
        return {"": ["torch", "transformers", "huggingface_hub", "safetensors", "numpy"]}
    extras: dict[str, list[str]] = {name: [] for name in ("", *about.get_all("Provides-Extra", []))}
    for requirement in about.get_all("Requires-Dist", []):
        extra = re.search(r"""extra == ["'](\w+)["']""", requirement)
        name = re.match(r"[\w.-]+", requirement)[0]
        within = re.match(r"hf[-_]vits\[([^]]+)\]", requirement)  # an extra of several others
        extras[extra[1] if extra else ""] += within[1].split(",") if within else [name]
    return {
        extra: sorted({part for name in needed for part in extras.get(name, [name])})
        for extra, needed in extras.items()
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor_name() -> str:
    """Return the name of the processor and the number of its cores that this process may use."""
    from hf_vits.utils.threads import cores

    return f"{model_name()}, {cores()} of {os.cpu_count()} cores"


def _folder(path: str | Path) -> str:
    """Return a path as it can be pasted: without the name of the user."""
    path, home = Path(path), Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return (
            ", ".join(f"{k} ({', '.join(v)})" if isinstance(v, list) else f"{k} {v}" for k, v in value.items()) or "-"
        )
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
