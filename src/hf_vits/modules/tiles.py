"""Convolutions of a signal tile by tile, with fewer products than the direct form has.

What makes m outputs y of the n = m + k - 1 inputs x of a tile and of k taps w is, in every such algorithm, a product
number by number between matrices that are constant (Winograd 1980), of which there are r rows:

    y = outputs (taps w ∘ inputs x),    y[t] = Σ_j w[j] · x[t + j].

For a layer of many channels each of the r products is one of matrices. Tiles overlap by k - 1.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Matrices(NamedTuple):
    """Of an algorithm: inputs (r, n), taps (r, k) and outputs (m, r)."""

    inputs: Tensor
    taps: Tensor
    outputs: Tensor


class Tiles:
    """Where the tiles of a signal lie: its samples (B, T, C) in `count` tiles of each of `dilation` phases.

    Matrices of tiles have a column for each item, tile, phase and channel; phases lie side by side, like more channels.
    """

    def __init__(self, samples: Tensor, matrices: Matrices, dilation: int):
        self.batch, self.length, self.channels = samples.shape
        self.outputs, self.size = len(matrices.outputs), matrices.inputs.shape[1]
        taps = matrices.taps.shape[1]
        self.dilation, self.step = dilation, dilation * self.channels
        self.full, self.count = self.length // (self.outputs * dilation), -(-self.length // (self.outputs * dilation))
        self.before = (taps - 1) // 2 * dilation
        self.kept = self.count * self.outputs * dilation
        self.whole = self.kept + (taps - 1) * dilation

    def extended(self, samples: Tensor) -> Tensor:
        """samples (B, T, C) -> with the zeros around them that tiles see (B, T', C)."""
        return F.pad(samples, (0, 0, self.before, self.whole - self.before - self.length)).contiguous()

    def seen(self, extended: Tensor, first: int = 0, count: int | None = None) -> Tensor:
        """(B, T', C) -> what `count` tiles from the `first` on see (n, B, count, d · C), a view."""
        strides = self.step, self.whole * self.channels, self.outputs * self.step, 1
        shape = self.size, len(extended), self.count if count is None else count, self.step
        return extended.as_strided(shape, strides, extended.storage_offset() + first * self.outputs * self.step)

    def apart(self, samples: Tensor) -> Tensor:
        """samples (B, T, C) -> those that each tile makes (m, B · count · d · C), and zeros after the last."""
        made = samples.new_empty(self.outputs, self.batch, self.count, self.step)
        made[:, :, : self.full] = self._full(samples).flatten(3).permute(2, 0, 1, 3)
        if self.full < self.count:
            rest = F.pad(self._rest(samples), (0, 0, 0, self.kept - self.length))
            made[:, :, self.full] = rest.unflatten(1, (self.outputs, self.dilation)).flatten(2).transpose(0, 1)
        return made.flatten(1)

    def join(self, made: Tensor, bias: Tensor | None, samples: Tensor) -> None:
        """Writes what tiles make (m, B · count · d · C), and a bias (C,), to samples (B, T, C); undoes `apart`."""
        made = made.view(self.outputs, self.batch, self.count, self.dilation, self.channels).permute(1, 2, 0, 3, 4)
        rest = made[:, self.full :].flatten(1, 3)[:, : self.length - self.full * self.outputs * self.dilation]
        for part, place in ((made[:, : self.full], self._full(samples)), (rest, self._rest(samples))):
            place.copy_(part) if bias is None else torch.add(part, bias, out=place)

    def _full(self, samples: Tensor) -> Tensor:
        """samples (B, T, C) -> those of all tiles that end before the signal (B, tiles, m, d, C), a view."""
        count = self.full * self.outputs * self.dilation
        return samples[:, :count].unflatten(1, (self.full, self.outputs, self.dilation))

    def _rest(self, samples: Tensor) -> Tensor:
        return samples[:, self.full * self.outputs * self.dilation :]

    def summed(self, seen: Tensor) -> Tensor:
        """The transpose of what tiles see: (n, B · count · d · C) -> (B, T, C)."""
        seen = seen.view(-1, self.batch, self.count, self.step).permute(1, 2, 0, 3)  # (B, count, n, d · C)
        total = seen.new_zeros(self.batch, self.whole, self.channels)
        tiles = total.as_strided(seen.shape, (total.stride(0), self.outputs * self.step, self.step, 1))
        tiles[:, :, : self.outputs] += seen[:, :, : self.outputs]
        tiles[:, :, self.outputs :] += seen[:, :, self.outputs :]
        return total[:, self.before : self.before + self.length]
