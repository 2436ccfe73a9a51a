"""Rows of recordings have names of their own, and those that an aligner adapts to are spread over all."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from hf_vits.alignment import rows
from hf_vits.alignment.rows import Row, adapt_to


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/data/a/one.wav", "/data/b/two.flac"], ["a/one", "b/two"]),
        (["/data/one.wav", "/data/one.flac"], ["one", "000001-one"]),
        (["one.wav", "sub/two.wav"], ["one", "sub/two"]),
        (["/data/one.wav", None], ["one", "000001"]),
        ([None, None], ["000000", "000001"]),
    ],
)
def test_a_name_is_the_path_within_the_folder_of_all_and_unique(paths, names):
    assert rows._names(paths) == names


def test_a_file_of_another_size_is_another_recording(tmp_path):
    file = tmp_path / "one.wav"
    file.write_bytes(b"1")
    row = Row("one", "row 0", {"path": str(file)}, "a hope")
    before = row.identity
    assert before == row.identity
    file.write_bytes(b"12")
    os.utime(file, ns=(before[-1], before[-1]))
    assert row.identity != before
    assert Row("one", "row 0", np.zeros(3), "a hope").identity == ["one", "a hope"]


def test_the_first_of_many_rows_are_spread_over_all():
    spread = list(rows._spread(range(1000)))
    assert sorted(spread) == list(range(1000))
    assert spread[:200] == list(range(0, 1000, 5))


class Adapted:
    """An aligner that cannot read "damaged", nor say "123"; it records what it adapts to."""

    sampling_rate, adaptation = 10, None

    def tokenizer(self, text):
        if text == "123":
            raise ValueError

    def waveform(self, source):
        if source == "damaged":
            raise OSError
        return np.zeros(source)

    def latents(self, waveforms, speakers, batch_size):
        return ["latents"] * len(waveforms)

    def adapt_latents(self, latents, waveforms, texts, durations, speakers):
        self.adaptation = (texts, [len(one) for one in waveforms], speakers)


def test_an_aligner_adapts_to_rows_that_can_be_read_and_said_up_to_a_time(monkeypatch):
    monkeypatch.setattr(rows, "ADAPTED_SECONDS", 5.0)
    monkeypatch.setattr(rows, "audio_seconds", lambda source: source / 10)
    aligner = Adapted()
    given = [(20, "a"), (10, ""), ("damaged", "b"), (10, "123"), (40, "c"), (30, "d"), (10, "e")]
    monkeypatch.setattr(rows, "audio_seconds", lambda source: 1.0 if source == "damaged" else source / 10)
    adapt_to(aligner, [Row("", "", source, text) for source, text in given], "bea", 8)
    assert aligner.adaptation == (["a", "d"], [20, 30], ["bea", "bea"])


def test_too_little_speech_to_adapt_to_is_a_warning(caplog):
    adapt_to(SimpleNamespace(adaptation=None), [], None, 8)
    assert "too little speech to adapt to" in caplog.text
