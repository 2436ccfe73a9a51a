"""The base class of the models: strict loading, atomic saving, pickling. All tensors of a checkpoint must match."""

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
from hf_vits.utils.atomic_file import storage_errors
from hf_vits.utils.atomic_folder import new_files
from hf_vits.utils.default_name import refuse_default_name
from hf_vits.utils.formatting import listed
from hf_vits.utils.logging import no_progress_bar
from hf_vits.utils.meta_device import Model, WithoutValues, meta_device, skeleton
from hf_vits.utils.torch_state import is_finite


def check_weights(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise `ValueError` if a tensor holds NaN or infinity; it names the tensors and `source`, where they are from."""
    broken = sorted(name for name, tensor in tensors.items() if not is_finite(tensor))
    if broken:
        raise ValueError(
            f"The weights in {source} are damaged: {listed(broken, most=200)} hold NaN or infinity. "
            "Fetch the file again, or take an earlier checkpoint; `hf-vits doctor` says more."
        )


def reduce_model(model: nn.Module) -> tuple[Callable, tuple]:
    """Return the arguments of pickle for a model: `rebuild_model` and its arguments, without hooks.

    Raises:
        TypeError: if layers were added or replaced, so that its configuration no longer describes it.
    """
    state = model.state_dict()
    try:
        model_with_state(type(model), model.config, state)
    except (ValueError, RuntimeError, TypeError) as error:
        raise TypeError(
            f"This {type(model).__name__} has other layers than its configuration says, so it cannot be pickled. Save "
            "its weights with `save_pretrained`, or `model.state_dict()` with `torch.save`."
        ) from error
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    modes = {name: part.training for name, part in model.named_modules()}
    return rebuild_model, (type(model), model.config, state, frozen, modes, model.name_or_path)


def rebuild_model(
    kind: type[nn.Module], config: Any, state: Mapping[str, Tensor], frozen: list[str], modes: dict, name_or_path: str
) -> nn.Module:
    """Return the model that `reduce_model` took apart; its parameters are the tensors of `state`."""
    model = model_with_state(kind, config, state)
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    for name, part in model.named_modules():
        part.training = modes[name]
    model.name_or_path = name_or_path
    return model


def reinitialize(model: nn.Module) -> None:
    """Set every parameter and buffer of a model in place to the value of a new model."""
    state = model.state_dict()
    with torch.device("cpu"):
        new = type(model)(model.config)
    _fold_weight_norm(new, state)
    model.load_state_dict(new.state_dict(), strict=True)


def model_with_state(kind: type[Model], config: Any, state: Mapping[str, Tensor]) -> Model:
    """Create a model whose parameters are the tensors of `state`; layers without weight norm there have none."""
    model = skeleton(kind, config)
    _fold_weight_norm(model, state)
    model.load_state_dict(state, strict=True, assign=True)
    return model


def _fold_weight_norm(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Remove weight norm from the layers for which a state dictionary has none."""
    for name, part in model.named_modules():
        if parametrize.is_parametrized(part, "weight") and name + NEW_G not in state:
            parametrize.remove_parametrizations(part, "weight")


HUB_ARGUMENTS = (
    *("cache_dir", "force_download", "proxies", "local_files_only", "token", "revision"),
    *("subfolder", "_commit_hash", "user_agent", "repo_type"),
)
"""Arguments of `from_pretrained` that locate the files."""


class StrictPreTrainedModel(PreTrainedModel):
    """A model whose layers initialize themselves when they are built, and whose checkpoints must match exactly."""

    def _init_weights(self, module: nn.Module) -> None:
        """Do nothing: every layer is initialized as in the original when it is built."""

    def init_weights(self) -> None:
        """Reinitialize every parameter, but at the end of `__init__`, when layers have just been initialized."""
        if getattr(self, "_is_built", False):
            reinitialize(self)
            return
        self._is_built = True
        super().init_weights()

    def __reduce_ex__(self, protocol):
        return reduce_model(self)

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
        Load a model from a folder or the Hub, with the arguments of `transformers.PreTrainedModel.from_pretrained`.

        Weight norm may be in any of its three formats. Tensors that only training uses are skipped if the
        configuration says `inference_only`.

        Raises:
            ValueError: if a tensor is missing, unexpected, of another shape, or holds NaN or infinity; no layer is ever
                newly initialized.
            OSError: if there is no such checkpoint.
        """
        refuse_default_name(pretrained_model_name_or_path, cls.__name__)
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
        with meta_device():
            model = cls(copy.deepcopy(config))
        shapes = {key: tensor.shape for key, tensor in model.state_dict().items()}
        state_dict = match_state_dict(state_dict, shapes, source)
        check_weights(state_dict, source)
        if not (model_args or kwargs) and _is_loaded_as_stored(model, state_dict, dtype.values()):
            return _filled(model, state_dict, source)
        if set(dtype.values()) <= {"auto"}:
            half = cls.partly_half({name: tensor.dtype for name, tensor in state_dict.items()})
            dtype = {"dtype": half} if half else dtype  # config.json has that of the first parameter
        with no_progress_bar(), WithoutValues():
            loaded = super().from_pretrained(None, *model_args, config=config, state_dict=state_dict, **dtype, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        model.config.name_or_path = model.name_or_path = source
        return loaded

    @classmethod
    def partly_half(cls, dtypes: Mapping[str, torch.dtype]) -> torch.dtype | None:
        """Return the half precision of weights whose dtypes by name are those of a model loaded in it, where some
        modules stay in float32; `None` for others."""
        kept, others = set(), set()
        for name, dtype in dtypes.items():
            is_kept = name.startswith(tuple(cls._keep_in_fp32_modules_strict or ()))
            (kept if is_kept else others).add(dtype)
        is_half = kept == {torch.float32} and len(others) == 1 and others <= {torch.float16, torch.bfloat16}
        return others.pop() if is_half else None

    def save_pretrained(self, save_directory, *args, **kwargs):
        """
        Save as `transformers.PreTrainedModel.save_pretrained`; each file completely or not at all, config.json last.

        Raises:
            FileExistsError: if `save_directory` is a file.
            OSError: if it cannot be written, for example on a full disk; names the folder and the cause.
        """
        directory = Path(save_directory)
        if args or kwargs.get("push_to_hub"):  # the Hub's client takes the folder itself
            with storage_errors(directory, every=True):
                return super().save_pretrained(save_directory, *args, **kwargs)
        with new_files(directory) as staged:
            super().save_pretrained(staged, **kwargs)
            written = {file.name for file in staged.iterdir()}
        for file in _stale_shards(directory, written):
            file.unlink(missing_ok=True)
        return None


def _is_loaded_as_stored(model: PreTrainedModel, state: Mapping[str, Tensor], dtypes: Collection) -> bool:
    """Return True if a model can take weights as they are: float32 on the CPU, of which nothing else is asked.

    Args:
        model: with the shapes of the weights, on the meta device.
        state: the weights by name.
        dtypes: those that the caller asks for.
    """
    found = {(tensor.dtype, tensor.device.type) for tensor in state.values()}
    asked = {model.config.dtype, *dtypes} - {None, "auto"}
    changes = ("quantization_config", "fusion_config")
    return (
        found == {(torch.float32, "cpu")}
        and asked <= {torch.float32}
        and torch.get_default_device().type == "cpu"
        and not any(getattr(model.config, name, None) for name in changes)
        and all(name in state for name, _ in model.named_buffers())
    )


def _filled(model: PreTrainedModel, state: Mapping[str, Tensor], source: str) -> PreTrainedModel:
    """Give a model on the meta device its weights, as `transformers.PreTrainedModel.from_pretrained` does, in a third
    of the time."""
    model.load_state_dict({name: tensor.detach() for name, tensor in state.items()}, strict=True, assign=True)
    model.config.dtype = torch.float32
    model.config.name_or_path = model.name_or_path = source
    return model.eval()


def refuse_offloading(device_map) -> None:
    """Raise `ValueError` for a device map that puts layers on a disk."""
    places = device_map.values() if isinstance(device_map, dict) else [device_map]
    if "disk" in map(str, places):
        raise ValueError(
            "`device_map` puts layers on a disk. Models of this size (150 MB) are not offloaded: leave it out, or "
            'give one device, `device_map="cpu"` or `device_map="cuda:0"`.'
        )


def _stale_shards(directory: Path, written: Collection[str]) -> list[Path]:
    """Return shards of an earlier model under the same name, which the new index does not list."""
    shard = r"-\d{5}-of-\d{5}"
    stems = {re.sub(rf"({shard})?\.safetensors$", "", name) for name in written if name.endswith(".safetensors")}
    former = re.compile(rf"({'|'.join(map(re.escape, stems))}){shard}\.safetensors")
    return [file for file in directory.iterdir() if stems and former.fullmatch(file.name) and file.name not in written]
