"""Markdown to spoken text: markup goes, words stay."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hf_vits.documents import DOCUMENTS, SpokenText
from hf_vits.documents.html_text import html_text

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(---|\.\.\.)[ \t]*(\n|\Z)", re.DOTALL)
_NOTE = re.compile(r"^ {0,3}\[\^([^\]\s]+)\]:[ \t]*", re.MULTILINE)
_NOTE_MARK = re.compile(r"\[\^([^\]\s]+)\]")


@DOCUMENTS.register("md")
@DOCUMENTS.register("markdown")
def markdown(content: bytes) -> SpokenText:
    """
    Return what is spoken of Markdown: links and images by their texts, tables row by row.

    Blocks of code are omitted, and so are YAML at the beginning and the marks of notes.

    Args:
        content (`bytes`):
            UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n"), count=1)
    notes = set(_NOTE.findall(text))
    text = _NOTE_MARK.sub(lambda mark: "" if mark[1] in notes else mark[0], _NOTE.sub("\n", text))
    blocks, cells, code = [], None, 0
    for token in _parser().parse(text):
        if token.type == "tr_open":
            cells = []
        elif token.type == "tr_close":
            blocks.append(", ".join(filter(None, cells or [])))
            cells = None
        elif token.type == "inline":
            (blocks if cells is None else cells).append(_words(token.children or []))
        elif token.type in ("fence", "code_block"):
            code += 1
        elif token.type == "html_block":
            blocks.append(html_text(token.content))
    omitted = [f"{code} block{'s' * (code > 1)} of code"] if code else []
    return SpokenText("\n\n".join(block for block in blocks if block.strip()), omitted)


def _words(tokens: Sequence["Token"]) -> str:
    """Return the text of a paragraph; lines that were wrapped are one."""
    parts = []
    for token in tokens:
        if token.type == "image":
            parts.append(_words(token.children or []))
        elif token.type in ("text", "code_inline", "text_special"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" " if token.type == "softbreak" else "\n")
    return "".join(parts)


def _parser():
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise ImportError(
            'Reading Markdown needs the package markdown-it-py: `pip install "hf_vits[documents]"`.'
        ) from error
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])
