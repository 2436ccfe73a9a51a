"""The commands that mend a voice. What writes weights writes a copy of the folder beside it, named `-mended`."""

import re
import shlex
from pathlib import Path
from typing import Any

from hf_vits.doctor.readers import config_above, exists

PHONEMES = 'pip install "hf_vits[phonemes]"'


def python(code: str) -> str | None:
    """A line of Python as a command, in double quotes where they change nothing; none if it cannot be shown."""
    if not code.isprintable():
        return None
    return f"python -c {shlex.quote(code)}" if re.search(r'["$`\\!]', code) else f'python -c "{code}"'


def saved_again(folder: Path, method: str = "", **fields: Any) -> str | None:
    """Loads the voice, with other fields in its configuration if any are given, and saves it in a copy."""
    if not exists(folder / "config.json"):
        return converted(folder) if config_above(folder) else None
    told = "".join(f", {name}={value!r}" for name, value in fields.items())
    return python(
        f"import shutil; from hf_vits import VitsModel; v = VitsModel.from_pretrained({str(folder)!r}{told}){method}; "
        f"shutil.copytree({str(folder)!r}, {_mended(folder)!r}); v.save_pretrained({_mended(folder)!r})"
    )


def without_judges(folder: Path) -> str | None:
    """Saves the voice in a copy, and the judges in its file in a folder of their own there."""
    if not exists(folder / "config.json"):
        return converted(folder) if config_above(folder) else None
    voice, mended = str(folder), _mended(folder)
    return python(
        "import shutil; from hf_vits import VitsModel; "
        "from hf_vits.conversion.discriminators import convert_discriminator, generator_tensors; "
        f"v = VitsModel.from_pretrained({voice!r}, state_dict=generator_tensors({voice!r})); "
        f"d = convert_discriminator({voice!r}); shutil.copytree({voice!r}, {mended!r}); "
        f"v.save_pretrained({mended!r}); d.save_pretrained({mended + '/discriminator'!r})"
    )


def judges_moved(folder: Path) -> str | None:
    """Saves the judges of a checkpoint, which lie beside the voice, in the folder where training looks for them."""
    return python(
        "from hf_vits.conversion.discriminators import convert_discriminator; "
        f"convert_discriminator({str(folder)!r}).save_pretrained({str(folder / 'discriminator')!r})"
    )


def json_changed(file: Path, without: tuple[str, ...] = (), **fields: Any) -> str | None:
    """Sets and removes fields of a JSON file, which is replaced: it may be a link into a cache."""
    removed = f"; [d.pop(k, 0) for k in {list(without)!r}]" if without else ""
    added = f"; d.update({fields!r})" if fields else ""
    return python(
        f"import json, pathlib; f = pathlib.Path({str(file)!r}); d = json.loads(f.read_text(encoding='utf-8'))"
        f"{removed}{added}; n = f.with_suffix('.new'); n.write_text(json.dumps(d, indent=2), encoding='utf-8'); "
        "n.replace(f)"
    )


def converted(source: Path) -> str | None:
    """Makes a voice of the file or folder of another project."""
    return shell("hf-vits", "convert", str(source), f"{source.with_suffix('') if source.is_file() else source}-voice")


def shell(*words: str) -> str | None:
    """A command of words; none if they cannot be shown."""
    return shlex.join(words) if all(word.isprintable() for word in words) else None


def _mended(folder: Path) -> str:
    return f"{folder}-mended"
