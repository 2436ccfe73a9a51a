"""Every row, cell and word of a table comes out, whatever it looks like."""

import csv
import io

import pytest

from hf_vits.data.tables import numbers_or_texts, read_lines, read_table, read_text

CELLS = [
    ["text", "n"],
    ['"Hello, he said', "1"],
    ["null", "2"],
    ["NA", "3"],
    ['so"', "4"],
    ["it's; a|b", "5"],
    ['"Yes," he said, "no."', "6"],
    ["", "7"],
    ["nan", "8"],
]


def written(delimiter, rows=CELLS, quoting=csv.QUOTE_MINIMAL, end="\n"):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return file.getvalue()


@pytest.fixture
def make(tmp_path):
    def make(text, name="table.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return make


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_a_csv_writer_writes_is_read_as_it_was(make, delimiter, end, mark):
    table = read_table(make(mark + written(delimiter, end=end)))
    assert [table.columns, *table.rows] == CELLS and table.lines == list(range(2, 10))


def test_a_quotation_mark_at_the_beginning_of_a_cell_between_tabs_swallows_nothing(make):
    plain = "\n".join("\t".join(row) for row in CELLS)
    assert read_table(make(plain, "table.tsv")).rows == CELLS[1:]


def test_speech_that_begins_in_a_row_and_ends_in_a_later_one_is_two_rows(make):
    """Either reading has two cells a row."""
    assert read_table(make('text\tn\n"Hello\t1\nBye."\t2\n', "table.tsv")).rows == [['"Hello', "1"], ['Bye."', "2"]]


def test_cells_of_several_lines_are_read_between_tabs_if_their_lines_are_no_rows(make):
    rows = [["text", "n"], ["one\ntwo", "1"], ["three", "2"]]
    table = read_table(make(written("\t", rows)))
    assert table.rows == rows[1:] and table.lines == [2, 4]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_are_no_text(make, encoding):
    file = make("Grüße\r\nan alle\rhier\n", encoding=encoding)
    assert read_lines(file) == ["Grüße", "an alle", "hier"]
    assert read_text(make("\ufeffone\n\ufefftwo\n")) == "one\ntwo\n"


def test_another_encoding_is_an_error(make):
    with pytest.raises(ValueError, match="table.csv is not in UTF-8.*Save it as UTF-8"):
        read_text(make("Grüße", encoding="latin-1"))


def test_characters_that_end_no_line_in_a_file_end_none_here(make):
    assert read_lines(make("a\x0bb\u2028c\x85d\x0c\n\ne\n")) == ["a\x0bb\u2028c\x85d\x0c", "", "e"]
    assert read_lines(make("")) == []


BROKEN = {
    "text\nHello, there\n": "line 2, has more cells than the header names.*quotation marks",
    'text\n"Hello" there\n': "cannot be read after line 1.*quotation marks",
    'text,n\nyes,1\n"Hello,2\n': "cannot be read after line 2",
    "": "is empty",
    "a,b,a\n": r"several columns called \['a'\]",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_table_that_would_lose_words_is_an_error_that_says_where(make, text):
    with pytest.raises(ValueError, match=BROKEN[text]):
        read_table(make(text))


def test_a_cell_may_be_as_long_as_a_book(make):
    limit, book = csv.field_size_limit(), "word " * 40_000
    assert read_table(make(f'text\n"{book}"\n')).rows == [[book]]
    assert csv.field_size_limit() == limit


def test_empty_cells_may_be_missing_at_the_end_or_too_many(make):
    assert read_table(make("a,b\n1\n1,2,,\n")).rows == [["1", ""], ["1", "2"]]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", ""], [1, -2, None]),
        (["1.5", "2.0"], [1.5, 2.0]),
        (["007", "8"], None),
        (["1e3", "2"], None),
        (["nan", "inf"], None),
        (["9" * 30], None),
        (["1", "x"], None),
    ],
)
def test_only_cells_that_are_written_as_numbers_are_become_numbers(cells, values):
    assert numbers_or_texts(cells) == (cells if values is None else values)
