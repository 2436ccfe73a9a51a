"""The folders that a run writes, each complete or absent: checkpoints to resume from, and the finished model."""

import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator
from hf_vits.hub.state_dict import SAFE_NAMES, match_state_dict
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import add_weight_norm
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.training_state import STATE_FILE
from hf_vits.utils.atomic_folder import LAST, new_folder
from hf_vits.utils.logging import no_progress_bar
from hf_vits.utils.meta_device import skeleton

logger = logging.getLogger(__name__)

HISTORY = "history.jsonl"
"""File with the losses and evaluation measures of a run, one JSON object per line."""

DISCRIMINATOR = "discriminator"
"""Subfolder of a model folder with its discriminator."""


def add_decoder_weight_norm(model: VitsModel) -> VitsModel:
    """Add the weight norm that the decoder is trained with; saved models, like upstream's, have none."""
    for layers in model.decoder.layers_with_weight_norm():
        add_weight_norm(layers)
    return model


def inference_copy(model: VitsModel) -> VitsModel:
    """Copy a model in training to the CPU, with the decoder's weight norm folded: this copy is saved."""
    copy = skeleton(VitsModel, model.config)
    shapes = {name: tensor.shape for name, tensor in copy.state_dict().items()}
    state = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    copy.load_state_dict(match_state_dict(state, shapes, "the model in training"), assign=True)
    return copy.eval()


def save_model_folder(
    folder: Path, model: VitsModel, tokenizer: VitsTokenizer, discriminator: VitsDiscriminator | None = None
) -> None:
    """Save the model for inference, its tokenizer, and the discriminator that further training starts from."""
    with no_progress_bar():
        inference_copy(model).save_pretrained(folder)
        if discriminator is not None:
            discriminator.save_pretrained(folder / DISCRIMINATOR)
    tokenizer.save_pretrained(folder)


def replace_files(output_dir: Path, write: Callable[[Path], None]) -> None:
    """Move the files that `write` makes into a folder that holds others; each is replaced atomically, config last."""
    output_dir.mkdir(parents=True, exist_ok=True)
    with new_folder(output_dir / ".release", overwrite=True) as staged:
        write(staged)
    staged = output_dir / ".release"
    files = sorted((file for file in staged.rglob("*") if file.is_file()), key=lambda file: file == staged / LAST)
    for file in files:
        target = output_dir / file.relative_to(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)
    shutil.rmtree(staged)


def save_checkpoint(
    output_dir: Path, step: int, keep: int, write: Callable[[Path], None], state: Mapping, best: int | None = None
) -> Path:
    """
    Write `checkpoint-<step>`, then remove the oldest checkpoints until `keep` are left.

    Args:
        output_dir (`Path`):
            Folder of the run.
        step (`int`):
            Number of steps taken.
        keep (`int`):
            Largest number of checkpoints that stay.
        write (`Callable[[Path], None]`):
            Writes model and discriminator into the folder it is given.
        state (`Mapping`):
            What `read_state` returns later.
        best (`int`, *optional*):
            Step of a checkpoint that stays, even if it is the oldest; so with `keep` 1 there are two.
    """
    folder = output_dir / f"checkpoint-{step}"
    with new_folder(folder, overwrite=True) as staged:
        write(staged)
        with (staged / STATE_FILE).open("wb") as file:  # given a name, PyTorch loses the reason why a write failed
            torch.save(dict(state), file)
    known = list_checkpoints(output_dir)
    others = [one for one in known[:-1] if step_of(one) != best]
    for old in others[: max(0, len(known) - keep)]:
        shutil.rmtree(old)
    return folder


def list_checkpoints(output_dir: Path) -> list[Path]:
    """List the checkpoints that can be resumed, oldest first."""
    return [folder for folder in _numbered(output_dir) if (folder / STATE_FILE).is_file()]


def list_without_state(output_dir: Path) -> list[Path]:
    """List the checkpoints whose state was deleted, oldest first: their models are complete, but cannot be resumed."""
    return [f for f in _numbered(output_dir) if not (f / STATE_FILE).is_file() and f.is_dir() and any(f.iterdir())]


