"""Convert text to clauses of phonemes with espeak-ng, with the place of each clause in the text."""

import ctypes.util
import difflib
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from hf_vits.text import espeak_worker
from hf_vits.text.espeak_chunks import ChunkedRequests, EspeakError, RawClauses, divide
from hf_vits.text.espeak_process import VARIABLE, EspeakProcess

# Characters at which espeak-ng 1.52 reads past a buffer, and so pronounces words of earlier texts or crashes, by
# language: a grave accent without a word and a hyphen between a mark and a word; a sign; a bracket. They are removed.
_UNSAFE = {"vi": re.compile(r"`|(?<=[^\w\s]|_)-"), "pt": re.compile("©"), "si": re.compile("]")}
IPA = 2  # phoneme mode of espeak_TextToPhonemes
_CONTROL = re.compile("[\0\1]")  # the end of a text in C, and espeak-ng's command prefix
_NAME = re.compile(r"[A-Za-z0-9_+-]+")  # of a voice; espeak-ng opens it as a file, so paths are refused
_LANGUAGE_SWITCH = re.compile(r"\([a-z0-9-]+\)")

# ISO 639-3 codes, as in MMS and transformers, to espeak-ng's names; other names are taken as espeak-ng's own.
# fmt: off
_ISO = {
    "eng": "en-us", "en": "en-us", "afr": "af", "amh": "am", "ara": "ar", "arg": "an", "asm": "as", "aze": "az",
    "bak": "ba", "bel": "be", "ben": "bn", "bos": "bs", "bul": "bg", "cat": "ca", "ces": "cs", "cmn": "cmn",
    "zho": "cmn", "zh": "cmn", "chv": "cv", "cym": "cy", "dan": "da", "deu": "de", "ell": "el", "epo": "eo",
    "est": "et", "eus": "eu", "fas": "fa", "fin": "fi", "fra": "fr-fr", "fr": "fr-fr", "gla": "gd", "gle": "ga",
    "grn": "gn", "guj": "gu", "hat": "ht", "haw": "haw", "heb": "he", "hin": "hi", "hrv": "hr",
    "hun": "hu", "hye": "hy", "ina": "ia", "ind": "id", "isl": "is", "ita": "it", "jpn": "ja", "kal": "kl",
    "kan": "kn", "kat": "ka", "kaz": "kk", "kir": "ky", "kor": "ko", "kur": "ku", "lat": "la", "lav": "lv",
    "lit": "lt", "ltz": "lb", "mal": "ml", "mar": "mr", "mkd": "mk", "mlt": "mt", "mri": "mi",
    "msa": "ms", "mya": "my", "nep": "ne", "nld": "nl", "nor": "nb", "nob": "nb", "no": "nb", "ori": "or",
    "orm": "om", "pan": "pa", "pol": "pl", "por": "pt", "ron": "ro", "rus": "ru", "sin": "si", "slk": "sk",
    "slv": "sl", "snd": "sd", "spa": "es", "sqi": "sq", "srp": "sr", "swa": "sw", "swe": "sv", "tam": "ta",
    "tat": "tt", "tel": "te", "tha": "th", "tur": "tr", "uig": "ug", "ukr": "uk", "urd": "ur", "uzb": "uz",
    "vie": "vi",
}
# fmt: on
_MAX_CACHED = 16384
_WORDS: dict[tuple[str, str], str] = {}  # (word, voice) -> the phonemes of the word on its own

