"""A look through a MATLAB 5 file before it is read: SciPy's reader trusts every tag.

A damaged tag can end the process there, where this raises.  Only the frame is looked at: each
element lies within the one that holds it, and is of a type that exists.
"""

import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from liftless._memory import INFLATED, RATIO, check_inflated

#: Bytes of the header, and where its mark of byte order is.
HEADER, ORDER = 128, slice(126, 128)
MATRIX, COMPRESSED = 14, 15
#: Types of the elements that hold numbers or text.
NUMBERS = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18))
#: Classes of variables that are loaded: text, and the full numeric ones from double on.
LOADED = frozenset((4, *range(6, 16)))
#: Elements before the numbers: flags, dimensions, name.
PREFIX = (6, 5, 1)
#: Parts of a variable of numbers: those, and real and imaginary parts.
MOST_PARTS = len(PREFIX) + 2


class Damaged(ValueError):
    """A tag that cannot be."""


def check_frame(path: Path) -> None:
    """Raise :class:`Damaged` if SciPy cannot safely read the arrays of a MATLAB 5 file."""
    data = memoryview(path.read_bytes())
    if 0 in data[:4]:  # a MATLAB 4 file, whose reader needs no such help
        return
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[ORDER]))
    if order is None:
        raise Damaged("no MATLAB 5 header")
    total = 0
    for kind, body in _elements(data[HEADER:], order, aligned=False):
        if kind == COMPRESSED:
            inflated = _inflate(path, body, total, len(data))
            total += len(inflated)
            inner = list(itertools.islice(_elements(inflated, order), 2))
            if [kind for kind, _ in inner] != [MATRIX]:
                raise Damaged("a compressed element that holds no variable")
            _check_variable(inner[0][1], order)
        elif kind == MATRIX:
            _check_variable(body, order)
        else:
            raise Damaged(f"an element of type {kind} among the variables")


def _inflate(path: Path, body: memoryview, before: int, stored: int) -> memoryview:
    """Unpack an element of a file of ``stored`` bytes, of which ``before`` are unpacked already."""
    most = max(INFLATED, RATIO * stored) - before
    stream = zlib.decompressobj()
    data = stream.decompress(body, most + 1)
    check_inflated(str(path), before + len(data), stored)
    if not stream.eof:
        raise Damaged("a compressed element that does not end")
    return memoryview(data)


def _elements(
    data: memoryview, order: str, aligned: bool = True
) -> Iterator[tuple[int, memoryview]]:
    """Type and body of each element of ``data``, one after the other."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise Damaged("an element cut short")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # a small element: its size is in the upper half of the type
            kind, size, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
            if size > 4:
                raise Damaged("a small element of more than four bytes")
        else:
            start = at + 8
            end = start + size
            # Compressed elements are not padded; all others fill eight bytes.
            end += -size % 8 if aligned or kind != COMPRESSED else 0
        if start + size > len(data):
            raise Damaged("an element that is longer than what holds it")
        yield kind, data[start : start + size]
        at = end


def _check_variable(body: memoryview, order: str) -> None:
    # A cell array has any number of parts; those that are loaded have five, and one too many tells.
    parts = list(itertools.islice(_elements(body, order), MOST_PARTS + 1))
    kinds = tuple(kind for kind, _ in parts)
    if kinds[:1] != PREFIX[:1] or len(parts[0][1]) != 8:
        raise Damaged("a variable without flags")
    (flags, _) = struct.unpack(f"{order}II", parts[0][1])
    variable, is_complex = flags & 0xFF, bool(flags & 0x800)
    if variable not in LOADED:
        return
    if kinds[:3] != PREFIX or not parts[1][1] or len(parts[1][1]) % 4:
        raise Damaged("a variable without dimensions and name")
    if len(kinds) != 4 + is_complex or not NUMBERS.issuperset(kinds[3:]):
        raise Damaged("a variable whose numbers are of no known type")
