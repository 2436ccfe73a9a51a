"""The base class of decoders, modules with a configuration class, and their registry."""

from typing import ClassVar

from torch import Tensor, nn

from hf_vits.configuration_decoders import DECODERS, DecoderConfig

__all__ = ["DECODERS", "Decoder", "DecoderConfig"]


class Decoder(nn.Module):
    """
    Latents to waveform.

    Frames beyond `config.decoder_config.receptive_field` must not change a sample, and the signal outside the input
    must count as zeros in every layer: then streamed chunks equal the whole waveform.

    Args:
        config ([`VitsConfig`]):
            The model's; the decoder's own fields are `config.decoder_config`.

    Example:

    ```python
    >>> from dataclasses import dataclass
    >>> from huggingface_hub.dataclasses import strict
    >>> from torch import nn
    >>> from hf_vits import VitsConfig
    >>> from hf_vits.modules.decoders.base import DECODERS, Decoder, DecoderConfig

    >>> @strict
    ... @dataclass
    ... class LinearConfig(DecoderConfig):
    ...     hop: int = 256
    ...     hop_length = property(lambda self: self.hop)
    ...     receptive_field = property(lambda self: 0)

    >>> @DECODERS.register("linear")
    ... class LinearDecoder(Decoder):
    ...     config_class = LinearConfig
    ...
    ...     def __init__(self, config):
    ...         super().__init__()
    ...         self.project = nn.Conv1d(config.flow_size, config.hop_length, 1)
    ...
    ...     def forward(self, latents, speaker=None, frame_lengths=None):
    ...         return self.project(latents).mT.flatten(1).unsqueeze(1).tanh()

    >>> VitsConfig(decoder={"type": "linear", "hop": 128}).hop_length
    128
    >>> DECODERS.unregister("linear")
    ```
    """

    config_class: ClassVar[type[DecoderConfig]]

    def forward(self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None) -> Tensor:
        """latents (B, C, T_spec), speaker (B, S, 1), frame_lengths (B,) -> waveform (B, 1, T_wav) within ±1.

        With `frame_lengths`, which exported graphs of batches use, each item is what it would be alone, and zero past
        its end: the layers count what is there as zeros (`hf_vits.modules.masks`).
        """
        raise NotImplementedError

    def onnx_forward(
        self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None
    ) -> Tensor:
        """
        Compute `forward`, as the trace of an ONNX graph; override it where onnxruntime runs another form faster.

        While a graph is traced, one-dimensional convolutions accept signals of rows (B, C, rows, T) too.
        """
        return self(latents, speaker, frame_lengths)

    def forward_with_bands(self, latents: Tensor, speaker: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """latents (B, C, T_spec), speaker (B, S, 1) -> waveform (B, 1, T_wav), and of a decoder whose losses compare
        them, its sub-bands (B, 4, T_wav / 4), as `hf_vits.modules.filter_banks.split_bands` makes them of a
        recording."""
        return self(latents, speaker), None

    def layers_with_weight_norm(self) -> list[nn.Module]:
        """Return the modules that are trained with weight norm and saved without it."""
        return []
