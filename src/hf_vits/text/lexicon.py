"""Lexicons: how words are pronounced, as phonemes or as other words, in a table of tab-separated values.

A line has a word or phrase, its phonemes in `[[ ]]` or `/ /` or what to read in its place, and optionally a language:

    Nguyen	[[wˈɪn]]
    GIF	jiff	en
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hf_vits.text.espeak import voice_for
from hf_vits.text.phoneme_blocks import IDEOGRAPHS
from hf_vits.utils.formatting import quoted

FILE = "lexicon.tsv"
"""Name of a lexicon in the folder of a voice, and in that of a user's settings."""

_UNSPACED = IDEOGRAPHS + "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff"  # each character is a token
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+|\s+|[^\w\s]|_")
_PHONEMES = re.compile(r"\[\[([^\[\]]*)\]\]|/([^/\[\]]*)/")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*")


class Entry(NamedTuple):
    """
    A word and its reading.

    Args:
        word (`str`):
            A word or phrase. In small letters it stands for any case, otherwise for that case only.
        reading (`str`):
            Phonemes in `[[ ]]`, or other words.
        language (`str`):
            ISO code or espeak voice; empty for all.
        source (`str`):
            File and line, for errors.
    """

    word: str
    reading: str
    language: str
    source: str

    @property
    def is_phonemes(self) -> bool:
        """True if the reading is phonemes."""
        return self.reading.startswith("[[")

    @property
    def is_any_case(self) -> bool:
        """True if the word is written in small letters."""
        return self.word == self.word.lower()

    def is_for(self, voice: str) -> bool:
        """Return True if the entry applies to texts of an espeak voice or language."""
        own, other = voice_for(self.language).lower(), voice_for(voice).lower().split("+")[0]
        return not self.language or other == own or other.startswith(f"{self.language.lower()}-")


@dataclass(frozen=True)
class Lexicon:
    """
    The readings of words. Of several at one place the longest counts, then one in exact case, one of the language, and
    the last one.

    Args:
        entries (`tuple[Entry, ...]`):
            All entries.

    Example:

    ```python
    >>> from hf_vits.text.lexicon import Lexicon

    >>> lexicon = Lexicon.of({"Nguyen": "[[wˈɪn]]", "gif": "jiff"})
    >>> [(match.word, start, end) for start, end, match in lexicon.matches("A GIF by Nguyen", "en-us")]
    [('gif', 2, 5), ('Nguyen', 9, 15)]
    ```
    """

    entries: tuple[Entry, ...] = ()
    _indexes: dict[str, dict] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, source: "Lexicon | Mapping[str, str] | str | os.PathLike | None") -> "Lexicon":
        """
        Return a lexicon as it is, of a dictionary of words, or of a file.

        Raises:
            OSError: for a file that cannot be read.
            ValueError: for a wrong line or entry; names it.
        """
        if source is None:
            return cls()
        if isinstance(source, cls):
            return source
        if isinstance(source, Mapping):
            return cls(tuple(_entry(f"The entry {quoted(word)}", word, said) for word, said in source.items()))
        if isinstance(source, str | os.PathLike):
            return cls(tuple(_lines(Path(source).expanduser())))
        raise ValueError(f"A lexicon is a file or a dictionary of words, and this is a {type(source).__name__}.")

    def __add__(self, other: "Lexicon") -> "Lexicon":
        return Lexicon(self.entries + other.entries)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def without_phonemes(self) -> "Lexicon":
        """Return the entries that a voice of letters can read."""
        return Lexicon(tuple(entry for entry in self.entries if not entry.is_phonemes))

    def table(self) -> str:
        """Return the lexicon as tab-separated values."""
        return "".join("\t".join(filter(None, entry[:3])) + "\n" for entry in self.entries)

    def matches(self, text: str, voice: str | None) -> Iterator[tuple[int, int, Entry]]:
        """Yield the places of words of the lexicon in a text, with their entries, in order."""
        if not (index := self._index(voice or "")):
            return
        tokens = [(match[0] if match[0].strip() else " ", match.span()) for match in _TOKEN.finditer(text)]
        place = 0
        while place < len(tokens):
            length = 1
            for words, entry in index.get(tokens[place][0].lower(), ()):
                written = [token for token, _ in tokens[place : place + len(words)]]
                if words == ([word.lower() for word in written] if entry.is_any_case else written):
                    length = len(words)
                    yield tokens[place][1][0], tokens[place + length - 1][1][1], entry
                    break
            place += length

    def _index(self, voice: str) -> dict[str, list[tuple[list[str], Entry]]]:
        """Return the entries for a voice by their first token in small letters, in the order in which they count."""
        if voice not in self._indexes:
            index = self._indexes[voice] = {}
            for entry in reversed(self.entries):
                if entry.is_for(voice):
                    words = [match[0] if match[0].strip() else " " for match in _TOKEN.finditer(entry.word)]
                    index.setdefault(words[0].lower(), []).append((words, entry))
            for entries in index.values():
                entries.sort(key=lambda item: (-len(item[0]), item[1].is_any_case, not item[1].language))
        return self._indexes[voice]


