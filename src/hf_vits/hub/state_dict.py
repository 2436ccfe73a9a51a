"""Read the tensors of a checkpoint from a folder or the Hub, and match them strictly with those of a model."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers.utils import cached_file
from transformers.utils.hub import get_checkpoint_shard_files

from hf_vits.hub.model_files import PICKLE_NAMES, SAFE_NAMES
from hf_vits.modules.weight_norm import match_weight_norm
from hf_vits.utils.archives import MOST_PICKLE, check_pickled
from hf_vits.utils.files import UnreadableFile, check_name, member, read_table, require_file, require_if_there
from hf_vits.utils.formatting import listed

MOST_HEADER = 10_000_000
"""Largest number of bytes of the header of a `.safetensors` file; that of a voice has a hundred thousand."""

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
"""Types that weights may have."""

TRAINING_ONLY = (
    "posterior_encoder.",
    "duration_predictor.flows.1.",
    "duration_predictor.post_",
)
"""Prefixes of the tensors that inference does not use; only an `inference_only` checkpoint may lack them."""


def read_state_dict(
    name_or_path: str, variant: str | None = None, use_safetensors: bool | None = None, **hub_arguments
) -> dict[str, Tensor]:
    """
    Read all tensors of a checkpoint, sharded or not, on the CPU. Nothing in the files is executed.

    Raises:
        OSError: if the folder or repository has no weights.
        ValueError: if a file is damaged, or holds anything but tensors.
    """
    names = (*SAFE_NAMES, *PICKLE_NAMES) if use_safetensors is None else SAFE_NAMES if use_safetensors else PICKLE_NAMES
    for name in names:
        name = _with_variant(name, variant)
        require_if_there(Path(name_or_path) / (hub_arguments.get("subfolder") or "") / name)
        file = cached_file(name_or_path, name, _raise_exceptions_for_missing_entries=False, **hub_arguments)
        if file is None:
            continue
        if not name.endswith(".json"):
            return read_file(file)
        shards = _shards(name_or_path, Path(file), hub_arguments)
        return {key: tensor for shard in shards for key, tensor in read_file(shard).items()}
    subfolder = hub_arguments.get("subfolder") or ""
    raise OSError(
        f"{Path(name_or_path) / subfolder} has no weights, that is, none of "
        f"{', '.join(_with_variant(name, variant) for name in names)}. "
        "A voice of another project must be converted first; `hf-vits convert --help` says which can be."
    )


def read_file(file: str | Path) -> dict[str, Tensor]:
    """Read the tensors of one `.safetensors` or pickled file; raises `ValueError` for a damaged or unsafe one."""
    state_dict = read_contents(file)
    if not isinstance(state_dict, Mapping) or not all(isinstance(value, Tensor) for value in state_dict.values()):
        raise ValueError(
            f"{file} does not hold a plain table of tensors, such as a checkpoint of a training program. "
            "Pass its table of weights as `state_dict=`."
        )
    check_kinds(state_dict, f" in {file}")
    return dict(state_dict)


def check_kinds(
    tensors: Mapping[str, Tensor], where: str = "", dtypes: Collection[torch.dtype] | None = DTYPES
) -> None:
    """
    Check that tensors can be weights by their type, and that memory holds as many numbers as they claim.

    Args:
        tensors (`Mapping[str, Tensor]`):
            By name.
        where (`str`, *optional*):
            Where they are from, for errors, such as " in voice/model.safetensors".
        dtypes (`Collection[torch.dtype]`, *optional*):
            Types that they may have; any if `None`.

    Raises:
        UnreadableFile: names the first that cannot be a weight.
    """
    for name, tensor in tensors.items():
        called = f"{name if len(name) <= 200 else name[:200] + '…'}{where}"
        in_memory = tensor.layout == torch.strided and not (tensor.is_meta or tensor.is_nested or tensor.is_quantized)
        if not in_memory or (dtypes is not None and tensor.dtype not in dtypes):
            kind = f"{tensor.dtype}, {tensor.layout}, {tensor.device}{', nested' if tensor.is_nested else ''}"
            raise UnreadableFile(
                f"{called} is a tensor of the kind {kind}; weights are floating-point numbers in memory. Fetch "
                "the file again, or save it anew from its model.",
                "no_tensors",
            )
        if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
            raise UnreadableFile(
                f"{called} claims the shape {list(tensor.shape)}, but the file has fewer numbers for it. Fetch it "
                "again."
            )


def shard_names(index: str | Path) -> tuple[dict[str, str], list[str]]:
    """
    Read an index of shards; return the file name of each tensor, and the names of all files.

    Raises:
        ValueError: if it is not such an index, or names a file outside its folder.
    """
    table = read_table(index)
    places = table.get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ValueError(f"{index} is not an index of shards: it has no `weight_map`, a table; fetch it again.")
    names = sorted({check_name(name, index) for name in places.values()})
    return places, names


def _shards(name_or_path: str, index: Path, hub_arguments: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files that an index names, in its folder; they are fetched first if the folder is not local."""
    places, names = shard_names(index)
    if not Path(name_or_path).is_dir():
        try:
            get_checkpoint_shard_files(name_or_path, str(index), **hub_arguments)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{index} is not an index of shards; fetch it again.") from error
    for name in names:
        yield member(index.parent, name, index)