def step_of(checkpoint: Path) -> int:
    """Return the number of steps in the name of a checkpoint."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def clean_up(output_dir: Path) -> None:
    """Clean up after a run that was killed while it wrote: restore a checkpoint that was about to be replaced, unless
    its replacement is there, and remove incomplete folders."""
    for former in output_dir.glob(".checkpoint-*.former"):
        for complete in former.glob("checkpoint-*"):
            if not (output_dir / complete.name).exists():
                os.rename(complete, output_dir / complete.name)
    for pattern in (".checkpoint-*.former", ".checkpoint-*.partial", ".release", "..release.*"):
        for folder in output_dir.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def archive_newer_checkpoints(output_dir: Path, resumed: Path, step: int) -> None:
    """Rename all checkpoints from a step on, except the resumed one: they would be taken for newer than the next."""
    known = sorted([*list_checkpoints(output_dir), *list_without_state(output_dir)], key=step_of)
    newer = [folder for folder in known if step_of(folder) >= step and not folder.samefile(resumed)]
    for folder in newer:
        number = 1
        while (archived := folder.with_name(f"{folder.name}-archived-{number}")).exists():
            number += 1
        os.rename(folder, archived)
    if newer:
        names = ", ".join(folder.name for folder in newer)
        logger.warning(f"Resuming from step {step} renames {names} to …-archived-…; delete them if you like.")


def find_checkpoint(output_dir: Path, resume: str | Path | None) -> Path | None:
    """
    Return the folder to resume from: the newest one for "latest", `None` if there is none yet.

    Raises:
        FileExistsError: if `resume` is `None` but the folder holds checkpoints, or if it holds a run that cannot be
            resumed and that a new run would replace.
        FileNotFoundError: if the named folder is no checkpoint; lists the checkpoints.
    """
    known = list_checkpoints(output_dir)
    if resume is None and known:
        raise FileExistsError(
            f'{output_dir} holds a run of {step_of(known[-1])} steps. Resume it from "latest", or choose another '
            "folder."
        )
    if resume is None or str(resume) == "latest":
        _refuse_replacing(output_dir, known)
        return known[-1] if known else None
    folder = Path(resume).expanduser()
    if not (folder / STATE_FILE).is_file():
        there = ", ".join(map(str, known)) or "none"
        raise FileNotFoundError(
            f'{folder} is no checkpoint: it has no {STATE_FILE}. Checkpoints in {output_dir}: {there}. "latest" takes '
            "the newest."
        )
    return folder


def check_resumable(output_dir: Path, resume: str | Path | None) -> None:
    """Raise the errors of [`find_checkpoint`] early, unless a killed run left files that [`clean_up`] puts back."""
    if not any(output_dir.glob(".checkpoint-*.former")):
        find_checkpoint(output_dir, resume)


def _numbered(output_dir: Path) -> list[Path]:
    folders = [folder for folder in output_dir.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", folder.name)]
    return sorted(folders, key=step_of)


def _refuse_replacing(output_dir: Path, known: Sequence[Path]) -> None:
    """Raise `FileExistsError` for a run that cannot be resumed; warn of checkpoints newer than the resumable ones."""
    lost = [folder for folder in list_without_state(output_dir) if not known or step_of(folder) > step_of(known[-1])]
    names = ", ".join(folder.name for folder in lost)
    if lost and known:
        logger.warning(f"{names} cannot be resumed without {STATE_FILE}; the newest that can be is {known[-1].name}.")
    elif lost:
        raise FileExistsError(
            f"{output_dir} holds {names} without {STATE_FILE}: nothing can be resumed, and a new run would replace "
            f"them. Put the file back; or start a new run from the model, with {lost[-1]} as `model_name_or_path` and "
            "another `output_dir`; or move the folders away."
        )
    elif not known and (output_dir / HISTORY).is_file() and (output_dir / SAFE_NAMES[0]).is_file():
        raise FileExistsError(
            f"{output_dir} holds model and history of a run, but none of its checkpoints: it cannot be resumed, and a "
            "new run would replace both. Start one from the model, with the folder as `model_name_or_path` and another "
            "`output_dir`; or move the files away."
        )
