"""Plain sentences that come with the package, for a voice to speak where a user gives no texts."""

import functools
import json
from pathlib import Path

from hf_vits.text.espeak import voice_for

_FILE = Path(__file__).with_name("sentences.json")


def plain_sentences(language: str | None) -> list[str]:
    """
    Return sentences of varied phonemes and lengths, with questions, and numbers as words.

    Args:
        language (`str`, *optional*):
            Language of a voice, as ISO 639-1 or 639-3 code or espeak voice: `VitsTokenizer.text_language`.

    Raises:
        ValueError: for a language without sentences, or none; lists those that have some.

    Example:

    ```python
    >>> from hf_vits.text.sentences import plain_sentences

    >>> len(plain_sentences("en-us"))
    60
    ```
    """
    table = _table()
    code = voice_for(language).split("-")[0] if language else None
    if code not in table:
        unknown = f"the language {language!r}" if language else "a voice whose language is unknown"
        raise ValueError(f"There are no built-in sentences for {unknown}, but for {', '.join(table)}; give texts.")
    return list(table[code])


@functools.cache
def _table() -> dict[str, list[str]]:
    return json.loads(_FILE.read_text(encoding="utf-8"))
