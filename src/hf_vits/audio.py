"""Sound files: written whole or not at all."""

import os
from pathlib import Path

import numpy as np

FORMATS = ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64")
"""What is written, by the ending of the file's name."""


def check_output(path: str | Path) -> None:
    """
    Whether a sound can be written there, before there is one.

    Raises:
        ValueError: for a file name whose ending is no known format.
        OSError: if the folder does not exist or cannot be written to.
    """
    import soundfile

    path = Path(path)
    known = [name for name in FORMATS if name in soundfile.available_formats()]
    if path.suffix.lstrip(".").upper() not in known:
        endings = ", ".join(f".{name.lower()}" for name in known)
        raise ValueError(f"{path} ends with {path.suffix!r}, which is no format of sound; known ones are {endings}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}; make it, or write elsewhere.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"The folder {path.parent} may not be written to; write elsewhere.")


def write_audio(path: str | Path, waveform: np.ndarray, sampling_rate: int) -> None:
    """waveform float (T_wav,) within ±1, hertz -> a file in the format its name ends with; errors of `check_output`."""
    import soundfile

    check_output(path)
    path = Path(path)
    beside = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        soundfile.write(beside, waveform, sampling_rate, format=path.suffix.lstrip(".").upper())
        os.replace(beside, path)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{path} could not be written: {error}") from error
    finally:
        beside.unlink(missing_ok=True)
