"""EPUB books to spoken text: the documents of the spine in their order, without the table of contents."""

import io
import posixpath
import zipfile
from urllib.parse import unquote
from xml.parsers import expat

from hf_vits.documents import DOCUMENTS, SpokenText
from hf_vits.documents.html_text import safe_parser, xhtml_text

MAX_MEMBER, MAX_TEXT = 2**24, 2**26
"""Most bytes of a document of a book, and of all of them: a small file can hold gigabytes of zeros."""

MAX_DOCUMENTS = 10_000

TYPES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


@DOCUMENTS.register("epub")
def epub(content: bytes) -> SpokenText:
    """
    Return what is spoken of a book in EPUB 2 or 3.

    Args:
        content (`bytes`):
            The file.

    Raises:
        ValueError: for a file that is no book, is protected or too large, or holds no text.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _spoken(_Book(archive))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zipfile.zlib.error) as error:
        raise ValueError(f"it is no EPUB book, or a damaged one ({error}).") from error
    except RuntimeError as error:  # of zipfile, for a member with a password
        raise ValueError(f"it is encrypted ({error}).") from error


class _Book:
    """The members of a book, read within limits."""

    def __init__(self, archive: zipfile.ZipFile):
        self.archive, self.left = archive, MAX_TEXT
        self.names = set(archive.namelist())

    def read(self, name: str) -> bytes:
        if name not in self.names:
            raise ValueError(f"it names a file {name!r} that it does not hold.")
        with self.archive.open(name) as member:
            content = member.read(min(MAX_MEMBER, self.left) + 1)
        self.left -= len(content)
        if len(content) > MAX_MEMBER or self.left < 0:
            raise ValueError(f"its {name!r} is larger than {MAX_MEMBER:,} bytes, or all text than {MAX_TEXT:,}.")
        return content

    def elements(self, name: str) -> list[tuple[str, dict[str, str]]]:
        """Return the elements of an XML file, each with its attributes, without prefixes."""
        found: list[tuple[str, dict[str, str]]] = []
        parser = safe_parser()
        parser.StartElementHandler = lambda tag, attributes: found.append((tag.rpartition(":")[2], attributes))
        try:
            parser.Parse(self.read(name), True)
        except expat.ExpatError as error:
            raise ValueError(f"its {name!r} is damaged ({error}).") from error
        return found


def _spoken(book: _Book) -> SpokenText:
    container = book.elements("META-INF/container.xml")
    package = next((attributes.get("full-path", "") for tag, attributes in container if tag == "rootfile"), "")
    elements, folder = book.elements(package), posixpath.dirname(package)
    items = {attributes.get("id"): attributes for tag, attributes in elements if tag == "item"}
    spine = [attributes for tag, attributes in elements if tag == "itemref" and attributes.get("linear") != "no"]
    if len(spine) > MAX_DOCUMENTS:
        raise ValueError(f"it has {len(spine):,} documents; {MAX_DOCUMENTS:,} are allowed.")
    chapters, protected = [], _encrypted(book)
    for reference in spine:
        item = items.get(reference.get("idref"), {})
        if item.get("media-type") not in TYPES or "nav" in item.get("properties", "").split():
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        if name in protected:
            raise ValueError(f"its {name!r} is encrypted (DRM); it cannot be spoken.")
        chapters.append(xhtml_text(book.read(name)))
    text = "\n\n".join(filter(None, chapters))
    if not text:
        raise ValueError("it holds no text.")
    return SpokenText(text)


def _encrypted(book: _Book) -> set[str]:
    """Return the names of encrypted members."""
    if "META-INF/encryption.xml" not in book.names:
        return set()
    elements = book.elements("META-INF/encryption.xml")
    return {unquote(attributes.get("URI", "")) for tag, attributes in elements if tag == "CipherReference"}
