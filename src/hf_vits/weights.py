"""Reads a checkpoint's tensors from a folder or the Hub, and lets none be missing, left over or of another shape."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers.utils import cached_file
from transformers.utils.hub import get_checkpoint_shard_files

from hf_vits.archives import check_pickled
from hf_vits.files import require_file
from hf_vits.modules.weight_norm import respell
from hf_vits.wording import listed

SAFE_NAMES = ("model.safetensors", "model.safetensors.index.json")
PICKLE_NAMES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
TRAINING_ONLY = (
    "posterior_encoder.",
    "duration_predictor.flows.1.",
    "duration_predictor.post_",
)
"""Prefixes of the tensors that speaking does not use; only an `inference_only` checkpoint may lack them."""


def read_state_dict(
    name_or_path: str, variant: str | None = None, use_safetensors: bool | None = None, **hub_arguments
) -> dict[str, Tensor]:
    """
    All tensors of a checkpoint, sharded or not, on the CPU. Nothing in the files is executed.

    Raises:
        OSError: if the folder or repository has no weights.
        ValueError: if a file is damaged, or holds anything but tensors.
    """
    names = (*SAFE_NAMES, *PICKLE_NAMES) if use_safetensors is None else SAFE_NAMES if use_safetensors else PICKLE_NAMES
    for name in names:
        name = _with_variant(name, variant)
        file = cached_file(name_or_path, name, _raise_exceptions_for_missing_entries=False, **hub_arguments)
        if file is None:
            continue
        if not name.endswith(".json"):
            return read_file(file)
        try:
            shards, _ = get_checkpoint_shard_files(name_or_path, file, **hub_arguments)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{file} is not an index of shards; fetch it again.") from error
        return {key: tensor for shard in shards for key, tensor in _read_shard(shard, file).items()}
    subfolder = hub_arguments.get("subfolder") or ""
    raise OSError(
        f"{Path(name_or_path) / subfolder} has no weights, that is, none of "
        f"{', '.join(_with_variant(name, variant) for name in names)}. "
        "A voice of another project must be converted first; `hf-vits convert --help` says which can be."
    )


def read_file(file: str | Path) -> dict[str, Tensor]:
    """The tensors of one `.safetensors` or pickled file; raises `ValueError` for a damaged or hostile one."""
    state_dict = read_contents(file)
    if not isinstance(state_dict, Mapping) or not all(isinstance(value, Tensor) for value in state_dict.values()):
        raise ValueError(
            f"{file} does not hold a plain table of tensors, as a checkpoint in the middle of training may not. "
            "Take its table of weights out and pass that as `state_dict=`."
        )
    return dict(state_dict)


def _read_shard(shard: str | Path, index: str | Path) -> dict[str, Tensor]:
    try:
        return read_file(shard)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{shard} is missing, which {Path(index).name} counts among the weights. Fetch it too."
        ) from error


def read_contents(file: str | Path) -> Any:
    """Whatever one `.safetensors` or pickled file holds, tensors or not; errors are those of `read_file`."""
    file = require_file(file)
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        check_pickled(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged file can make the readers fail in any way
        reason = _reason(error)
        raise ValueError(
            f"{file} is not a readable file of tensors ({reason}). It may be truncated, or hold code that is not run; "
            "fetch it again, or ask its author for a .safetensors file."
        ) from error


def _reason(error: Exception) -> str:
    """In one line, without PyTorch's advice to read the file unsafely."""
    text = str(error).strip()
    if "weights_only" in text or "Weights only" in text:
        asked = re.search(r"GLOBAL ([\w.]+)", text)
        return f"it asks for {asked[1]}" if asked else "it holds what is neither a tensor nor plain data"
    return "".join(letter for letter in text.split("\n")[0] if letter.isprintable())


def match_state_dict(
    state_dict: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], source: str, foreign: bool = False
) -> dict[str, Tensor]:
    """
    The same tensors under exactly the keys of `shapes`, whatever way each layer spells its weight norm.

    Args:
        state_dict (`Mapping[str, Tensor]`):
            The tensors.
        shapes (`Mapping[str, torch.Size]`):
            Names and shapes that a model has.
        source (`str`):
            Where the tensors are from, for errors.
        foreign (`bool`, *optional*, defaults to `False`):
            Whether they are of another project, whose files have no field of our configuration.

    Raises:
        ValueError: naming every kind of tensor that is missing, left over or wrongly shaped.
    """
    matched = respell(state_dict, shapes)
    missing = sorted(shapes.keys() - matched.keys())
    unexpected = sorted(matched.keys() - shapes.keys())
    misshaped = [
        f"{key} is {tuple(matched[key].shape)}, not {tuple(shape)}"
        for key, shape in shapes.items()
        if key in matched and matched[key].shape != shape
    ]
    if not (missing or unexpected or misshaped):
        return matched
    problems = [
        f"{len(items)} {kind}: {listed(items, most=200)}"
        for kind, items in (("missing", missing), ("unexpected", unexpected), ("of another shape", misshaped))
        if items
    ]
    raise ValueError(
        f"The weights in {source} are not those of this configuration; nothing was loaded.\n  "
        + "\n  ".join(problems)
        + _advice(missing, unexpected, misshaped, foreign)
    )


def _advice(missing: list[str], unexpected: list[str], misshaped: list[str], foreign: bool) -> str:
    if not misshaped and not unexpected and all(key.startswith(TRAINING_ONLY) for key in missing):
        if foreign:
            return "\nOnly training uses these; a file that has a part of them and not all is damaged. Fetch it again."
        return "\nOnly training uses these: with `inference_only=True` in its configuration the checkpoint can speak."
    if unexpected and all(key.startswith("discriminator.") for key in unexpected) and not (missing or misshaped):
        return (
            "\nThe checkpoint carries its discriminators; load it without them by passing the rest as `state_dict=`. "
            "`hf_vits.conversion.discriminators.generator_tensors` gives that."
        )
    return "\nCheck that config.json belongs to these weights, or fetch them again."


def _with_variant(name: str, variant: str | None) -> str:
    """model.safetensors -> model.fp16.safetensors; an index as model.safetensors.index.fp16.json."""
    if variant is None:
        return name
    stem, suffix = name.rsplit(".", 1)
    return f"{stem}.{variant}.{suffix}"
