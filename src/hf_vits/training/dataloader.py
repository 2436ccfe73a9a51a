"""From a data set to the batches of a process: a map-style split, or a stream that is never held whole."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset
from tqdm.auto import tqdm

from hf_vits.configuration_vits import VitsConfig
from hf_vits.data.audio import with_content
from hf_vits.data.audio_checks import look_at_sound
from hf_vits.data.batch import VitsBatch
from hf_vits.data.columns import (
    PLACE,
    check_is_split,
    check_speakers_are_named,
    check_speakers_are_not_mixed,
    plain_rows,
    rows_of,
    speaker_labels,
)
from hf_vits.data.dataset import Clip, Columns, VitsDataset, check_data, clip_of, collate, refuse_other_scripts, select
from hf_vits.data.filter_report import FilterReport
from hf_vits.data.samplers import LengthGroupedBatchSampler
from hf_vits.modules.sampling import seed_of
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.process import ignore_interrupts
from hf_vits.training.training_arguments import VitsTrainingArguments

logger = logging.getLogger(__name__)

WINDOW_BATCHES = 16
"""Global batches of a stream that are sorted by length together; their encoded sound is held in memory."""

ROWS_TO_JUDGE = 100
"""Rows of a stream after which it may be refused for the scripts of its texts."""

HELD_OUT_SEED = 0
"""Of the lot that decides what is held out, which must be the same in a run that is resumed."""


class MapLoader:
    """
    Batches of a map-style data set, for one process.

    Args:
        dataset ([`VitsDataset`]):
            The clips.
        order ([`LengthGroupedBatchSampler`]):
            Which of them go into which batch.
        num_workers (`int`):
            Processes that decode.
    """

    def __init__(self, dataset: VitsDataset, order: LengthGroupedBatchSampler, num_workers: int = 0):
        self.order = order
        self.loader = DataLoader(
            dataset,
            batch_sampler=order,
            collate_fn=collate,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            worker_init_fn=ignore_interrupts,
        )

    def epoch(self, epoch: int, start: int = 0) -> Iterator[VitsBatch]:
        """The epoch's batches from number `start` on."""
        self.order.set_epoch(epoch, start)
        return iter(self.loader)


class StreamingLoader:
    """
    Batches of a `datasets.IterableDataset`, for one process; each process reads the whole stream and decodes its share.

    Args:
        stream (`IterableDataset`):
            The data, undecoded; its `set_epoch` chooses the order if it was shuffled.
        clip_of_row (`Callable[[int, dict], Clip | None]`):
            What is kept of a row; takes a `report=` to count it in.
        order (`Callable[[list[int]], LengthGroupedBatchSampler]`):
            Lengths of the clips of a window -> which of them go into which batch.
        columns ([`Columns`]):
            Where text and audio are.
        config ([`VitsConfig`]):
            Of the voice.
        window (`int`):
            Clips that are sorted together.
        num_workers (`int`):
            0 decodes in this process, more in one beside it.
        process_index (`int`):
            Of all processes, the first one reports what is kept.
    """

    def __init__(
        self,
        stream,
        clip_of_row: Callable[..., Clip | None],
        order: Callable[..., LengthGroupedBatchSampler],
        columns: Columns,
        config: VitsConfig,
        window: int,
        num_workers: int = 0,
        process_index: int = 0,
    ):
        self.stream, self.clip_of_row, self.order = stream, clip_of_row, order
        self.text, self.column, self.config, self.window = columns.text, columns.audio, config, window
        self.num_workers = min(num_workers, 1)
        self.tells = process_index == 0

    def epoch(self, epoch: int, start: int = 0) -> Iterator[VitsBatch]:
        """One pass over the stream, without its first `start` batches."""
        if hasattr(self.stream, "set_epoch"):
            self.stream.set_epoch(epoch)
        one_pass = _Pass(self, epoch, start, self.tells)
        self.tells = False  # of the first pass only: the others are over the same rows
        return iter(
            DataLoader(one_pass, batch_size=None, num_workers=self.num_workers, worker_init_fn=ignore_interrupts)
        )

    def batches(self, epoch: int, start: int, tells: bool) -> Iterator[VitsBatch]:
        """The same, in this process; `tells` has what is kept reported."""
        report, passed = FilterReport(), 0
        for number, (clips, rows) in enumerate(self._windows(report)):
            if number == 0 and tells:
                look_at_sound(rows, clips, self.text, self.column, self.config.sampling_rate, report, drops=False)
                _tell(f"The first {report.kept + report.dropped.total()} rows", report)
            dataset = VitsDataset(rows, clips, self.column, self.config)
            order = self.order([clip.num_samples for clip in clips])
            order.set_epoch(seed_of(epoch, number))
            for batch in islice(order, max(start - passed, 0), None):
                yield collate([dataset[index] for index in batch])
            passed += len(order)
        if not report.kept:
            raise ValueError(f"No clip of the stream can be trained on.\n{report}")
        if tells:
            _tell("The whole stream", report)

    def _windows(self, report: FilterReport) -> Iterator[tuple[list[Clip], dict[int, dict]]]:
        clips, rows = [], {}
        for number, row in enumerate(rows_of(self.stream, self.column)):
            clip = self.clip_of_row(number, row, report=report)
            refuse_other_scripts(report, least=ROWS_TO_JUDGE)
            if clip is not None:
                clips.append(clip)
                rows[number] = row
            if len(clips) == self.window:
                yield clips, rows
                clips, rows = [], {}
        refuse_other_scripts(report)
        if clips:
            yield clips, rows


