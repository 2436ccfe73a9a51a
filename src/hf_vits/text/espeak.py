"""espeak-ng through its shared library: text to clauses of phonemes, with the place of each clause in the text."""

import ctypes
import ctypes.util
import difflib
import functools
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

_IPA = 2  # phoneme mode of espeak_TextToPhonemes
_UTF8 = 1
_RETRIEVAL = 1  # audio output mode of espeak_Initialize that opens no sound device
_DO_NOT_EXIT = 0x8000  # else espeak ends the process when its data is missing
# espeak 1.52 writes past its buffer in a row of some 190 single letters with full stops ("p.m. p.m. ..."), whatever
# other marks and white space stand between them. One word of two letters ends the row.
_DOTTED_RUN = re.compile(r"(?:(?<![^\W_])[^\W_](?:[^\w.]|_)*\.[\W_]*){32}")
# Its Vietnamese voices read past theirs at a grave accent without a word, and at a hyphen between a mark and a word.
_UNSAFE_IN_VIETNAMESE = re.compile(r"`|(?<=[^\w\s]|_)-")
_VARIABLE = "PHONEMIZER_ESPEAK_LIBRARY"
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
_NOTHING = ctypes.create_string_buffer(b"")
_LOCK = threading.RLock()  # the library keeps its state in globals
if hasattr(os, "register_at_fork"):  # a child forked while another thread speaks must not wait for that thread for ever
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


@dataclass(frozen=True)
class Clause:
    """The phonemes of characters start to end of a text, words separated by single spaces."""

    start: int
    end: int
    phonemes: str


def voice_for(language: str | None) -> str:
    """The espeak voice of a language given as ISO 639-3, ISO 639-1 or espeak's own name; American English for None."""
    return "en-us" if language is None else _ISO.get(language.lower(), language.lower())


def clauses(text: str, voice: str) -> list[Clause]:
    """The text as espeak divides it, in order; the clauses cover the text without gap or overlap.

    Raises:
        ImportError: no espeak-ng library was found.
        ValueError: espeak-ng has no such voice.
    """
    if voice.lower().startswith("vi"):
        text = _UNSAFE_IN_VIETNAMESE.sub(" ", text)
    cuts = [0, *(run.end() for run in _DOTTED_RUN.finditer(text)), len(text)]
    found = []
    with _LOCK:
        library = _with_voice(voice)
        for start, end in zip(cuts, cuts[1:], strict=False):
            found += _read(library, text[start:end], start)
    return found


def _read(library: ctypes.CDLL, text: str, offset: int) -> list[Clause]:
    """Has espeak read a text that stands `offset` characters into the whole one."""
    raw = text.replace("\0", " ").encode("utf-8", "replace")
    buffer = ctypes.create_string_buffer(raw)
    base = ctypes.addressof(buffer)
    pointer, found, start, seen, bytes_seen = ctypes.c_void_p(base), [], 0, 0, 0
    while pointer.value:
        phonemes = (library.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, _IPA) or b"").decode()
        if pointer.value:  # espeak has read one character of the next clause
            seen += len(raw[bytes_seen : pointer.value - base].decode("utf-8", "ignore"))
            bytes_seen = pointer.value - base
            end = max(start, seen - 1)
        else:
            end = len(text)
        found.append(Clause(offset + start, offset + end, " ".join(_LANGUAGE_SWITCH.sub("", phonemes).split())))
        start = end
    # Else the second full stop of a text that ends with two is spoken at the beginning of the next text.
    library.espeak_TextToPhonemes(ctypes.byref(ctypes.c_void_p(ctypes.addressof(_NOTHING))), _UTF8, _IPA)
    return found


@functools.lru_cache(maxsize=16384)
def word_phonemes(word: str, voice: str) -> str:
    """A word spoken alone; words separated by spaces when it is read as several, such as a number."""
    return " ".join(clause.phonemes for clause in clauses(word, voice)).strip()


def voices() -> list[str]:
    """The names of all languages that espeak-ng speaks, sorted."""
    with _LOCK:
        return sorted(_identifiers())


@functools.cache
def _identifiers() -> dict[str, bytes]:
    """Language -> the file of the first, and so best, voice that speaks it."""
    library = _library()
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    listed, i, found = library.espeak_ListVoices(None), 0, {}
    while listed[i]:
        voice = listed[i].contents
        found.setdefault(voice.languages[1:].decode(), voice.identifier)  # the first byte is a priority
        i += 1
    return found


def library_paths() -> tuple[str, str | None]:
    """The shared library and its data folder: the environment's, else the espeakng_loader package's, else the system's.

    Raises:
        ImportError: none of them exists.
    """
    if path := os.environ.get(_VARIABLE):
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


class _Voice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p)]


class _State:
    """The voice that the library is set to; setting one reads files."""

    voice: str | None = None


@functools.cache
def _library() -> ctypes.CDLL:
    path, data = library_paths()
    try:
        library = ctypes.CDLL(path)
        speaks = library.espeak_Initialize(_RETRIEVAL, 0, data.encode() if data else None, _DO_NOT_EXIT) > 0
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    except (OSError, AttributeError) as error:  # no library, or none of espeak-ng
        chosen = _VARIABLE in os.environ
        cure = f"Set {_VARIABLE} to espeak-ng's shared library, or unset it" if chosen else "Install it again"
        raise ImportError(f"{path} cannot be used as the library of espeak-ng ({error}). {cure}.") from error
    if not speaks:
        raise ImportError(f"espeak-ng ({path}) could not read its data folder {data}. Install it again.")
    return library


def _with_voice(voice: str) -> ctypes.CDLL:
    library = _library()
    if _State.voice != voice:
        _State.voice = None  # whatever a refused name leaves behind
        if not any(library.espeak_SetVoiceByName(name) == 0 for name in _names(voice)):
            near = difflib.get_close_matches(voice.lower(), voices(), n=5, cutoff=0.4)
            near = near or [name for name in voices() if name[:1] == voice[:1].lower()]
            raise ValueError(
                f"espeak-ng has no voice {voice!r}; the nearest are {near}. Set `phoneme_language` to one of "
                "`hf_vits.text.espeak.voices()`."
            )
        _State.voice = voice
    return library


def _names(voice: str) -> Iterator[bytes]:
    """What espeak may call a voice: its language's file, its own name ("en-us+f3"), or an ISO code's voice."""
    identifiers = _identifiers()
    if voice in identifiers:
        yield identifiers[voice]
    elif _NAME.fullmatch(voice):
        yield voice.encode()
        if (iso := voice_for(voice)) in identifiers:
            yield identifiers[iso]
