"""Resolve what a user names as a model to a folder or a name on the Hub. Imports neither torch nor a reader."""

import json
import logging
import os
import re
import shlex
from pathlib import Path

from hf_vits.conversion.default_voice import cached_voice
from hf_vits.conversion.formats import ARCHIVES, is_foreign_config, suffix_descriptions
from hf_vits.conversion.suggestions import folder_entries, missing_path
from hf_vits.hub.known_voices import VOICES
from hf_vits.hub.model_files import CONFIG, OWN_FILES, PICKLE_NAMES, SAFE_NAMES, WEIGHTS, checkpoints_in
from hf_vits.utils.default_name import ALIAS, DEFAULT

logger = logging.getLogger(__name__)

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
"""Name of a repository on the Hub: its owner and its own name."""

ADDRESS = re.compile(r"(?:hf://(?:models/)?|https?://[^/]+/)([\w-][\w.-]*/[\w-][\w.-]*)")
"""Address of a repository on the Hub, which contains its name."""

TRAINING_FILES = re.compile(r"(model|pytorch_model|optimizer|scheduler|random_states|training_state)\b.*")
"""Names of files that a checkpoint in this layout may hold."""

TIMEOUT = 5.0
"""Seconds to wait for each answer of the Hub."""

ALLOWED = f"A voice is {ALIAS} ({DEFAULT}), a folder, or owner/name on the Hub."


def resolve_voice(name: str | os.PathLike | None = None, file: str = CONFIG) -> str:
    """
    Return what `from_pretrained` takes for a voice that a user names.

    A known name takes precedence over a folder of that name; `./default` is that folder. A name that cannot be on the
    Hub causes no network access, and any other name one request.

    Args:
        name (`str` or `PathLike`, *optional*):
            `"default"`, `"en_US-joe-medium"`, a folder, or a name on the Hub such as `"facebook/mms-tts-eng"`; without
            it the default voice.
        file (`str`, *optional*, defaults to `"config.json"`):
            A file that the folder or repository must have.

    Returns:
        `str`: The path of a folder, or the name on the Hub.

    Raises:
        FileNotFoundError: if there is no such folder or repository; lists similar names.
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
        raise ValueError(f"The name of the voice is empty. {ALLOWED}")
    path = os.path.expanduser(name)
    if os.path.isdir(path):
        _check_folder(Path(path), file)
        return path
    if os.path.lexists(path):
        raise ValueError(_explain_file(Path(path)))
    if address := ADDRESS.match(name):
        raise ValueError(f"{name} is an address; give the name on the Hub, {address[1]}.")
    if not HUB_NAME.fullmatch(name) or Path(name).suffix.lower() in suffix_descriptions():
        raise FileNotFoundError(f"{missing_path(name)} {ALLOWED}")
    if not _is_cached(name, file):
        if os.path.isdir(os.path.dirname(name)):
            raise FileNotFoundError(
                f"{missing_path(name)} {ALLOWED} If the Hub has a voice of the same name as a folder here, fetch it "
                f"first: hf download {name}"
            )
        _check_hub(name, file)
    return name


def known_voice(name: str) -> Path | None:
    """Return the folder of a voice that is known by name, converting it if needed; `None` for any other name."""
    voice = VOICES.get(DEFAULT if name == ALIAS else name)
    return None if voice is None else cached_voice(voice)


def short_name(name: str) -> str:
    """Return a name for files made from a voice: its known name, or the last part of its path or name."""
    return DEFAULT if name == ALIAS else Path(name).expanduser().resolve().name


def _explain_file(path: Path) -> str:
    """Return why a file is not a voice, and what to give instead."""
    if not path.exists():
        return f"{path} is a link to a file that does not exist. {ALLOWED}"
    if path.name in OWN_FILES or WEIGHTS.fullmatch(path.name):
        return f"{path} is one file of a voice; give the folder that it is in, {path.absolute().parent}."
    if path.name.endswith(".onnx.json"):
        path = path.with_suffix("")
    suffix = path.suffix.lower()
    content = suffix_descriptions().get(suffix)
    if content is None:
        return f"{path} has the suffix of no known kind of voice. {ALLOWED}"
    if suffix in ARCHIVES:
        return f"{path} is {content}, and convert what is in it: hf-vits convert --help says how."
    return f"{path} is {content}. Convert it first, and give the folder that this makes: {_conversion(path)}"


def _conversion(path: Path) -> str:
    """Return the command that converts a file or folder."""
    output = f"{path if path.is_dir() else path.with_suffix('')}-voice"
    return shlex.join(["hf-vits", "convert", str(path), output])


def _check_folder(folder: Path, file: str) -> None:
    """Raise `ValueError` for a folder that is clearly not a model folder; loading it checks the details."""
    is_foreign, names = is_foreign_config(_read_object(folder / CONFIG)), folder_entries(folder)
    if os.path.exists(folder / file) and not is_foreign:
        return
    suffixes = suffix_descriptions()
    foreign = [name for name in names if Path(name).suffix.lower() in suffixes and not TRAINING_FILES.fullmatch(name)]
    if foreign or is_foreign:
        source = folder / foreign[0] if len(foreign) == 1 and not is_foreign else folder
        raise ValueError(
            f"{folder} is the folder of a voice of another project. Convert it first, and give the folder that this "
            f"makes: {_conversion(source)}"
        )
    if file == CONFIG and names and (checkpoints := checkpoints_in(folder)):
        raise ValueError(
            f"{folder} holds checkpoints of a run but no model; give one of them, such as {checkpoints[-1]}."
        )
    if file == CONFIG and any(WEIGHTS.fullmatch(name) for name in names):
        raise ValueError(
            f"{folder} has weights but no {file}: copy that of the voice into it, or, for a checkpoint of "
            f"finetune-hf-vits, convert it: {_conversion(folder)}"
        )
    raise ValueError(f"The folder {folder} is {'not a voice' if names else 'empty'}: it has no {file}. {ALLOWED}")


def _read_object(file: Path) -> dict:
    try:
        table = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}


def _is_cached(name: str, file: str) -> bool:
    """Return whether the Hub's cache has the file and, for a model, weights."""
    from huggingface_hub import try_to_load_from_cache

    required = [(file,), (*SAFE_NAMES, *PICKLE_NAMES)] if file == CONFIG else [(file,)]
    return all(any(isinstance(try_to_load_from_cache(name, one), str) for one in names) for names in required)


def _check_hub(name: str, file: str) -> None:
    """Ask the Hub once for a file of the voice; raise if it has none, or cannot be reached."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(name, file), timeout=TIMEOUT)
    except GatedRepoError as error:
        raise OSError(
            f"{name} on the Hub is for those who accepted its conditions: accept them on its page, and log in with "
            "`hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"{missing_path(name)} Nor is there such a voice on the Hub, unless it is private and you are not logged "
            f"in (`hf auth login`). {ALLOWED}"
        ) from error
    except EntryNotFoundError as error:
        raise ValueError(
            f"{name} on the Hub has no {file}, so it is not a voice in this layout. One of another project must be "
            "fetched (`hf download`) and converted first (`hf-vits convert`)."
        ) from error
    except Exception as error:  # the errors of its HTTP library, which is not the same in every version
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise OSError(
            f"{missing_path(name)} Nor is {name} in the cache of the Hub, which cannot be reached ({reason}). "
            f"Go online once, or give a folder. {ALLOWED}"
        ) from error
