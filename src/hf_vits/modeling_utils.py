"""Voices from a folder or the Hub: every tensor is there, or none is loaded."""

import copy
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedConfig, PreTrainedModel

from hf_vits.hub.state_dict import TRAINING_ONLY, match_state_dict, read_state_dict
from hf_vits.modules.weight_norm import NEW_G
from hf_vits.utils.atomic_folder import new_files
from hf_vits.utils.formatting import listed
from hf_vits.utils.new_files import storage_errors
from hf_vits.utils.torch_state import is_traced


def reduced(model: nn.Module) -> tuple[Callable, tuple]:
    """What pickle keeps of a model: enough for `rebuilt`, and none of its hooks.

    Raises:
        TypeError: if layers were added or replaced, so that its configuration no longer says what it is.
    """
    state = model.state_dict()
    try:
        _skeleton(type(model), model.config, state)
    except (ValueError, RuntimeError, TypeError) as error:
        raise TypeError(
            f"This {type(model).__name__} has other layers than its configuration says, so it cannot be pickled. Save "
            "its weights with `save_pretrained`, or `model.state_dict()` with `torch.save`."
        ) from error
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    modes = {name: part.training for name, part in model.named_modules()}
    return rebuilt, (type(model), model.config, state, frozen, modes, model.name_or_path)


def rebuilt(
    kind: type[nn.Module], config: Any, state: Mapping[str, Tensor], frozen: list[str], modes: dict, name_or_path: str
) -> nn.Module:
    """The model that was `reduced`; its parameters are the tensors of `state`."""
    model = _skeleton(kind, config, state)
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    for name, part in model.named_modules():
        part.training = modes[name]
    model.name_or_path = name_or_path
    return model


def start_anew(model: nn.Module) -> None:
    """Gives every parameter and buffer of a model the value of a new one, where it is."""
    state = model.state_dict()
    with torch.device("cpu"):
        fresh = type(model)(model.config)
    _fold(fresh, state)
    model.load_state_dict(fresh.state_dict(), strict=True)


def _skeleton(kind: type[nn.Module], config: Any, state: Mapping[str, Tensor]) -> nn.Module:
    with torch.device("meta"):
        model = kind(config)
    _fold(model, state)
    model.load_state_dict(state, strict=True, assign=True)
    return model


