"""A Piper voice's `.onnx.json`: what it says about sound, symbols and speakers, checked field by field."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.converted import described
from hf_vits.conversion.schema import MOST, JsonReader, is_whole, read_fields, row_names
from hf_vits.tokenization_vits import VitsTokenizer

PAD, BOS, EOS = "_", "^", "$"
"""Symbols that frame a text: `^ _ p _ p _ … $`."""

PHONEME_TYPES = ("espeak", "text")
"""Front ends that the tokenizer has: espeak's phonemes, and the letters of the text."""

NO_OTHERS = (
    ": this package has no front end of another kind, and the symbols that these two make are not those of the voice"
)
"""Why a voice of another front end is refused."""

MOST_SPEAKERS = 100_000
"""Far more than any voice has; a larger number is damage, not worth a list of names."""


@dataclass(frozen=True)
class PiperVoice:
    """The fields that matter to speak; `symbols` maps each code point to its id, `notes` says what was left out."""

    sampling_rate: int
    symbols: dict[str, int]
    num_symbols: int | None
    num_speakers: int
    speaker_names: list[str] | None
    espeak_voice: str | None
    phoneme_type: str
    noise_scale: float
    length_scale: float
    noise_w: float
    hop_length: int | None
    notes: tuple[str, ...] = ()


def read_voice(file: Path) -> PiperVoice:
    """
    Reads and checks the file.

    Raises:
        FileNotFoundError: if it does not exist.
        ValueError: if it is not JSON, or a field is missing, of a wrong type or out of range; names the field.
    """
    if not file.is_file():
        raise FileNotFoundError(
            f"A Piper voice is two files, and {file} is missing. Put it beside the .onnx file, or pass `config=` "
            "(`--config`)."
        )
    fields = read_fields(file, "Piper voice")
    phoneme_type = fields.choice("phoneme_type", "espeak", PHONEME_TYPES, NO_OTHERS)
    symbols, notes = _symbols(fields)
    speakers = fields.whole("num_speakers", 1, least=1, most=MOST_SPEAKERS)
    names, named = _speaker_names(fields, speakers)
    return PiperVoice(
        sampling_rate=fields.whole("audio.sample_rate", least=1),
        symbols=symbols,
        num_symbols=_num_symbols(fields, symbols),
        num_speakers=speakers,
        speaker_names=names,
        espeak_voice=fields.text("espeak.voice", None if phoneme_type == "text" else ...),
        phoneme_type=phoneme_type,
        noise_scale=fields.number("inference.noise_scale", 0.667),
        length_scale=fields.number("inference.length_scale", 1.0, positive=True),
        noise_w=fields.number("inference.noise_w", 0.8),
        hop_length=fields.whole("hop_length", None, least=1),
        notes=notes + named,
    )


def _symbols(fields: JsonReader) -> tuple[dict[str, int], tuple[str, ...]]:
    """phoneme_id_map -> {code point: id}. Longer symbols are left out: text comes in single code points."""
    path, symbols, long = "phoneme_id_map", {}, []
    for symbol, ids in fields.table(path).items():
        if ids == [] and symbol in (PAD, BOS, EOS):
            continue  # a voice without a frame or blanks, as exported from here
        if not (isinstance(ids, list) and ids and all(is_whole(i) and 0 <= i <= MOST for i in ids)):
            fields.refuse(f"{path}.{symbol}", ids, f"a list of ids, whole numbers from 0 to {MOST}")
        if len(symbol) != 1:
            long.append(symbol)
        elif len(ids) > 1:
            fields.refuse(f"{path}.{symbol}", ids, "one id: the tokenizer makes one of every symbol")
        else:
            symbols[symbol] = ids[0]
    absent = [symbol for symbol in (PAD, BOS, EOS) if symbol not in fields.table(path)]
    if absent:
        raise ValueError(f"`{path}` in {fields.file} lacks {absent}, which frame every text of a Piper voice.")
    notes = []
    if long:
        notes.append(f"Left out, symbols longer than a code point, which Piper cannot reach either: {', '.join(long)}.")
    if fields.table("phoneme_map", {}):
        notes.append("Left out, `phoneme_map`: Piper's Python runtime does not apply it either.")
    return symbols, tuple(notes)


def _num_symbols(fields: JsonReader, symbols: Mapping[str, int]) -> int | None:
    """Rows of the embedding, if the file says; ids must lie within."""
    count = fields.whole("num_symbols", None, least=1)
    for symbol, i in symbols.items():
        if count is not None and i >= count:
            fields.refuse(f"phoneme_id_map.{symbol}", [i], f"below `num_symbols`, {count}")
    return count


def _speaker_names(fields: JsonReader, count: int) -> tuple[list[str] | None, tuple[str, ...]]:
    """speaker_id_map -> the names in the order of ids, or None if there are none; and notes."""
    path = "speaker_id_map"
    ids = fields.table(path, {})
    return row_names(ids, count, "speaker", f"`{path}` in {fields.file}") if ids else (None, ())


def config_fields(voice: PiperVoice) -> dict[str, Any]:
    """Fields of [`VitsConfig`] that the JSON tells."""
    return {
        "blank_id": voice.symbols.get(PAD, 0),
        "sampling_rate": voice.sampling_rate,
        "speaker_names": voice.speaker_names,
        "noise_scale": voice.noise_scale,
        "noise_scale_duration": voice.noise_w,
        "speaking_rate": 1 / voice.length_scale,
    }


def check_agreement(voice: PiperVoice, config: VitsConfig, path: Path) -> None:
    """Raises `ValueError` if the JSON and the weights contradict each other."""
    said_and_built = (
        ("num_speakers", voice.num_speakers, config.num_speakers),
        ("num_symbols", voice.num_symbols, config.vocab_size),
        ("hop_length", voice.hop_length, config.hop_length),
    )
    for name, said, built in said_and_built:
        if said not in (None, built):
            raise ValueError(
                f"The JSON file says `{name}` is {said}, but {path} was built with {built}. Do they belong together?"
            )
    highest = max(voice.symbols.values())
    if highest >= config.vocab_size:
        raise ValueError(
            f"The JSON file has symbol id {highest}, but {path} knows ids 0 to {config.vocab_size - 1}. Do they belong "
            "together?"
        )


def what(voice: PiperVoice, config: VitsConfig, state_dict: Mapping[str, Tensor]) -> str:
    """What kind of voice this is."""
    front_end = "letters" if voice.phoneme_type == "text" else f"eSpeak's phonemes for {voice.espeak_voice}"
    return described("A Piper voice", config, state_dict, f"{len(voice.symbols)} symbols ({front_end})")


def tokenizer(voice: PiperVoice) -> VitsTokenizer:
    """The front end that Piper's runtimes have."""
    pad, bos, eos = (symbol if symbol in voice.symbols else None for symbol in (PAD, BOS, EOS))
    return VitsTokenizer.from_vocab(
        voice.symbols,
        pad_token=PAD,
        bos_token=bos,
        eos_token=eos,
        blank_token=pad,
        add_blank=pad is not None,
        normalize=False,  # Piper hands the text to espeak as it is
        phonemize=voice.phoneme_type == "espeak",
        phoneme_language=voice.espeak_voice,
        phoneme_style="piper",
        unicode_form="NFD",
    )
