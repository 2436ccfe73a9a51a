"""espeak-ng through its shared library: text to clauses of phonemes, with the place of each clause in the text."""

import ctypes.util
import difflib
import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hf_vits.text import espeak_chunks, espeak_worker, symbols
from hf_vits.text.espeak_chunks import EspeakError
from hf_vits.text.espeak_process import VARIABLE, EspeakProcess

# Where espeak 1.52 reads past a buffer, and so speaks words of earlier texts or crashes, by language: a grave accent
# without a word, and a hyphen between a mark and a word; a sign; a bracket. They are left out.
_UNSAFE = {"vi": re.compile(r"`|(?<=[^\w\s]|_)-"), "pt": re.compile("©"), "si": re.compile("]")}
IPA = 2  # phoneme mode of espeak_TextToPhonemes
_NO_TEXT = re.compile("[\0\1]")  # the end of a text in C, and espeak's mark of a command
_NAME = re.compile(r"[A-Za-z0-9_+-]+")  # of a voice; espeak opens it as a file, so no path may pass
_LANGUAGE_SWITCH = re.compile(r"\([a-z0-9-]+\)")

# ISO 639-3 codes, as MMS and upstream write them, to espeak's names; espeak's own names pass as they are.
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
_MOST_ALONE = 16384
_ALONE: dict[tuple[str, str], str] = {}  # (word, voice) -> its phonemes when spoken alone


def library_paths() -> tuple[str, str | None]:
    """The shared library and its data folder: the environment's, else the espeakng_loader package's, else the system's.

    Raises:
        ImportError: none of them exists.
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
                "This voice speaks phonemes (`phonemize=True`), which needs espeak-ng. "
                'Run `pip install "hf_vits[phonemes]"`.'
            ) from error
        return path, None


_PROCESS = EspeakProcess(lambda: library_paths())


class Clause(NamedTuple):
    """The phonemes of characters start to end of a text, words separated by single spaces."""

    start: int
    end: int
    phonemes: str


def voice_for(language: str | None) -> str:
    """The espeak voice of a language given as ISO 639-3, ISO 639-1 or espeak's own name; American English for None."""
    return "en-us" if language is None else _ISO.get(language.lower(), language.lower())


def clauses(text: str, voice: str) -> list[Clause]:
    """Return the text as espeak divides it, in order; the clauses cover the text without gap or overlap.

    Raises:
        ImportError: no espeak-ng library was found.
        OSError: the process in which it runs cannot be started.
        ValueError: espeak-ng has no such voice, or (`EspeakError`) crashes at a part of the text, which is named.
    """
    return clauses_of([text], voice)[0]


def clauses_of(texts: Sequence[str], voice: str) -> list[list[Clause]]:
    """Return the clauses of several texts, each spoken for itself, in one request; raises as `clauses` does."""
    language = voice_for(voice.partition("+")[0])
    if unsafe := _UNSAFE.get("vi" if language.startswith("vi-") else language):
        texts = [unsafe.sub(" ", text) for text in texts]
    prepared = [symbols.apart(text, lambda sign: " " in words_phonemes([sign], voice)[0]) for text in texts]
    parts = [list(espeak_chunks.pieces(text)) for text, _ in prepared]
    speaker = espeak_chunks.Speaker(lambda pieces: spoken(pieces, voice))
    found = iter(speaker.speak([piece for pieces in parts for piece in pieces]))
    return [_clauses(pieces, found, places) for pieces, (_, places) in zip(parts, prepared, strict=True)]


def _clauses(
    pieces: Sequence[str], found: Iterator[espeak_chunks.Spoken], places: Sequence[int] | None = None
) -> list[Clause]:
    """The clauses of a text that was spoken in these pieces; takes one item of `found` for each. `places` are those of
    the pieces' characters in the text."""
    out, offset, start = [], 0, 0
    for piece in pieces:
        for end, phonemes in next(found):
            end = offset + end if places is None else places[offset + end]
            if "(" in phonemes:
                phonemes = " ".join(_LANGUAGE_SWITCH.sub("", phonemes).split())
            out.append(Clause(start, end, phonemes))
            start = end
        offset += len(piece)
    return out


def spoken(texts: Sequence[str], voice: str, mode: int = IPA) -> list[espeak_chunks.Spoken]:
    """Return what espeak-ng says of each text: where each clause ends, and its phonemes as espeak writes them.

    Raises:
        EspeakEndedError: espeak-ng crashed or took too long.
        ImportError, OSError, ValueError: as for `clauses`.
    """
    raw = [_NO_TEXT.sub(" ", text).encode("utf-8", "replace") for text in texts]
    answer = _PROCESS.ask(b"\0".join([_names(voice), b"%d" % mode, *raw]))
    if answer[:1] == espeak_worker.NO_VOICE:
        raise _no_voice(voice)
    return [[_clause(line) for line in lines.split("\n")] for lines in answer[1:].decode().split("\0")]


def _clause(line: str) -> tuple[int, str]:
    end, _, phonemes = line.partition(" ")
    return int(end), phonemes


def words_phonemes(words: Iterable[str], voice: str) -> list[str]:
    """Return each word spoken alone: words separated by spaces when it is read as several, such as a number."""
    words = list(words)
    if len(_ALONE) > _MOST_ALONE:
        _ALONE.clear()
    known = {word: _ALONE.get((word, voice)) for word in words}
    if new := [word for word, phonemes in known.items() if phonemes is None]:
        for word, phonemes in zip(new, _alone(new, voice), strict=True):
            known[word] = _ALONE[word, voice] = phonemes
    return [known[word] for word in words]


def _alone(words: Sequence[str], voice: str) -> list[str]:
    """Return what espeak says of each word; nothing for one that it says in a sentence and crashes on when alone."""
    try:
        found = clauses_of(words, voice)
    except EspeakError:
        return [""] if len(words) == 1 else [_alone([word], voice)[0] for word in words]
    return [" ".join(clause.phonemes for clause in clauses).strip() for clauses in found]


def voices() -> list[str]:
    """Return the names of all languages that espeak-ng speaks, sorted."""
    return sorted(_identifiers())


@functools.cache
def _identifiers() -> dict[str, bytes]:
    """Language -> the file of the first, and so best, voice that speaks it."""
    found = {}
    for line in _PROCESS.ask(b"")[1:].split(b"\n"):
        language, _, identifier = line.partition(b" ")
        found.setdefault(language.decode(), identifier)
    return found


def _no_voice(voice: str) -> ValueError:
    near = difflib.get_close_matches(voice.lower(), voices(), n=5, cutoff=0.4)
    near = near or [name for name in voices() if name[:1] == voice[:1].lower()]
    return ValueError(
        f"espeak-ng has no voice {voice!r}; the nearest are {near}. Set `phoneme_language` to one of "
        "`hf_vits.text.espeak.voices()`."
    )


@functools.lru_cache(maxsize=1024)
def _names(voice: str) -> bytes:
    """Return what espeak may call a voice, one a line: its language's file, its own name ("en-us+f3"), or an ISO code's
    voice."""
    identifiers = _identifiers()
    if voice in identifiers:
        return identifiers[voice]
    if not _NAME.fullmatch(voice):
        raise _no_voice(voice)
    iso = identifiers.get(voice_for(voice))
    return voice.encode() if iso is None else voice.encode() + b"\n" + iso
