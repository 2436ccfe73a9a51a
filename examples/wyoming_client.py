"""Speak a text through `hf-vits wyoming` while it is being written; samples are written as they come.

Start the server first (`hf-vits wyoming default`), and give its address if it is another: wyoming_client.py URI
"""

import asyncio
import sys

import numpy as np
from wyoming.client import AsyncClient
from wyoming.tts import SynthesizeChunk, SynthesizeStart, SynthesizeStop

from hf_vits.data.audio import audio_writer

PIECES = ["The first sentence is spo", "ken while the second one ", "is being written. It foll", "ows at once."]


async def main(uri):
    async with AsyncClient.from_uri(uri) as client:
        for event in (SynthesizeStart(), *map(SynthesizeChunk, PIECES), SynthesizeStop()):
            await client.write_event(event.event())
        start = await client.read_event()  # "audio-start"; after a mistake "error"
        with audio_writer("streamed.wav", start.data["rate"]) as play:
            while (event := await client.read_event()).type != "synthesize-stopped":
                if event.type == "audio-chunk":
                    play(np.frombuffer(event.payload, "<i2"))


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:10200"))
