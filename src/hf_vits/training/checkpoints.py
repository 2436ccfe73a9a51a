"""Folders of a run that are whole or not there: each speaks, can be trained on, and can be resumed to the bit."""

import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator
from hf_vits.hub.license import Provenance
from hf_vits.hub.state_dict import SAFE_NAMES, match_state_dict, read_contents
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import add_weight_norm
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.atomic_folder import LAST, new_folder
from hf_vits.utils.logging import no_progress_bar

logger = logging.getLogger(__name__)

STATE_FILE = "training_state.pt"
"""All that resuming needs besides the discriminator's folder."""

HISTORY = "history.jsonl"
"""Losses and measures of a run, an object a line."""

DISCRIMINATOR = "discriminator"
"""Subfolder of the judges, beside a voice that can be trained on."""


def normalise_decoder(model: VitsModel) -> VitsModel:
    """Add the weight norm that the decoder is trained with; on disk, and in upstream, it has none."""
    for layers in model.decoder.layers_with_weight_norm():
        add_weight_norm(layers)
    return model


def plain(model: VitsModel) -> VitsModel:
    """A copy of a model in training, on the CPU, with the decoder's weight norm folded: what is saved and speaks."""
    with torch.device("meta"):
        released = VitsModel(model.config)
    shapes = {name: tensor.shape for name, tensor in released.state_dict().items()}
    state = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    released.load_state_dict(match_state_dict(state, shapes, "the model in training"), assign=True)
    return released.eval()


def write_voice(
    folder: Path, model: VitsModel, tokenizer: VitsTokenizer, discriminator: VitsDiscriminator | None = None
) -> None:
    """Writes what speaks, and the judges that it can be trained on with."""
    with no_progress_bar():
        plain(model).save_pretrained(folder)
        if discriminator is not None:
            discriminator.save_pretrained(folder / DISCRIMINATOR)
    tokenizer.save_pretrained(folder)


def release(output_dir: Path, write: Callable[[Path], None]) -> None:
    """Puts the files that `write` makes into a folder that holds other things: each is replaced whole, config last."""
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


def save_checkpoint(output_dir: Path, step: int, keep: int, write: Callable[[Path], None], state: Mapping) -> Path:
    """
    Writes `checkpoint-<step>`, then removes the oldest until `keep` are left.

    Args:
        output_dir (`Path`):
            Folder of the run.
        step (`int`):
            How many steps were taken.
        keep (`int`):
            Most checkpoints that stay.
        write (`Callable[[Path], None]`):
            Writes voice and judges into the folder it is given.
        state (`Mapping`):
            What `read_state` will give back.
    """
    folder = output_dir / f"checkpoint-{step}"
    with new_folder(folder, overwrite=True) as staged:
        write(staged)
        with (staged / STATE_FILE).open("wb") as file:  # given a name, PyTorch loses the reason why a write failed
            torch.save(dict(state), file)
    for old in checkpoints(output_dir)[:-keep]:
        shutil.rmtree(old)
    return folder


def checkpoints(output_dir: Path) -> list[Path]:
    """The checkpoints of a run, oldest first; folders that were not written to their end do not count."""
    return [folder for folder in _numbered(output_dir) if (folder / STATE_FILE).is_file()]


def without_state(output_dir: Path) -> list[Path]:
    """List the checkpoints whose state was deleted, oldest first: their voices are whole, and none is resumed."""
    return [f for f in _numbered(output_dir) if not (f / STATE_FILE).is_file() and f.is_dir() and any(f.iterdir())]


