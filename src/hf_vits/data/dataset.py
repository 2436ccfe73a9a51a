"""Select the rows of a data set that can be trained on, report the others, and load waveforms on demand."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from hf_vits.configuration_vits import VitsConfig
from hf_vits.data.audio import audio_seconds, read_audio, with_content
from hf_vits.data.batch import VitsBatch
from hf_vits.data.columns import (
    PLACE,
    check_is_split,
    column_names,
    plain_rows,
    speaker_labels,
    speaker_name,
    speaker_number,
)
from hf_vits.data.filter_report import FilterReport
from hf_vits.text.errors import NoTokensError, shortened
from hf_vits.text.writing_systems import too_many_other_letters
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.formatting import quoted
from hf_vits.utils.logging import silence_logging

logger = logging.getLogger(__name__)

OTHER_SCRIPT = "text in a script that the voice does not read"
"""Reason for dropping a row if a tenth or more of its letters are in other scripts."""

MAX_OTHER_SCRIPTS = 0.2
"""Share of rows in other scripts above which the model does not fit the data."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns of text, audio and speaker, if several; `speaker=""` trains all speakers as one."""

    text: str = "text"
    audio: str = "audio"
    speaker: str | None = None

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        return [name for name in (self.text, self.audio, self.speaker) if name]


class WithColumns:
    """Base of settings that name columns of a table; a dataclass that inherits from it has them as fields."""

    text_column: str
    audio_column: str
    speaker_column: str | None = None

    @property
    def columns(self) -> Columns:
        """Names of the columns."""
        return Columns(self.text_column, self.audio_column, self.speaker_column)


@dataclass(frozen=True)
class ClipFilter:
    """Limits of clips to train on: seconds of audio, and tokens with blanks."""

    min_duration_seconds: float = 0.5
    max_duration_seconds: float = 20.0
    max_tokens: int = 800


def refuse_other_scripts(report: FilterReport, min_rows: int = 1) -> None:
    """
    Raise `ValueError` if more than a fifth of at least `min_rows` rows are in scripts that the model does not read.

    espeak-ng reads the names of letters that it does not know, so such a run would train, but never learn the language.
    """
    found, total = report.dropped[OTHER_SCRIPT], report.kept + report.dropped.total()
    if found and total >= min_rows and found > MAX_OTHER_SCRIPTS * total:
        raise ValueError(
            f"{found} of {total} rows ({found / total:.0%}) hold {OTHER_SCRIPT}; the first is "
            f"{report.first[OTHER_SCRIPT]}. Begin with a voice of their language, or name it with `--language`, such "
            "as `--language ru`, to have this voice learn it, if it reads phonemes. Write other texts in the "
            "script of the voice, or leave them out."
        )


@dataclass(frozen=True)
class Clip:
    """A row to train on: its number in the data set, tokens, samples at the model's rate, and speaker."""

    row: int
    input_ids: list[int]
    num_samples: int
    speaker_id: int | None = None
    place: str = ""
    """Line or number of the row, and its file, for messages."""


def check_columns(given: Sequence[str], columns: Columns) -> None:
    """Raise `ValueError` if a column is missing; list the columns."""
    missing = [name for name in columns.names if name not in given]
    if missing:
        raise ValueError(
            f"The data has no column {' or '.join(map(repr, missing))}; its columns are "
            f"{', '.join(repr(name) for name in given if name != PLACE)}. Name the right "
            "ones with `text_column`, `audio_column` and `speaker_column`."
        )


def check_data(dataset, columns: Columns) -> None:
    """Raise `ValueError` for data without one text and one recording per row, or without a column; say what to do."""
    check_is_split(dataset, asdict(columns))
    check_columns(column_names(dataset), columns)


