"""A request is counted once, with how it ended and when its first chunk came."""

from types import SimpleNamespace

import pytest

pytest.importorskip("prometheus_client")
pytest.importorskip("fastapi")

from hf_vits.serving.metrics import Metrics, Observation


def values(metrics):
    lines = metrics.text().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_counts_are_sums_over_requests():
    metrics = Metrics(SimpleNamespace(loaded=["a"]), SimpleNamespace(jobs=2, max_jobs=5))
    with Observation(metrics, "a", 7) as one:
        one.made(1.5)
        one.made(0.5)
        one.outcome = "done"
    with pytest.raises(KeyError), Observation(metrics, "a", 3):
        raise KeyError
    found = values(metrics)
    assert float(found["hf_vits_characters_total"]) == 10
    assert float(found['hf_vits_audio_seconds_total{voice="a"}']) == 2
    assert float(found['hf_vits_speech_requests_total{outcome="done"}']) == 1
    assert float(found['hf_vits_speech_requests_total{outcome="disconnected"}']) == 1
    assert (float(found["hf_vits_first_chunk_seconds_count"]), float(found["hf_vits_request_seconds_count"])) == (1, 2)
    assert (float(found["hf_vits_jobs"]), float(found["hf_vits_loaded_voices"])) == (2, 1)
