"""Code and documentation use the terms of the field."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TERMS = {
    r"judge[sd]?|judgement|judging": "discriminator",
    r"held[- _]?out": "evaluation set, eval",
    r"mend(s|ed|ing)?": "fix",
    r"(re)?spel(t|led|ling)s?(?= of (its |the )?weight norm)|respell\w*": "format",
    r"to the bit": "bitwise identical",
    r"licences?|licenced": "license",
    r"heard|hushed|(un)?told|seams?|learnt": "the object and the verb",
    r"by lot|(?<!a )lots?": "random split",
    r"strangers?": "reviewer",
    r"(evaluate|save|log)_every|fresh_steps|evaluation_clips|features_weight|epoch_decay": "a TrainingArguments name",
}
ALLOWED = (
    r"heldout\.txt",  # a file of data folders that exist
    r"cannot be told apart",
    r"\b[Jj]udge (progress|before)|samples numbers differ|for you to judge",  # a user does
    r'^ +"\w+": "\w+",$',  # the table of former names of settings
)
PLACES = ("src", "docs", "examples", "model_cards", "tests")
FILES = sorted(
    [
        file
        for place in PLACES
        for suffix in ("py", "md", "json")
        for file in (ROOT / place).rglob(f"*.{suffix}")
        if file != Path(__file__)
    ]
    + [*(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "benchmarks").glob("*.md")]
    + [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "setup.py"]
)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("pattern, term", TERMS.items(), ids=[term for term in TERMS.values()])
def test_no_other_word_stands_for_a_term_of_the_field(pattern, term):
    found = []
    for file in FILES:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            rest = re.sub("|".join(ALLOWED), "", line)
            if match := re.search(rf"(?<![A-Za-z])({pattern})(?![a-z])", rest, re.IGNORECASE):
                found.append(f"{file.relative_to(ROOT)}:{number}: {match[0]} in {line.strip()[:80]}")
    assert not found, f"Write {term}."
