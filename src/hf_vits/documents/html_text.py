"""HTML and XHTML to spoken text, without expanding entities that a file defines."""

import html
import re
from xml.parsers import expat

is_block = re.compile(
    "address|article|aside|blockquote|body|caption|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|"
    "header|hr|li|main|nav|ol|p|pre|section|table|tr|ul"
).fullmatch
"""Match an element that is a paragraph of its own."""

is_silent = re.compile("head|script|style|template|svg|math|rt|rp|noscript|iframe|object|audio|video").fullmatch
"""Match an element whose content is not spoken; the reading aids of ruby text repeat it."""

is_empty = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr").fullmatch
"""Match an element of HTML without an end tag."""

SILENT_KINDS = ("noteref", "pagebreak")
"""Kinds of content (`epub:type`, `role`) that are not spoken: marks of notes, and numbers of pages."""

_UNSPOKEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|<[!?][^>]*>?", re.DOTALL | re.IGNORECASE)
_PARTS = re.compile(r"<(/?)([a-zA-Z][\w:.-]*+)([^<>]*+)>|<[^<>]*+>?|([^<]+)")
_ATTRIBUTES = re.compile(r"""(?<![\w:.-])([\w:.-]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?""")


class _Collector:
    """Collect the words of elements."""

    def __init__(self):
        self.parts: list[str] = []
        self.open: list[tuple[str, bool]] = []  # elements, and whether they are silent
        self.silent = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2].lower()
        kinds = f"{attributes.get('epub:type') or ''} {attributes.get('role') or ''}"
        silences = bool(is_silent(name)) or "hidden" in attributes or any(kind in kinds for kind in SILENT_KINDS)
        if name == "img" and not self.silent and (described := attributes.get("alt")):
            self.parts.append(f" {described} ")
        self.add_break(name)
        if not is_empty(name):
            self.open.append((name, silences))
            self.silent += silences

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2].lower()
        places = [i for i in range(len(self.open) - 1, max(-1, len(self.open) - 33), -1) if self.open[i][0] == name]
        if places:  # elements within it that were left open end with it
            self.silent -= sum(silences for _, silences in self.open[places[0] :])
            del self.open[places[0] :]
        self.add_break(name)

    def add_break(self, name: str) -> None:
        self.parts.append("\0" if is_block(name) else "\1" if name == "br" else ", " if name in ("td", "th") else "")

    def data(self, text: str) -> None:
        if not self.silent:
            self.parts.append(text)

    @property
    def text(self) -> str:
        blocks = re.sub(r"\s+", " ", "".join(self.parts)).split("\0")
        lines = ([line.strip(" ,") for line in re.sub(r"( ?, )+", ", ", block).split("\1")] for block in blocks)
        return "\n\n".join(filter(None, ("\n".join(filter(None, block)) for block in lines)))


def html_text(markup: str) -> str:
    """
    Return the words of HTML, well-formed or not.

    Python's `html.parser` takes a time that grows with the square of hostile input; these expressions take one pass.
    """
    collector = _Collector()
    for slash, name, attributes, text in _PARTS.findall(_UNSPOKEN.sub("", markup)):
        if text:
            collector.data(html.unescape(text))
        elif name and slash:
            collector.end(name)
        elif name:
            found = {key: html.unescape(a or b or c) for key, a, b, c in _ATTRIBUTES.findall(attributes)}
            collector.start(name, found)
            if attributes.endswith("/") and not is_empty(name.lower()):
                collector.end(name)
    return collector.text


def xhtml_text(markup: bytes) -> str:
    """
    Return the words of XHTML; of markup that is not well-formed, what HTML takes it for.

    Raises:
        ValueError: if it defines entities, which could expand without bounds.
    """
    collector = _Collector()
    parser = safe_parser()
    parser.StartElementHandler, parser.EndElementHandler = collector.start, collector.end
    parser.CharacterDataHandler = collector.data
    parser.SkippedEntityHandler = lambda name, is_parameter: is_parameter or collector.data(html.unescape(f"&{name};"))
    try:
        parser.Parse(markup, True)
    except expat.ExpatError:
        return html_text(markup.decode("utf-16" if markup[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace"))
    return collector.text


def safe_parser() -> "expat.XMLParserType":
    """Return an XML parser that reads no other file, and raises `ValueError` for definitions of entities."""
    parser = expat.ParserCreate()
    parser.UseForeignDTD(True)  # so that the entities of XHTML are reported, not errors
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.EntityDeclHandler = _refuse
    return parser


def _refuse(name: str, *_) -> None:
    raise ValueError(f"it defines the entity {name!r}, which books have no use for and attacks do.")
