"""A batch for training: tokens and waveforms; everything else is computed from them."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass
class VitsBatch:
    """
    Clips padded to the longest.

    Args:
        input_ids (`Tensor` of shape `(B, T_text)`, int64):
            Tokens, blanks included.
        text_lengths (`Tensor` of shape `(B,)`, int64):
            Tokens of each item.
        waveform (`Tensor` of shape `(B, 1, T_wav)`):
            Samples within ±1.
        waveform_lengths (`Tensor` of shape `(B,)`, int64):
            Samples of each item.
        rows (`Tensor` of shape `(B,)`, int64):
            Number of each item in the data set; its noise depends on it.
        speaker_id (`Tensor` of shape `(B,)`, int64, *optional*):
            Speaker of each item; `None` for a model of one speaker.
    """

    input_ids: Tensor
    text_lengths: Tensor
    waveform: Tensor
    waveform_lengths: Tensor
    rows: Tensor
    speaker_id: Tensor | None = None

    def __len__(self) -> int:
        return len(self.input_ids)

    def to(self, device: torch.device | str) -> "VitsBatch":
        """Return the batch on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return VitsBatch(**{name: None if v is None else v.to(device) for name, v in values.items()})
