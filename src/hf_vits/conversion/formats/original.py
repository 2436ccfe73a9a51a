"""Voices of the original repository and of MMS: `G_*.pth` with `config.json`, and with `vocab.txt` in MMS."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import check_tensors, left_out
from hf_vits.conversion.converted import Converted, describe, license_beside, training_notes
from hf_vits.conversion.discriminators import ORIGINAL, ConvertedDiscriminator, read_discriminator
from hf_vits.conversion.schema import JsonReader, check_agreement, read_fields, row_names
from hf_vits.conversion.shape_inference import infer_config
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import rename_tensors
from hf_vits.hub.license import MMS_LICENSE, Provenance
from hf_vits.modules.weight_norm import match_weight_norm
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.files import read_text
from hf_vits.utils.formatting import listed

OWNER = "original VITS voice"

SPEAKER_TABLE = "emb_g.weight"

SPEAKER_NAMES = ("speakers", "data.spk2id")
"""Where the original's descendants keep their speakers' names."""

SPECTRUM = {
    "model.gen_istft_n_fft": "fft_size",
    "model.gen_istft_hop_size": "samples_per_frame",
    "model.subbands": "bands",
}
"""Fields of MB-iSTFT-VITS, and what its decoders call them here."""

HOP = "model.gen_istft_hop_size"

PUNCTUATION = ';:,.!?¡¿—…"«»“” '
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
IPA = (
    "ɑɐɒæɓʙβɔɕçɗɖðʤəɘɚɛɜɝɞɟʄɡɠɢʛɦɧħɥʜɨɪʝɭɬɫɮʟɱɯɰŋɳɲɴøɵɸθœɶʘɹɺɾɻʀʁɽʂʃʈʧʉʊʋⱱʌɣɤʍχʎʏʑʐʒʔʡʕʢǀǁǂǃˈˌːˑʼʴʰʱʲʷˠˤ˞↓↑→↗↘'\u0329'ᵻ"
)
SYMBOLS = ("_", *PUNCTUATION, *LETTERS, *IPA)
"""Those of the original's English voices: 178, the apostrophe twice, whose later id is the one that was trained."""

CLEANERS = {
    (): {"phonemize": False, "normalize": False},
    ("basic_cleaners",): {"phonemize": False},
    ("english_cleaners2",): {"phonemize": True, "phoneme_language": "en-us", "cleaner": "english"},
}
"""Options of [`VitsTokenizer`] for the original's text cleaners."""

STRESS = frozenset("ˈˌː")
"""Marks that occur in phonemes and not in texts."""

Tensors = dict[str, Tensor]
Notes = tuple[str, ...]


def recognizes(source: Source) -> bool:
    """Return whether the file is of this format."""
    return source.has_tensors("enc_p.emb.", "dec.conv_pre.", "flow.")


def convert(source: Source) -> Converted:
    """
    Convert a voice, with the discriminators in `D_*.pth` of the same number beside it.

    Raises:
        FileNotFoundError: if there is no config.json.
        ValueError: if a file is damaged, or they do not describe one VITS voice.
    """
    voice = read_description(_config_file(source))
    tensors, folded = _without_table_of_one(source.checkpoint.tensors)
    state_dict, renamed = rename_tensors(tensors)
    config = _config(state_dict, voice)
    vocabulary = source.beside("vocab.txt")
    language = _language(source.path) if vocabulary else None
    mms_tokens = mms_symbols(vocabulary) if vocabulary else None
    tokenizer, tokenizer_notes = make_tokenizer(voice, config.vocab_size, mms_tokens, language)
    discriminator, discriminator_notes = _discriminator(source)
    origin, license_notes = (Provenance(license=MMS_LICENSE), ()) if vocabulary else license_beside(source)
    notes = (
        describe("An MMS voice" if vocabulary else "An original VITS voice", config, state_dict),
        *(_mms_notes(language) if vocabulary else ()),
        *source.checkpoint.notes,
        *left_out(source.checkpoint.rest),
        *voice.notes,
        *folded,
        *renamed,
        *tokenizer_notes,
        *training_notes(config, discriminator, ORIGINAL),
        *discriminator_notes,
        *license_notes,
    )
    return Converted(config, state_dict, tokenizer, notes, discriminator, origin)


