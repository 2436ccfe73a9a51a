"""Voices of the original repository and of MMS: `G_*.pth` with `config.json`, and with `vocab.txt` in MMS."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import check_tensors, left_out
from hf_vits.conversion.converted import Converted, described, licence_beside, trainable
from hf_vits.conversion.discriminators import ConvertedDiscriminator, read_discriminator
from hf_vits.conversion.schema import JsonReader, read_fields, row_names
from hf_vits.conversion.shape_inference import infer_config
from hf_vits.conversion.source import Source
from hf_vits.conversion.vits_keys import rename_tensors
from hf_vits.hub.license import MMS_LICENSE, Provenance
from hf_vits.modules.weight_norm import respell
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.files import read_text
from hf_vits.utils.formatting import listed

TABLE = "emb_g.weight"

Tensors = dict[str, Tensor]


def fold_only_speaker(tensors: Mapping[str, Tensor]) -> tuple[Tensors, tuple[str, ...]]:
    """
    A voice with one row in its table of speakers -> one that knows no speakers and sounds the same, and a note.

    The vector is a constant, and what layers make of it a part of the biases that it is added to.

    Raises:
        ValueError: if that cannot be, in the plain duration predictor, which sees zeros beyond the ends of the text.
    """
    vector = tensors[TABLE].float()[0][:, None]
    layers = [match[1] for name in tensors if (match := re.fullmatch(r"(.*\bcond(?:_layer)?)\.bias", name))]
    tensors = respell(tensors, [f"{layer}.weight" for layer in layers])
    folded = {name: tensor for name, tensor in tensors.items() if name != TABLE}
    for layer in layers:
        weight, bias = folded.pop(f"{layer}.weight").float().squeeze(-1), folded.pop(f"{layer}.bias").float()
        targets, shift = _biases(folded, layer), (weight @ vector).squeeze(-1) + bias
        if not targets and (weight.any() or bias.any()):
            raise ValueError(
                "This voice has one speaker with a vector, and a plain duration predictor that sees it; such a voice "
                "cannot be expressed here. Train it further with two speakers, or without a speaker table."
            )
        parts = shift.unflatten(0, (len(targets), -1)) if targets else ()
        for target, part in zip(targets, parts, strict=True):
            folded[target] = folded[target].float() + part
    note = "It has one speaker, whose vector became a part of the biases: the voice sounds the same without a table."
    return folded, (note,)


def _biases(tensors: Tensors, layer: str) -> list[str]:
    """The biases to which the answer of a layer that sees the speaker is added, in the order of its channels."""
    if layer in ("dec.cond", "dp.cond"):
        bias = "dec.conv_pre.bias" if layer == "dec.cond" else "dp.pre.bias"
        return [bias] if bias in tensors else []
    stem = layer.removesuffix("cond_layer")
    layers = [name for name in tensors if re.fullmatch(re.escape(stem) + r"in_layers\.\d{1,4}\.bias", name)]
    return sorted(layers, key=lambda name: int(name.split(".")[-2]))


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


def _ends(fields: JsonReader, path: str, ending: str) -> bool:
    """Whether a file that training read is named so; a list of files counts by its first."""
    value = fields.value(path, "")
    value = value[0] if isinstance(value, list) and value else value
    return isinstance(value, str) and value.endswith(ending)


def _resblock_type(fields: JsonReader) -> str:
    kind = fields.text("model.resblock", "1")
    if kind not in ("1", "2"):
        fields.refuse("model.resblock", kind, '"1" or "2"')
    return kind


def _speaker_names(fields: JsonReader, count: int) -> tuple[list[str] | None, tuple[str, ...]]:
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


PUNCTUATION = ';:,.!?¡¿—…"«»“” '
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
IPA = (
    "ɑɐɒæɓʙβɔɕçɗɖðʤəɘɚɛɜɝɞɟʄɡɠɢʛɦɧħɥʜɨɪʝɭɬɫɮʟɱɯɰŋɳɲɴøɵɸθœɶʘɹɺɾɻʀʁɽʂʃʈʧʉʊʋⱱʌɣɤʍχʎʏʑʐʒʔʡʕʢǀǁǂǃˈˌːˑʼʴʰʱʲʷˠˤ˞↓↑→↗↘'\u0329'ᵻ"
)
SYMBOLS = ("_", *PUNCTUATION, *LETTERS, *IPA)
"""Those of the original's English voices: 178, the apostrophe twice, whose later id is the one that was trained."""

