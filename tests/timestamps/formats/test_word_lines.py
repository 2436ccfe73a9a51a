"""Files with a line for each word."""

import pytest


def test_lines_of_words_have_their_fields(write, timestamps):
    words = timestamps["word"]
    lines = [line.split("\t") for line in write("a b.txt").read_text(encoding="utf-8").splitlines()]
    assert [line[2] for line in lines] == [word["text"] for word in words]
    assert [float(line[0]) for line in lines] == pytest.approx([word["start"] for word in words], abs=1e-6)
    assert [float(line[1]) for line in lines] == pytest.approx([word["end"] for word in words], abs=1e-6)
    lines = [line.split() for line in write("a b.ctm").read_text(encoding="utf-8").splitlines()]
    assert {(line[0], line[1], len(line)) for line in lines} == {("a_b", "1", 5)}
    assert [float(line[3]) for line in lines] == pytest.approx([w["end"] - w["start"] for w in words], abs=1e-6)
    assert [line[4] for line in lines] == ["_".join(word["text"].split()) for word in words]
