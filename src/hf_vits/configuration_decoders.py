"""Configurations of decoders and their registry, which need no PyTorch.

A decoder owns everything that depends on its architecture: its fields and their checks, the hop length, the receptive
field that streaming needs, its size, the fields that the shapes of its weights determine, and its model card row.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

from transformers import PreTrainedConfig

from hf_vits.utils.formatting import quoted
from hf_vits.utils.model_size import check_numbers
from hf_vits.utils.registry import Registry, config_of

UPSTREAM_DECODER = "hifigan"
"""The decoder of a configuration without `decoder`; its fields are those of the configuration itself."""

DECODERS: Registry[Any] = Registry(
    "decoder",
    {
        UPSTREAM_DECODER: "hf_vits.modules.decoders.hifigan",
        "vocos": "hf_vits.modules.decoders.vocos",
        "istft": "hf_vits.modules.decoders.istft",
        "multiband_istft": "hf_vits.modules.decoders.istft",
        "multistream_istft": "hf_vits.modules.decoders.istft",
    },
)
"""Classes of decoders (`hf_vits.modules.decoders.base.Decoder`) by name."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass
class DecoderConfig:
    """
    Fields of a decoder; subclass it as a dataclass, with `huggingface_hub.dataclasses.strict` to check types.

    `VitsConfig.decoder` holds the fields as a dictionary, with the registered name as `"type"`.
    """

    losses: ClassVar[tuple[str, ...]] = ()
    """Losses of its training beside those of all decoders; they are registered with `on_request`."""

    @classmethod
    def of(cls, config: PreTrainedConfig) -> "DecoderConfig":
        """
        Return the decoder's part of a configuration.

        Raises:
            ValueError: for a field that does not exist, or has a value of another type.
        """
        return config_of(cls, config.decoder, "decoder")

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        raise NotImplementedError

    @property
    def receptive_field(self) -> int:
        """Frames to either side of a frame that its samples depend on."""
        raise NotImplementedError

    @classmethod
    def fields_for_hop(cls, hop_length: int) -> dict[str, Any]:
        """Return the fields, if any, that give this decoder so many samples per frame."""
        return {}

    def check_fields(self) -> None:
        """Raise `ValueError` for a value that is out of range on its own; called before anything is computed."""
        check_numbers({field.name: getattr(self, field.name) for field in fields(self)})

    def check(self) -> None:
        """Raise `ValueError` for fields that contradict each other."""

    def count_layers(self) -> int:
        """Return the approximate number of convolutions, for the limit of a model's size."""
        return 0

    def count_parameters(self, latent_channels: int, speaker_channels: int) -> int:
        """Return the approximate number of weights, for the limit of a model's size."""
        return 0

    def count_products(self, latent_channels: int) -> int:
        """Return the approximate number of products for a frame, by which chunks of a stream grow; 0 if unknown."""
        return 0

    def longest_span(self) -> float:
        """Return the most positions that one convolution spans, for the limit of a model's size."""
        return 1

    def describe(self) -> str:
        """Return the row of the model card."""
        return ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self))

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """
        Recognize this decoder by its tensors.

        Args:
            shapes (`Mapping[str, tuple[int, ...]]`):
                Shapes by the decoder's names (`"conv_pre.weight"`), with a layer's weight under its name without weight
                norm. A damaged file may lack any of them.

        Returns:
            `dict[str, Any]`, *optional*: fields that the shapes determine; `None` if it is another decoder.
        """
        return None


def decoder_config(config: PreTrainedConfig) -> DecoderConfig:
    """
    Return the configuration of a model's decoder.

    Raises:
        ValueError: for an unknown decoder or field; lists those there are.
    """
    if config.decoder is None:
        return DECODERS[UPSTREAM_DECODER].config_class.of(config)
    if "type" not in config.decoder or config.decoder["type"] == UPSTREAM_DECODER:
        raise ValueError(
            f"`decoder` is {quoted(config.decoder)}; it must be an object whose `type` is one of "
            f"{', '.join(name for name in DECODERS if name != UPSTREAM_DECODER)}. "
            f"Leave it out for {UPSTREAM_DECODER}, whose fields are those of the configuration itself."
        )
    return DECODERS[config.decoder["type"]].config_class.of(config)


def fields_from_shapes(shapes: Shapes) -> tuple[dict[str, Any], list[str]] | None:
    """
    Infer a decoder, by the first that recognizes it, last registered first.

    Args:
        shapes (`Mapping[str, tuple[int, ...]]`):
            As for `DecoderConfig.from_shapes`.

    Returns:
        `tuple`, *optional*: fields of [`VitsConfig`], and the names of the decoder's fields that have no default and
        that shapes do not determine; `None` if no registered decoder recognizes the tensors.
    """
    for name in reversed(list(DECODERS)):
        config_class = DECODERS[name].config_class
        if (found := config_class.from_shapes(shapes)) is not None:
            required = [f.name for f in fields(config_class) if f.default is f.default_factory is MISSING]
            own = found if name == UPSTREAM_DECODER else {"decoder": {"type": name, **found}}
            return own, [name for name in required if name not in found]
    return None
