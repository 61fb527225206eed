"""Rows in a file that is only ever appended to, so that a sweep can be gone on with."""

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from liftless._errors import InvalidInput

#: One row of results: numbers, truths, short strings and None.
Row = dict[str, Any]


class Store:
    """JSON lines: the settings first, then one row a line.

    Opening reads back what is there.  A last line without its end, left by a process that was
    killed while it wrote, is cut off; so nothing but that one row is ever lost.

    Parameters
    ----------
    path : path
        Made with its first line when it is missing; its directory must exist.
    settings : mapping
        Whatever decides a row besides its own key.  A file with other settings is refused.
    kinds : mapping of str to types, optional
        Fields that every row must have, and of which types.

    Attributes
    ----------
    rows : list of Row
        All rows, old and new.

    Raises
    ------
    InvalidInput
        A file of other settings, of another kind, damaged before its last line, or in use.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        settings: Mapping[str, Any],
        kinds: Mapping[str, tuple[type, ...]] | None = None,
    ) -> None:
        self.path = Path(path)
        self.kinds = kinds or {}
        # As they will read back: tuples are lists there.
        self.settings: Row = json.loads(json.dumps(dict(settings)))
        self.rows: list[Row] = []
        self._handle: IO[bytes] | None = None

    def __enter__(self) -> "Store":
        # Looked at before it is opened for writing, so that a refused file is left as it was.
        self._check(self.path.read_bytes() if self.path.exists() else b"")
        handle = self.path.open("a+b")
        try:
            _lock(handle, self.path)
            handle.seek(0)
            whole, self.rows = self._check(handle.read())
            handle.truncate(whole)
        except BaseException:
            handle.close()
            raise
        handle.close()
        # Unbuffered, so that what a full disk refused is not tried again on closing.
        self._handle = self.path.open("ab", buffering=0)
        _lock(self._handle, self.path)
        if whole == 0:
            self._write({"settings": self.settings})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def append(self, row: Row) -> None:
        """Add a row, on disk when this returns."""
        self._write(row)
        self.rows.append(row)

    def _write(self, fields: Mapping[str, Any]) -> None:
        assert self._handle is not None, "a store is written to inside its with block"
        line = (json.dumps(fields, allow_nan=False) + "\n").encode()
        before = os.fstat(self._handle.fileno()).st_size
        try:
            if (self._handle.write(line) or 0) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._handle.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._handle.truncate(before)
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _check(self, data: bytes) -> tuple[int, list[Row]]:
        """Length of the whole lines of a file, and its rows."""
        whole = data.rfind(b"\n") + 1
        lines = [self._row(k, line) for k, line in enumerate(data[:whole].splitlines(), 1)]
        if not lines:
            if data and not b'{"settings"'.startswith(data[:11]):
                raise InvalidInput(str(self.path), "not a file of rows", "one, or a new name")
            return 0, []
        head = lines[0].get("settings")
        if not isinstance(head, dict):
            raise InvalidInput(str(self.path), "not a file of rows", "one, or a new name")
        for name in [*head, *self.settings]:
            if head.get(name) != self.settings.get(name):
                was = f"{self.settings.get(name)!r}, but {head.get(name)!r} in {self.path}"
                cure = "Pass what the file has, or another directory."
                raise InvalidInput(name, was, "the same to go on with a run", cure)
        return whole, lines[1:]

    def _row(self, number: int, line: bytes) -> Row:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        cure = "Remove that line, or take another directory."
        if not isinstance(row, dict):
            was = f"damaged in line {number}"
            raise InvalidInput(str(self.path), was, "one JSON object a line", cure)
        if number == 1:
            return row
        for name, types in self.kinds.items():
            # True is an int to Python, and no count to anyone.
            given = row.get(name, self)
            if not isinstance(given, types) or (isinstance(given, bool) and bool not in types):
                was = f"without {name!r}" if given is self else f"with {name!r} = {given!r}"
                must = f"of rows with {name!r} as {' or '.join(t.__name__ for t in types)}"
                raise InvalidInput(str(self.path), f"damaged in line {number}, {was}", must, cure)
        return row


def _lock(handle: IO[Any], path: Path) -> None:
    """Refuse a file that another run writes to, where the system can tell."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        cure = "Wait for it, or take another directory."
        raise InvalidInput(str(path), "in use by another run", "free", cure) from error
