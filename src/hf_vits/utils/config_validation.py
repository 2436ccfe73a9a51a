"""Read and check a config.json: a regular file of bounded size, with errors that name the file and the field."""

import math
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from hf_vits.utils.atomic_file import storage_errors
from hf_vits.utils.default_name import refuse_default_name
from hf_vits.utils.files import named_in_errors, read_table, require_if_there
from hf_vits.utils.formatting import quoted
from hf_vits.utils.model_size import check_numbers, check_size

PARALLEL_PLANS = ("base_model_tp_plan", "base_model_pp_plan", "base_model_ep_plan")
"""Fields of config.json that distribute a model over devices, which this package does not support. transformers would
use their values without a check."""


class StrictConfigMixin:
    """Make a configuration class of transformers safe for untrusted files; list it first among the bases."""

    model_types: ClassVar[tuple[str, ...]] = ()
    """Values of `model_type` in config.json that this class reads; by default its own."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        """
        Load as in transformers.

        Raises:
            OSError: if there is no config.json, or it is no file or no JSON object.
            ValueError: if a value is of another type, out of range or contradicts another; names file and field. For
                the names of the default voice; says how to load it.
        """
        refuse_default_name(pretrained_model_name_or_path, cls.__name__)
        with named_in_errors(f"The config.json of {pretrained_model_name_or_path}", pretrained_model_name_or_path):
            return super().from_pretrained(pretrained_model_name_or_path, **kwargs)

    @classmethod
    def get_config_dict(cls, pretrained_model_name_or_path, **kwargs) -> tuple[dict[str, Any], dict[str, Any]]:
        """
        Return the fields of config.json, and the arguments that do not locate it.

        Raises:
            OSError: if there is no config.json, or it is no file or no JSON object.
            ValueError: if it is that of another type of model.
        """
        name = pretrained_model_name_or_path
        require_if_there(Path(name) / (kwargs.get("subfolder") or "") / "config.json")
        table, kwargs = super().get_config_dict(name, **kwargs)
        if not table:  # returned for a repository without the file, for which transformers would use defaults
            raise OSError(f"{name} has no config.json, or an empty one; is it a VITS model?")
        kind, allowed = table.get("model_type", cls.model_type), cls.model_types or (cls.model_type,)
        if kind not in allowed:
            raise ValueError(f"{name} is a model of type {quoted(kind)}, not {' or '.join(map(repr, allowed))}.")
        if table.pop("quantization_config", None):
            raise ValueError(
                f"The config.json of {name} has a `quantization_config`, which this package does not support."
            )
        for plan in PARALLEL_PLANS:
            table.pop(plan, None)
        return {**table, "model_type": cls.model_type}, kwargs

    def save_pretrained(self, save_directory, **kwargs):
        """Save as in transformers; raise an `OSError` that names the folder and the cause if it cannot be written."""
        if Path(save_directory).is_file():
            raise FileExistsError(f"{save_directory} is a file; give the name of a folder.")
        with storage_errors(save_directory, every=True):
            return super().save_pretrained(save_directory, **kwargs)

    @classmethod
    def of(cls, config):
        """Return a configuration as this class, or as it is if it is one."""
        return config if isinstance(config, cls) else cls.from_dict(config.to_dict())

    @classmethod
    def _dict_from_json_file(cls, json_file) -> dict[str, Any]:
        try:
            table = read_table(json_file)
        except ValueError as error:  # as transformers raises, whose callers expect it
            raise OSError(str(error)) from error
        table.pop("configuration_files", None)  # names another file to read in its place
        return cls._decode_special_floats(table)


def check_architecture(config) -> None:
    """Raise `ValueError` for a value out of range, or for two that contradict each other."""
    for check in CHECKS.values():
        check(config)


def _check_ranges(config) -> None:
    positive = (
        "vocab_size hidden_size num_hidden_layers num_attention_heads ffn_dim ffn_kernel_size flow_size "
        "num_speakers num_languages depth_separable_num_layers duration_predictor_flow_bins "
        "duration_predictor_num_flows duration_predictor_filter_channels prior_encoder_num_flows "
        "prior_encoder_num_wavenet_layers posterior_encoder_num_wavenet_layers wavenet_dilation_rate "
        "sampling_rate num_mel_bins duration_predictor_tail_bound speaking_rate layer_norm_eps"
    )
    for name in positive.split():
        value = getattr(config, name)
        require(math.isfinite(value) and value > 0, f"`{name}` is {value}; it must be above 0.")
    own = config.duration_predictor_layer_norm_eps
    require(own is None or 0 < own < math.inf, f"`duration_predictor_layer_norm_eps` is {own}; it must be above 0.")
    for name in ("noise_scale", "noise_scale_duration"):
        value = getattr(config, name)
        require(math.isfinite(value) and value >= 0, f"`{name}` is {value}; it must be a finite number from 0 up.")
    for name in ("blank_id", "pad_token_id"):
        value = getattr(config, name)
        require(
            value is None or 0 <= value < config.vocab_size,
            f"`{name}` ({value}) must be an id below `vocab_size` ({config.vocab_size}).",
        )
    dropouts = (
        "hidden_dropout attention_dropout activation_dropout wavenet_dropout duration_predictor_dropout layerdrop"
    )
    for name in dropouts.split():
        value = getattr(config, name)
        require(0 <= value <= 1, f"`{name}` is {value}; a probability lies between 0 and 1.")


def _check_layers(config) -> None:
    heads = config.num_attention_heads
    languages = f" with `language_embedding_size` ({size})" if (size := config.language_embedding_size) else ""
    require(
        config.text_size % heads == 0,
        f"`hidden_size` ({config.hidden_size}){languages} must be a multiple of `num_attention_heads` ({heads}).",
    )
    require(
        not config.window_size or config.window_size > 0,
        f"`window_size` is {config.window_size}; it must be 0 or more.",
    )
    _check_activation(config.hidden_act)
    require(config.flow_size % 2 == 0, f"`flow_size` ({config.flow_size}) must be even: couplings split it in 2.")
    require(
        config.depth_separable_channels == 2,
        f"`depth_separable_channels` is {config.depth_separable_channels}; the duration flow has 2: value and noise.",
    )
    for name in ("wavenet_kernel_size", "duration_predictor_kernel_size"):
        kernel = getattr(config, name)
        require(kernel > 0 and kernel % 2 == 1, f"`{name}` is {kernel}; it must be odd, to keep the length.")
    # The least widths of more bins would fill the interval.
    bins = config.duration_predictor_flow_bins
    require(bins < 1000, f"`duration_predictor_flow_bins` is {bins}; bins of least width 1e-3 leave room for 999.")


def _check_activation(name: str) -> None:
    from transformers.activations import ACT2FN  # imports torch, which other checks do not need

    require(name in ACT2FN, f"`hidden_act` is {name!r}; it must be one of {', '.join(ACT2FN)}.")


def _check_named(kind: str, config) -> None:
    """Check number, vectors and names of the speakers, or of the languages."""
    count, size = getattr(config, f"num_{kind}s"), getattr(config, f"{kind}_embedding_size")
    require(size >= 0, f"`{kind}_embedding_size` is {size}; it must be 0 or more.")
    require(
        count == 1 or size > 0,
        f"`num_{kind}s` is {count} but `{kind}_embedding_size` is {size}; several {kind}s need vectors.",
    )
    names = getattr(config, f"{kind}_names")
    if names is not None:
        names = list(names)
        require(
            len(names) == count,
            f"`{kind}_names` has {len(names)} names but `num_{kind}s` is {count}; give one name per {kind}.",
        )
        repeated = [a for a, b in pairwise(sorted(names)) if a == b]
        require(not repeated, f"`{kind}_names` repeats {repeated}; names must differ.")


def _check_signal(config) -> None:
    require(
        config.posterior_input in ("linear", "mel"),
        f"`posterior_input` is {config.posterior_input!r}; it must be 'linear' or 'mel'.",
    )
    require(config.spectrogram_bins > 1, f"`spectrogram_bins` is {config.spectrogram_bins}; it must be above 1.")
    window = config.fft_size if config.win_length is None else config.win_length
    require(
        0 < window <= config.fft_size,
        f"`win_length` ({window}) must be above 0 and at most the FFT size {config.fft_size} that "
        f"`spectrogram_bins` ({config.spectrogram_bins}) implies.",
    )
    nyquist = config.sampling_rate / 2
    top = nyquist if config.mel_fmax is None else config.mel_fmax
    require(
        0 <= config.mel_fmin < top <= nyquist,
        f"`mel_fmin` ({config.mel_fmin}) and `mel_fmax` ({top}) must satisfy 0 <= fmin < fmax <= {nyquist}, half the "
        "sampling rate.",
    )


CHECKS = {
    "decoder_fields": lambda config: config.decoder_config.check_fields(),
    "part_fields": lambda config: check_numbers({**vars(config.text_encoder_config), **vars(config.flow_config)}),
    "size": check_size,
    "ranges": _check_ranges,
    "layers": _check_layers,
    "decoder": lambda config: config.decoder_config.check(),
    "text_encoder": lambda config: config.text_encoder_config.check(config),
    "flow": lambda config: config.flow_config.check(config),
    "speakers": partial(_check_named, "speaker"),
    "languages": partial(_check_named, "language"),
    "signal": _check_signal,
}
"""The parts of `check_architecture`; each raises for the first fault that it finds."""


def require(condition: bool, message: str) -> None:
    """Raise `ValueError` with this message unless the condition holds."""
    if not condition:
        raise ValueError(message)
