import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_vits.text import normalizers
from hf_vits.text.offsets import TextWithOffsets


def tracked(text):
    return TextWithOffsets.original(text, track=True)


def origins(result, text):
    """Return the original of each character of the result."""
    return [text[start:end] for start, end in result.spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith", "doctor smith"),
        ("MRS. Jones and Mr. Hon. Lt. Col. X", "misess jones and mister honorable lieutenant colonel x"),
        ("Drs. A", "doctors a"),
        ("the dr and the co", "the dr and the co"),  # no full stop, no abbreviation
        ("first. Last.", "first. last."),  # "st." inside a word is none
        ("Café “naïve”", 'cafe "naive"'),
    ],
)
def test_the_english_cleaner_has_the_output_of_the_original(text, expected):
    assert normalizers.english(tracked(text)).text == expected


def test_an_expanded_abbreviation_spans_its_letters():
    text = "Oh, Dr. Wu"
    result = normalizers.english(tracked(text))
    assert result.text == "oh, doctor wu"
    assert origins(result, text) == [*"Oh, ", *["Dr."] * 6, *" Wu"]


def test_letters_that_become_several_span_the_original_one():
    text = "æ…"
    result = normalizers.english(tracked(text))
    assert (result.text, origins(result, text)) == ("ae...", ["æ", "æ", "…", "…", "…"])


def test_ascii_text_needs_no_unidecode(monkeypatch):
    monkeypatch.setitem(sys.modules, "unidecode", None)
    assert normalizers.english(tracked("Mr. A")).text == "mister a"
    with pytest.raises(ImportError, match=r'pip install "hf_vits\[phonemes\]"'):
        normalizers.english(tracked("é"))


def test_the_romanian_letter_gets_a_cedilla():
    assert normalizers.romanian_letters(tracked("țară Țară ş")).text == "ţară Țară ş"


def test_white_space_collapses_to_a_space_that_spans_all_of_it():
    text = "a \n\t b"
    result = normalizers.collapse_white_space(tracked(text))
    assert (result.text, origins(result, text)) == ("a b", ["a", " \n\t ", "b"])


@given(st.text(max_size=40))
def test_tracking_never_changes_the_text(text):
    plain, followed = TextWithOffsets.original(text, track=False), tracked(text)
    for step in (TextWithOffsets.lower, TextWithOffsets.strip, normalizers.english, normalizers.collapse_white_space):
        plain, followed = step(plain), step(followed)
        assert plain.text == followed.text
        assert plain.spans is None
        assert len(followed.spans) == len(followed.text)
        starts = [start for start, _ in followed.spans]
        assert starts == sorted(starts)


@pytest.mark.thorough
def test_romanized_letters_span_their_originals():
    pytest.importorskip("uroman")
    from hf_vits.text.normalizers import romanize

    text = "мир  नमस्ते 三百"
    result = romanize(tracked(text))
    assert result.text == "mir namaste 300"
    words = {word: "" for word in result.text.split()}
    for word in words:
        start = result.text.index(word)
        first, last = result.span(start, start + len(word))
        words[word] = text[first:last]
    assert words == {"mir": "мир", "namaste": "नमस्ते", "300": "三百"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_process_forked_while_another_thread_romanizes_can_romanize():
    code = """
import os, signal, sys, threading, time
from hf_vits.text import normalizers
def hold():
    with normalizers._UROMAN_LOCK:
        time.sleep(1)
threading.Thread(target=hold).start()
time.sleep(0.2)
child = os.fork()
if child == 0:
    signal.alarm(5)
    os._exit(not normalizers._UROMAN_LOCK.acquire(timeout=3))
sys.exit("the child hung" if os.waitpid(child, 0)[1] else None)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
