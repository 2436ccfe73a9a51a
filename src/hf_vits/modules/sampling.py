"""Draw noise in the order of transformers' VITS, so that equal seeds give equal output; derive seeds from numbers."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Generators = torch.Generator | Sequence[torch.Generator] | None


def seed_of(*numbers: int) -> int:
    """Return a seed below 2⁶³ for non-negative integers, independent of the seeds of other integers."""
    high, low = np.random.SeedSequence(numbers).generate_state(2, np.uint32).tolist()
    return (high << 31) ^ low


def duration_noise(batch: int, lengths: Tensor, size: int, generator: Generators) -> Tensor:
    """lengths int64 (B,) -> (B, 2, size) in the default dtype, on the generator's device or the CPU."""

    def draw(items: int, length: int, source: torch.Generator | None) -> Tensor:
        if source is None:  # no `generator=`: with it, a traced graph would have a fixed length
            return torch.randn(items, 2, length, device="cpu")
        return torch.randn(items, 2, length, generator=source, device=source.device)

    return _draw(draw, batch, lengths, size, generator)


def prior_noise(like: Tensor, lengths: Tensor, generator: Generators) -> Tensor:
    """like (B, C, T_spec), lengths int64 (B,) -> (B, C, T_spec) of its dtype."""
    batch, channels, size = like.shape

    def draw(items: int, length: int, source: torch.Generator | None) -> Tensor:
        if source is None and torch.jit.is_tracing():
            return torch.randn_like(like)
        device = source.device if source else like.device
        # transformers draws into a transposed tensor, and a generator fills memory in order.
        noise = torch.empty(items, length, channels, dtype=like.dtype, device=device).transpose(1, 2)
        return noise.normal_(generator=source)

    return _draw(draw, batch, lengths, size, generator).to(like.device)


def uniform(items: int, generator: Generators, device: torch.device) -> Tensor:
    """-> (items,) in [0, 1), on `device`."""
    if isinstance(generator, Sequence):
        return torch.cat([torch.rand(1, generator=source, device=source.device) for source in generator]).to(device)
    return torch.rand(items, generator=generator, device=generator.device if generator else device).to(device)


def _draw(draw, batch: int, lengths: Tensor, size: int, generator: Generators) -> Tensor:
    if generator is None or isinstance(generator, torch.Generator):
        return draw(batch, size, generator)
    # One generator per item: each item draws what it would draw in a single run, whatever its padding.
    items = [draw(1, int(n), source) for n, source in zip(lengths, generator, strict=True)]
    return torch.cat([torch.nn.functional.pad(item, (0, size - item.shape[-1])) for item in items])
