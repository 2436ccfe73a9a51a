"""Speech to standard output, as samples for a player or another program."""

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_vits.cli.progress import Progress

if TYPE_CHECKING:
    from hf_vits.pipeline import TextToSpeechPipeline

WHOLE_SENTENCE = 10**9
"""Frames of a piece that no sentence has."""


def play(pipe: "TextToSpeechPipeline", text: str, whole_sentences: bool, **options: Any) -> None:
    """
    Speak a text to standard output: samples as 32-bit floats, little-endian, mono.

    Args:
        pipe ([`TextToSpeechPipeline`]):
            The voice.
        text (`str`):
            What to say.
        whole_sentences (`bool`):
            Whether to hand over a sentence at once, which takes less work, instead of its pieces.
        **options:
            Of `pipe.stream`.

    Raises:
        ValueError: for samples that are not finite.
        OSError: if standard output does not take them; not if nobody listens any more.
    """
    rate, samples, work = pipe.sampling_rate, 0, 0.0
    print(f"{rate} samples per second; play them with: aplay -f FLOAT_LE -r {rate}", file=sys.stderr)
    progress, sentence, start = Progress(pipe.sentences(text)), None, time.perf_counter()
    try:
        for piece in pipe.stream(text, chunk_frames=WHOLE_SENTENCE if whole_sentences else None, **options):
            work += time.perf_counter() - start  # without the time that a player takes
            if sentence is not None and piece["sentence"] != sentence:
                progress.spoken(sentence, samples / rate)
            sentence, samples = piece["sentence"], samples + len(piece["audio"])
            if not _written(piece["audio"]):
                break
            start = time.perf_counter()
    finally:
        progress.close()
    seconds = samples / rate
    print(
        f"standard output: {seconds:.2f} s of audio in {work:.2f} s of work (real-time factor {work / seconds:.3f})",
        file=sys.stderr,
    )


def _written(samples: np.ndarray) -> bool:
    """Writes samples at once; False if nobody listens any more."""
    if not np.isfinite(samples).all():
        raise ValueError("The samples hold NaN or infinite values, so they were not written.")
    try:
        sys.stdout.buffer.write(samples.astype("<f4").tobytes())
        sys.stdout.buffer.flush()
    except OSError as error:
        # Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return False
        raise OSError(f"Standard output could not be written to: {error.strerror}.") from error
    return True
