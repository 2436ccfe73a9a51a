"""What the two halves of a call return."""

from dataclasses import dataclass

from torch import Tensor
from transformers.utils import ModelOutput


@dataclass
class VitsModelOutput(ModelOutput):
    """
    What a call of [`VitsModel`] returns.

    Args:
        waveform (`Tensor` of shape `(B, T_wav)`):
            Samples within ±1, zero past the end of each item.
        sequence_lengths (`Tensor` of shape `(B,)`, int64):
            Samples of each item.
        spectrogram (`Tensor` of shape `(B, C, T_spec)`):
            The latents that were decoded, under upstream's name for them.
        hidden_states, attentions (`tuple[Tensor, ...]`, *optional*):
            Of the text encoder, if asked for.
        durations (`Tensor` of shape `(B, T_text)`, int64):
            Frames of each token, blanks included; times `config.hop_length` for samples.
    """

    waveform: Tensor | None = None
    sequence_lengths: Tensor | None = None
    spectrogram: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    durations: Tensor | None = None


@dataclass
class VitsLatents:
    """What is to be decoded: latents (B, C, T_spec), frame_lengths and durations int64 (B,) and (B, T_text)."""

    latents: Tensor
    frame_lengths: Tensor
    durations: Tensor
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]


@dataclass
class VitsPrior:
    """What the text says: a sample (B, C, T_spec) of the prior before the flow, frame_lengths int64 (B,), durations
    int64 (B, T_text)."""

    sample: Tensor
    frame_lengths: Tensor
    durations: Tensor
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]
