"""Memory that was freed, which glibc holds or gives back; other C libraries are left alone.

Memory that the system hands out anew is cleared first, page by page, which can take longer than what is computed in it.
But tensors of many sizes leave holes between each other, which add to the peak. So a step gives back what is free
once in each pass, and holds it otherwise.
"""

import ctypes
from functools import cache

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Numbers of `mallopt`'s parameters."""

LARGEST_HELD = 2**23
"""Bytes of a tensor above which it is given back when it is freed, unless it fitted into a hole between others."""

ALL = -1
"""So many bytes at the end of the heap are held."""


def hold_free_memory() -> None:
    """From now on this process keeps what it frees, for the next who asks; `return_free_memory` gives back what is free
    when it is called."""
    if libc := _glibc():
        libc.mallopt(MMAP_THRESHOLD, LARGEST_HELD)
        libc.mallopt(TRIM_THRESHOLD, ALL)


def return_free_memory() -> None:
    """Gives it back to the system, in some hundredths of a second."""
    if libc := _glibc():
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.gnu_get_libc_version and libc.mallopt and libc.malloc_trim else None
    except (AttributeError, OSError, TypeError):
        return None
