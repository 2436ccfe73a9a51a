"""Chunks of speech become the bytes of an encoder and the seconds that they last."""

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from hf_vits.serving.answers import encoded_chunks, joined


class Counted:
    """An encoder that writes the number of samples."""

    def __init__(self, sampling_rate):
        self.sampling_rate = sampling_rate

    def encode(self, samples):
        return f"{len(samples)};".encode()

    def finish(self):
        return f"end of {self.sampling_rate}".encode()


def test_chunks_are_encoded_in_order_and_the_file_is_ended():
    times = [{"text": "a"}]
    chunks = [
        {"audio": np.zeros(100), "sampling_rate": 50, "timestamps": times},
        {"audio": np.zeros(0), "sampling_rate": 50, "marks": [{"name": "end"}]},
        {"audio": np.zeros(25), "sampling_rate": 50},
    ]
    made = list(encoded_chunks(chunks, Counted))
    assert [(one.data, one.seconds) for one in made] == [(b"100;", 2.0), (b"", 0.0), (b"25;", 0.5), (b"end of 50", 0.0)]
    assert made[0].timestamps is times and made[1].marks == [{"name": "end"}] and made[2].timestamps is None


def test_no_speech_makes_no_file():
    assert list(encoded_chunks([], Counted)) == []


def test_timestamps_of_chunks_are_joined_by_unit():
    assert joined([[1, 2], [], [3]]) == [1, 2, 3]
    assert joined([{"word": [1], "sentence": []}, {"word": [2], "sentence": [3]}]) == {"word": [1, 2], "sentence": [3]}
    assert joined([]) == []
