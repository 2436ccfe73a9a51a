"""Sound files decoded from beginning to end, whatever length their headers declare."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hf_vits.sound_headers import Sizes, finished_wav, foreign, sizes, unfinished_wav

if TYPE_CHECKING:
    from soundfile import SoundFile

READ_AT_ONCE = 2**16
"""Frames that are decoded at once."""

FRAMES_PER_BYTE = 2**13
"""More frames than a byte of any format holds: a block of FLAC has up to 65,535 and at least 10 bytes."""

MISSING_SECONDS = 0.05
"""Sound that a file may lack of what its header declares: some programs count the header too, and no more is lost."""

ESTIMATED = 0.1
"""Share that an MP3 file may lack: its length is an estimate if tags follow or the rate of bits varies."""


def file_samples(file: BinaryIO, name: str) -> tuple[np.ndarray, int]:
    """
    Decode a sound file: samples float32 (T,) or (T, channels), and their rate in hertz.

    Args:
        file (`BinaryIO`):
            Its content.
        name (`str`):
            What it is called in errors, a path if there is one.

    Raises:
        ValueError: if it cannot be read or holds less than its header declares; says what to do.
    """
    with _decoder(file, name) as (sound, declared):
        samples = _until_end(sound)
        missing = 0 if declared is None else declared - len(samples)
        if missing > (ESTIMATED * declared if sound.format == "MP3" else MISSING_SECONDS * sound.samplerate):
            raise ValueError(_cut_short(name, len(samples) / sound.samplerate, declared / sound.samplerate))
        return samples, sound.samplerate


def file_seconds(file: BinaryIO, name: str) -> float:
    """Length of a sound file, by its header where it says one, else by decoding it; arguments and errors of
    `file_samples`, except for those that only decoding shows."""
    with _decoder(file, name) as (sound, declared):
        return (len(_until_end(sound)) if declared is None else declared) / sound.samplerate


@contextmanager
def _decoder(file: BinaryIO, name: str) -> Iterator[tuple["SoundFile", int | None]]:
    """libsndfile's view of a file, and how many frames its header declares, if it does."""
    import soundfile

    class Forward(soundfile.SoundFile):
        """Does not seek after each block, which fails at the end of a FLAC stream of unknown length."""

        def seekable(self) -> bool:
            return False

    try:
        if unfinished_wav(file):
            file = finished_wav(file)
        advice, found, length = foreign(file, name), sizes(file), file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            sound = Forward(file)
        except soundfile.LibsndfileError as error:
            raise ValueError(advice or f"{name} cannot be read: {error.error_string}") from error
        with sound:
            _check_whole(sound, found, name)
            yield sound, sound.frames if sound.frames <= FRAMES_PER_BYTE * length else None
    except (soundfile.LibsndfileError, OSError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise ValueError(f"{name} is damaged or cut short: {reason}. Fetch it again, or save it anew.") from error


def _until_end(sound: "SoundFile") -> np.ndarray:
    """Samples (T,) or (T, channels); no header decides how much memory they take."""
    blocks = [sound.read(READ_AT_ONCE, dtype="float32")]
    while len(blocks[-1]):
        blocks.append(sound.read(READ_AT_ONCE, dtype="float32"))
    return np.concatenate(blocks)


def _check_whole(sound: "SoundFile", found: Sizes | None, name: str) -> None:
    """Raise `ValueError` if an uncompressed file ends before the samples that its header declares."""
    if found is None or found.declared is None or found.declared <= found.present:
        return
    seconds = sound.frames / sound.samplerate
    declared = seconds * found.declared / max(found.present, 1)
    if not seconds or declared - seconds > MISSING_SECONDS:
        raise ValueError(_cut_short(name, seconds, declared))


def _cut_short(name: str, seconds: float, declared: float) -> str:
    whole = f"{declared:.2f} s" if declared else "sound"
    return (
        f"{name} is cut short: it holds {seconds:.2f} s of the {whole} that its header declares. Fetch the whole file; "
        "or, if the rest is lost, save what is there as a new one."
    )