def _fold(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Removes weight norm where a state dictionary has none."""
    for name, part in model.named_modules():
        if parametrize.is_parametrized(part, "weight") and name + NEW_G not in state:
            parametrize.remove_parametrizations(part, "weight")


class NotFiniteError(ValueError):
    """What a model made of a text holds NaN or infinity."""


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity; in one pass, without memory of its own."""
    if not tensor.is_floating_point() or not tensor.numel() or tensor.is_meta:
        return True
    return all(bool(torch.isfinite(end)) for end in torch.aminmax(tensor.detach()))


def check_weights(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raises `ValueError` if a tensor holds NaN or infinity, naming it and `source`, where the tensors are from."""
    broken = sorted(name for name, tensor in tensors.items() if not is_finite(tensor))
    if broken:
        raise ValueError(
            f"The weights in {source} are damaged: {listed(broken, most=200)} hold NaN or infinity. "
            "Fetch the file again, or take an earlier checkpoint; `hf-vits doctor` says more."
        )


def check_spoken(what: str, tensor: Tensor, is_training: bool) -> Tensor:
    """Raises `NotFiniteError` if a tensor of a model's output holds NaN or infinity; gives it back otherwise.

    In training, which may have its own way to go on, and while a graph is traced, nothing is checked.
    """
    if not (is_training or is_traced() or is_finite(tensor)):
        raise NotFiniteError(
            f"The {what} would hold NaN or infinity: weights of the voice are damaged, or overflow {tensor.dtype}. "
            "Load the voice again, in float32 or bfloat16 if it was float16; if that does not help, take another "
            "checkpoint (`hf-vits doctor` examines one)."
        )
    return tensor


HUB_ARGUMENTS = (
    *("cache_dir", "force_download", "proxies", "local_files_only", "token", "revision"),
    *("subfolder", "_commit_hash", "user_agent", "repo_type"),
)
"""Arguments of `from_pretrained` that say where the files are, not what to do with them."""


class StrictPreTrainedModel(PreTrainedModel):
    """A model whose layers start as they are built, and whose checkpoints fit exactly."""

    def _init_weights(self, module: nn.Module) -> None:
        """Does nothing: each layer starts as in the original when it is built, and none is ever left to be filled."""

    def init_weights(self) -> None:
        """Gives every parameter the value of a new model; while the model is built, its layers have done so."""
        if getattr(self, "_is_built", False):
            start_anew(self)
            return
        self._is_built = True
        super().init_weights()

    def __reduce_ex__(self, protocol):
        return reduced(self)

    def __deepcopy__(self, memo: dict):
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.__setstate__(copy.deepcopy(self.__dict__, memo))
        return copied

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path,
        *model_args,
        config=None,
        variant: str | None = None,
        use_safetensors: bool | None = None,
        **kwargs,
    ):
        """
        Loads a voice from a folder or the Hub, with the arguments of `transformers.PreTrainedModel.from_pretrained`.

        Every layer's weight norm may be spelt in any of the three known ways. Tensors that only training uses are left
        out if the configuration says `inference_only`.

        Raises:
            ValueError: if a tensor is missing, left over, of another shape, or holds NaN or infinity; no layer is ever
                freshly initialised.
            OSError: if there is no such checkpoint.
        """
        refuse_offloading(kwargs.get("device_map"))
        source = str(pretrained_model_name_or_path)
        hub = {name: kwargs.pop(name) for name in HUB_ARGUMENTS if name in kwargs}
        dtype = {name: kwargs.pop(name) for name in ("dtype", "torch_dtype") if name in kwargs}
        state_dict = kwargs.pop("state_dict", None)
        if not isinstance(config, PreTrainedConfig):
            config, kwargs = cls.config_class.from_pretrained(
                config or pretrained_model_name_or_path, return_unused_kwargs=True, **hub, **kwargs
            )
        config = cls.config_class.of(config)
        if state_dict is None:
            state_dict = read_state_dict(source, variant, use_safetensors, **hub)
        if getattr(config, "inference_only", False):
            state_dict = {key: tensor for key, tensor in state_dict.items() if not key.startswith(TRAINING_ONLY)}
        with torch.device("meta"):
            shapes = {key: tensor.shape for key, tensor in cls(config).state_dict().items()}
        state_dict = match_state_dict(state_dict, shapes, source)
        check_weights(state_dict, source)
        loaded = super().from_pretrained(None, *model_args, config=config, state_dict=state_dict, **dtype, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        model.config.name_or_path = model.name_or_path = source
        return loaded

    def save_pretrained(self, save_directory, *args, **kwargs):
        """
        Saves as `transformers.PreTrainedModel.save_pretrained`, each file whole or not at all, config.json last.

        Raises:
            FileExistsError: if `save_directory` is a file.
            OSError: if it cannot be written, as on a full disk; names the folder and the cause.
        """
        directory = Path(save_directory)
        if args or kwargs.get("push_to_hub"):  # the Hub's client takes the folder itself
            with storage_errors(directory, every=True):
                return super().save_pretrained(save_directory, *args, **kwargs)
        with new_files(directory) as staged:
            super().save_pretrained(staged, **kwargs)
            written = {file.name for file in staged.iterdir()}
        for file in _former_shards(directory, written):
            file.unlink(missing_ok=True)
        return None


def refuse_offloading(device_map) -> None:
    """Raises `ValueError` for a map that leaves layers where they cannot compute: on a disk."""
    places = device_map.values() if isinstance(device_map, dict) else [device_map]
    if "disk" in map(str, places):
        raise ValueError(
            "`device_map` puts layers on a disk. Voices are small (150 MB) and are not offloaded: leave it out, or "
            'give one device, `device_map="cpu"` or `device_map="cuda:0"`.'
        )


def _former_shards(directory: Path, written: Collection[str]) -> list[Path]:
    """Shards that an earlier saving under the same name has left, which the new index does not name."""
    shard = r"-\d{5}-of-\d{5}"
    stems = {re.sub(rf"({shard})?\.safetensors$", "", name) for name in written if name.endswith(".safetensors")}
    former = re.compile(rf"({'|'.join(map(re.escape, stems))}){shard}\.safetensors")
    return [file for file in directory.iterdir() if stems and former.fullmatch(file.name) and file.name not in written]
