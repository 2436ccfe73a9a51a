"""The example runs as it stands against a server."""

import asyncio
import runpy
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("wyoming.event")
from wyoming_conversations import serving

from hf_vits.serving import Scheduler, VoicePool

EXAMPLE = Path(__file__).parents[3] / "examples" / "wyoming_client.py"


@pytest.mark.timeout(60)
def test_the_example_writes_the_samples_of_its_text(pipe, tmp_path, monkeypatch):
    uri, running, done = f"unix://{tmp_path / 'socket'}", threading.Event(), threading.Event()

    async def serve(scheduler):
        async with serving(uri, VoicePool({"tiny": pipe}), scheduler, seed=5):
            running.set()
            while not done.is_set():
                await asyncio.sleep(0.01)

    with Scheduler() as scheduler:
        server = threading.Thread(target=lambda: asyncio.run(serve(scheduler)))
        server.start()
        assert running.wait(30)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), uri])
        names = runpy.run_path(str(EXAMPLE), run_name="__main__")
        done.set()
        server.join()
    samples, rate = soundfile.read("streamed.wav")
    expected = pipe("".join(names["PIECES"]), generator=torch.Generator().manual_seed(5))["audio"]
    assert rate == pipe.sampling_rate
    np.testing.assert_allclose(samples, expected, rtol=0, atol=2 / 32767)
