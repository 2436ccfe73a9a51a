"""Decode audio files completely, whatever length their headers declare, and explain files that cannot be read."""

import io
import os
import shlex
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from soundfile import SoundFile

UNSUPPORTED = (
    (4, b"ftyp", "in an MPEG-4 container, as .m4a, .mp4 and .mov files are"),
    (4, b"moov", "in a QuickTime container"),
    (4, b"mdat", "in a QuickTime container"),
    (0, b"\x1a\x45\xdf\xa3", "in a Matroska container, as .webm and .mkv files are"),
    (0, b"\x30\x26\xb2\x75", "in a Windows Media container, as .wma files are"),
    (8, b"AVI ", "in an AVI container"),
    (0, b"FLV", "in a Flash container"),
    (0, b"\xff\xf0", "AAC"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf8", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"ADIF", "AAC"),
    (0, b"#!AMR", "AMR"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
)
"""Offset and bytes that identify formats that libsndfile does not read, and their description after "is"."""

LFS = b"version https://git-lfs"

ROOM = 2**12
"""Distance from a power of two within which a declared size means "unknown": programs subtract headers from it."""

READ_AT_ONCE = 2**16
"""Frames that are decoded in one call."""

FRAMES_PER_BYTE = 2**13
"""Upper limit of frames per byte of any format: a block of FLAC has up to 65,535 frames and at least 10 bytes."""

MISSING_SECONDS = 0.05
"""Seconds that a file may be shorter than its header declares: some programs count the header too."""

ESTIMATED = 0.1
"""Share that an MP3 file may be shorter: its length is an estimate if tags follow or the bit rate varies."""


class Container(NamedTuple):
    """
    Layout of a chunked audio format: bytes before the first chunk; bytes of a chunk's name, and the prefix of that of
    the samples; `struct` format of a chunk's size; whether the size includes name and itself; multiple of bytes to
    which chunks are padded; and bytes at the start of the sample chunk that are no samples.
    """

    first: int
    name: int
    samples: bytes
    size: str
    counts_itself: bool = False
    padded: int = 1
    before: int = 0


W64_RIFF = b"riff.\x91\xcf\x11"
CONTAINERS = {
    b"RIFF": Container(12, 4, b"data", "<I", padded=2),
    b"RIFX": Container(12, 4, b"data", ">I", padded=2),
    b"RF64": Container(12, 4, b"data", "<I", padded=2),
    b"FORM": Container(12, 4, b"SSND", ">I", padded=2, before=8),
    b"caff": Container(8, 4, b"data", ">Q", before=4),
    W64_RIFF[:4]: Container(40, 16, b"data", "<Q", counts_itself=True, padded=8),
}


class Sizes(NamedTuple):
    """Bytes of samples that a header declares, `None` if unknown, and that are present; and the offset of the first."""

    declared: int | None
    present: int
    begin: int


def file_samples(file: BinaryIO, name: str) -> tuple[np.ndarray, int]:
    """
    Decode an audio file -> samples float32 (T,) or (T, channels), and their rate in hertz.

    Args:
        file (`BinaryIO`):
            The content.
        name (`str`):
            Name in errors, a path if there is one.

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
    """Return the length of an audio file from its header, or by decoding; arguments and errors as of `file_samples`,
    except for errors that only decoding shows."""
    with _decoder(file, name) as (sound, declared):
        return (len(_until_end(sound)) if declared is None else declared) / sound.samplerate


@contextmanager
def _decoder(file: BinaryIO, name: str) -> Iterator[tuple["SoundFile", int | None]]:
    """Open a file with libsndfile; yield it, and the number of frames that its header declares, or `None`."""
    import soundfile

    class Forward(soundfile.SoundFile):
        """A file without seeks after each block, which fail at the end of a FLAC stream of unknown length."""

        def seekable(self) -> bool:
            return False

    try:
        if unfinished_wav(file):
            file = finished_wav(file)
        advice, found, length = advice_for_unsupported(file, name), sizes(file), file.seek(0, os.SEEK_END)
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
    """Read samples (T,) or (T, channels) in blocks, so that no header decides how much memory is allocated."""
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


def is_remote(path: object) -> bool:
    """Return True for an address such as `hf://…`, `https://…` or `zip://a.wav::archive.zip`."""
    return isinstance(path, str) and ("://" in path or "::" in path) and not os.path.exists(path)


def read_remote(path: str) -> bytes:
    """
    Read the whole file at an address, as `datasets` opens it: with its retries, and the login to the Hub.

    Raises:
        ValueError: if it cannot be read, for whatever reason, or `datasets` is not installed.
    """
    try:
        from datasets.utils.file_utils import xopen
    except ImportError as error:
        raise ValueError(f"{path} is no local file, and reading it takes `pip install datasets`.") from error
    try:
        with xopen(path, "rb") as file:
            return file.read()
    except Exception as error:  # each protocol has errors of its own
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ValueError(f"{path} cannot be read: {reason}") from error


def sizes(file: BinaryIO) -> Sizes | None:
    """
    Compare an audio file's header with its length; return `None` for a compressed format, which declares no size.

    Args:
        file (`BinaryIO`):
            The file, which is rewound.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(40)
    try:
        if start[:4] == b".snd":
            begin, declared = struct.unpack(">II", start[4:12])
            return Sizes(_known(declared, 32), max(0, length - begin), begin)
        container = CONTAINERS.get(start[:4])
        return _sizes_of_chunk(file, length, container) if container else None
    except struct.error:  # the file ends within its header, which libsndfile reports
        return None
    finally:
        file.seek(0)


def _sizes_of_chunk(file: BinaryIO, length: int, container: Container) -> Sizes | None:
    place, bits, in_ds64 = container.first, 8 * struct.calcsize(container.size), None
    head = container.name + bits // 8
    while place + head <= length:
        file.seek(place)
        name, size = struct.unpack(f"{container.size[0]}{container.name}s{container.size[1]}", file.read(head))
        size -= head if container.counts_itself else 0
        begin = place + head
        if name == b"ds64":
            in_ds64 = struct.unpack("<Q", file.read(16)[8:])[0]
        if name.startswith(container.samples):
            declared = _known(size if in_ds64 is None else in_ds64, bits if in_ds64 is None else 64)
            before = container.before
            return Sizes(declared and declared - before, max(0, length - begin - before), begin + before)
        if size < 0:
            return None
        place = begin + size + -size % container.padded
    return None


def _known(size: int, bits: int) -> int | None:
    """Return a declared size; `None` for a placeholder, as written by programs that cannot seek back."""
    if size <= 0 or any(abs(size - 2**power) <= ROOM for power in (bits - 1, bits)):
        return None
    return size


def unfinished_wav(file: BinaryIO) -> bool:
    """Return True for a WAV file whose recorder stopped before it wrote the sizes, although samples follow."""
    found = sizes(file)
    if found is None or found.declared is not None or not found.present or file.read(4) != b"RIFF":
        file.seek(0)
        return False
    whole = struct.unpack("<I", file.read(4))[0]
    file.seek(found.begin - 4)
    declared = struct.unpack("<I", file.read(4))[0]
    file.seek(0)
    return declared == 0 and whole + 8 != found.begin + found.present


def finished_wav(file: BinaryIO) -> BinaryIO:
    """Return a copy in memory whose header declares samples up to the end of the file."""
    begin = sizes(file).begin
    content = bytearray(file.read())
    content[begin - 4 : begin] = b"\xff\xff\xff\xff"
    return io.BytesIO(content)


def advice_for_unsupported(file: BinaryIO, name: str) -> str | None:
    """
    Return advice for a file that libsndfile cannot read; `None` for an unknown format.

    Args:
        file (`BinaryIO`):
            The file, which is rewound.
        name (`str`):
            Name in the message, a path if there is one.
    """
    start = file.read(64)
    file.seek(0)
    if not start:
        return f"{name} is empty: it holds no byte."
    if start.startswith(LFS):
        return f"{name} is a pointer to the file, which Git LFS keeps elsewhere; fetch it with `git lfs pull`."
    kind = next((kind for place, magic, kind in UNSUPPORTED if start[place:].startswith(magic)), None)
    source = Path(name) if Path(name).suffix else Path("IN")
    command = shlex.join(["ffmpeg", "-i", str(source), str(source.with_suffix(".wav"))])
    return None if kind is None else f"{name} is {kind}, which is not read here. Convert it first: {command}"