class _Pass(IterableDataset):
    """One pass over a stream, as PyTorch wants it."""

    def __init__(self, stream: StreamingLoader, epoch: int, start: int, tells: bool):
        self.stream, self.epoch, self.start, self.tells = stream, epoch, start, tells

    def __iter__(self) -> Iterator[VitsBatch]:
        return self.stream.batches(self.epoch, self.start, self.tells)


def training_batches(
    dataset,
    tokenizer: VitsTokenizer,
    config: VitsConfig,
    columns: Columns,
    settings: VitsTrainingArguments,
    process_index: int = 0,
    num_processes: int = 1,
) -> tuple[MapLoader | StreamingLoader, FilterReport | None]:
    """
    The batches of one process, and for a map-style data set the report on what was kept and dropped.

    Raises:
        ValueError: for a column that is not there or not named, a speaker that the voice does not have, a clip that no
            batch may hold, or if no clip is left; the report is in the message.
    """
    check_is_split(dataset, asdict(columns))
    check_speakers_are_named(config, columns.speaker)
    if process_index == 0 or hasattr(dataset, "__len__"):
        check_speakers_are_not_mixed(dataset, columns.speaker)
    samples = settings.max_batch_seconds and int(settings.max_batch_seconds * config.sampling_rate)
    order = partial(
        LengthGroupedBatchSampler,
        batch_size=settings.per_device_train_batch_size,
        max_samples=samples,
        seed=settings.seed,
        process_index=process_index,
        num_processes=num_processes,
    )
    keep = {"tokenizer": tokenizer, "config": config, "columns": columns, "limits": settings.limits}
    if hasattr(dataset, "__len__"):
        progress = partial(tqdm, desc="reading", disable=process_index > 0)
        clips, report = _usable_clips(dataset, keep, progress)
        _tell("Training", report, process_index)
        _check_fits(max(clip.num_samples for clip in clips) / config.sampling_rate, settings)
        clips_with_sound = VitsDataset(plain_rows(dataset, columns.names), clips, columns.audio, config)
        batches = MapLoader(
            clips_with_sound, order([clip.num_samples for clip in clips]), settings.dataloader_num_workers
        )
        return batches, report
    check_data(dataset, columns)
    _check_fits(settings.max_duration_seconds, settings)
    window = WINDOW_BATCHES * settings.per_device_train_batch_size * num_processes
    clip_of_row = partial(clip_of, labels=speaker_labels(dataset, columns.speaker), **keep)
    if settings.dataloader_num_workers > 1 and process_index == 0:
        logger.info(
            f"`dataloader_num_workers` is {settings.dataloader_num_workers}, but of a stream each process has one."
        )
    stream = plain_rows(dataset, columns.names)
    return (
        StreamingLoader(
            stream, clip_of_row, order, columns, config, window, settings.dataloader_num_workers, process_index
        ),
        None,
    )


