"""Batches of a process, from a map-style data set or from a stream, and the clips of the evaluation set."""

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
from hf_vits.data.audio_checks import check_audio
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
from hf_vits.data.joining import ClipJoiner, JoinedBatchSampler, JoinedDataset
from hf_vits.data.samplers import LengthGroupedBatchSampler
from hf_vits.modules.sampling import seed_of
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.process import ignore_interrupts
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.logging import silence_logging

logger = logging.getLogger(__name__)

WINDOW_BATCHES = 16
"""Global batches of a stream that are sorted by length together; their encoded audio is held in memory."""

ROWS_BEFORE_REFUSAL = 100
"""Rows of a stream after which it may be refused for the scripts of its texts."""

SPLIT_SEED = 0
"""Seed of the random split of evaluation clips, which a resumed run must repeat."""


class MapLoader:
    """
    Load the batches of a map-style data set for one process.

    Args:
        dataset ([`VitsDataset`]):
            The clips; a [`JoinedDataset`] if they are joined.
        sampler ([`LengthGroupedBatchSampler`]):
            Clips of each batch; a [`JoinedBatchSampler`] if they are joined.
        num_workers (`int`):
            Processes that decode.
    """

    def __init__(
        self,
        dataset: VitsDataset | JoinedDataset,
        sampler: LengthGroupedBatchSampler | JoinedBatchSampler,
        num_workers: int = 0,
    ):
        self.sampler = sampler
        self.first_items = list(getattr(sampler, "items", range(len(dataset))))
        self.loader = DataLoader(
            dataset,
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            worker_init_fn=ignore_interrupts,
        )

    @property
    def clips_dataset(self) -> VitsDataset:
        """The data set that decodes the clips, joined or not."""
        dataset = self.loader.dataset
        return dataset.dataset if isinstance(dataset, JoinedDataset) else dataset

    def epoch(self, epoch: int, start: int = 0) -> Iterator[VitsBatch]:
        """Iterate over the batches of an epoch from number `start` on."""
        self.sampler.set_epoch(epoch, start)
        return iter(self.loader)

    def examples(self, count: int) -> Iterator[tuple[Clip, torch.Tensor]]:
        """Decode up to so many clips, spread evenly over the first epoch's; the same ones each time."""
        step = max(1.0, len(self.first_items) / count)
        for number in range(min(count, len(self.first_items))):
            yield self.loader.dataset[self.first_items[int(number * step)]]


class StreamingLoader:
    """
    Load the batches of a stream for one process; each process reads the whole stream and decodes its share.

    Args:
        stream (`datasets.IterableDataset`):
            The data, undecoded; its `set_epoch` chooses the order if it was shuffled.
        clip_of_row (`Callable[[int, dict], Clip | None]`):
            Makes a clip of a row, or drops it; takes a `report=` to count it in.
        make_sampler (`Callable[[list[int]], LengthGroupedBatchSampler]`):
            Makes the sampler of a window from the lengths of its clips.
        columns ([`Columns`]):
            Names of the columns.
        config ([`VitsConfig`]):
            Configuration of the model.
        window (`int`):
            Clips that are sorted together.
        num_workers (`int`):
            0 decodes in this process, more in one other process.
        process_index (`int`):
            Number of this process; the first one logs which rows are kept.
    """

    def __init__(
        self,
        stream,
        clip_of_row: Callable[..., Clip | None],
        make_sampler: Callable[..., LengthGroupedBatchSampler],
        columns: Columns,
        config: VitsConfig,
        window: int,
        num_workers: int = 0,
        process_index: int = 0,
    ):
        self.stream, self.clip_of_row, self.make_sampler = stream, clip_of_row, make_sampler
        self.text, self.column, self.config, self.window = columns.text, columns.audio, config, window
        self.num_workers = min(num_workers, 1)
        self.logs_report = process_index == 0

    def epoch(self, epoch: int, start: int = 0) -> Iterator[VitsBatch]:
        """Iterate once over the stream, without its first `start` batches."""
        if hasattr(self.stream, "set_epoch"):
            self.stream.set_epoch(epoch)
        one_pass = _Pass(self, epoch, start, self.logs_report)
        self.logs_report = False  # later passes are over the same rows
        return iter(
            DataLoader(one_pass, batch_size=None, num_workers=self.num_workers, worker_init_fn=ignore_interrupts)
        )

    def batches(self, epoch: int, start: int, logs_report: bool) -> Iterator[VitsBatch]:
        """Do the work of `epoch` in this process, and log which rows were kept if `logs_report`."""
        report, passed = FilterReport(), 0
        for number, (clips, rows) in enumerate(self._windows(report)):
            if number == 0 and logs_report:
                check_audio(rows, clips, self.text, self.column, self.config.sampling_rate, report, drops=False)
                _log_report(f"The first {report.kept + report.dropped.total()} rows", report)
            dataset = VitsDataset(rows, clips, self.column, self.config)
            sampler = self.make_sampler([clip.num_samples for clip in clips])
            sampler.set_epoch(seed_of(epoch, number))
            for batch in islice(sampler, max(start - passed, 0), None):
                yield collate([dataset[index] for index in batch])
            passed += len(sampler)
        if not report.kept:
            raise ValueError(f"No clip of the stream can be trained on.\n{report}")
        if logs_report:
            _log_report("The whole stream", report)

    def _windows(self, report: FilterReport) -> Iterator[tuple[list[Clip], dict[int, dict]]]:
        clips, rows = [], {}
        for number, row in enumerate(rows_of(self.stream, self.column)):
            clip = self.clip_of_row(number, row, report=report)
            refuse_other_scripts(report, min_rows=ROWS_BEFORE_REFUSAL)
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
    """One pass over a stream, for a `DataLoader`."""

    def __init__(self, loader: StreamingLoader, epoch: int, start: int, logs_report: bool):
        self.loader, self.arguments = loader, (epoch, start, logs_report)

    def __iter__(self) -> Iterator[VitsBatch]:
        return self.loader.batches(*self.arguments)


