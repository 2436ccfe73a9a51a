"""The original repository's `config.json`, which MMS shares: what it says of sound, decoder, text and speakers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hf_vits.conversion.json_fields import Fields, read_fields
from hf_vits.conversion.rows import row_names

OWNER = "original VITS voice"

SPEAKERS = ("speakers", "data.spk2id")
"""Where the original's descendants keep their speakers' names."""


@dataclass(frozen=True)
class OriginalVoice:
    """The fields that matter; `symbols` and `speaker_names` are `None` if the file has none; `notes` tell of names."""

    sampling_rate: int
    filter_length: int
    hop_length: int
    win_length: int
    mel_bins: int
    mel_fmin: float
    mel_fmax: float | None
    add_blank: bool
    cleaners: tuple[str, ...]
    is_uroman: bool
    num_speakers: int
    speaker_names: list[str] | None
    notes: tuple[str, ...]
    symbols: tuple[str, ...] | None
    num_heads: int
    dropout: float
    upsample_rates: list[int]
    resblock_type: str
    resblock_dilation_sizes: list[list[int]]


def read_description(file: Path) -> OriginalVoice:
    """
    Reads and checks the file.

    Raises:
        ValueError: if it is not JSON, or a field is missing, of a wrong type or out of range; names the field.
    """
    fields = read_fields(file, OWNER)
    speakers = max(1, fields.whole("data.n_speakers", 1))
    names, notes = _speaker_names(fields, speakers)
    return OriginalVoice(
        sampling_rate=fields.whole("data.sampling_rate", least=1),
        filter_length=fields.whole("data.filter_length", least=2),
        hop_length=fields.whole("data.hop_length", least=1),
        win_length=fields.whole("data.win_length", least=1),
        mel_bins=fields.whole("data.n_mel_channels", 80, least=1),
        mel_fmin=fields.number("data.mel_fmin", 0.0),
        mel_fmax=None if fields.value("data.mel_fmax", None) is None else fields.number("data.mel_fmax", 0.0, True),
        add_blank=fields.flag("data.add_blank", True),
        cleaners=tuple(fields.texts("data.text_cleaners", [])),
        is_uroman=_ends(fields, "data.training_files", ".uroman"),
        num_speakers=speakers,
        speaker_names=names,
        notes=notes,
        symbols=None if fields.value("symbols", None) is None else tuple(fields.texts("symbols")),
        num_heads=fields.whole("model.n_heads", 2, least=1),
        dropout=fields.number("model.p_dropout", 0.1),
        upsample_rates=fields.wholes("model.upsample_rates"),
        resblock_type=_resblock_type(fields),
        resblock_dilation_sizes=fields.rows("model.resblock_dilation_sizes"),
    )


def _ends(fields: Fields, path: str, ending: str) -> bool:
    """Whether a file that training read is named so; a list of files counts by its first."""
    value = fields.value(path, "")
    value = value[0] if isinstance(value, list) and value else value
    return isinstance(value, str) and value.endswith(ending)


def _resblock_type(fields: Fields) -> str:
    kind = fields.text("model.resblock", "1")
    if kind not in ("1", "2"):
        fields.refuse("model.resblock", kind, '"1" or "2"')
    return kind


def _speaker_names(fields: Fields, count: int) -> tuple[list[str] | None, tuple[str, ...]]:
    """A list of names, or a table of their ids -> the names by id, or None if there are none; and notes."""
    path = next((path for path in SPEAKERS if fields.value(path, None)), None)
    if path is None or count == 1:
        return None, ()
    ids = fields.value(path)
    if not isinstance(ids, Mapping):
        names = fields.texts(path)[:count]
        ids = {name: row for row, name in enumerate(names)}
        if len(ids) < len(names):
            fields.refuse(path, names, "one name for each speaker, no two equal")
    return row_names(ids, count, "speaker", f"`{path}` in {fields.file}")
