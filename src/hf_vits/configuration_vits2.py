"""Configurations of the parts of VITS2 (Kong et al. 2023) in the text encoder and the flow; they need no PyTorch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from hf_vits.utils.config_validation import require

TRANSFORMERS = ("pre_conv",)
"""Where a transformer may stand in a coupling of the flow: before its convolutions."""

PRE_TRANSFORMER = "flow.flows.0.pre_transformer.layers"

Shapes = Mapping[str, tuple[int, ...]]


@strict
@dataclass
class TextEncoderConfig:
    """
    Fields of `VitsConfig.text_encoder`.

    Args:
        speaker_layer (`int`, *optional*):
            Layer, counted from 0, to whose input a linear function of the speaker vector is added; 2 in VITS2
            (section 2.4). By default the text encoder does not know the speaker.
    """

    speaker_layer: int | None = None

    def check(self, config: PreTrainedConfig) -> None:
        """Raise `ValueError` for a layer that a model does not have, and for a model without speaker vectors."""
        if self.speaker_layer is None:
            return
        layers = config.num_hidden_layers
        require(
            0 <= self.speaker_layer < layers,
            f"`text_encoder` has `speaker_layer` {self.speaker_layer}, but `num_hidden_layers` is {layers}; layers "
            f"are 0 to {layers - 1}.",
        )
        require(
            config.speaker_embedding_size > 0,
            f"`text_encoder` has `speaker_layer` {self.speaker_layer}, but `speaker_embedding_size` is 0, so there is "
            "no speaker vector to add. Leave `speaker_layer` out, or give the model several speakers.",
        )

    @classmethod
    def from_shapes(cls, shapes: Shapes, layers: int) -> dict[str, Any] | None:
        """Return the fields that shapes by tensor name imply; which layer it is they do not show, so it is the
        paper's."""
        return {"speaker_layer": max(0, min(2, layers - 1))} if "text_encoder.cond.weight" in shapes else None


@strict
@dataclass
class FlowConfig:
    """
    Fields of `VitsConfig.flow`.

    Args:
        transformer (`str`, *optional*):
            `"pre_conv"`: a transformer over the half of the channels that a coupling keeps, added to its input, before
            the WaveNet (section 2.3). By default there is none.
        transformer_layers, transformer_heads (`int`):
            Its layers, and the attention heads of each, which divide half of `flow_size`.
        transformer_ffn_dim (`int`, *optional*):
            Channels inside its feed-forward convolutions; by default half of `flow_size`.
        transformer_kernel_size (`int`):
            Kernel of these convolutions, in frames.
        transformer_dropout (`float`):
            Dropout in it.
    """

    transformer: str | None = None
    transformer_layers: int = 2
    transformer_heads: int = 2
    transformer_ffn_dim: int | None = None
    transformer_kernel_size: int = 3
    transformer_dropout: float | int = 0.1

    @property
    def mixes_all_frames(self) -> bool:
        """Return True if each frame after the flow depends on all frames before it."""
        return self.transformer is not None

    def check(self, config: PreTrainedConfig) -> None:
        """Raise `ValueError` for a value out of range, or one that has no effect."""
        if self.transformer is None:
            require(
                self == FlowConfig(),
                f"`flow` is {config.flow}, which has no effect without `transformer`: give "
                f"{' or '.join(map(repr, TRANSFORMERS))}, or leave `flow` out.",
            )
            return
        require(
            self.transformer in TRANSFORMERS,
            f"`flow` has `transformer` {self.transformer!r}; it must be {' or '.join(map(repr, TRANSFORMERS))}.",
        )
        sizes = ("transformer_layers", "transformer_heads", "transformer_kernel_size", "transformer_ffn_dim")
        for name in sizes:
            value = getattr(self, name)
            require(value is None or value > 0, f"`flow` has `{name}` {value}; it must be above 0.")
        half, dropout = config.flow_size // 2, self.transformer_dropout
        require(
            half % self.transformer_heads == 0,
            f"`flow` has `transformer_heads` {self.transformer_heads}, which must divide half of `flow_size`, {half}.",
        )
        require(
            math.isfinite(dropout) and 0 <= dropout <= 1,
            f"`flow` has `transformer_dropout` {dropout}; a probability lies between 0 and 1.",
        )

    def count_layers(self) -> int:
        """Return the number of convolutions and linear layers in a coupling's transformer."""
        return 6 * self.transformer_layers if self.transformer else 0

    def count_parameters(self, flow_size: int) -> int:
        """Return the approximate number of weights of a coupling's transformer."""
        if not self.transformer:
            return 0
        half = flow_size // 2
        inner = half if self.transformer_ffn_dim is None else self.transformer_ffn_dim
        return self.transformer_layers * 2 * half * (2 * half + inner * self.transformer_kernel_size)

    def describe(self) -> str:
        """Return the row of the model card."""
        return (
            f"transformer of {self.transformer_layers} layers and {self.transformer_heads} heads before the "
            "convolutions of each coupling (VITS2)"
        )

    @classmethod
    def from_shapes(cls, shapes: Shapes, layers: int, flow_size: int) -> dict[str, Any] | None:
        """Return the fields that differ from the defaults, by shapes of this package's names; the number of heads
        they do not show."""
        conv = shapes.get(f"{PRE_TRANSFORMER}.0.feed_forward.conv_1.weight")
        if conv is None or len(conv) != 3:
            return None
        found = {"transformer_layers": layers, "transformer_ffn_dim": conv[0], "transformer_kernel_size": conv[2]}
        usual = {**vars(cls()), "transformer_ffn_dim": flow_size // 2}
        return {"transformer": "pre_conv", **{name: value for name, value in found.items() if value != usual[name]}}