def user_lexicon() -> Path:
    """Return the place of a user's own lexicon, `hf_vits/lexicon.tsv` in the folder of settings, if there is one."""
    folder = os.environ.get("XDG_CONFIG_HOME") or (os.environ.get("APPDATA") if os.name == "nt" else None)
    return Path(folder or Path.home() / ".config") / "hf_vits" / FILE


def read_beside(voice: str | os.PathLike, **options: Any) -> Lexicon:
    """
    Return the lexicon in the folder of a voice or on the Hub, empty if there is none.

    Raises:
        ValueError: for a wrong line.
    """
    from transformers.utils import cached_file

    if Path(voice).is_file():
        return Lexicon()
    names = ("subfolder", "revision", "token", "cache_dir", "local_files_only", "force_download", "proxies")
    given = {name: options[name] for name in names if options.get(name)}
    return Lexicon.of(cached_file(voice, FILE, _raise_exceptions_for_missing_entries=False, **given))


def write_beside(lexicon: Lexicon, folder: str | os.PathLike) -> tuple[str, ...]:
    """Write a lexicon into the folder of a voice, and return the name of the file; nothing if it is empty."""
    if not lexicon:
        return ()
    path = Path(folder) / FILE
    path.write_text(lexicon.table(), encoding="utf-8")
    return (str(path),)


def _lines(path: Path) -> Iterator[Entry]:
    """Yield the entries of a file; `#` begins a comment."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; a lexicon is a table of words and their readings.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); convert it.") from error
    seen: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        source, columns = f"{path}, line {number}", line.rstrip().split("\t")
        if not 2 <= len(columns) <= 3:
            raise ValueError(
                f"{source} has {len(columns)} columns: {quoted(line)}. Write a word, a tab and its phonemes in [[ ]] "
                "or what to read in its place; a language may follow after another tab."
            )
        entry = _entry(source, *columns)
        first = seen.setdefault((entry.word, entry.language), number)
        if first != number:
            raise ValueError(f"{source} has {quoted(entry.word)}, which is on line {first} too; keep one of them.")
        yield entry


def _entry(source: str, word: str, reading: str, language: str = "") -> Entry:
    """Return a checked entry, with phonemes in `[[ ]]`."""
    word, reading, language = (part.strip() if isinstance(part, str) else part for part in (word, reading, language))
    if not isinstance(word, str) or not isinstance(reading, str) or not word or not reading:
        raise ValueError(f"{source} has an empty word or reading; give both as text.")
    if language and not _LANGUAGE.fullmatch(language):
        raise ValueError(f"{source} has the language {quoted(language)}; write a code such as en or en-gb.")
    if phonemes := _PHONEMES.fullmatch(reading):
        inside = (phonemes[1] or phonemes[2] or "").strip()
        if not inside:
            raise ValueError(f"{source} has no phonemes between the marks; write some, or what to read.")
        reading = f"[[{inside}]]"
    elif "[[" in reading or "]]" in reading:
        raise ValueError(f"{source} mixes phonemes and words: {quoted(reading)}. Write one of them.")
    if "[[" in word or "]]" in word:
        raise ValueError(f"{source} has the word {quoted(word)}; text in [[ ]] is phonemes already.")
    return Entry(word, reading, language, source)


def refuse_phonemes(entries: Iterable[Entry]) -> None:
    """Raise `ValueError` if an entry has phonemes, for a voice of letters; names it."""
    for entry in entries:
        if entry.is_phonemes:
            raise ValueError(
                f"{entry.source} gives phonemes for {quoted(entry.word)}, but this voice reads letters; write how the "
                "word would be spelled instead."
            )
