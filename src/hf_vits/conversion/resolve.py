"""From what a user gives as a voice to a folder or a name on the Hub; what is neither is refused at once."""

import json
import logging
import os
import re
import shlex
from pathlib import Path

from hf_vits.conversion.default_voice import cached_voice
from hf_vits.hub.known_voices import (
    ALIAS,
    ARCHIVES,
    DEFAULT,
    FOREIGN_TABLES,
    SUFFIXES,
    VOICES,
    folder_entries,
    missing_path,
)

logger = logging.getLogger(__name__)


HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
"""What a repository on the Hub is called: its owner and its own name."""

ADDRESS = re.compile(r"(?:hf://(?:models/)?|https?://[^/]+/)([\w-][\w.-]*/[\w-][\w.-]*)")
"""Address of a repository on the Hub, which has its name in it."""

CONFIG = "config.json"

OWN_FILES = (CONFIG, "vocab.json", "tokenizer_config.json", "training_state.pt", "README.md")
"""Files of a voice of this layout, besides its weights."""

WEIGHTS = re.compile(r"(model|pytorch_model)\b.*\.(safetensors|bin|json)")
"""Names of files of weights of this layout, and of their index."""

WEIGHT_NAMES = tuple(
    f"{stem}{ending}" for stem in ("model.safetensors", "pytorch_model.bin") for ending in ("", ".index.json")
)
"""What files of weights, or their index, are called on the Hub."""

OF_TRAINING = re.compile(r"(model|pytorch_model|optimizer|scheduler|random_states|training_state)\b.*")
"""Names of files that a checkpoint in this layout may hold."""

CHECKPOINT = re.compile(r"checkpoint-(\d+)")


PATIENCE = 5.0
"""Seconds to wait for each answer of the Hub."""


def resolve_voice(name: str | os.PathLike | None = None, file: str = CONFIG) -> str:
    """
    Return what `from_pretrained` takes for a voice that a user names.

    A known name comes before a folder that is called like it; `./default` is that folder. Nothing is asked of the
    network for what cannot be a name on the Hub, and of the Hub only once whether it has such a voice.

    Args:
        name (`str` or `PathLike`, *optional*):
            `"default"`, `"en_US-joe-medium"`, a folder, or a name on the Hub such as `"facebook/mms-tts-eng"`;
            without it the default voice.
        file (`str`, *optional*, defaults to `"config.json"`):
            What must be in the folder or repository.

    Returns:
        `str`: The path of a folder, or the name on the Hub.

    Raises:
        FileNotFoundError: if there is no such folder or repository; names what is nearly called so.
        ValueError: for a file, and for a folder of another project; says how to convert it.
        OSError: if the Hub cannot be reached and the voice is not in its cache, and as `default_voice` does.
    """
    name = ALIAS if name is None else os.fspath(name)
    known = known_voice(name)
    if known is not None:
        if os.path.isdir(name):
            logger.warning(f"{name} is the voice {DEFAULT}; the folder of that name here is ./{name}.")
        return str(known)
    if not name.strip():
        raise ValueError(f"The name of the voice is empty. {_allowed()}")
    path = os.path.expanduser(name)
    if os.path.isdir(path):
        _check_folder(Path(path), file)
        return path
    if os.path.lexists(path):
        raise ValueError(_of_file(Path(path)))
    if address := ADDRESS.match(name):
        raise ValueError(f"{name} is an address; give the name on the Hub, {address[1]}.")
    if not HUB_NAME.fullmatch(name) or Path(name).suffix.lower() in SUFFIXES:
        raise FileNotFoundError(f"{missing_path(name)} {_allowed()}")
    if not _is_cached(name, file):
        if os.path.isdir(os.path.dirname(name)):
            raise FileNotFoundError(
                f"{missing_path(name)} {_allowed()} Fetch one on the Hub first if it is called like a folder that is "
                f"here: hf download {name}"
            )
        _check_hub(name, file)
    return name


def known_voice(name: str) -> Path | None:
    """Return the folder of a voice that is known by name, made if it is not there yet; `None` for any other name."""
    voice = VOICES.get(DEFAULT if name == ALIAS else name)
    return None if voice is None else cached_voice(voice)


