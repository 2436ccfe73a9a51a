"""The words of HTML and XHTML, and nothing of what attackers put into it."""

import time

import pytest

from hf_vits.documents.html_text import html_text, xhtml_text

PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
<head><title>Not this</title><style>p {color: red}</style></head>
<body>
<h1>Chapter&nbsp;One</h1>
<p>A <em>first</em> line,
wrapped&mdash;and on.<a epub:type="noteref" href="#n1">12</a></p>
<p>Verse one<br/>verse two</p>
<span epub:type="pagebreak" title="7">7</span>
<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby> <img src="a.png" alt="a horse"/> &#233;&lt;</p>
<table><tr><td>One</td><td>two</td></tr><tr><td>three</td></tr></table>
<script>var x = "<p>no</p>";</script><p hidden="hidden">not this</p>
</body></html>"""
WORDS = [
    "Chapter One",
    "A first line, wrapped—and on.",
    "Verse one\nverse two",
    "漢 a horse é<",
    "One, two",
    "three",
]


def test_a_page_is_its_paragraphs():
    page = PAGE.replace('var x = "<p>no</p>";', "x")
    assert xhtml_text(page.encode()).split("\n\n") == WORDS
    assert xhtml_text(page.replace("utf-8", "utf-16").encode("utf-16")).split("\n\n") == WORDS


def test_malformed_xhtml_is_read_as_html():
    page = PAGE.replace("</em>", "").replace("<br/>", "<br>").replace("é<", "é")
    assert xhtml_text(page.encode()).split("\n\n")[:3] == WORDS[:3]
    assert html_text("<p>a<p>b</i></div> c & d<br>e").split("\n\n") == ["a", "b", "c & d\ne"]


@pytest.mark.parametrize(
    "declared",
    ['<!ENTITY a "aaaaaaaa">', '<!ENTITY a SYSTEM "file:///etc/passwd">', '<!ENTITY % a SYSTEM "b.dtd"> %a;'],
)
def test_definitions_of_entities_are_refused(declared):
    with pytest.raises(ValueError, match="defines the entity 'a'"):
        xhtml_text(f"<!DOCTYPE html [{declared}]><html><body>&a;</body></html>".encode())


HOSTILE = [
    "<p>",
    "<b>",
    "</i>",
    "<!--",
    "<p a='",
    '<a b="x',
    "<a ",
    "</a",
    "<",
    "</",
    "<?",
    "<![CDATA[",
    "&amp",
    "<script>",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_pages_take_a_time_that_grows_with_their_length(part):
    for page in (part * 20_000, "<p>" + part * 20_000, f"<p {part * 20_000}>"):
        start = time.process_time()
        xhtml_text(page.encode())
        assert time.process_time() - start < 1.5
