"""Markdown as a person reads it aloud."""

import sys

import pytest

from hf_vits.documents import is_document, read_document

NOTE = """---
title: not this
---

# A *title* #

Some **bold** words on
two lines with `code` and a [link](https://example.org "t"), ![a horse](h.png) &amp; <span>more</span>.

- one
- two
  1. three

> A quote.\\
> Its second line.

| a | b |
|---|---|
| c | d |

```python
print("not this")
```

    nor this

***

<div>An <b>HTML</b> block.</div>

Last \\*one\\*.
"""


@pytest.fixture
def note(tmp_path):
    pytest.importorskip("markdown_it")

    def make(content):
        (tmp_path / "a.md").write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "a.md"

    return make


def test_markup_goes_and_words_stay(note):
    found = read_document(note(NOTE))
    assert found.text.split("\n\n") == [
        "A title",
        "Some bold words on two lines with code and a link, a horse & more.",
        "one",
        "two",
        "three",
        "A quote.\nIts second line.",
        "a, b",
        "c, d",
        "An HTML block.",
        "Last *one*.",
    ]
    assert found.omitted == ["2 blocks of code"]


def test_plain_text_stays_as_it_is(note):
    assert read_document(note("One line.\n\nAnother -- 5 * 3, a_b_c.")).text == "One line.\n\nAnother -- 5 * 3, a_b_c."
    assert read_document(note("Wörter".encode("utf-8-sig"))).text == "Wörter"
    assert is_document("a.MD") and not is_document("a.txt")


def test_marks_of_notes_are_not_spoken(note):
    found = read_document(note("Here[^1] and there[^long].\n\nA class [^ab].\n\n[^1]: One.\n[^long]: Two."))
    assert found.text.split("\n\n") == ["Here and there.", "A class [^ab].", "One.", "Two."]


def test_other_encodings_are_named(note):
    with pytest.raises(ValueError, match="a.md cannot be read: it is not UTF-8"):
        read_document(note("Wörter".encode("latin-1")))


def test_without_the_package_the_error_names_the_extra(note, monkeypatch):
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    with pytest.raises(ImportError, match=r'pip install "hf_vits\[documents\]"'):
        read_document(note("a"))