def select(
    dataset, tokenizer: VitsTokenizer, config: VitsConfig, columns: Columns, limits: ClipFilter, progress=iter
) -> tuple[list[Clip], FilterReport]:
    """
    Return the clips of a map-style data set that can be trained on, and a report on all rows.

    Audio is not decoded: lengths come from headers. `progress` wraps the loop, for example in `tqdm`.

    Raises:
        ValueError: for a missing column, or a speaker that the model does not have.
    """
    check_data(dataset, columns)
    labels = speaker_labels(dataset, columns.speaker)
    dataset, report, clips = plain_rows(dataset, columns.names), FilterReport(), []
    for row in progress(range(len(dataset))):
        clip = clip_of(row, dataset[row], tokenizer, config, columns, limits, report, labels)
        if clip is not None:
            clips.append(clip)
    return clips, report


def clip_of(
    row: int,
    item: dict,
    tokenizer: VitsTokenizer,
    config: VitsConfig,
    columns: Columns,
    limits: ClipFilter,
    report: FilterReport,
    labels=None,
) -> Clip | None:
    """Make a clip of a row, or return `None` if it is dropped, and count it in the report; `labels` names speakers if
    their column holds class numbers."""
    text, source = item[columns.text], item[columns.audio]
    place = _place(item.get(PLACE) or f"row {row}", source)
    if unusable := _no_text(text):
        return report.drop(unusable[0], place, unusable[1])
    others = tokenizer.letters_of_other_scripts(text)
    if too_many_other_letters(others, text):
        return report.drop(OTHER_SCRIPT, place, f"{shortened(text)!r}. {tokenizer.supported_scripts}")
    speaker = speaker_name(item[columns.speaker], labels) if columns.speaker else None
    if columns.speaker and speaker is None:
        return report.drop("no speaker", place)
    try:
        with silence_logging():
            input_ids = tokenizer(text).input_ids
        source = item[columns.audio] = with_content(source)  # a stream keeps it until the clip is trained on
        seconds = audio_seconds(source)
    except NoTokensError as error:
        return report.drop("text with nothing that the voice can say", place, error)
    except ValueError as error:
        return report.drop("text or audio that cannot be read", place, error)
    report.unknown_characters.update(tokenizer.dropped_characters(text))
    report.other_scripts.update(others)
    samples = int(seconds * config.sampling_rate)
    if beyond := _beyond_limits(seconds, samples, len(input_ids), config, limits):
        return report.drop(beyond[0], place, beyond[1])
    speaker_id = None if speaker is None else _speaker_id(speaker, config, place)
    report.keep(seconds, len(input_ids), text, source, place)
    return Clip(row, input_ids, samples, speaker_id, place)


def _no_text(text: object) -> tuple[str, str] | None:
    """Return why a value is no text, and what it is; `None` for a text."""
    if text is None or text != text or (isinstance(text, str) and not text.strip()):  # NaN is not itself
        return "no text", ""
    if isinstance(text, str):
        return None
    advice = "; give the data before `.batch(...)`" if isinstance(text, list) else ""
    return "text that is no string", f"{quoted(text)}, of type {type(text).__name__}{advice}"


def _beyond_limits(
    seconds: float, samples: int, tokens: int, config: VitsConfig, limits: ClipFilter
) -> tuple[str, str] | None:
    """Return which limit a clip exceeds, and its own value; `None` if it keeps all."""
    frames = samples // config.hop_length
    if seconds < limits.min_duration_seconds:
        return f"shorter than {limits.min_duration_seconds:g} s", f"{seconds:.2f} s"
    if seconds > limits.max_duration_seconds:
        return f"longer than {limits.max_duration_seconds:g} s", f"{seconds:.2f} s"
    if samples <= (config.fft_size - config.hop_length) // 2:
        return "too short for one spectrogram frame", f"{samples} samples"
    if tokens > limits.max_tokens:
        return f"more than {limits.max_tokens} tokens", str(tokens)
    return ("more tokens than frames", f"{tokens} tokens, {frames} frames") if tokens > frames else None


