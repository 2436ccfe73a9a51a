"""Check pickled files of PyTorch before anything in them is unpickled, so that they cannot exhaust memory."""

import re
import zipfile
from pathlib import Path

from hf_vits.utils.files import UnreadableFile, require_file

ZIP = b"PK\x03\x04"
"""First bytes of an archive as `torch.save` writes it; other files are read as consecutive pickles."""

PICKLE = b"\x80"
"""First byte of a pickle of the protocols that PyTorch writes."""

LARGEST_PICKLES = 2**32
"""Largest number of bytes of a file that is not an archive; all of it is searched."""

MOST_PICKLE = 512 * 2**20
"""Bytes of the pickle in an archive, without the tensors' numbers: names, settings, and Coqui's vectors as lists."""

ALLOCATING = re.compile(rb"[\n.](bytearray|\w*Tensor|TypedStorage|UntypedStorage)\n")
"""Classes that PyTorch's reader allows a pickle to call, and that allocate the number of bytes they are given."""

CHUNK = 2**24
"""Bytes that are searched at once."""


def check_pickled(file: str | Path, most: int = MOST_PICKLE) -> bool:
    """
    Refuse a file of `torch.save` that would take more memory than it has bytes, without unpickling it.

    PyTorch does not compress entries, so an archive with compressed ones, or with entries that together are longer
    than the file, is not one of its own.

    Args:
        file (`str` or `Path`):
            An archive, or consecutive pickles as earlier versions of PyTorch wrote them.
        most (`int`, *optional*):
            Largest number of bytes of the pickle.

    Returns:
        `bool`: Whether the file is an archive.

    Raises:
        OSError: if it is not a regular file that can be read.
        ValueError: gives the reason in a few words; the caller names the file.
    """
    file = require_file(file)
    with file.open("rb") as stream:
        begin = stream.read(len(ZIP))
    if begin == ZIP:
        _check_archive(file, most)
        return True
    if begin[:1] != PICKLE:
        raise ValueError("it begins neither as an archive nor as a pickle")
    if (size := file.stat().st_size) > LARGEST_PICKLES:
        raise ValueError(f"it has {size:,} bytes; at most {LARGEST_PICKLES:,} are read")
    _search(file.open("rb"))
    return False


def _check_archive(file: Path, most: int) -> None:
    size = file.stat().st_size
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if unpacked > size or any(entry.file_size != entry.compress_size for entry in entries):
                raise UnreadableFile(f"{unpacked:,} bytes when unpacked, out of {size:,}", "oversized")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise UnreadableFile("its entries are compressed, which PyTorch's never are", "oversized")
            pickles = [entry for entry in entries if entry.filename.lower().endswith("data.pkl")]  # found in any case
            if not pickles:
                raise ValueError("it is an archive, but not one of PyTorch")
            for entry in pickles:
                if entry.file_size > most:
                    raise ValueError(f"its pickle has {entry.file_size:,} bytes; at most {most:,} are read")
                _search(archive.open(entry))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"not a whole archive: {error}") from error


def _search(stream) -> None:
    """Raise `ValueError` if the bytes contain the name of a class of `ALLOCATING`."""
    before = b""
    with stream:
        while chunk := stream.read(CHUNK):
            if found := ALLOCATING.search(before + chunk):
                raise UnreadableFile(
                    f"it asks for a {found[1].decode()} of any size, which no file of weights does", "unsafe"
                )
            before = chunk[-64:]
