"""Progress of a long text: on a terminal one line that changes, elsewhere few lines."""

import io
import time

import pytest

from hf_vits.cli.progress import Progress, clock

SENTENCES = ["ten letters"] * 30


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def passed(monkeypatch):
    """Seconds that pass at each look at the clock."""
    now = [0.0]

    def look():
        now[0] += passed.seconds
        return now[0]

    class passed:
        seconds = 1.0

    monkeypatch.setattr(time, "monotonic", look)
    return passed


def tell(stream, sentences, first=0):
    progress = Progress(sentences, first, stream)
    for number in range(first, len(sentences)):
        progress.spoken(number, 2.0 * (number + 1))
    progress.close()
    return stream.getvalue()


def test_a_log_gets_the_first_line_the_last_one_and_one_every_ten_seconds(passed):
    lines = tell(io.StringIO(), SENTENCES).splitlines()
    assert [line.split(",")[0] for line in lines] == [f"sentence {n} of 30" for n in (1, 11, 21, 30)]
    assert lines[0].endswith("0:02 of speech, about 0:29 left")
    assert lines[1].endswith("0:22 of speech, about 0:19 left")
    assert lines[-1].endswith("1:00 of speech")


def test_time_left_counts_only_what_this_run_has_spoken(passed):
    lines = tell(io.StringIO(), SENTENCES, first=20).splitlines()
    assert lines[0] == "sentence 21 of 30, 0:42 of speech, about 0:09 left"


def test_time_left_grows_with_characters_and_not_with_sentences(passed):
    printed = tell(Terminal(), ["a" * 10, "b" * 90])
    assert "about 0:09 left" in printed


def test_a_terminal_gets_one_line_that_is_cleared_at_the_end(passed):
    printed = tell(Terminal(), SENTENCES[:3])
    assert printed.count("sentence") == 3 and "\n" not in printed and printed.endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("stream", "sentences"), [(io.StringIO, SENTENCES[:3]), (Terminal, SENTENCES[:1]), (io.StringIO, ["a" * 3000])]
)
def test_short_texts_in_a_log_and_single_sentences_have_no_progress(stream, sentences):
    assert tell(stream(), sentences) == ""


def test_a_text_of_few_long_sentences_is_long():
    assert "sentence 1 of 8" in tell(io.StringIO(), ["a" * 300] * 8)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (45296, "12:34:56")]
)
def test_seconds_are_shown_as_a_clock_does(seconds, shown):
    assert clock(seconds) == shown
