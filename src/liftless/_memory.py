"""Sizes, estimated before anything of that size is asked for."""

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput

#: Where a container keeps its limit in bytes, or "max".
CGROUP = Path("/sys/fs/cgroup/memory.max")
#: Rows of a matrix of which nothing is read that a file may have: a slip in a position has more.
UNSEEN = 10**6
#: A file may hold this many bytes, or so many times its own size; a bomb holds more.
INFLATED, RATIO = 2**28, 100
#: Bytes that a processor's arrays are aligned to, and from how many on it is worth a copy.
ALIGNED, WORTH = 64, 2**20


def aligned(array: Any) -> Any:
    """Return a large array of NumPy's where the device can use it in place, copied if need be.

    What is not aligned is copied at every transfer, and is then there twice for as long as either.
    """
    if not isinstance(array, np.ndarray) or array.nbytes < WORTH:
        return array
    if array.ctypes.data % ALIGNED == 0 and array.flags.c_contiguous:
        return array
    out = aligned_zeros(array.shape, array.dtype)
    out[...] = array
    return out


def aligned_zeros(shape: Any, dtype: Any = np.float64) -> np.ndarray:
    """Zeros where the device can use them in place."""
    bare = np.zeros(int(np.prod(shape)) * np.dtype(dtype).itemsize + ALIGNED, np.uint8)
    first = -bare.ctypes.data % ALIGNED
    return bare[first : bare.size - ALIGNED + first].view(dtype).reshape(shape)


def memory() -> float:
    """Return the bytes that this process could have at most: the machine's or its container's."""
    limits = [float("inf")]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    with contextlib.suppress(OSError, ValueError):  # there is no container, or it has no limit
        limits.append(float(CGROUP.read_text()))
    return min(limits)


def check_memory(argument: str, was: object, needed: float | int, cure: str = "") -> None:
    """Raise :class:`InvalidInput` where ``needed`` bytes are more than the memory there is."""
    have = memory()
    if needed > have:
        must = (
            f"small enough for {have / 2**30:.3g} GiB of memory: about {needed / 2**30:.3g} needed"
        )
        raise InvalidInput(argument, was, must, cure)


def check_order(argument: str, was: object, order: int, read: int) -> None:
    """Raise :class:`InvalidInput` where most of the rows of a matrix are sure to be unread.

    Parameters
    ----------
    argument, was : str, object
        For the message.
    order : int
        Rows, and columns of another matrix than a symmetric one, together.
    read : int
        Entries that are given; each is in two of those rows.
    """
    if order > 2 * read + UNSEEN:
        cure = "Number rows and columns from zero without gaps."
        must = f"at most {2 * read + UNSEEN} where {read} entries are given"
        raise InvalidInput(argument, was, must, cure)


def check_inflated(argument: str, inflated: int, stored: int) -> None:
    """Raise :class:`InvalidInput` where a small file unpacks to very much, or to more than fits."""
    if inflated > max(INFLATED, RATIO * stored):
        was = f"{stored} bytes that unpack to {inflated} or more"
        cure = "It may be damaged; entries that are zero are best left out, in the form of entries."
        raise InvalidInput(argument, was, f"at most {RATIO} times its stored size", cure)
    check_memory(argument, f"{inflated} bytes large", inflated)
