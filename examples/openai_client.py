"""Speak through `hf-vits serve` with OpenAI's client: a whole file, and samples that are written as they come.

Start the server first (`hf-vits serve default`), and give its address if it is another: openai_client.py URL
"""

import sys

import numpy as np
from openai import OpenAI

from hf_vits.data.audio import audio_writer

client = OpenAI(base_url=sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/v1", api_key="-")
voice = client.models.list().data[0].id
request = {"model": voice, "voice": voice, "extra_body": {"seed": 7}}

client.audio.speech.create(input="Hello there.", response_format="flac", **request).write_to_file("hello.flac")

text = "A longer text. It can be played while it is made."
streaming = client.audio.speech.with_streaming_response
with (
    streaming.create(input=text, response_format="pcm", speed=1.1, **request) as answer,
    audio_writer("streamed.wav", int(answer.headers["x-sample-rate"])) as play,
):
    for block in answer.iter_bytes(4096):
        play(np.frombuffer(block, "<i2"))
