"""The tokenizer of a Coqui voice: symbols in the order of their ids, text cleaner and phonemizer."""

from hf_vits.conversion.formats.coqui_config import CoquiVoice, word
from hf_vits.conversion.schema import JsonReader
from hf_vits.text.coqui_cleaners import CLEANERS
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.formatting import listed

BLANK = "<BLNK>"
"""The blank in `VitsCharacters`."""

OWN_ORDER = "VitsCharacters"
SORTED_ORDER = ("BaseCharacters", "Graphemes", "IPAPhonemes")

LETTERS = {
    "pad": "<PAD>",
    "eos": "<EOS>",
    "bos": "<BOS>",
    "blank": "<BLNK>",
    "characters": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "punctuations": "!'(),-.:;? ",
}
"""Symbols of a voice of letters if its configuration lists none."""

PHONEMES = LETTERS | {
    "characters": (
        "iyɨʉɯuɪʏʊeøɘəɵɤoɛœɜɞʌɔæɐaɶɑɒᵻʘɓǀɗǃʄǂɠǁʛpbtdʈɖcɟkɡqɢʔɴŋɲɳnɱmʙrʀⱱɾɽɸβfvθðszʃʒʂʐçʝxɣχʁħʕhɦɬɮʋɹɻjɰlɭʎʟ"
        "ˈˌːˑʍwɥʜʢʡɕʑɺɧʲ\u0303ɚ˞ɫ"
    )
}
"""The same for a voice of phonemes."""

ESPEAK_NAMES = {"en": "en-us", "zh-cn": "cmn"}
"""Languages that espeak calls by another name than Coqui."""

OTHER_PHONEMIZERS = {
    "ja-jp": "ja_jp_phonemizer",
    "ko-kr": "ko_kr_phonemizer",
    "zh-cn": "zh_cn_phonemizer",
    "bn": "bn_phonemizer",
    "be": "be_phonemizer",
}
"""Languages for which Coqui's default is another phonemizer than espeak."""

ABBREVIATING = ("english_cleaners", "french_cleaners", "phoneme_cleaners")
"""Cleaners that expand the abbreviations of a text's language; here they do not know those of Italian."""


def tokenizer_of(voice: CoquiVoice, rows: int) -> tuple[VitsTokenizer | None, tuple[str, ...]]:
    """
    Return the tokenizer of a voice whose embedding has so many rows, or `None` for symbols of unknown code; and notes.

    Raises:
        ValueError: if the symbols are not those of the embedding, or lack BOS, EOS or the blank of its texts.
    """
    fields = voice.fields
    kind = _class(fields)
    if kind not in (OWN_ORDER, *SORTED_ORDER):
        return None, (
            f"Left out, the tokenizer: `characters.characters_class` is {kind}, which is not one of {OWN_ORDER}, "
            f"{', '.join(SORTED_ORDER)} and may be code of its own. Make a `VitsTokenizer` with its vocabulary.",
        )
    symbols, named = _symbols(fields, kind)
    if len(symbols) != rows:
        raise ValueError(
            f"The configuration in {fields.file} lists {len(symbols)} symbols, but the embedding has {rows} rows. Do "
            "the files belong together?"
        )
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    repeated = [symbol for index, symbol in enumerate(symbols) if ids[symbol] != index]
    notes = [f"Symbols that are listed twice have their later id, as in Coqui: {listed(repeated)}."] if repeated else []
    special, add_blank = _special_tokens(fields, named)
    cleaner, cleaned = _cleaner(voice)
    phonemes, spoken = _phonemes(voice)
    tokenizer = VitsTokenizer.from_vocab(
        ids,
        add_blank=add_blank,
        normalize=False,  # the cleaner does whatever is done to the text
        cleaner=cleaner,
        **special,
        **phonemes,
    )
    return tokenizer, (*notes, *cleaned, *spoken)


def _class(fields: JsonReader) -> str:
    """Return the class of the symbols without its module; Coqui's default if none is named."""
    named = word(fields, "characters.characters_class") if fields.value("characters", None) is not None else None
    if named is not None:
        return named.rpartition(".")[2]
    return "IPAPhonemes" if fields.flag("use_phonemes", False) else "Graphemes"


