"""The text front ends of the original repository and of MMS: which symbols, and what is done to a text before."""

from collections.abc import Sequence
from pathlib import Path

from hf_vits.conversion.original_json import OriginalVoice
from hf_vits.files import read_text
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.wording import listed

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
    return VitsTokenizer.of_symbols(ids, pad_token=blank, add_blank=voice.add_blank, **options), notes


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