def build_train_dataloader(
    dataset,
    tokenizer: VitsTokenizer,
    config: VitsConfig,
    columns: Columns,
    args: VitsTrainingArguments,
    process_index: int = 0,
    num_processes: int = 1,
) -> tuple[MapLoader | StreamingLoader, FilterReport | None]:
    """
    Return the loader of one process, and for a map-style data set the report on kept and dropped rows.

    Raises:
        ValueError: for a column that does not exist or is not named, a speaker that the model does not have, a clip
            that fits into no batch, or if no clip is left; the message has the report.
    """
    check_is_split(dataset, asdict(columns))
    check_speakers_are_named(config, columns.speaker)
    is_map_style = hasattr(dataset, "__len__")
    if process_index == 0 or is_map_style:
        check_speakers_are_not_mixed(dataset, columns.speaker)
    make_sampler = partial(
        LengthGroupedBatchSampler,
        batch_size=args.per_device_train_batch_size,
        max_samples=args.max_batch_seconds and int(args.max_batch_seconds * config.sampling_rate),
        seed=args.seed,
        process_index=process_index,
        num_processes=num_processes,
    )
    filters = {"tokenizer": tokenizer, "config": config, "columns": columns, "limits": args.clip_filter}
    if is_map_style:
        progress = partial(tqdm, desc="reading", disable=process_index > 0)
        clips, report = _usable_clips(dataset, filters, progress)
        longest = max(clip.num_samples for clip in clips) / config.sampling_rate
        _check_fits(max(longest, args.join_clips_seconds or 0), args)
        data = VitsDataset(plain_rows(dataset, columns.names), clips, columns.audio, config)
        sampler = make_sampler([clip.num_samples for clip in clips])
        if args.join_clips_seconds:
            sampler = _joined_sampler(data, tokenizer, columns, args, make_sampler, progress)
            report.joined, data = len(sampler.items), JoinedDataset(data)
        _log_report("Training", report, process_index)
        return MapLoader(data, sampler, args.dataloader_num_workers), report
    return _stream_loader(dataset, filters, args, make_sampler, process_index, num_processes), None


def _stream_loader(
    dataset,
    filters: dict[str, Any],
    args: VitsTrainingArguments,
    make_sampler: Callable,
    process_index: int,
    num_processes: int,
) -> StreamingLoader:
    """Return the loader of one process for a data set that is a stream."""
    columns, workers = filters["columns"], args.dataloader_num_workers
    if args.join_clips_seconds:
        raise ValueError(
            f"`join_clips_seconds` is {args.join_clips_seconds:g}, but the data is a stream, whose clips are not known "
            "before they are read. Load the data as a whole, without `streaming`, or set it to none."
        )
    check_data(dataset, columns)
    _check_fits(args.max_duration_seconds, args)
    clip_of_row = partial(clip_of, labels=speaker_labels(dataset, columns.speaker), **filters)
    if workers > 1 and process_index == 0:
        logger.info(f"`dataloader_num_workers` is {workers}, but for a stream each process has one.")
    window = WINDOW_BATCHES * args.per_device_train_batch_size * num_processes
    stream = plain_rows(dataset, columns.names)
    config = filters["config"]
    return StreamingLoader(stream, clip_of_row, make_sampler, columns, config, window, workers, process_index)


def _usable_clips(dataset, filters: dict[str, Any], progress: Callable) -> tuple[list[Clip], FilterReport]:
    """
    Return the clips of a map-style data set that can be trained on, after checks of their audio, and the report.

    Every process checks the same audio, so that all have the same clips.
    """
    clips, report = select(dataset, progress=progress, **filters)
    refuse_other_scripts(report)
    columns, rate = filters["columns"], filters["config"].sampling_rate
    clips = check_audio(plain_rows(dataset, columns.names), clips, columns.text, columns.audio, rate, report)
    if not clips:
        raise ValueError(f"No clip can be trained on.\n{report}")
    return clips, report


