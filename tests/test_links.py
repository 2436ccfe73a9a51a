"""Links of the documentation lead somewhere, and the API reference has every public name."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for part in ("docs", "examples", "benchmarks", "model_cards") for page in (ROOT / part).rglob("*.md")),
    ]
)
LINK = re.compile(r"\]\(([^()\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
PACKAGES = (
    "hf_vits",
    "hf_vits.training",
    "hf_vits.synthesis",
    "hf_vits.conversion",
    "hf_vits.export",
    "hf_vits.doctor",
)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and MkDocs make them, and those of its API entries."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_or_a_heading_leads_there(page):
    dead = []
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue  # another site
        target = (page.parent / path).resolve() if path else page
        is_outside = page.is_relative_to(ROOT / "docs") and not target.is_relative_to(ROOT / "docs")
        if is_outside or not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


def entry_of(name):
    """Return the object of an entry of the reference; `None` if there is none of that name."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return None


@pytest.fixture(scope="module")
def reference():
    pages = (ROOT / "docs" / "reference").glob("*.md")
    return {entry: entry_of(entry) for page in pages for entry in anchors(page) if "." in entry}


def test_every_entry_of_the_api_reference_exists(reference):
    assert not [name for name, value in reference.items() if value is None]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_api_reference_has_an_entry_for_every_public_name(package, reference):
    module, documented = importlib.import_module(package), {id(value) for value in reference.values()}
    missing = [name for name in module.__all__ if id(getattr(module, name)) not in documented]
    assert not missing, f"docs/reference/*.md has no `::: ` entry for {missing} of {package}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_source_file_that_a_page_names_exists(page):
    named = set(re.findall(r"`([\w./-]+/[\w-]+\.py)`", page.read_text(encoding="utf-8")))
    places = (ROOT, ROOT / "src" / "hf_vits", page.parent)
    assert not {name for name in named if not any((place / name).exists() for place in places)}