def _numbered(output_dir: Path) -> list[Path]:
    found = [folder for folder in output_dir.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", folder.name)]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """How many steps a checkpoint of that name was written after."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def recover(output_dir: Path) -> None:
    """Cleans up after a run that was killed while it wrote: a checkpoint that was being replaced comes back, unless the
    one in its place is there, and what was not written to its end goes."""
    for former in output_dir.glob(".checkpoint-*.former"):
        for whole in former.glob("checkpoint-*"):
            if not (output_dir / whole.name).exists():
                os.rename(whole, output_dir / whole.name)
    for pattern in (".checkpoint-*.former", ".checkpoint-*.partial", ".release", "..release.*"):
        for folder in output_dir.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def archive_newer_checkpoints(output_dir: Path, kept: Path, step: int) -> None:
    """Renames what a run has from a step on, but for the checkpoint that it goes on from: as they stand, they would be
    taken for newer than those that it will write."""
    known = sorted([*checkpoints(output_dir), *without_state(output_dir)], key=step_of)
    aside = [folder for folder in known if step_of(folder) >= step and not folder.samefile(kept)]
    for folder in aside:
        number = 1
        while (given_up := folder.with_name(f"{folder.name}-given-up-{number}")).exists():
            number += 1
        os.rename(folder, given_up)
    if aside:
        names = ", ".join(folder.name for folder in aside)
        logger.warning(f"Going on from step {step} gives up {names}: renamed to …-given-up-…, delete them at will.")


def find_checkpoint(output_dir: Path, resume: str | Path | None) -> Path | None:
    """
    The folder that a run resumes from: the newest one for "latest", none if there is none yet.

    Raises:
        FileExistsError: if nothing is to be resumed, but the folder holds checkpoints; or if it holds a run of which
            nothing can be resumed, and which a new one would replace.
        FileNotFoundError: if a folder is named that is no checkpoint; says which there are.
    """
    known = checkpoints(output_dir)
    if resume is None and known:
        raise FileExistsError(
            f'{output_dir} holds a run of {step_of(known[-1])} steps. Go on with it by resuming from "latest", or '
            "choose another folder."
        )
    if resume is None or str(resume) == "latest":
        _refuse_replacing(output_dir, known)
        return known[-1] if known else None
    folder = Path(resume).expanduser()
    if not (folder / STATE_FILE).is_file():
        there = ", ".join(map(str, known)) or "none"
        raise FileNotFoundError(
            f'{folder} is no checkpoint: it has no {STATE_FILE}. In {output_dir} there are: {there}. "latest" takes '
            "the newest."
        )
    return folder


def _refuse_replacing(output_dir: Path, known: Sequence[Path]) -> None:
    """Raise `FileExistsError` for a run that cannot be resumed, and warn of newer checkpoints than can be."""
    lost = [folder for folder in without_state(output_dir) if not known or step_of(folder) > step_of(known[-1])]
    names = ", ".join(folder.name for folder in lost)
    if lost and known:
        logger.warning(f"{names} cannot be resumed without {STATE_FILE}; the newest that can be is {known[-1].name}.")
    elif lost:
        raise FileExistsError(
            f"{output_dir} holds {names} without {STATE_FILE}, so that nothing can be resumed, and a new run would "
            f"replace them. Put the file back; or begin a new run from the voice, by giving {lost[-1]} as "
            "`model_name_or_path` and another `output_dir`; or move the folders away."
        )
    elif not known and (output_dir / HISTORY).is_file() and (output_dir / SAFE_NAMES[0]).is_file():
        raise FileExistsError(
            f"{output_dir} holds voice and history of a run, but none of its checkpoints: it cannot be resumed, and a "
            "new run would replace both. Begin one from the voice, by giving the folder as `model_name_or_path` "
            "and another `output_dir`; or move what is there away."
        )


def read_state(folder: Path) -> dict[str, Any]:
    """
    Read what `save_checkpoint` was given; nothing in the file is executed.

    Raises:
        ValueError: for a file that is damaged, or would unpack to more than it has bytes.
    """
    file = folder / STATE_FILE
    try:
        state = read_contents(file)
    except ValueError as error:
        raise ValueError(f"{file} cannot be read; resume from another checkpoint. {error}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{file} holds one {type(state).__name__} and no state; resume from another checkpoint.")
    return state


def restore(module: torch.nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Loads a state dict strictly; raises `ValueError` if the checkpoint is of another architecture."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"The checkpoint's {what} does not fit this run's: {str(error).splitlines()[-1]}") from error


MODULES = ("generator", "average", "discriminator")
OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
MOMENTS = ("exp_avg", "exp_avg_sq")
FIELDS = {
    "progress": dict,
    "order": dict,
    "fresh": list,
    "fresh_discriminator": bool,
    "origin": dict | None,
    "generator": dict,
    "average": dict | None,
    "generator_optimizer": dict,
    "discriminator": dict,
    "discriminator_optimizer": dict,
    "scaler": dict | None,
}
"""What there is, and of which type."""


def check_state(state: Mapping[str, Any], folder: Path, progress: type) -> None:
    """
    Raise `ValueError` unless a state read from a file can be loaded; the message names the file and the entry.

    Args:
        state (`Mapping[str, Any]`):
            What was read.
        folder (`Path`):
            The checkpoint.
        progress (`type`):
            The dataclass of whole numbers that says where a run is.
    """
    try:
        for name, kind in FIELDS.items():
            _require(name in state, name, "is missing")
            _require(isinstance(state[name], kind), name, f"is a {type(state[name]).__name__}")
        _check_numbers("progress", state["progress"], {item.name for item in fields(progress)})
        _require(all(isinstance(name, str) for name in state["fresh"]), "fresh", "is not a list of names")
        if state["origin"] is not None:
            known = {item.name for item in fields(Provenance)}
            _require(state["origin"].keys() <= known, "origin", "has other fields")
            for field, value in state["origin"].items():
                texts = value if isinstance(value, list) else [value]
                _require(all(isinstance(text, str | None) for text in texts), f"origin.{field}", "is no text")
        for field, value in (state["scaler"] or {}).items():
            _require(isinstance(value, int | float), f"scaler.{field}", "is no number")
        for name in MODULES:
            for key, value in (state[name] or {}).items():
                _require(isinstance(key, str), name, f"has the name {key!r}")
                _check_tensor(f"{name}.{key}", value)
        for name in OPTIMIZERS:
            _check_optimizer(name, state[name])
    except Wrong as error:
        raise ValueError(
            f"{folder / STATE_FILE} is not a whole state of a run: {error}. Resume from another checkpoint."
        ) from error


def load_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], name: str, folder: Path) -> None:
    """
    Load the moments of every parameter; rates, decays and other settings stay those of this run.

    Raises:
        ValueError: if they are of other parameters; names the file.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, moments in saved["state"].items():
        shapes = {tuple(moments[kind].shape) for kind in MOMENTS}
        if not number < len(parameters) or shapes != {tuple(parameters[number].shape)}:
            raise ValueError(
                f"The checkpoint's {name} does not fit this run's: parameter {number} has moments of the shape "
                f"{sorted(shapes)} in {folder / STATE_FILE}."
            )
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})


class Wrong(Exception):
    """Say what is wrong with an entry."""


def _require(condition: bool, name: str, problem: str) -> None:
    if not condition:
        raise Wrong(f"`{name}` {problem}")


def _check_numbers(name: str, numbers: Mapping[str, Any], known: set[str]) -> None:
    _require(numbers.keys() == known, name, f"has the fields {sorted(map(str, numbers))}, not {sorted(known)}")
    for field, value in numbers.items():
        _require(isinstance(value, int) and 0 <= value < 2**63, f"{name}.{field}", "is no whole number from 0 up")


def _check_tensor(name: str, tensor: Any) -> None:
    _require(isinstance(tensor, Tensor), name, f"is a {type(tensor).__name__}, not a tensor")
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    _require(plain, name, "is a tensor of a kind that weights are not of")
    whole = tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()
    _require(whole, name, "claims more numbers than the file has")
    _require(bool(torch.isfinite(tensor).all()), name, "has values that are not finite")


def _check_optimizer(name: str, saved: Mapping[str, Any]) -> None:
    state = saved.get("state")
    _require(isinstance(state, dict), name, "has no moments")
    for number, moments in state.items():
        place = f"{name}.{number}"
        _require(isinstance(number, int) and number >= 0, place, "is of no parameter")
        _require(isinstance(moments, dict) and moments.keys() == {"step", *MOMENTS}, place, "is not of AdamW")
        for kind, tensor in moments.items():
            _check_tensor(f"{place}.{kind}", tensor)
        _require(moments["step"].numel() == 1, f"{place}.step", "is no number")
