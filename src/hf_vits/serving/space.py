"""Write a folder that is ready to be pushed as a Space of the Hub: the demo of one voice."""

import json
import logging
import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from huggingface_hub import SpaceCard, SpaceCardData

from hf_vits import __version__
from hf_vits.conversion.resolve import known_voice, resolve_voice, short_name
from hf_vits.hub.cards import is_on_hub
from hf_vits.hub.license import CARD, Provenance, origin_of
from hf_vits.hub.model_files import CONFIG, WEIGHTS
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.atomic_folder import destination, new_folder, refuse_losing

logger = logging.getLogger(__name__)

APP, REQUIREMENTS, VOICE_FOLDER = "app.py", "requirements.txt", "voice"

PACKAGE = f"hf_vits[demo,gradio]=={__version__}"
"""The package in the requirements of a Space, with what reads phonemes."""

PYTHON = "3.11"


def write_space(
    voice: str | os.PathLike,
    directory: str | os.PathLike,
    package: str = PACKAGE,
    overwrite: bool = False,
) -> Path:
    """
    Write the folder of a Space with the demo of a voice: app.py, requirements.txt and README.md with the license.

    A voice on the Hub and the default one are named, and fetched by the Space. A folder is copied into that of the
    Space, without what only training needs.

    Args:
        voice (`str` or `PathLike`):
            Folder, `"default"`, or name on the Hub.
        directory (`str` or `PathLike`):
            The folder to make; it is written whole or not at all.
        package (`str`, *optional*):
            How pip shall install hf_vits there; by default this version by its name.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace the folder if it exists.

    Returns:
        `Path`: The folder.

    Raises:
        FileExistsError: if the folder exists and is not empty.
        OSError, ValueError: if there is no such voice, or the folder would hold it.
    """
    voice = os.fspath(voice)
    folder, source, name = destination(directory), resolve_voice(voice), short_name(voice)
    origin, is_copied = origin_of(source), Path(source).is_dir() and known_voice(voice) is None
    if is_copied:
        refuse_losing(folder, source)
    if not origin.license:
        logger.warning(f"The license of {name} is not known: add it to README.md before you publish the Space.")
    with new_folder(folder, overwrite) as staged:
        if is_copied:
            _copy_voice(Path(source), staged / VOICE_FOLDER)
            (staged / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
        (staged / APP).write_text(_app(VOICE_FOLDER if is_copied else voice, name), encoding="utf-8")
        (staged / REQUIREMENTS).write_text(f"{package}\n", encoding="utf-8")
        _card(name, voice, origin).save(staged / "README.md")
    return folder


def _copy_voice(source: Path, target: Path) -> None:
    """Copy model, tokenizer and card."""
    target.mkdir()
    VitsTokenizer.from_pretrained(source).save_pretrained(target)
    for file in source.iterdir():
        if file.name in (CONFIG, CARD) or WEIGHTS.fullmatch(file.name):
            shutil.copyfile(file, target / file.name)


def _app(voice: str, name: str) -> str:
    """Return the program of a Space."""
    return (
        "import gradio\n\n"
        "from hf_vits.serving.demo import appearance, make_demo\n\n"
        f"demo = make_demo({json.dumps(voice)}, title={json.dumps(name)})\n\n"
        'if __name__ == "__main__":\n'
        "    demo.launch(**appearance(gradio))\n"
    )


def _card(name: str, voice: str, origin: Provenance) -> SpaceCard:
    """Return the README of a Space: its settings, the voice, and the license of that."""
    try:
        sdk_version = version("gradio")
    except PackageNotFoundError:
        sdk_version = None  # the newest
    models = [voice] if is_on_hub(voice) else origin.on_hub
    data = SpaceCardData(
        title=name,
        emoji="🔊",
        colorFrom="green",
        colorTo="gray",
        sdk="gradio",
        sdk_version=sdk_version,
        python_version=PYTHON,
        app_file=APP,
        models=models or None,
        license=origin.license,
        license_name=origin.license_name,
        license_link=origin.license_link,
        tags=["text-to-speech", "vits"],
    )
    named = f"[{voice}](https://huggingface.co/{voice})" if is_on_hub(voice) else name
    terms = origin.license_in_words if origin.license else "unknown"
    return SpaceCard(
        f"---\n{data.to_yaml()}\n---\n\n# {name}\n\nType a text and listen to it while it is made.\n\n"
        f"- Voice: {named}\n- License of the voice: {terms}\n- Made with hf_vits {__version__}\n"
    )