def short_name(name: str) -> str:
    """Return what the files of a voice may be called: its known name, or the last part of its path or name."""
    return DEFAULT if name == ALIAS else Path(name).expanduser().resolve().name


def _allowed() -> str:
    return f"A voice is {ALIAS} ({DEFAULT}), a folder, or owner/name on the Hub."


def _of_file(path: Path) -> str:
    """Return why a file is no voice, and what to give."""
    if not path.exists():
        return f"{path} is a link to what is not there. {_allowed()}"
    if path.name in OWN_FILES or WEIGHTS.fullmatch(path.name):
        return f"{path} is one file of a voice; give the folder that it is in, {path.absolute().parent}."
    if path.name.endswith(".onnx.json"):
        path = path.with_suffix("")
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        return f"{path} is a file of a kind that no voice is known to have. {_allowed()}"
    if path.suffix.lower() in ARCHIVES:
        return f"{path} is {kind}, and convert what is in it: hf-vits convert --help says how."
    return f"{path} is {kind}. Convert it first, and give the folder that this makes: {_conversion(path)}"


def _conversion(path: Path) -> str:
    made = f"{path if path.is_dir() else path.with_suffix('')}-voice"
    return shlex.join(["hf-vits", "convert", str(path), made])


def _check_folder(folder: Path, file: str) -> None:
    """Raise `ValueError` for a folder that is plainly no voice of this layout; details are for who loads it."""
    table, names = _table(folder / CONFIG), folder_entries(folder)
    is_foreign = "model_type" not in table and any(fields <= table.keys() for fields in FOREIGN_TABLES)
    if os.path.exists(folder / file) and not is_foreign:
        return
    foreign = [name for name in names if Path(name).suffix.lower() in SUFFIXES and not OF_TRAINING.fullmatch(name)]
    checkpoints = sorted((name for name in names if CHECKPOINT.fullmatch(name)), key=lambda name: int(name[11:]))
    if foreign or is_foreign:
        source = folder / foreign[0] if len(foreign) == 1 and not is_foreign else folder
        raise ValueError(
            f"{folder} is the folder of a voice of another project. Convert it first, and give the folder that this "
            f"makes: {_conversion(source)}"
        )
    if checkpoints and file == CONFIG:
        raise ValueError(
            f"{folder} holds checkpoints of a run but no finished voice; give one of them, such as "
            f"{folder / checkpoints[-1]}."
        )
    if any(WEIGHTS.fullmatch(name) for name in names) and file == CONFIG:
        raise ValueError(
            f"{folder} has weights but no {file}: copy that of the voice into it, or, for a checkpoint of "
            f"finetune-hf-vits, convert it: {_conversion(folder)}"
        )
    raise ValueError(f"The folder {folder} is {'no voice' if names else 'empty'}: it has no {file}. {_allowed()}")


def _table(file: Path) -> dict:
    try:
        table = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}


def _is_cached(name: str, file: str) -> bool:
    """Whether the Hub's cache has the file and, if it is a model's, weights: what is missing would be fetched."""
    from huggingface_hub import try_to_load_from_cache

    sets = [(file,), (*WEIGHT_NAMES,)] if file == CONFIG else [(file,)]
    return all(any(isinstance(try_to_load_from_cache(name, one), str) for one in names) for names in sets)


def _check_hub(name: str, file: str) -> None:
    """Ask the Hub once for a file of the voice; raise if it has none, or cannot be asked."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(name, file), timeout=PATIENCE)
    except GatedRepoError as error:
        raise OSError(
            f"{name} on the Hub is for those who accepted its conditions: accept them on its page, and log in with "
            "`hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"{missing_path(name)} Nor is there such a voice on the Hub, unless it is private and you are not logged "
            f"in (`hf auth login`). {_allowed()}"
        ) from error
    except EntryNotFoundError as error:
        raise ValueError(
            f"{name} on the Hub has no {file}, so it is no voice of this layout. One of another project is "
            "fetched (`hf download`) and converted first (`hf-vits convert`)."
        ) from error
    except Exception as error:  # the errors of its HTTP library, which is not the same in every version
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise OSError(
            f"{missing_path(name)} Nor is {name} in the cache of the Hub, which cannot be reached ({reason}). "
            f"Go online once, or give a folder. {_allowed()}"
        ) from error