def _usable_clips(dataset, keep: dict[str, Any], progress: Callable) -> tuple[list[Clip], FilterReport]:
    """
    The clips of a map-style data set that can be trained on, after a look at their sound, and the report on all rows.

    Every process looks at the same sound, so that all have the same clips.
    """
    clips, report = select(dataset, progress=progress, **keep)
    refuse_other_scripts(report)
    columns, rate = keep["columns"], keep["config"].sampling_rate
    clips = look_at_sound(plain_rows(dataset, columns.names), clips, columns.text, columns.audio, rate, report)
    if not clips:
        raise ValueError(f"No clip can be trained on.\n{report}")
    return clips, report


def _check_fits(longest_seconds: float, settings: VitsTrainingArguments) -> None:
    """Raises `ValueError` if the longest clip that may come does not fit into a process's batch."""
    if settings.max_batch_seconds and settings.max_batch_seconds < longest_seconds:
        raise ValueError(
            f"`max_batch_seconds` is {settings.max_batch_seconds:g} s for a process's batch, but a clip may have "
            f"{longest_seconds:.4g} s; raise it, or leave such clips out by a lower `max_duration_seconds`, which is "
            f"{settings.max_duration_seconds:g} s."
        )


def draw_held_out(
    dataset, tokenizer: VitsTokenizer, config: VitsConfig, columns: Columns, settings: VitsTrainingArguments
):
    """
    A map-style data set -> what is left to train on, and what is held out of it or `None`.

    Held out are up to `max_eval_samples` rows that can be trained on, no more than a tenth of all, and the same ones
    every time; one such row is always left.
    """
    if PLACE not in dataset.column_names:  # the number of a row in what is left would be of no use to anybody
        dataset = dataset.add_column(PLACE, [f"row {row}" for row in range(len(dataset))])
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(HELD_OUT_SEED)).tolist()
    labels, rows = speaker_labels(dataset, columns.speaker), plain_rows(dataset, columns.names)

    def is_usable(row: int) -> bool:
        clip = clip_of(row, rows[row], tokenizer, config, columns, settings.limits, FilterReport(), labels)
        return clip is not None

    most = min(settings.max_eval_samples, len(dataset) // 10)
    drawn = set(list(islice(filter(is_usable, order), most + 1))[:-1])
    if not drawn:
        return dataset, None
    return dataset.select([row for row in range(len(dataset)) if row not in drawn]), dataset.select(sorted(drawn))


def held_out_clips(
    dataset,
    tokenizer: VitsTokenizer,
    config: VitsConfig,
    columns: Columns,
    settings: VitsTrainingArguments,
    process_index: int = 0,
) -> VitsDataset | None:
    """
    Clips to evaluate on, spread evenly over the split; of a stream, which is not rewound, the first ones.

    If there are none, a warning says why, and it is `None`: a run can go without evaluation.
    """
    if not hasattr(dataset, "__len__"):
        from datasets import Dataset

        check_data(dataset, columns)
        stream, labels = plain_rows(dataset, columns.names), speaker_labels(dataset, columns.speaker)
        rows = rows_of(stream.take(settings.max_eval_samples), columns.audio)
        dataset = Dataset.from_list([_fetched(row, columns.audio) for row in rows])
        if labels is not None:
            dataset = dataset.cast_column(columns.speaker, labels)
    clips, report = select(dataset, tokenizer, config, columns, settings.limits)
    step = max(1, len(clips) / settings.max_eval_samples)
    chosen = [clips[int(number * step)] for number in range(min(len(clips), settings.max_eval_samples))]
    sounds = VitsDataset(plain_rows(dataset, columns.names), chosen, columns.audio, config).without_damaged()
    if not len(sounds):
        if process_index == 0:
            logger.warning(f"No held-out clip can be evaluated on, so there is no evaluation.\n{report}")
        return None
    _tell("Held out", report, process_index)
    return sounds


def _fetched(row: dict, column: str) -> dict:
    """A row with the content of its sound; as it is if that cannot be fetched, which its clip is dropped for."""
    try:
        return {**row, column: with_content(row[column])}
    except ValueError:
        return row


def _tell(what: str, report: FilterReport, process_index: int = 0) -> None:
    """The table of what was kept and dropped; as a warning if anything was."""
    if process_index == 0:
        is_worth_a_warning = report.dropped or report.unsaid or report.of_other_scripts
        logger.log(logging.WARNING if is_worth_a_warning else logging.INFO, f"{what}:\n{report}")