SPELLERS = {
    (): {"phonemize": False, "normalize": False},
    ("basic_cleaners",): {"phonemize": False},
    ("english_cleaners2",): {"phonemize": True, "phoneme_language": "en-us", "cleaner": "english"},
}
"""Options of [`VitsTokenizer`] for the original's text cleaners."""

STRESS = frozenset("ˈˌː")
"""Marks that phonemes have and no spelling."""

AS_IT_IS = SPELLERS[()]


def mms_symbols(file: Path) -> tuple[str, ...]:
    """
    The symbols of MMS's `vocab.txt`, one a line, in the order of their ids.

    Raises:
        ValueError: if it is not UTF-8, or empty.
    """
    lines = read_text(file).replace("\r\n", "\n").removesuffix("\n").split("\n")
    if not any(lines):
        raise ValueError(f"{file} holds no symbol; it must have one a line. Fetch it again.")
    return tuple(lines)


def tokenizer(
    voice: OriginalVoice, vocab_size: int, mms: tuple[str, ...] | None, language: str | None
) -> tuple[VitsTokenizer | None, tuple[str, ...]]:
    """
    The tokenizer of a voice, and notes.

    Args:
        voice ([`OriginalVoice`]):
            What its configuration says.
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
            f"No tokenizer: the voice has {vocab_size} symbols, and no file says which (vocab.txt, or `symbols` in its "
            f"config.json). Give the model ids, or add `symbols`, a list, to the file and convert again.",
        )
    if len(symbols) > vocab_size:
        raise ValueError(
            f"{len(symbols)} symbols are listed, but the voice knows {vocab_size}. Do the files belong together?"
        )
    ids = {symbol: i for i, symbol in enumerate(symbols) if len(symbol) == 1}
    if not ids:
        raise ValueError(f"None of the {len(symbols)} symbols is a single code point, so no text could be spoken.")
    if mms:
        options, notes = {"phonemize": False, "is_uroman": voice.is_uroman, "language": language}, ()
    else:
        options, notes = _spelling(voice, symbols)
    notes += _left_out(symbols, vocab_size)
    blank = symbols[0] if len(symbols[0]) == 1 else next(iter(ids))
    if voice.add_blank and ids[blank] != 0:
        raise ValueError(f"The blank, symbol 0, is {symbols[0]!r}, which is not one code point.")
    return VitsTokenizer.from_vocab(ids, pad_token=blank, add_blank=voice.add_blank, **options), notes


def _left_out(symbols: Sequence[str], rows: int) -> tuple[str, ...]:
    """Notes on symbols that no text has, and on rows of the embedding that no symbol has."""
    notes = []
    if long := [repr(symbol) for symbol in symbols if len(symbol) > 1]:
        notes.append(f"Left out, symbols that are not one code point: {listed(long)}.")
    if unnamed := rows - len(symbols) + symbols.count(""):
        doubt = f" Only {len(symbols)} are listed; do the files belong together?" if len(symbols) < rows else ""
        notes.append(f"{unnamed} of the {rows} rows of symbols have none, so that no text reaches them.{doubt}")
    return tuple(notes)


def _spelling(voice: OriginalVoice, symbols: Sequence[str]) -> tuple[dict, tuple[str, ...]]:
    if not voice.cleaners and not STRESS.isdisjoint(symbols):
        return AS_IT_IS, (
            "Its symbols are phonemes, and its config.json names no cleaner that makes them of a text: give the "
            "tokenizer phonemes in place of texts.",
        )
    if voice.cleaners in SPELLERS:
        return SPELLERS[voice.cleaners], ()
    return AS_IT_IS, (
        f"The text cleaners {', '.join(voice.cleaners)} are not known here: the tokenizer takes text as it is, so give "
        "it what they would make of a text.",
    )


def recognises(source: Source) -> bool:
    """Whether the file is of this format."""
    return source.has_tensors("enc_p.emb.", "dec.conv_pre.", "flow.")


def convert(source: Source) -> Converted:
    """
    Converts a voice, with the discriminators in `D_*.pth` of the same number beside it.

    Raises:
        FileNotFoundError: if there is no config.json.
        ValueError: if a file is damaged, or they do not describe one VITS voice.
    """
    voice = read_description(_description(source))
    tensors, folded = _without_table_of_one(source.checkpoint.tensors)
    state_dict, notes = rename_tensors(tensors)
    config = _config(state_dict, voice)
    vocabulary = source.beside("vocab.txt")
    language = _language(source.path) if vocabulary else None
    front_end, said = tokenizer(voice, config.vocab_size, vocabulary and mms_symbols(vocabulary), language)
    judges, beside = _judges(source)
    origin, licensed = (Provenance(license=MMS_LICENSE), ()) if vocabulary else licence_beside(source)
    return Converted(
        config,
        state_dict,
        front_end,
        (
            described("An MMS voice" if vocabulary else "An original VITS voice", config, state_dict),
            *(_said_of_mms(language) if vocabulary else ()),
            *source.checkpoint.notes,
            *left_out(source.checkpoint.rest),
            *voice.notes,
            *folded,
            *notes,
            *said,
            *trainable(config, judges, "D_*.pth"),
            *beside,
            *licensed,
        ),
        judges,
        origin,
    )


def _description(source: Source) -> Path:
    file = source.config or source.beside("config.json")
    if file is None or not file.is_file():
        raise FileNotFoundError(
            f"An original VITS voice is two files, and {file or source.path.parent / 'config.json'} is missing. It "
            "says how fast the waveform is sampled and by how much each layer upsamples; give it with `config=` "
            "(`--config`)."
        )
    return file


def _config(tensors: Mapping[str, torch.Tensor], voice: OriginalVoice) -> VitsConfig:
    told_by_shapes = any(name.startswith("posterior_encoder.") for name in tensors)
    config = infer_config(
        {name: tensor.shape for name, tensor in tensors.items()},
        **({} if told_by_shapes else {"spectrogram_bins": voice.filter_length // 2 + 1}),
        upsample_rates=voice.upsample_rates,
        resblock_dilation_sizes=voice.resblock_dilation_sizes,
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
    said_and_built = [
        ("data.n_speakers", voice.num_speakers, config.num_speakers),
        ("data.hop_length", voice.hop_length, config.hop_length),
        ("model.resblock", voice.resblock_type, config.resblock_type),
        ("data.filter_length", voice.filter_length, config.fft_size),
    ]
    for name, said, built in said_and_built:
        if said != built:
            raise ValueError(
                f"`{name}` in the config.json means {said}, but the weights were built with {built}. Do the files "
                "belong together?"
            )
    return config


def _without_table_of_one(tensors: Mapping[str, torch.Tensor]) -> tuple[Mapping[str, torch.Tensor], tuple[str, ...]]:
    """A descendant of the original may have a table for its only speaker."""
    check_tensors(tensors)
    return fold_only_speaker(tensors) if TABLE in tensors and len(tensors[TABLE]) == 1 else (tensors, ())


def _judges(source: Source) -> tuple[ConvertedDiscriminator | None, tuple[str, ...]]:
    """Those that were given, or `D_*.pth` beside `G_*.pth`; and a note on others that lie there."""
    name = source.path.name
    file = source.discriminator or (source.beside("D_" + name[2:]) if name.startswith("G_") else None)
    if file is not None:
        return read_discriminator(file), ()
    others = sorted(other.name for other in source.path.parent.glob("D_*.pth"))
    if not others:
        return None, ()
    return None, (
        f"Beside it, but not of its number: {listed(others)}. If they go with it, give them with `discriminator=` "
        "(`--discriminator`).",
    )


def _language(path: Path) -> str | None:
    """MMS keeps each voice in a folder that is named after its language."""
    named = re.fullmatch("([a-z]{3})(-script_.+|-dialect_.+)?", Path(os.path.realpath(path)).parent.name)
    return named and named[1]


def _said_of_mms(language: str | None) -> tuple[str, ...]:
    told = (
        f"Its language is {language}, by the name of its folder."
        if language
        else (
            "Its language is not known, as its folder is not named after one; set `language` in tokenizer_config.json."
        )
    )
    return told, f"MMS has the licence {MMS_LICENSE}: nothing made from it may be used commercially."
