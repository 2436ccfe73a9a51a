"""Books as their readers find them: in the order of the spine, within limits."""

import io
import zipfile

import pytest

from hf_vits.documents import read_document

CONTAINER = """<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">
<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="text/chapter%202.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/1.xhtml" media-type="application/xhtml+xml"/>
<item id="c" href="cover.png" media-type="image/png"/>
<item id="n" href="notes.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="nav"/><itemref idref="c"/><itemref idref="a"/><itemref idref="b"/>
<itemref idref="n" linear="no"/></spine></package>"""
MEMBERS = {
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": PACKAGE,
    "OEBPS/nav.xhtml": "<html><body><p>Contents</p></body></html>",
    "OEBPS/text/1.xhtml": "<html><body><h1>One</h1><p>First.</p></body></html>",
    "OEBPS/text/chapter 2.xhtml": "<html><body><p>Second.</p></body></html>",
    "OEBPS/notes.xhtml": "<html><body><p>Notes</p></body></html>",
}


@pytest.fixture
def book(tmp_path):
    def make(**changed):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in {**MEMBERS, **changed}.items():
                if text is not None:
                    archive.writestr(name, text)
        (tmp_path / "a.epub").write_bytes(content.getvalue())
        return tmp_path / "a.epub"

    return make


def test_a_book_is_the_documents_of_its_spine_in_order(book):
    assert read_document(book()).text == "One\n\nFirst.\n\nSecond."


ENCRYPTION = '<encryption xmlns:enc="e"><enc:CipherReference URI="OEBPS/text/1.xhtml"/></encryption>'


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"META-INF/container.xml": None}, "'META-INF/container.xml' that it does not hold"),
        ({"META-INF/container.xml": "<a/>"}, "names a file '' that"),
        ({"OEBPS/book.opf": "<package"}, "'OEBPS/book.opf' is damaged"),
        ({"OEBPS/book.opf": "<package/>"}, "holds no text"),
        ({"OEBPS/book.opf": "<p>" + "<itemref idref='a'/>" * 10_001 + "</p>"}, "it has 10,001 documents"),
        ({"OEBPS/text/1.xhtml": None}, "'OEBPS/text/1.xhtml' that it does not hold"),
        ({"META-INF/encryption.xml": ENCRYPTION}, "encrypted"),
        ({"OEBPS/text/1.xhtml": "<p>" + "a" * 2**25 + "</p>"}, "larger than 16,777,216 bytes"),
        ({"OEBPS/book.opf": '<!DOCTYPE p [<!ENTITY x "y">]><package/>'}, "defines the entity 'x'"),
        ({"OEBPS/book.opf": PACKAGE.replace("text/1.xhtml", "../../etc/passwd")}, "'../etc/passwd' that it does not"),
    ],
)
def test_what_is_no_book_is_one_sentence(book, changed, named):
    file = book(**changed)
    assert file.stat().st_size < 100_000
    with pytest.raises(ValueError, match="a.epub cannot be read: ") as raised:
        read_document(file)
    assert named in str(raised.value)


def test_what_is_no_archive_is_one_sentence(tmp_path, book):
    whole = book().read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], whole[:-30]):
        (tmp_path / "b.epub").write_bytes(content)
        with pytest.raises(ValueError, match="is no EPUB book, or a damaged one"):
            read_document(tmp_path / "b.epub")