def _symbols(fields: JsonReader, kind: str) -> tuple[list[str], dict[str, str]]:
    """Return the symbols in the order of their ids, and which of them are pad, BOS, EOS and blank."""
    table = fields.value("characters", None)
    if table is None:
        table = PHONEMES if kind == "IPAPhonemes" else LETTERS
    table = JsonReader(fields.file, table, fields.owner)
    parts = {name: word(table, name) or "" for name in ("characters", "phonemes", "punctuations")}
    named = {name: word(table, name) for name in ("pad", "eos", "bos", "blank")}
    characters = parts["characters"]
    if kind == OWN_ORDER:
        named |= {"bos": None, "eos": None, "blank": BLANK}
        inner = [*parts["punctuations"], *characters, *parts["phonemes"]]
        return [symbol for symbol in [named["pad"], *inner, BLANK] if symbol], named
    if kind == "IPAPhonemes" and parts["phonemes"]:
        characters = parts["phonemes"]
    if table.flag("is_unique", table.data not in (LETTERS, PHONEMES)):
        characters = set(characters)
    if table.flag("is_sorted", True):
        characters = sorted(characters)
    elif isinstance(characters, set):
        raise ValueError(
            f"`characters` in {fields.file} has `is_unique` without `is_sorted`, so that Coqui numbers the symbols "
            "differently in every run; no tokenizer can be made of it."
        )
    special = [named[name] for name in ("pad", "eos", "bos", "blank") if named[name]]
    return [*special, *characters, *parts["punctuations"]], named


def _special_tokens(fields: JsonReader, named: dict[str, str | None]) -> tuple[dict[str, str], bool]:
    """Return the options of the tokenizer for pad, blank, BOS and EOS, and whether there is a blank."""
    add_blank = fields.flag("add_blank", True)
    wanted = {"pad_token": named["pad"], "blank_token": named["blank"] if add_blank else None}
    needed = ["blank"] if add_blank else []
    if fields.flag("enable_eos_bos_chars", False):
        wanted |= {"bos_token": named["bos"], "eos_token": named["eos"]}
        needed += ["bos", "eos"]
    for name in needed:
        if not named[name]:
            raise ValueError(f"`characters.{name}` in {fields.file} is not set, but the texts of this voice need it.")
    return {name: token for name, token in wanted.items() if token}, add_blank


def _cleaner(voice: CoquiVoice) -> tuple[str, tuple[str, ...]]:
    """Return our name of the cleaner, and a note if it is another one."""
    name = word(voice.fields, "text_cleaner")
    if name is None:
        return "none", ()
    if name not in CLEANERS:
        return "multilingual_phoneme_cleaners" if voice.fields.flag("use_phonemes", False) else "basic_cleaners", (
            f"The cleaner of its texts, {name}, is not known here: only white space, letters and marks are "
            "normalized, so write numbers and abbreviations out.",
        )
    if name in ABBREVIATING and voice.languages[0].split("-")[0] == "it":
        return name, (f"`text_cleaner` {name} expands Italian abbreviations, which is not done here.",)
    return name, ()


def _phonemes(voice: CoquiVoice) -> tuple[dict[str, bool | str], tuple[str, ...]]:
    """Return the options of the tokenizer for phonemes, and notes on differences."""
    fields = voice.fields
    language = word(fields, "phoneme_language") or voice.languages[0]
    options = {
        "phoneme_language": ESPEAK_NAMES.get(language, language),
        "phonemize": fields.flag("use_phonemes", False),
    }
    several = ()
    if len(voice.languages) > 1:
        several = (
            f"The tokenizer takes texts as {options['phoneme_language']}; before a text in another language, set "
            "`tokenizer.phoneme_language`.",
        )
    if not options["phonemize"]:
        return options, several
    phonemizer = word(fields, "phonemizer") or OTHER_PHONEMIZERS.get(language, "espeak")
    if phonemizer in ("espeak", "multi_phonemizer", "multi-phonemizer"):
        return options, several
    if phonemizer == "gruut":
        return options, (
            *several,
            "Its phonemes were gruut's, and are espeak's here, which are similar but not the same.",
        )
    return options | {"phonemize": False}, (
        *several,
        f"Its phonemes were those of {phonemizer}, which is not here: give phonemes in place of texts.",
    )
