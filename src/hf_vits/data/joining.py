"""Join short clips of one speaker to clips of sentences, in another arrangement each epoch."""

import logging
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch.utils.data import Dataset, Sampler

from hf_vits.data.audio_checks import silences
from hf_vits.data.dataset import Clip, VitsDataset
from hf_vits.modules.sampling import seed_of
from hf_vits.text.paragraphs import CLOSERS

logger = logging.getLogger(__name__)

MIN_SECONDS = 3.0
"""Least length of a joined clip, unless no other clip fits to it."""

PAUSE_SECONDS = (0.12, 0.35)
"""Shortest and longest silence between two clips."""

MARGIN_SECONDS = (0.04, 0.1)
"""Quiet sound that is kept before and after a clip: onsets and the ends of words are below the threshold."""

FADE_SECONDS = 0.005
"""Time in which the ends of a clip fade, so that background noise does not begin with a click."""

LOOK_AHEAD = 50
"""Clips among which one that still fits is looked for."""

FULL_STOPS = {"CJK": "。", "HIRAGANA": "。", "KATAKANA": "。", "DEVANAGARI": "।", "BENGALI": "।", "ARMENIAN": "։"}
FULL_STOPS |= {"ETHIOPIC": "።", "MYANMAR": "။", "KHMER": "។", "TIBETAN": "།"}
"""Full stops by the first word of the Unicode name of a letter; that of other scripts is a period."""


def join_texts(texts: Sequence[str]) -> str:
    """Join texts by spaces, and end each but those with a final mark with the full stop of its script."""
    return " ".join(map(_with_full_stop, texts))


def _with_full_stop(text: str) -> str:
    text = text.strip()
    core = text.rstrip(f"{CLOSERS} ")
    if not core or unicodedata.category(core[-1]).startswith("P"):
        return text
    script = unicodedata.name(core[-1], "").split(" ")[0]
    return text + FULL_STOPS.get(script, ".")


@dataclass(frozen=True)
class Part:
    """A clip inside a joined one: its index, the samples of it that are used, and samples of silence before them."""

    index: int
    start: int
    end: int
    pause: int = 0

    @property
    def num_samples(self) -> int:
        """Samples with the pause."""
        return self.pause + self.end - self.start


@dataclass(frozen=True)
class JoinedClip(Clip):
    """A clip of several ones; `row` and `place` are those of the first."""

    parts: tuple[Part, ...] = ()


