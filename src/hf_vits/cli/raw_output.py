"""Write speech to standard output, as samples for a player or another program."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_vits.cli.errors import discard_output
from hf_vits.cli.incoming_text import stream_sentences
from hf_vits.cli.progress import Progress
from hf_vits.cli.subtitles import Subtitles

if TYPE_CHECKING:
    from hf_vits.pipeline import TextToSpeechPipeline

WHOLE_SENTENCE = 10**9
"""Frames of a chunk, more than any sentence has."""


def play(
    pipe: "TextToSpeechPipeline",
    text: str | Iterator[str],
    whole_sentences: bool,
    subtitles: Sequence[Path] = (),
    **options: Any,
) -> None:
    """
    Speak a text to standard output: samples as 32-bit floats, little-endian, mono.

    Args:
        pipe ([`TextToSpeechPipeline`]):
            The voice.
        text (`str` or `Iterator[str]`):
            What to say; or its sentences, which may be written while the first ones are spoken.
        whole_sentences (`bool`):
            Write each sentence at once, which takes less work, instead of its chunks.
        subtitles (`list[Path]`, *optional*):
            Files for the times of what was written.
        **options:
            Of `pipe.stream`.

    Raises:
        ValueError: for samples that are not finite.
        OSError: if they cannot be written; not if the reader has closed the pipe.
    """
    rate, samples, work = pipe.sampling_rate, 0, 0.0
    print(f"{rate} samples per second; play them with: aplay -f FLOAT_LE -r {rate}", file=sys.stderr)
    options |= {"chunk_frames": WHOLE_SENTENCE if whole_sentences else None}
    times = Subtitles(subtitles, rate)
    is_whole, options["return_timestamps"] = isinstance(text, str), times.units
    chunks = pipe.stream(text, **options) if is_whole else stream_sentences(pipe, text, **options)
    progress, sentence, start = Progress(pipe.sentences(text) if is_whole else ()), None, time.perf_counter()
    try:
        for chunk in chunks:
            work += time.perf_counter() - start  # without the time that the reader takes
            if sentence is not None and chunk["sentence"] != sentence:
                progress.spoken(sentence, samples / rate)
            sentence = chunk["sentence"]
            if not _written(chunk["audio"]):
                break
            samples += len(chunk["audio"])
            times.add(chunk, chunk.get("later", 0))
            start = time.perf_counter()
    finally:
        progress.close()
    times.write()
    seconds = samples / rate
    is_timed = is_whole and samples > 0  # sentences that come one by one are waited for
    speed = f" in {work:.2f} s of work (real-time factor {work / seconds:.3f})" if is_timed else ""
    print(f"standard output: {seconds:.2f} s of audio{speed}", file=sys.stderr)


def _written(samples: np.ndarray) -> bool:
    """Write samples at once; return False if the reader has closed the pipe."""
    if not np.isfinite(samples).all():
        raise ValueError("The samples hold NaN or infinite values, so they were not written.")
    try:
        sys.stdout.buffer.write(samples.astype("<f4").tobytes())
        sys.stdout.buffer.flush()
    except OSError as error:
        discard_output()
        if isinstance(error, BrokenPipeError):
            return False
        raise OSError(f"Standard output could not be written to: {error.strerror}.") from error
    return True
