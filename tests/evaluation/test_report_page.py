"""The page: verdicts, figures of every part, and the same cells in Markdown and HTML."""

import re
from html.parser import HTMLParser

import pytest

from hf_vits.evaluation import METRICS
from hf_vits.evaluation.report import SpeechReport
from hf_vits.evaluation.report_page import figures_table, html_page, markdown_page, sentences_table

ROWS = [
    {"text": "one | <b>", "transcript": "won", "wer": [1, 2], "duration_ratio": [1.0, 1.0], "audio": "audio/0001.wav"},
    {"text": "two", "transcript": "two", "wer": [0, 1], "duration_ratio": [2.0, 1.0]},
    {"text": "three", "transcript": "x", "wer": [1, 1], "duration_ratio": [1.5, 1.0], "audio": "audio/0003.wav"},
]


@pytest.fixture
def report():
    part = SpeechReport.of(ROWS, ["wer", "duration_ratio"]).to_dict()
    return {
        "voice": part,
        "recordings": {**part, "estimates": {"wer": part["estimates"]["wer"]}},
        **dict.fromkeys(["copy_synthesis", "compared", "compared_name", "difference"]),
        **{"instruments": {"wer": "ears", "duration_ratio": "clock"}, "seed": 1, "name": "a<b", "data": "list.txt"},
        **{
            "is_parallel": True,
            "dtype": "float32",
            "no_copy_synthesis": "No encoder.",
            "pictures": ["pictures/0001.png"],
        },
    }


class Cells(HTMLParser):
    """The texts of table cells, and the files that the page names."""

    def __init__(self):
        super().__init__()
        self.cells, self.files, self.inside = [], [], False

    def handle_starttag(self, tag, attributes):
        self.files += [value for name, value in attributes if name == "src"]
        if tag in ("td", "th"):
            self.inside = True
            self.cells.append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.cells[-1] += data


def test_the_worst_sentence_by_the_first_metric_comes_first_and_ties_go_by_the_next(report):
    assert [row[1] for row in sentences_table(report).rows] == ["three", "one | &lt;b&gt;", "two"]
    report["instruments"] = {"duration_ratio": "clock", "wer": "ears"}  # 1 is best
    assert [row[1] for row in sentences_table(report).rows] == ["two", "three", "one | &lt;b&gt;"]


def test_a_metric_that_does_not_apply_to_a_part_has_an_empty_cell(report):
    table = figures_table(report)
    assert table.head == ["metric", "this voice", "recordings"]
    assert figures_table({**report, "recordings": {"estimates": {}, "rows": []}}).head == ["metric", "this voice"]
    assert table.rows[1][2] == "" and table.rows[1][1].startswith("1.5 (") and table.rows[0][0].endswith("↓")


def test_markdown_and_html_have_the_same_cells_and_files(report):
    markdown, reader = markdown_page(report), Cells()
    reader.feed(html_page(report))
    lines = [line for line in markdown.splitlines() if line.startswith("|") and "---" not in line]
    cells = [cell.strip() for line in lines for cell in line.strip("|").split("|")]
    plain = Cells()
    plain.feed("".join(f"<td>{cell}</td>" for cell in cells))
    assert plain.cells == reader.cells
    files = re.findall(r'src="([^"]+)"|\]\(([^)]+)\)', markdown)
    assert {one or other for one, other in files} == {*reader.files} == {
        "audio/0001.wav", "audio/0003.wav", "pictures/0001.png",
    }  # fmt: skip
    assert "a&lt;b" in markdown and "No encoder." in markdown and "<b>" not in markdown


def test_recordings_of_other_sentences_are_not_beside_a_sentence(report):
    assert sentences_table(report).head[-1] == "recording"
    assert sentences_table({**report, "is_parallel": False}).head[-1] == "audio"


def test_values_have_three_digits_or_all_of_those_before_the_point():
    shown = METRICS["f0_rmse"].shown
    assert [shown(value) for value in (0.12345, 55.46, 1467.2, -1074.0)] == ["0.123", "55.5", "1467", "-1074"]
    assert METRICS["wer"].shown(0.0312) == "3.1 %"
