"""Stream a text of any length: write each chunk to a file while the next one is computed.

python examples/stream.py [text file]
"""

import sys
import time
from pathlib import Path

from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer, default_voice
from hf_vits.data.audio import audio_writer

TEXT = "The first chunk is ready before the sentence is complete. Dr. Smith listens to it."


def main(text):
    voice = default_voice()
    pipe = TextToSpeechPipeline(VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice))
    seconds, start = 0.0, time.perf_counter()
    with audio_writer("streamed.wav", pipe.sampling_rate) as write:
        for chunk in pipe.stream(text, pause=0.3):  # a player takes chunks in the same way
            write(chunk["audio"])
            print(f"{time.perf_counter() - start:6.3f} s: chunk from {seconds:.2f} s", end=" ")
            seconds += len(chunk["audio"]) / chunk["sampling_rate"]
            print(f"to {seconds:.2f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_text(encoding="utf-8") if len(sys.argv) > 1 else TEXT)
