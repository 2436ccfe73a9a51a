"""Memory that was freed, and that the C library holds on to."""

import ctypes
from functools import cache


def return_free_memory() -> None:
    """Gives it back to the system, in some hundredths of a second; does nothing where the C library is not glibc.

    Tensors of many sizes leave holes between each other, which otherwise add to the peak of a step.
    """
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim():
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
