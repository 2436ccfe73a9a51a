"""The JSON file of a Piper voice, checked field by field, and the tokenizer that it describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.converted import describe
from hf_vits.conversion.schema import MOST, JsonReader, check_agreement, is_whole, read_fields, row_names
from hf_vits.tokenization_vits import VitsTokenizer

PAD, BOS, EOS = "_", "^", "$"
"""Symbols around and between those of a text: `^ _ p _ p _ … $`."""

PHONEME_TYPES = ("espeak", "text")
"""Front ends that the tokenizer has: espeak's phonemes, and the letters of the text."""

NO_OTHERS = ": this package has no other front ends, and the symbols that these two produce are not those of the voice"

MOST_SPEAKERS = 100_000
"""Far more than any voice has, so that a damaged number is refused before a list of names is made."""


@dataclass(frozen=True)
class PiperVoice:
    """Fields of the JSON file; `symbols` maps each code point to its id."""

    file: Path
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

    def config_fields(self) -> dict[str, Any]:
        """Return the fields of [`VitsConfig`] that the file determines."""
        return {
            "blank_id": self.symbols.get(PAD, 0),
            "sampling_rate": self.sampling_rate,
            "speaker_names": self.speaker_names,
            "noise_scale": self.noise_scale,
            "noise_scale_duration": self.noise_w,
            "speaking_rate": 1 / self.length_scale,
        }

    def check(self, config: VitsConfig) -> None:
        """Raise `ValueError` if the file and the weights contradict each other."""
        check_agreement(
            [
                ("num_speakers", self.num_speakers, config.num_speakers),
                ("num_symbols", self.num_symbols, config.vocab_size),
                ("hop_length", self.hop_length, config.hop_length),
            ],
            self.file,
        )
        highest = max(self.symbols.values())
        if highest >= config.vocab_size:
            raise ValueError(
                f"{self.file} has symbol id {highest}, but the weights have ids 0 to {config.vocab_size - 1}. Do the "
                "files belong together?"
            )

    def describe(self, config: VitsConfig, state_dict: Mapping[str, Tensor]) -> str:
        """Return one line on the voice."""
        kind = "letters" if self.phoneme_type == "text" else f"eSpeak's phonemes for {self.espeak_voice}"
        return describe("A Piper voice", config, state_dict, f"{len(self.symbols)} symbols ({kind})")

    def tokenizer(self) -> VitsTokenizer:
        """Return the front end that Piper's runtimes have."""
        pad, bos, eos = (symbol if symbol in self.symbols else None for symbol in (PAD, BOS, EOS))
        return VitsTokenizer.from_vocab(
            self.symbols,
            pad_token=PAD,
            bos_token=bos,
            eos_token=eos,
            blank_token=pad,
            add_blank=pad is not None,
            normalize=False,  # Piper passes the text to espeak unchanged
            phonemize=self.phoneme_type == "espeak",
            phoneme_language=self.espeak_voice,
            phoneme_style="piper",
            unicode_form="NFD",
        )


def read_voice(file: Path) -> PiperVoice:
    """
    Read and check the file.

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
    symbols, symbol_notes = _symbols(fields)
    speakers = fields.whole("num_speakers", 1, least=1, most=MOST_SPEAKERS)
    speaker_ids = fields.table("speaker_id_map", {})
    place = f"`speaker_id_map` in {file}"
    names, speaker_notes = row_names(speaker_ids, speakers, "speaker", place) if speaker_ids else (None, ())
    return PiperVoice(
        file=file,
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
        notes=symbol_notes + speaker_notes,
    )


def _symbols(fields: JsonReader) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the id of each code point in phoneme_id_map; longer symbols are left out with a note."""
    path, symbols, long = "phoneme_id_map", {}, []
    for symbol, ids in fields.table(path).items():
        if ids == [] and symbol in (PAD, BOS, EOS):
            continue  # a voice without BOS, EOS or blanks, as exported from here
        if not (isinstance(ids, list) and ids and all(is_whole(i, 0, MOST) for i in ids)):
            fields.refuse(f"{path}.{symbol}", ids, f"a list of ids, whole numbers from 0 to {MOST}")
        if len(symbol) != 1:
            long.append(symbol)
        elif len(ids) > 1:
            fields.refuse(f"{path}.{symbol}", ids, "one id: the tokenizer makes one of every symbol")
        else:
            symbols[symbol] = ids[0]
    absent = [symbol for symbol in (PAD, BOS, EOS) if symbol not in fields.table(path)]
    if absent:
        raise ValueError(f"`{path}` in {fields.file} lacks {absent}, which every text of a Piper voice needs.")
    notes = []
    if long:
        notes.append(f"Left out, symbols longer than a code point, which Piper cannot use either: {', '.join(long)}.")
    if fields.table("phoneme_map", {}):
        notes.append("Left out, `phoneme_map`: Piper's Python runtime does not apply it either.")
    return symbols, tuple(notes)


def _num_symbols(fields: JsonReader, symbols: Mapping[str, int]) -> int | None:
    """Return the rows of the embedding, if the file has them; ids must be lower."""
    count = fields.whole("num_symbols", None, least=1)
    for symbol, i in symbols.items():
        if count is not None and i >= count:
            fields.refuse(f"phoneme_id_map.{symbol}", [i], f"below `num_symbols`, {count}")
    return count