class ClipJoiner:
    """
    Arrange short clips to longer ones.

    Args:
        dataset ([`VitsDataset`]):
            All clips. Those of less than `seconds` are decoded once, to find the silence at their ends.
        texts (`Sequence[str]`):
            The text of each.
        tokenize (`Callable[[str], list[int]]`):
            Turns a text into ids; it sees the joined text, so that words are pronounced as in it.
        seconds (`float`):
            Greatest length of a joined clip.
        max_tokens (`int`):
            Most tokens of a joined clip.
        seed (`int`, *optional*, defaults to 0):
            Seed of the arrangements.
    """

    def __init__(
        self,
        dataset: VitsDataset,
        texts: Sequence[str],
        tokenize: Callable[[str], list[int]],
        seconds: float,
        max_tokens: int,
        seed: int = 0,
        progress: Callable = iter,
    ):
        self.clips, self.texts, self.tokenize = dataset.clips, texts, tokenize
        self.max_tokens, self.seed = max_tokens, seed
        self.rate, self.hop_length = dataset.config.sampling_rate, dataset.config.hop_length
        self.least, self.most = int(MIN_SECONDS * self.rate), int(seconds * self.rate)
        self.spans: dict[int, tuple[int, int]] = {}
        for index in progress(range(len(self.clips))):
            if self.clips[index].num_samples < self.most:
                try:
                    self.spans[index] = trimmed(dataset.waveform(self.clips[index]), self.rate)
                except ValueError as error:  # it stays alone, and another one is taken in its place
                    logger.info(f"{self.clips[index].place} is not joined: {error}")

    def arrange(self, epoch: int) -> list[int | JoinedClip]:
        """Return the clips of an epoch: joined ones, and the indices of those that stay as they are. Each clip is in
        one of them; seed and epoch decide which are joined."""
        generator = torch.Generator().manual_seed(seed_of(self.seed, epoch, 1))  # not the sampler's
        shuffled = [list(self.spans)[i] for i in torch.randperm(len(self.spans), generator=generator).tolist()]
        arranged: list[int | JoinedClip] = [index for index in range(len(self.clips)) if index not in self.spans]

        def speaker(index: int) -> int:
            number = self.clips[index].speaker_id
            return -1 if number is None else number

        for _, same in groupby(sorted(shuffled, key=speaker), speaker):
            for parts in self._groups(list(same), generator):
                joined = self._joined(parts)
                arranged += [joined] if joined else [part.index for part in parts]
        return arranged

    def _groups(self, pending: list[int], generator: torch.Generator) -> list[list[Part]]:
        """Divide clips of one speaker into groups that are as long as wanted, which is random for each."""
        groups: list[list[Part]] = []
        while pending:
            group = [Part(pending[-1], *self.spans[pending.pop()])]
            wanted = self.least + (self.most - self.least) * torch.rand(1, generator=generator).item()
            while length_of(group) < wanted and (place := self._fitting(group, pending)) is not None:
                group.append(self._following(pending.pop(place), generator))
            groups.append(group)
        for short in [group for group in groups if length_of(group) < self.least]:
            room = self.most - length_of(short) - int(PAUSE_SECONDS[1] * self.rate) * len(short)
            host = next((one for one in groups if one is not short and length_of(one) <= room), None)
            if host is not None and length_of(short) < self.least:  # it may be a host itself by now
                host += [self._following(part.index, generator) for part in short]
                groups = [group for group in groups if group is not short]
        return groups

    def _fitting(self, group: list[Part], pending: list[int]) -> int | None:
        """Return the place of a pending clip that fits behind a group, whatever the pause; the last ones are next."""
        room = self.most - length_of(group) - int(PAUSE_SECONDS[1] * self.rate)
        places = range(len(pending) - 1, max(-1, len(pending) - 1 - LOOK_AHEAD), -1)
        return next((place for place in places if length_of([Part(0, *self.spans[pending[place]])]) <= room), None)

    def _following(self, index: int, generator: torch.Generator) -> Part:
        low, high = (int(seconds * self.rate) for seconds in PAUSE_SECONDS)
        return Part(index, *self.spans[index], int(torch.randint(low, high + 1, (1,), generator=generator)))

    def _joined(self, parts: list[Part]) -> JoinedClip | None:
        """Join parts to a clip; return `None` for a single one, and for a text that is too long or cannot be read."""
        if len(parts) == 1:
            return None
        try:
            input_ids = self.tokenize(join_texts([self.texts[part.index] for part in parts]))
        except ValueError:
            return None
        samples, first = length_of(parts), self.clips[parts[0].index]
        if len(input_ids) > min(self.max_tokens, samples // self.hop_length):
            return None
        return JoinedClip(first.row, input_ids, samples, first.speaker_id, first.place, tuple(parts))


def length_of(parts: Sequence[Part]) -> int:
    """Return the samples of a joined clip."""
    return sum(part.num_samples for part in parts)


def trimmed(waveform: torch.Tensor, rate: int) -> tuple[int, int]:
    """waveform (T_wav,), hertz -> its samples from start to end without the silence there, but for a margin."""
    begin, end, _ = silences(waveform.numpy(), rate)
    start = int(max(begin - MARGIN_SECONDS[0], 0) * rate)
    return start, len(waveform) - int(max(end - MARGIN_SECONDS[1], 0) * rate)


class JoinedDataset(Dataset):
    """Clips by their index, and joined clips, with waveforms that are decoded on demand."""

    def __init__(self, dataset: VitsDataset):
        self.dataset, self.clips = dataset, dataset.clips

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: int | JoinedClip) -> tuple[Clip, torch.Tensor]:
        """Return a clip and its waveform (T_wav,)."""
        if isinstance(item, int):
            return self.dataset[item]
        try:
            return item, torch.cat([self._trimmed(part) for part in item.parts])
        except ValueError as error:
            logger.warning(f"{item.place} and {len(item.parts) - 1} more are not joined: {error}")
            return self.dataset[item.parts[0].index]

    def _trimmed(self, part: Part) -> torch.Tensor:
        """Return a pause and the trimmed waveform of a part, whose ends fade."""
        rate, silence = self.dataset.config.sampling_rate, torch.zeros(part.pause)
        waveform = self.dataset.waveform(self.clips[part.index])[part.start : part.end].clone()
        ramp = torch.linspace(0, 1, min(max(1, int(FADE_SECONDS * rate)), len(waveform)))
        waveform[: len(ramp)] *= ramp
        waveform[-len(ramp) :] *= ramp.flip(0)
        return torch.cat([silence, waveform])


class JoinedBatchSampler(Sampler[list[int | JoinedClip]]):
    """
    Batches of the clips that a [`ClipJoiner`] arranges for each epoch.

    Args:
        joiner ([`ClipJoiner`]):
            Arranges the clips.
        make_sampler (`Callable[[list[int]], LengthGroupedBatchSampler]`):
            Makes the sampler of clips from their lengths.
    """

    def __init__(self, joiner: ClipJoiner, make_sampler: Callable):
        self.joiner, self.make_sampler, self.epoch = joiner, make_sampler, None
        self.set_epoch(0)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Arrange the clips of an epoch, and set the batch that the next iteration starts with."""
        if epoch != self.epoch:
            self.epoch, self.items = epoch, self.joiner.arrange(epoch)
            clips = [self.joiner.clips[item] if isinstance(item, int) else item for item in self.items]
            self.sampler = self.make_sampler([clip.num_samples for clip in clips])
        self.sampler.set_epoch(epoch, start)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[list[int | JoinedClip]]:
        for batch in self.sampler:
            yield [self.items[number] for number in batch]
