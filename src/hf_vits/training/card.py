"""Puts a model card into the folders of a run, with the sounds and pictures that it shows, and loses nobody's own."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from hf_vits.new_files import new_file
from hf_vits.origin import CARD, CARD_BESIDE
from hf_vits.training.card_text import MARK, MEDIA, card
from hf_vits.training.evaluation import SHOWN_CLIPS

if TYPE_CHECKING:
    from hf_vits.training.trainer import VitsTrainer


def write_card(folder: Path, trainer: "VitsTrainer", name: str = CARD) -> None:
    """Writes the card, and what it shows, into a folder that is being made."""
    samples, losses = _copy_samples(folder, trainer), _copy(trainer.output_dir / "losses.png", folder)
    card(trainer, samples, losses).save(folder / name)


def free_name(folder: Path) -> str:
    """What the card is to be called: README.md, unless somebody else's is there."""
    file = folder / CARD
    return CARD if not file.is_file() or MARK in file.read_text(encoding="utf-8", errors="replace") else CARD_BESIDE


def remove_unlinked(folder: Path) -> None:
    """Removes sounds and pictures of earlier cards, which the one that is there does not show."""
    text = (folder / free_name(folder)).read_text(encoding="utf-8")
    for file in (folder / MEDIA).glob("row-*"):
        if f"{MEDIA}/{file.name}" not in text:
            file.unlink()


def set_address(folder: Path, repository: str) -> None:
    """Has the card of a folder say under which name of the Hub the voice is loaded."""
    file = folder / free_name(folder)
    if not file.is_file():
        return
    text, voice = file.read_text(encoding="utf-8"), f"voice = {json.dumps(repository)}  #"
    with new_file(file) as staged:
        staged.write_text(re.sub(r"(?m)^voice = .*?  #", lambda _: voice, text, count=1), encoding="utf-8")


def _copy_samples(folder: Path, trainer: "VitsTrainer") -> list[tuple[str, str]]:
    """Copies the newest speech and pictures of held-out clips; gives their names and what is said in them.

    Recordings are left out: whether they may be passed on is for the owner of the data to say.
    """
    if trainer.evaluation is None:
        return []
    evaluated = {int(path.name[5:]): path for path in trainer.output_dir.glob("samples/step-*")}
    newest = evaluated.get(max((step for step in evaluated if step <= trainer.progress.step), default=None))
    if newest is None:
        return []
    held_out, samples = trainer.evaluation.clips, []
    for clip in held_out.clips:
        name = f"row-{clip.row}"
        if len(samples) < SHOWN_CLIPS and _copy(newest / f"{name}.wav", folder):
            _copy(newest / f"{name}.png", folder)
            samples.append((name, " ".join(str(held_out.rows[clip.row][trainer.columns.text]).split())))
    return samples


def _copy(file: Path, folder: Path) -> bool:
    """Copies a file to where cards have what they show; false if there is none."""
    if file.is_file():
        (folder / MEDIA).mkdir(exist_ok=True)
        shutil.copyfile(file, folder / MEDIA / file.name)
    return file.is_file()
