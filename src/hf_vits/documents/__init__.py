"""Read the text to speak out of documents: one module per format, by the ending of the file."""

from dataclasses import dataclass, field
from pathlib import Path

from hf_vits.utils.registry import Registry

DOCUMENTS: Registry = Registry(
    "format of documents",
    {
        "md": "hf_vits.documents.markdown",
        "markdown": "hf_vits.documents.markdown",
        "epub": "hf_vits.documents.epub",
    },
)
"""Formats by the ending of a file, in lower case: functions of its bytes that return a [`SpokenText`]. Files of other
endings are plain text."""

MAX_BYTES = 2**28
"""Largest file that is read: an illustrated book."""


@dataclass
class SpokenText:
    """
    The text of a document that is spoken.

    Args:
        text (`str`):
            Paragraphs, separated by empty lines.
        omitted (`list[str]`, *optional*):
            What is not spoken, such as "2 blocks of code".
    """

    text: str
    omitted: list[str] = field(default_factory=list)


def is_document(path: str | Path) -> bool:
    """Return True for a file that is not plain text, by its ending."""
    return Path(path).suffix.lstrip(".").lower() in DOCUMENTS


def read_document(path: str | Path) -> SpokenText:
    """
    Read a document: Markdown (`.md`), or a book (`.epub`).

    Args:
        path (`str` or `Path`):
            The file.

    Raises:
        ValueError: for a damaged, encrypted or oversized file, or one without text; names it.
        ImportError: without a package that it needs; names the extra.
        OSError: if it cannot be read.

    Example:

    ```python
    >>> from pathlib import Path
    >>> from hf_vits.documents import read_document

    >>> _ = Path("note.md").write_text("# Title\\n\\nSome *words* and a [link](https://example.org).\\n")
    >>> read_document("note.md").text
    'Title\\n\\nSome words and a link.'
    ```
    """
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES:,} bytes, which is too much for a document.")
    try:
        return DOCUMENTS[path.suffix.lstrip(".").lower()](path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