def _joined_sampler(
    data: VitsDataset,
    tokenizer: VitsTokenizer,
    columns: Columns,
    args: VitsTrainingArguments,
    make_sampler: Callable,
    progress: Callable,
) -> JoinedBatchSampler:
    """Return the sampler of clips that are joined; their texts are joined before they are turned into tokens."""

    def tokenize(text: str) -> list[int]:
        with silence_logging():
            return tokenizer(text).input_ids

    rows = plain_rows(data.rows, [columns.text])
    texts = [rows[clip.row][columns.text] for clip in data.clips]
    seconds, most = args.join_clips_seconds, args.max_tokens
    joiner = ClipJoiner(data, texts, tokenize, seconds, most, args.seed, partial(progress, desc="finding silence"))
    return JoinedBatchSampler(joiner, make_sampler)


def _check_fits(longest_seconds: float, args: VitsTrainingArguments) -> None:
    """Raise `ValueError` if the longest possible clip does not fit into a process's batch."""
    if args.max_batch_seconds and args.max_batch_seconds < longest_seconds:
        raise ValueError(
            f"`max_batch_seconds` is {args.max_batch_seconds:g} s for a process's batch, but a clip may have "
            f"{longest_seconds:.4g} s; raise it, or drop such clips by a lower `max_duration_seconds`, which is "
            f"{args.max_duration_seconds:g} s."
        )


def split_eval_dataset(
    dataset, tokenizer: VitsTokenizer, config: VitsConfig, columns: Columns, args: VitsTrainingArguments
):
    """
    Split a map-style data set into rows to train on and rows to evaluate on, or `None` if there are too few.

    Evaluation rows are up to `max_eval_samples` usable ones, at most a tenth of all, the same ones every time; one
    usable row is always left to train on.
    """
    if PLACE not in dataset.column_names:  # numbers of rows in what is left would mean nothing to users
        dataset = dataset.add_column(PLACE, [f"row {row}" for row in range(len(dataset))])
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(SPLIT_SEED)).tolist()
    labels, rows = speaker_labels(dataset, columns.speaker), plain_rows(dataset, columns.names)

    def is_usable(row: int) -> bool:
        clip = clip_of(row, rows[row], tokenizer, config, columns, args.clip_filter, FilterReport(), labels)
        return clip is not None

    count = min(args.max_eval_samples, len(dataset) // 10)
    drawn = set(list(islice(filter(is_usable, order), count + 1))[:-1])
    if not drawn:
        return dataset, None
    return dataset.select([row for row in range(len(dataset)) if row not in drawn]), dataset.select(sorted(drawn))


def build_eval_dataset(
    dataset,
    tokenizer: VitsTokenizer,
    config: VitsConfig,
    columns: Columns,
    args: VitsTrainingArguments,
    process_index: int = 0,
) -> VitsDataset | None:
    """
    Return clips to evaluate on, spread evenly over the data; of a stream, which is not rewound, the first ones.

    If there are none, return `None` and warn of the reason: a run can do without evaluation.
    """
    if not hasattr(dataset, "__len__"):
        from datasets import Dataset

        check_data(dataset, columns)
        stream, labels = plain_rows(dataset, columns.names), speaker_labels(dataset, columns.speaker)
        rows = rows_of(stream.take(args.max_eval_samples), columns.audio)
        dataset = Dataset.from_list([_fetched(row, columns.audio) for row in rows])
        if labels is not None:
            dataset = dataset.cast_column(columns.speaker, labels)
    clips, report = select(dataset, tokenizer, config, columns, args.clip_filter)
    step = max(1, len(clips) / args.max_eval_samples)
    chosen = [clips[int(number * step)] for number in range(min(len(clips), args.max_eval_samples))]
    decoded = VitsDataset(plain_rows(dataset, columns.names), chosen, columns.audio, config).without_damaged()
    if not len(decoded):
        if process_index == 0:
            logger.warning(f"No evaluation clip is usable, so there is no evaluation.\n{report}")
        return None
    _log_report("Evaluation", report, process_index)
    return decoded


def _fetched(row: dict, column: str) -> dict:
    """Return a row with the content of its audio file; as it is if that cannot be fetched, and its clip is dropped."""
    try:
        return {**row, column: with_content(row[column])}
    except ValueError:
        return row


def _log_report(what: str, report: FilterReport, process_index: int = 0) -> None:
    """Log the report on kept and dropped rows; as a warning if any row was dropped or its text cut."""
    if process_index == 0:
        is_worth_a_warning = report.dropped or report.unknown_characters or report.other_scripts
        logger.log(logging.WARNING if is_worth_a_warning else logging.INFO, f"{what}:\n{report}")
