"""Stock's phonemes, without stock's crashes."""

import os
import subprocess
import sys

import pytest

from hf_vits.text.espeak_chunks import EspeakError
from hf_vits.text.phonemizer import upstream_phonemes

pytest.importorskip("espeakng_loader")
phonemizer = pytest.importorskip("phonemizer")


@pytest.mark.parametrize(
    "text",
    [
        "Hello, world! It's 5 o'clock.",
        "",
        " \n\n ",
        "Line one,\n\nline (two) … “three”;\n",
        "déjà vu, привет 你好",
        "a.b.c. -- 1,234.5 & $3",
        "\n!\n?a",
        " no  more   than spaces ",
        "word " * 300,
        "1234567890123456 " * 12,
    ],
)
def test_phonemes_are_those_of_phonemizer(text):
    upstream_phonemes("a")  # tells phonemizer where the library is
    expected = phonemizer.phonemize(
        text, language="en-us", backend="espeak", strip=True, preserve_punctuation=True, with_stress=True
    )
    assert upstream_phonemes(text).split() == expected.split()


def test_a_text_that_crashes_stock_is_an_error_that_names_it():
    expected = upstream_phonemes("banana")
    with pytest.raises(EspeakError, match=r"crashed.*'s's's"):
        upstream_phonemes("He said " + "'s" * 68)
    assert upstream_phonemes("banana") == expected


def test_no_copy_of_the_library_stays_among_the_temporary_files(tmp_path):
    code = """
from hf_vits.text.phonemizer import upstream_phonemes
try:
    upstream_phonemes("'s" * 68)
except ValueError as error:
    print(error)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert "crashed" in result.stdout
    assert os.listdir(tmp_path) == []
