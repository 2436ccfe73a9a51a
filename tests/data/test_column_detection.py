"""Columns of a table without a header have the meaning that its values show."""

import pytest

from hf_vits.data.column_detection import columns_of

WORDS = [
    "We went home.",
    "It rains again.",
    "Who is there?",
    "No one came.",
    "They sleep.",
    "Come in!",
    "Yes.",
    "Go on.",
]


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (lambda i: [f"a{i}", WORDS[i]], ["file_name", "text"]),
        (lambda i: [f"a{i}", ("ann", "bob")[i % 2], WORDS[i]], ["file_name", "speaker", "text"]),
        (lambda i: [f"a{i}", WORDS[i], WORDS[i].lower()], ["file_name", "text", "text"]),
        (lambda i: [f"a{i}", WORDS[i], ""], ["file_name", "text", "_"]),
        (lambda i: [f"a{i}", "ann", "en", WORDS[i]], ["file_name", "speaker", "_", "text"]),
    ],
)
def test_each_usual_table_is_recognized(tmp_path, row, columns):
    assert columns_of([(i + 1, row(i)) for i in range(8)], tmp_path, tmp_path / "table.csv") == columns


def test_a_header_is_an_error_that_says_how_columns_are_called(tmp_path):
    with pytest.raises(ValueError, match="looks like a header. Call the columns of recordings and texts file_name"):
        columns_of([(1, ["path", "sentence"]), (2, ["a", "b"])], tmp_path, tmp_path / "table.csv")
