"""Normal numbers as PyTorch's generator on the CPU draws them, without PyTorch: equal seeds give equal speech.

The generator is MT19937 with 32-bit seeds. PyTorch fills contiguous tensors of 16 float32 and more in blocks of 16, by
the Box-Muller transform of 24-bit uniform numbers, and all others one by one, by that of 53-bit ones in pairs.
"""

import os
import struct

import numpy as np

BLOCK = 16
"""Values that PyTorch computes at once, and the least number of values for which it does."""

STATE = "<Qiiq624Q3di4xf?3x"
"""The state that `torch.Generator.get_state` returns, as C lays it out: the seed, the number of values left, whether
it is seeded, the next value, all values, three numbers of which the second is the kept normal one, and whether there is
one; the same for float32, which is not used."""


class TorchGenerator:
    """
    A `torch.Generator` on the CPU, as far as speech needs it.

    Args:
        seed (`int`, *optional*):
            Any 64-bit integer; a random one by default.
    """

    def __init__(self, seed: int | None = None):
        self.seed = int.from_bytes(os.urandom(8), "little") >> 11 if seed is None else seed % 2**64
        self._bits = np.random.MT19937()
        self._bits.state = np.random.RandomState(self.seed % 2**32).get_state(legacy=False)
        self._kept: float | None = None  # the second value of a pair

    def normal(self, *shape: int) -> np.ndarray:
        """Return float32 values of a shape, as `torch.randn` does."""
        count = int(np.prod(shape))
        values = self._blocks(count) if count >= BLOCK else self._single(count)
        return values.reshape(shape)

    def normal_transposed(self, rows: int, columns: int) -> np.ndarray:
        """Return float32 values (rows, columns), as `torch.empty(columns, rows).T.normal_()` does."""
        if rows == 1 or columns == 1:  # contiguous either way
            return self.normal(rows, columns)
        return self._single(rows * columns).reshape(columns, rows).T

    def get_state(self) -> np.ndarray:
        """Return the state, uint8 (5056,), which a `torch.Generator` takes."""
        state = self._bits.state["state"]
        drawn, kept = int(state["pos"]), self._kept
        numbers = (0.0, kept or 0.0, 0.0, int(kept is not None))
        packed = struct.pack(STATE, self.seed, 625 - drawn, 1, drawn, *map(int, state["key"]), *numbers, 0.0, False)
        return np.frombuffer(packed, np.uint8)

    def _blocks(self, count: int) -> np.ndarray:
        values = self._uniform(count)
        whole = count - count % BLOCK
        values[:whole] = _box_muller(values[:whole])
        if whole < count:  # the last block is drawn again, and may replace values of the one before
            values[-BLOCK:] = _box_muller(self._uniform(BLOCK))
        return values

    def _uniform(self, count: int) -> np.ndarray:
        return ((self._bits.random_raw(count) & (2**24 - 1)) * 2.0**-24).astype(np.float32)

    def _single(self, count: int) -> np.ndarray:
        before = [] if self._kept is None else [self._kept]
        pairs = max(0, count - len(before) + 1) // 2
        high, low = self._bits.random_raw(4 * pairs).reshape(-1, 2).T
        uniform = ((high << np.uint64(32) | low) & (2**53 - 1)) * 2.0**-53
        radius, angle = np.sqrt(-2 * np.log1p(-uniform[1::2])), 2 * np.pi * uniform[::2]
        values = np.concatenate([before, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()])
        self._kept = float(values[-1]) if len(values) > count else None
        return values[:count].astype(np.float32)


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    """Transform blocks of uniform numbers to normal ones, float32 (n,)."""
    first, second = uniform.reshape(-1, 2, BLOCK // 2).swapaxes(0, 1)
    radius, angle = np.sqrt(-2 * np.log(1 - first)), np.float32(2 * np.pi) * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()
