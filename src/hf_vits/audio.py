"""Sound files: written whole or not at all."""

import os
from pathlib import Path

import numpy as np


def write_audio(path: str | Path, waveform: np.ndarray, sampling_rate: int) -> None:
    """
    waveform float (T_wav,) within ±1 -> a file in the format its name ends with (.wav, .flac, .ogg, …).

    Raises:
        ValueError: for a file name whose ending is no known format.
        OSError: if the folder does not exist or cannot be written to.
    """
    import soundfile

    path = Path(path)
    kind = path.suffix.lstrip(".").upper()
    if kind not in soundfile.available_formats():
        known = ", ".join(f".{name.lower()}" for name in sorted(soundfile.available_formats()))
        raise ValueError(f"{path} ends with {path.suffix!r}, which is no format of sound; known ones are {known}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}; make it, or write elsewhere.")
    beside = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        soundfile.write(beside, waveform, sampling_rate, format=kind)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