def read_contents(file: str | Path, most_pickle: int = MOST_PICKLE, mmap: bool = False) -> Any:
    """
    Return the content of one `.safetensors` or pickled file, which may be other than tensors. No code in it is run.

    This is the only place where the package unpickles a file.

    Args:
        file (`str` or `Path`):
            The file.
        most_pickle (`int`, *optional*):
            Largest number of bytes of the pickle in an archive, without the data of its tensors.
        mmap (`bool`, *optional*, defaults to `False`):
            Map the tensors of an archive into memory, so that only those that are used are read. The file must not be
            overwritten while they exist.

    Raises:
        OSError: if it is not a regular file that can be read.
        UnreadableFile: if it is damaged, refers to code, or would take more memory than it has bytes.
    """
    file = require_file(file)
    try:
        if file.suffix == ".safetensors":
            check_header(file)
            return load_file(file)
        is_archive = check_pickled(file, most_pickle)
        return torch.load(file, map_location="cpu", weights_only=True, mmap=mmap and is_archive)
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged file can make the readers fail in any way
        reason, kind = _reason(error)
        raise UnreadableFile(
            f"{file} is not a readable file of tensors ({reason}). It may be truncated, or hold code that is not run; "
            "fetch it again, or ask its author for a .safetensors file.",
            kind,
        ) from error


def check_header(file: Path) -> None:
    """Raise `ValueError` for a `.safetensors` file whose header is longer than the file or than any model's."""
    with file.open("rb") as stream:
        header, size = int.from_bytes(stream.read(8), "little"), file.stat().st_size
    if size < 8 or header > min(size - 8, MOST_HEADER):
        raise ValueError(f"it has {size:,} bytes and no whole header; is it cut off?")


def _reason(error: Exception) -> tuple[str, str]:
    """Return one line without PyTorch's advice to read the file unsafely, and the `kind` of an `UnreadableFile`."""
    text = str(error).strip()
    if "weights_only" in text or "Weights only" in text:
        name = re.search(r"GLOBAL ([\w.]+)", text)
        return f"it asks for {name[1]}" if name else "it holds what is neither a tensor nor plain data", "unsafe"
    line = "".join(letter for letter in text.split("\n")[0] if letter.isprintable())
    return line or type(error).__name__, getattr(error, "kind", "damaged")


def match_state_dict(
    state_dict: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], source: str, foreign: bool = False
) -> dict[str, Tensor]:
    """
    Return the tensors under exactly the keys of `shapes`, converting each layer's format of weight norm.

    Args:
        state_dict (`Mapping[str, Tensor]`):
            The tensors.
        shapes (`Mapping[str, torch.Size]`):
            Names and shapes of a model.
        source (`str`):
            Where the tensors are from, for errors.
        foreign (`bool`, *optional*, defaults to `False`):
            They are of another project, so the advice in the error differs.

    Raises:
        ValueError: lists tensors that are missing, unexpected or of another shape.
    """
    matched = match_weight_norm(state_dict, shapes)
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