def _place(row: str, source) -> str:
    """Name a row by its line or number and, as a split is often a shuffled part of a table, by its file."""
    file = source.get("path") if isinstance(source, Mapping) else source
    return f"{row} ({file})" if isinstance(file, str) else row


def _speaker_id(name: str, config: VitsConfig, place: str) -> int:
    try:
        return speaker_number(name, config)
    except ValueError as error:
        raise ValueError(f"In {place}: {error}") from error


class VitsDataset(Dataset):
    """
    Clips with waveforms that are decoded and resampled on demand.

    If the audio of a clip is damaged, a warning names it, and the next shorter clip replaces it: one file does not end
    a run of days.

    Args:
        rows (indexable by row number):
            The data set, or some of its rows by number.
        clips (`Sequence[Clip]`):
            The clips of its rows.
        column (`str`):
            Name of the column of audio.
        config ([`VitsConfig`]):
            Configuration of the model, with the sampling rate.

    Its attribute `gain` is a factor on all waveforms.
    """

    def __init__(self, rows, clips: Sequence[Clip], column: str, config: VitsConfig):
        self.rows, self.audio = rows, plain_rows(rows, [column]) if hasattr(rows, "features") else rows
        self.clips, self.column, self.config, self.gain = list(clips), column, config, 1.0
        self.by_length = sorted(range(len(clips)), key=lambda index: clips[index].num_samples)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Clip, torch.Tensor]:
        """Return a clip and its waveform (T_wav,); raise `ValueError` if none can be decoded."""
        place = None
        for _ in range(len(self.clips)):
            clip = self.clips[index]
            try:
                return clip, self.waveform(clip)
            except ValueError as error:
                place = self.by_length.index(index) if place is None else place
                place = (place or len(self.clips)) - 1  # the next shorter one, which fits wherever this one did
                index = self.by_length[place]
                logger.warning(f"{clip.place}: left out, and {self.clips[index].place} taken instead: {error}")
        raise ValueError("No clip can be decoded; the warnings above say why.")

    def without_damaged(self) -> "VitsDataset":
        """Decode all clips, and return the data set without the damaged ones, which warnings name."""
        whole = []
        for clip in self.clips:
            try:
                self.waveform(clip)
                whole.append(clip)
            except ValueError as error:
                logger.warning(f"{clip.place}: left out: {error}")
        kept = VitsDataset(self.rows, whole, self.column, self.config)
        kept.gain = self.gain
        return kept

    def waveform(self, clip: Clip) -> torch.Tensor:
        """Return the waveform (T_wav,) of a clip; raise `ValueError` if it is damaged."""
        waveform = read_audio(self.audio[clip.row][self.column], self.config.sampling_rate)
        frames = len(waveform) // self.config.hop_length
        if len(waveform) < 0.9 * clip.num_samples or frames < len(clip.input_ids):
            raise ValueError(f"It has {len(waveform)} samples, not {clip.num_samples} as its header says.")
        whole = torch.from_numpy(waveform[: max(clip.num_samples, len(clip.input_ids) * self.config.hop_length)])
        return whole if self.gain == 1 else whole * self.gain


def collate(items: Sequence[tuple[Clip, torch.Tensor]]) -> VitsBatch:
    """Pad clips and their waveforms to a batch."""
    clips, waveforms = zip(*items, strict=True)
    ids = [torch.tensor(clip.input_ids) for clip in clips]
    speakers = [clip.speaker_id for clip in clips]
    return VitsBatch(
        input_ids=pad_sequence(ids, batch_first=True),
        text_lengths=torch.tensor([len(item) for item in ids]),
        waveform=pad_sequence(waveforms, batch_first=True).unsqueeze(1),
        waveform_lengths=torch.tensor([len(waveform) for waveform in waveforms]),
        rows=torch.tensor([clip.row for clip in clips]),
        speaker_id=None if None in speakers else torch.tensor(speakers),
    )
