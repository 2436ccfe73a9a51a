"""End Opus files where their sound ends: libsndfile leaves out the last 6.5 ms, which its encoder looks ahead."""

import struct
from typing import BinaryIO

LOOKAHEAD = 312
"""Samples at 48 kHz, in which positions in Opus files count at any sampling rate."""

_LONGEST_PAGE = 27 + 255 + 255 * 255
_POSITION, _CHECKSUM, _SEGMENTS = 6, 22, 26  # places in the header of a page, RFC 3533


def take_back_lookahead(file: BinaryIO) -> None:
    """
    Lower the last position of a complete Opus file that ends with `LOOKAHEAD` of silence, so that readers cut it off.

    It does not become lower than that of the page before.
    """
    end = file.seek(0, 2)
    start = file.seek(max(0, end - 2 * _LONGEST_PAGE))
    content = file.read(end - start)
    place = content.rfind(b"OggS")
    while not _is_page(content[place:]):
        place = content.rfind(b"OggS", 0, place)
        if place < 0:
            return
    page, before = bytearray(content[place:]), content.rfind(b"OggS", 0, place)
    least = _position(content[before:]) if before >= 0 else 0
    struct.pack_into("<q", page, _POSITION, max(least, _position(page) - LOOKAHEAD))
    struct.pack_into("<I", page, _CHECKSUM, 0)
    struct.pack_into("<I", page, _CHECKSUM, _checksum(page))
    file.seek(start + place)
    file.write(page)


def _is_page(data: bytes) -> bool:
    """Return True for one whole page, rather than a packet that has these letters in it."""
    body = _SEGMENTS + 1 + (data[_SEGMENTS] if len(data) > _SEGMENTS else 0)
    return len(data) >= body and len(data) == body + sum(data[_SEGMENTS + 1 : body])


def _position(page: bytes) -> int:
    return struct.unpack_from("<q", page, _POSITION)[0]


def _checksum(page: bytes) -> int:
    """Return the CRC-32 of a page: polynomial 0x04C11DB7, highest bit first, from 0."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return value
