"""Rows of results: their fields, their lines of text, and files of them for other programs."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liftless._errors import InvalidInput, needing

#: One row of results: numbers, truths, short strings, lists of these, and None.
Row = dict[str, Any]
#: Fields that every row must have, and of which types.
Kinds = Mapping[str, tuple[type, ...]]
#: Endings of files that rows can be written to.
EXPORTS = (".parquet", ".csv", ".jsonl")


def checked(path: Path, where: str, row: Any, kinds: Kinds) -> Row:
    """Return a row, or raise :class:`InvalidInput` if it has other fields than rows have."""
    cure = "Remove it, or take another directory."
    if not isinstance(row, dict):
        raise InvalidInput(str(path), f"damaged in {where}", "of one JSON object a row", cure)
    for name, types in kinds.items():
        # True is an int to Python, and no count to anyone.
        given = row.get(name, kinds)
        if not isinstance(given, types) or (isinstance(given, bool) and bool not in types):
            was = f"without {name!r}" if given is kinds else f"with {name!r} = {given!r}"
            must = f"of rows with {name!r} as {' or '.join(t.__name__ for t in types)}"
            raise InvalidInput(str(path), f"damaged in {where}, {was}", must, cure)
    return row


def same_settings(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse rows that other settings have decided."""
    for name in [*found, *wanted]:
        if found.get(name) != wanted.get(name):
            was = f"{wanted.get(name)!r}, but {found.get(name)!r} in {path}"
            cure = "Pass what the file has, or another directory."
            raise InvalidInput(name, was, "the same to go on with a run", cure)


def old_rows(path: Path, settings: Row, kinds: Kinds) -> list[Row]:
    """Rows of a file of lines, the settings first, as older releases wrote.

    A last line without its end, left by a process that was killed, is no row.
    """
    data = path.read_bytes()
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        rows.append(checked(path, f"line {number}", row, kinds if number > 1 else {}))
    if not rows and b'{"settings"'.startswith(data[:11]):
        return []
    head = rows[0].get("settings") if rows else None
    if not isinstance(head, dict):
        raise InvalidInput(str(path), "not a file of rows", "one, or a new name")
    same_settings(path, head, settings)
    return rows[1:]


def export_rows(target: str | os.PathLike, rows: Sequence[Row], origins: Sequence[Row]) -> None:
    """Write rows, with the code and the packages that each comes from, to a table.

    Parameters
    ----------
    target : path
        Ending in one of :data:`EXPORTS`; written whole or not at all.
    rows, origins : sequences of Row
        As :func:`liftless_papers.compare.store.read_store` returns them.

    Raises
    ------
    InvalidInput
        Another ending, no directory to write to, or Parquet without pyarrow.
    """
    from liftless.io import atomic_write, check_target

    path = check_target("export", target, EXPORTS)
    packages = [json.dumps(o["packages"], sort_keys=True) for o in origins]
    whole = [
        {**row, "code": o["code"], "packages": p}
        for row, o, p in zip(rows, origins, packages, strict=True)
    ]
    ending = path.suffix.lower()
    if ending == ".parquet":
        parquet_ready()
    with atomic_write(path) as temporary:
        if ending == ".parquet":
            import pyarrow
            import pyarrow.parquet

            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(whole), temporary)
        elif ending == ".csv":
            _write_csv(temporary, whole)
        else:
            lines = (json.dumps(row, allow_nan=False) + "\n" for row in whole)
            temporary.write_text("".join(lines), "utf-8")


def parquet_ready() -> None:
    """Say how to get pyarrow where it is missing."""
    with needing("pyarrow", "parquet", "installed to write Parquet", ", or write .csv or .jsonl."):
        import pyarrow.parquet  # noqa: F401


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Columns in the order of first appearance; what is no single value as JSON."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            values = [row.get(name) for name in names]
            nested = (list, dict)
            writer.writerow([json.dumps(v) if isinstance(v, nested) else v for v in values])