# Symbols that espeak-ng reads as several words, such as "thumbs up" and "a half". If such a symbol touches a mark or
# another symbol, espeak-ng 1.52 pronounces only its first word, or nothing; so spaces are inserted around it.
_SELECTORS = "\ufe0e\ufe0f"  # variation selectors: text or emoji presentation
_JOINER = "\u200d"
_PICTURES = (
    "\u231a-\u23ff\u25aa-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_OTHERS = "$%&@#+=<>^~|*¢-©¬®-±´¶·¼-¾×÷\u2030\u2031\u2044\u20a0-\u20cf\u2100-\u2bff"
# An emoji is always a word: a flag of two letters, a picture, or a sign with emoji presentation. A digit with emoji
# presentation begins a keycap, which espeak-ng reads correctly. Other symbols matter if they touch a mark that does not
# end a clause.
_TOUCHING = r"[^\w\s]|[¼-¾\u2150-\u218b]"
_MULTIWORD = re.compile(
    rf"(?P<emoji>(?:[\U0001f1e6-\U0001f1ff]{{2}}|[{_PICTURES}]|[^\s0-9#*{_SELECTORS}](?=[{_SELECTORS}]))[{_SELECTORS}{_JOINER}]*)"
    rf"|(?<={_TOUCHING})[{_OTHERS}]|[{_OTHERS}](?={_TOUCHING})(?![.,;:!?…]+(?:\s|\Z))"
)
_ANY_SYMBOL = re.compile(f"[{_OTHERS}{_PICTURES}{_SELECTORS}]")
_ADJACENT = re.compile(_TOUCHING)


def library_paths() -> tuple[str, str | None]:
    """Return the shared library and its data folder, from the environment, the package espeakng_loader, or the system.

    Raises:
        ImportError: if none of them exists.
    """
    if path := os.environ.get(VARIABLE):
        return path, os.environ.get("PHONEMIZER_ESPEAK_DATA_PATH")
    try:
        import espeakng_loader

        return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    except ImportError as error:
        path = ctypes.util.find_library("espeak-ng")
        if path is None:
            raise ImportError(
                "This model reads phonemes (`phonemize=True`), which needs espeak-ng. "
                'Run `pip install "hf_vits[phonemes]"`.'
            ) from error
        return path, None


_PROCESS = EspeakProcess(lambda: library_paths())


class Clause(NamedTuple):
    """Phonemes of characters start to end of a text, with single spaces between words."""

    start: int
    end: int
    phonemes: str


def voice_for(language: str | None) -> str:
    """Return the espeak voice of a language given as ISO 639-3, ISO 639-1 or voice; American English for None."""
    return "en-us" if language is None else _ISO.get(language.lower(), language.lower())


def clauses(text: str, voice: str) -> list[Clause]:
    """Return the clauses into which espeak-ng divides a text; they cover it without gaps or overlaps.

    Raises:
        ImportError: if no espeak-ng library was found.
        OSError: if its process cannot be started.
        ValueError: if espeak-ng has no such voice, or (`EspeakError`) crashes at a part of the text, which is named.
    """
    return clauses_of([text], voice)[0]


def clauses_of(texts: Sequence[str], voice: str) -> list[list[Clause]]:
    """Return the clauses of several independent texts with one request; raise as `clauses` does."""
    language = voice_for(voice.partition("+")[0])
    if unsafe := _UNSAFE.get("vi" if language.startswith("vi-") else language):
        texts = [unsafe.sub(" ", text) for text in texts]
    separated = [separate_symbols(text, lambda sign: " " in words_phonemes([sign], voice)[0]) for text in texts]
    chunks = [list(divide(text)) for text, _ in separated]
    requests = ChunkedRequests(lambda texts: request(texts, voice))
    found = iter(requests.run([chunk for of_text in chunks for chunk in of_text]))
    return [_clauses(of_text, found, places) for of_text, (_, places) in zip(chunks, separated, strict=True)]


def _clauses(chunks: Sequence[str], found: Iterator[RawClauses], places: Sequence[int] | None) -> list[Clause]:
    """Return the clauses of a text from one item of `found` per chunk and the places of the characters in the text."""
    out, offset, start = [], 0, 0
    for chunk in chunks:
        for end, phonemes in next(found):
            end = offset + end if places is None else places[offset + end]
            if "(" in phonemes:
                phonemes = " ".join(_LANGUAGE_SWITCH.sub("", phonemes).split())
            out.append(Clause(start, end, phonemes))
            start = end
        offset += len(chunk)
    return out


def separate_symbols(text: str, has_several_words: Callable[[str], bool]) -> tuple[str, list[int] | None]:
    """Insert spaces around symbols that espeak-ng reads as several words.

    Args:
        text: any text.
        has_several_words: returns True for a symbol that is read as several words on its own.

    Returns:
        The new text, without variation selectors and joiners of emoji; and the place in the old text of each place in
        the new one, its end included, or None if they are equal.
    """
    if not _ANY_SYMBOL.search(text):  # the usual case, and fast
        return text, None
    parts, places, position = [], [], 0
    for symbol in _MULTIWORD.finditer(text):
        start, end = symbol.span()
        if symbol["emoji"]:
            sign, before, after = symbol[0].rstrip(_SELECTORS + _JOINER), " ", " "
        elif has_several_words(symbol[0]):
            sign = symbol[0]
            before = " " * bool(_ADJACENT.match(text, start - 1)) if start else ""
            after = " " * bool(_ADJACENT.match(text, end))
        else:
            continue
        parts += [text[position:start], before, sign, after]
        places += [*range(position, start), *[start] * len(before), *range(start, start + len(sign))]
        places += [end - 1] * len(after)
        position = end
    if not parts:
        return text, None
    return "".join([*parts, text[position:]]), [*places, *range(position, len(text) + 1)]


def request(texts: Sequence[str], voice: str, mode: int = IPA) -> list[RawClauses]:
    """Return espeak-ng's output for each text: the end of each clause and its phonemes.

    Raises:
        EspeakEndedError: if espeak-ng crashed or took too long.
        ImportError, OSError, ValueError: as for `clauses`.
    """
    raw = [_CONTROL.sub(" ", text).encode("utf-8", "replace") for text in texts]
    answer = _PROCESS.ask(b"\0".join([_names(voice), b"%d" % mode, *raw]))
    if answer[:1] == espeak_worker.NO_VOICE:
        raise _no_voice(voice)
    return [[_parse_clause(line) for line in lines.split("\n")] for lines in answer[1:].decode().split("\0")]


def _parse_clause(line: str) -> tuple[int, str]:
    end, _, phonemes = line.partition(" ")
    return int(end), phonemes


def words_phonemes(words: Iterable[str], voice: str) -> list[str]:
    """Return the phonemes of each word on its own; with spaces if it is read as several words, such as a number."""
    words = list(words)
    if len(_WORDS) > _MAX_CACHED:
        _WORDS.clear()
    known = {word: _WORDS.get((word, voice)) for word in words}
    if new := [word for word, phonemes in known.items() if phonemes is None]:
        for word, phonemes in zip(new, _isolated(new, voice), strict=True):
            known[word] = _WORDS[word, voice] = phonemes
    return [known[word] for word in words]


def _isolated(words: Sequence[str], voice: str) -> list[str]:
    """Return the phonemes of each word; none for one at which espeak-ng crashes on its own, but not in a sentence."""
    try:
        found = clauses_of(words, voice)
    except EspeakError:
        return [""] if len(words) == 1 else [_isolated([word], voice)[0] for word in words]
    return [" ".join(clause.phonemes for clause in clauses).strip() for clauses in found]


def voices() -> list[str]:
    """Return the sorted names of all languages of espeak-ng."""
    return sorted(_languages())


@functools.cache
def _languages() -> dict[str, tuple[bytes, str]]:
    """Return the file of the first, and so best, voice of each language, and its English name."""
    found = {}
    for line in _PROCESS.ask(b"")[1:].split(b"\n"):
        language, identifier, name = line.split(b"\t")
        found.setdefault(language.decode(), (identifier, name.decode()))
    return found


def _no_voice(voice: str) -> ValueError:
    similar = [f"`{language}` for {_languages()[language][1]}" for language in _similar_languages(voice)]
    hint = f"; did you mean {' or '.join(similar)}?" if similar else "."
    return ValueError(
        f"espeak-ng has no language {voice!r}{hint} `hf_vits.text.espeak.voices()` returns the names of all."
    )


def _similar_languages(voice: str) -> list[str]:
    """Return up to three languages whose code or English name is like a name, that of a locale, as de_DE, first; usual
    ones precede dialects."""
    wanted = voice.lower().replace("_", "-")
    spellings: dict[str, list[str]] = {}
    for language, (_, name) in _languages().items():
        for spelling in {language, name.lower(), name.lower().partition(" (")[0]}:
            spellings.setdefault(spelling, []).append(language)
    base = voice_for(wanted.partition("-")[0])
    near = difflib.get_close_matches(wanted, spellings, n=3, cutoff=0.75)
    dialect = [(language not in _ISO.values(), language) for spelling in near for language in spellings[spelling]]
    return list(dict.fromkeys([*([base] if base in _languages() else []), *(name for _, name in sorted(dialect))]))[:3]


@functools.lru_cache(maxsize=1024)
def _names(voice: str) -> bytes:
    """Return possible names of a voice, one per line: its language's file, its own name ("en-us+f3"), an ISO code's
    voice."""
    languages = _languages()
    if voice in languages:
        return languages[voice][0]
    if not _NAME.fullmatch(voice):
        raise _no_voice(voice)
    iso = languages.get(voice_for(voice))
    return voice.encode() if iso is None else voice.encode() + b"\n" + iso[0]