@dataclass(frozen=True)
class OriginalVoice:
    """Fields of a config.json; `symbols` and `speaker_names` are `None` if it has none."""

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
    notes: Notes
    file: Path
    symbols: tuple[str, ...] | None
    num_heads: int
    dropout: float
    upsample_rates: list[int]
    resblock_type: str
    resblock_dilation_sizes: list[list[int]]
    spectrum: dict[str, int]


def _config_file(source: Source) -> Path:
    file = source.config or source.beside("config.json")
    if file is None or not file.is_file():
        raise FileNotFoundError(
            f"An original VITS voice is two files, and {file or source.path.parent / 'config.json'} is missing. It has "
            "the sampling rate and the factor of each upsampling layer; give it with `config=` (`--config`)."
        )
    return file


def read_description(file: Path) -> OriginalVoice:
    """
    Read and check a config.json.

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
        is_uroman=_is_uroman(fields),
        num_speakers=speakers,
        speaker_names=names,
        notes=notes,
        file=file,
        symbols=None if fields.value("symbols", None) is None else tuple(fields.texts("symbols")),
        num_heads=fields.whole("model.n_heads", 2, least=1),
        dropout=fields.number("model.p_dropout", 0.1),
        upsample_rates=fields.wholes("model.upsample_rates"),
        resblock_type=_resblock_type(fields),
        resblock_dilation_sizes=fields.rows("model.resblock_dilation_sizes"),
        spectrum=_spectrum(fields),
    )


def _is_uroman(fields: JsonReader) -> bool:
    """Return whether training read romanized text, by the suffix of the first file of it."""
    files = fields.value("data.training_files", "")
    file = files[0] if isinstance(files, list) and files else files
    return isinstance(file, str) and file.endswith(".uroman")


def _resblock_type(fields: JsonReader) -> str:
    kind = fields.text("model.resblock", "1")
    if kind not in ("1", "2"):
        fields.refuse("model.resblock", kind, '"1" or "2"')
    return kind


def _spectrum(fields: JsonReader) -> dict[str, int]:
    """Return what the file has of `SPECTRUM`; MB-iSTFT-VITS writes false for no bands."""
    found = {path: fields.whole(path, None) for path in SPECTRUM if fields.value(path, None) is not False}
    return {path: value for path, value in found.items() if value is not None}


def _speaker_names(fields: JsonReader, count: int) -> tuple[list[str] | None, Notes]:
    """Return the names by id, from a list of names or a table of their ids, or `None`; and notes."""
    path = next((path for path in SPEAKER_NAMES if fields.value(path, None)), None)
    if path is None or count == 1:
        return None, ()
    ids = fields.value(path)
    if not isinstance(ids, Mapping):
        names = fields.texts(path)[:count]
        ids = {name: row for row, name in enumerate(names)}
        if len(ids) < len(names):
            fields.refuse(path, names, "one name for each speaker, no two equal")
    return row_names(ids, count, "speaker", f"`{path}` in {fields.file}")


def _config(tensors: Mapping[str, Tensor], voice: OriginalVoice) -> VitsConfig:
    """Infer the configuration, and check that file and weights agree."""
    bins, posterior = voice.filter_length // 2 + 1, tensors.get("posterior_encoder.conv_pre.weight")
    takes_mels = posterior is not None and posterior.dim() == 3 and posterior.shape[1] == voice.mel_bins != bins
    config = infer_config(
        {name: tensor.shape for name, tensor in tensors.items()},
        **({"spectrogram_bins": bins} if posterior is None or takes_mels else {}),
        **({"posterior_input": "mel"} if takes_mels else {}),  # VITS2
        upsample_rates=voice.upsample_rates,
        resblock_dilation_sizes=voice.resblock_dilation_sizes,
        **({"samples_per_frame": voice.spectrum[HOP]} if HOP in voice.spectrum else {}),
        num_attention_heads=voice.num_heads,
        hidden_dropout=voice.dropout,
        attention_dropout=voice.dropout,
        activation_dropout=voice.dropout,
        sampling_rate=voice.sampling_rate,
        win_length=voice.win_length if voice.win_length != voice.filter_length else None,
        num_mel_bins=voice.mel_bins,
        mel_fmin=voice.mel_fmin,
        mel_fmax=voice.mel_fmax,
        speaker_names=voice.speaker_names,
    )
    decoder = config.decoder_config
    check_agreement(
        [
            ("data.n_speakers", voice.num_speakers, config.num_speakers),
            ("data.hop_length", voice.hop_length, config.hop_length),
            ("model.resblock", voice.resblock_type, decoder.resblock_type),
            ("data.filter_length", voice.filter_length, config.fft_size),
            *((path, value, getattr(decoder, SPECTRUM[path], None)) for path, value in voice.spectrum.items()),
        ],
        voice.file,
    )
    return config


def _without_table_of_one(tensors: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], Notes]:
    """Fold the speaker table that a descendant of the original may have for its only speaker."""
    check_tensors(tensors)
    has_one = SPEAKER_TABLE in tensors and len(tensors[SPEAKER_TABLE]) == 1
    return fold_only_speaker(tensors) if has_one else (tensors, ())


def fold_only_speaker(tensors: Mapping[str, Tensor]) -> tuple[Tensors, Notes]:
    """
    Turn a voice with one row in its speaker table into one without a table that sounds the same.

    The vector is constant, so what layers compute from it can be added to the biases that follow.

    Raises:
        ValueError: if there is no such bias: the deterministic duration predictor sees zeros beyond the ends of a text.
    """
    vector = tensors[SPEAKER_TABLE].float()[0][:, None]
    layers = [match[1] for name in tensors if (match := re.fullmatch(r"(.*\bcond(?:_layer)?)\.bias", name))]
    tensors = match_weight_norm(tensors, [f"{layer}.weight" for layer in layers])
    folded = {name: tensor for name, tensor in tensors.items() if name != SPEAKER_TABLE}
    for layer in layers:
        weight, bias = folded.pop(f"{layer}.weight").float().squeeze(-1), folded.pop(f"{layer}.bias").float()
        targets, shift = _biases(folded, layer), (weight @ vector).squeeze(-1) + bias
        if not targets and (weight.any() or bias.any()):
            raise ValueError(
                "This voice has one speaker with a vector, and a deterministic duration predictor that uses it; such a "
                "voice cannot be represented here. Train it further with two speakers, or without a speaker table."
            )
        parts = shift.unflatten(0, (len(targets), -1)) if targets else ()
        for target, part in zip(targets, parts, strict=True):
            folded[target] = folded[target].float() + part
    note = "It has one speaker, whose vector was added to the biases: the voice sounds the same without a table."
    return folded, (note,)


def _biases(tensors: Tensors, layer: str) -> list[str]:
    """Return the biases to which the output of a speaker layer is added, in the order of its channels."""
    if layer in ("dec.cond", "dp.cond"):
        bias = "dec.conv_pre.bias" if layer == "dec.cond" else "dp.pre.bias"
        return [bias] if bias in tensors else []
    stem = layer.removesuffix("cond_layer")
    layers = [name for name in tensors if re.fullmatch(re.escape(stem) + r"in_layers\.\d{1,4}\.bias", name)]
    return sorted(layers, key=lambda name: int(name.split(".")[-2]))


def mms_symbols(file: Path) -> tuple[str, ...]:
    """
    Return the symbols of MMS's `vocab.txt`, one a line, in the order of their ids.

    Raises:
        ValueError: if it is not UTF-8, or empty.
    """
    lines = read_text(file).replace("\r\n", "\n").removesuffix("\n").split("\n")
    if not any(lines):
        raise ValueError(f"{file} holds no symbol; it must have one a line. Fetch it again.")
    return tuple(lines)


def make_tokenizer(
    voice: OriginalVoice, vocab_size: int, mms: tuple[str, ...] | None, language: str | None
) -> tuple[VitsTokenizer | None, Notes]:
    """
    Return the tokenizer of a voice, and notes.

    Args:
        voice ([`OriginalVoice`]):
            Its configuration.
        vocab_size (`int`):
            Rows of its embedding.
        mms (`tuple[str, ...]`, *optional*):
            The symbols of its `vocab.txt`, if it is of MMS.
        language (`str`, *optional*):
            Its ISO 639-3 code, if it is of MMS.

    Raises:
        ValueError: if there are more symbols than rows.
    """
    symbols = mms or voice.symbols or (SYMBOLS if vocab_size == len(SYMBOLS) else None)
    if symbols is None:
        return None, (
            f"No tokenizer: the voice has {vocab_size} symbols, and no file lists them (vocab.txt, or `symbols` in its "
            "config.json). Give the model ids, or add `symbols`, a list, to the file and convert again.",
        )
    if len(symbols) > vocab_size:
        raise ValueError(
            f"{len(symbols)} symbols are listed, but the embedding has {vocab_size} rows. Do the files belong together?"
        )
    ids = {symbol: i for i, symbol in enumerate(symbols) if len(symbol) == 1}
    if not ids:
        raise ValueError(f"None of the {len(symbols)} symbols is a single code point, so no text could be spoken.")
    if mms:
        options, notes = {"phonemize": False, "is_uroman": voice.is_uroman, "language": language}, ()
    else:
        options, notes = _cleaner_options(voice, symbols)
    notes += _symbol_notes(symbols, vocab_size)
    blank = symbols[0] if len(symbols[0]) == 1 else next(iter(ids))
    if voice.add_blank and ids[blank] != 0:
        raise ValueError(f"The blank, symbol 0, is {symbols[0]!r}, which is not one code point.")
    return VitsTokenizer.from_vocab(ids, pad_token=blank, add_blank=voice.add_blank, **options), notes


def _cleaner_options(voice: OriginalVoice, symbols: Sequence[str]) -> tuple[dict, Notes]:
    if not voice.cleaners and not STRESS.isdisjoint(symbols):
        return CLEANERS[()], (
            "Its symbols are phonemes, and its config.json names no cleaner that makes them from a text: give the "
            "tokenizer phonemes in place of texts.",
        )
    if voice.cleaners in CLEANERS:
        return CLEANERS[voice.cleaners], ()
    return CLEANERS[()], (
        f"The text cleaners {', '.join(voice.cleaners)} are not known here: the tokenizer takes text unchanged, so "
        "give it text that is cleaned already.",
    )


def _symbol_notes(symbols: Sequence[str], rows: int) -> Notes:
    """Return notes on symbols that cannot occur in a text, and on rows of the embedding without a symbol."""
    notes = []
    if long := [repr(symbol) for symbol in symbols if len(symbol) > 1]:
        notes.append(f"Left out, symbols that are not one code point: {listed(long)}.")
    if unnamed := rows - len(symbols) + symbols.count(""):
        doubt = f" Only {len(symbols)} are listed; do the files belong together?" if len(symbols) < rows else ""
        notes.append(f"{unnamed} of the {rows} rows of symbols have none, so that no text uses them.{doubt}")
    return tuple(notes)


def _language(path: Path) -> str | None:
    """Return the language of an MMS voice, which is the name of its folder."""
    named = re.fullmatch("([a-z]{3})(-script_.+|-dialect_.+)?", Path(os.path.realpath(path)).parent.name)
    return named and named[1]


def _mms_notes(language: str | None) -> Notes:
    known = f"Its language is {language}, by the name of its folder."
    unknown = (
        "Its language is not known, as its folder is not named after one; set `language` in tokenizer_config.json."
    )
    non_commercial = f"MMS has the license {MMS_LICENSE}: nothing made from it may be used commercially."
    return known if language else unknown, non_commercial


def _discriminator(source: Source) -> tuple[ConvertedDiscriminator | None, Notes]:
    """Read those that were given, or `D_*.pth` beside `G_*.pth`; return a note on others that are there."""
    name = source.path.name
    file = source.discriminator or (source.beside("D_" + name[2:]) if name.startswith("G_") else None)
    if file is not None:
        return read_discriminator(file), ()
    others = sorted(other.name for other in source.path.parent.glob(ORIGINAL))
    if not others:
        return None, ()
    return None, (
        f"Beside it, but of another number: {listed(others)}. If they belong to it, give them with `discriminator=` "
        "(`--discriminator`).",
    )
