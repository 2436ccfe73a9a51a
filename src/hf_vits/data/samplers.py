"""Batches of clips of similar length, in an order that depends only on seed and epoch."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from hf_vits.modules.sampling import seed_of


class LengthGroupedBatchSampler(Sampler[list[int]]):
    """
    Sample batches of clips of similar length, for one of `num_processes` processes.

    All processes together run through every clip once an epoch. A global batch is the same whatever the number of
    processes, as long as `max_samples` does not cut it shorter; each takes its share of it. The last one is filled up
    with clips of the same length.

    Args:
        lengths (`Sequence[int]`):
            Samples of each clip.
        batch_size (`int`):
            Clips per process and step.
        max_samples (`int`, *optional*):
            Samples in a process's batch at most, padding included; longer clips come in smaller batches.
        seed (`int`, *optional*, defaults to 0):
            Seed of the order.
        process_index, num_processes (`int`, *optional*, defaults to 0 and 1):
            Number of this process, and of all.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        max_samples: int | None = None,
        seed: int = 0,
        process_index: int = 0,
        num_processes: int = 1,
    ):
        if batch_size < 1 or not lengths:
            raise ValueError(f"There are {len(lengths)} clips for batches of {batch_size}; both must be above 0.")
        if max_samples is not None and max_samples < max(lengths):
            raise ValueError(
                f"`max_samples` is {max_samples}, but the longest clip has {max(lengths)}; raise it or drop such clips."
            )
        self.lengths, self.batch_size, self.max_samples = list(lengths), batch_size, max_samples
        self.seed, self.process_index, self.num_processes = seed, process_index, num_processes
        self.epoch = self.start = 0

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Set the epoch, and the batch that the next iteration starts with."""
        self.epoch, self.start = epoch, start

    def __len__(self) -> int:
        return len(self._global_batches()) - self.start

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._global_batches()[self.start :]:
            yield batch[self.process_index :: self.num_processes]

    def _global_batches(self) -> list[list[int]]:
        """Shuffle clips, sort them by length within windows of many batches, and shuffle the batches."""
        order = torch.Generator().manual_seed(seed_of(self.seed, self.epoch))
        shuffled = torch.randperm(len(self.lengths), generator=order).tolist()
        size = self.batch_size * self.num_processes
        window = max(size * 50, 1)
        batches = []
        for start in range(0, len(shuffled), window):
            batches += self._cut(sorted(shuffled[start : start + window], key=self.lengths.__getitem__), size)
        return [batches[i] for i in torch.randperm(len(batches), generator=order).tolist()]

    def _cut(self, clips: list[int], size: int) -> Iterator[list[int]]:
        """Cut sorted clips into batches of `size`, or fewer if `max_samples` requires; a multiple of the processes."""
        start = 0
        while start < len(clips):
            batch = clips[start : start + size]
            share = math.ceil(len(batch) / self.num_processes)
            while self.max_samples is not None and share * self.lengths[batch[-1]] > self.max_samples:
                share -= 1
                batch = batch[: share * self.num_processes]
            start += len(batch)
            short = share * self.num_processes - len(batch)
            yield batch + [batch[i % len(batch)] for i in range(short)]
