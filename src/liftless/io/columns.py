"""Long tables of text: a line a record, columns by name or by place."""

import csv
from pathlib import Path
from typing import Any

from liftless._errors import InvalidInput

#: Separators that are tried, in this order; else white space.
SEPARATORS = (",", ";", "\t")


def read_columns(path: Any, names: tuple[str, ...], needed: int) -> list[tuple[int, list[str]]]:
    """Lines of a text file as cells in the order of ``names``, with the number of each line.

    Parameters
    ----------
    path : path
        CSV with ``,``, ``;``, tabs or white space; lines that begin with # are left out.
    names : tuple of str
        Columns wanted.  A first line that has the first of them is a heading, by which they are
        found; else they are the first columns.
    needed : int
        How many of them there must be; cells of the others are empty where they are missing.

    Raises
    ------
    InvalidInput
        Where there is no file, no line, or a column too few.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidInput("file", f"{str(path)!r}, which is missing", "an existing file")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, ValueError):
        raise InvalidInput("file", f"{str(path)!r}, which is no text", "text in UTF-8") from None
    kept = [(k, x) for k, x in enumerate(lines, 1) if x.strip() and not x.lstrip().startswith("#")]
    if not kept:
        raise InvalidInput("file", f"{str(path)!r} without a line", f"lines of {', '.join(names)}")
    mark = next((mark for mark in SEPARATORS if mark in kept[0][1]), None)
    cells = [
        (
            k,
            [
                c.strip()
                for c in (x.split() if mark is None else next(csv.reader([x], delimiter=mark)))
            ],
        )
        for k, x in kept
    ]
    heading = [cell.lower() for cell in cells[0][1]]
    if names[0] in heading:
        missing = [name for name in names[:needed] if name not in heading]
        if missing:
            was = f"{str(path)!r} without the column {missing[0]!r}"
            raise InvalidInput("file", was, f"a table of {', '.join(names)}")
        places = [heading.index(name) if name in heading else None for name in names]
        cells = cells[1:]
    else:
        places = list(range(len(names)))
    least = max(p for p in places[:needed] if p is not None) + 1
    for k, row in cells:
        if len(row) < least:
            was = f"{str(path)!r}: line {k} has {len(row)} cells"
            raise InvalidInput("file", was, f"at least {least} ({', '.join(names[:needed])})")
    return [
        (k, [row[p] if p is not None and p < len(row) else "" for p in places]) for k, row in cells
    ]


def number(path: Any, line: int, name: str, cell: str) -> float:
    """Return a cell as a finite number, or say which line has none."""
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if value != value or abs(value) == float("inf"):
        was = f"{str(path)!r}: line {line} has {cell!r} for {name}"
        raise InvalidInput("file", was, "a finite number")
    return value
