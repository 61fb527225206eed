"""Rows in a file of SQLite, each once, so that a sweep can be gone on with."""

import contextlib
import errno
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from liftless._errors import InvalidInput
from liftless_papers.compare.rows import Kinds, Row, checked, old_rows, same_settings

#: What marks a file of SQLite as one of ours ("llss"), and the form of its tables.
MARK, FORM = 0x6C6C7373, 1
#: Seconds that another process may need to let go of a file.
PATIENCE = 0.2

TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE origins (id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    origin INTEGER NOT NULL REFERENCES origins (id),
    row TEXT NOT NULL
);
"""
#: Origin of rows that an older release kept as lines of text.
UNKNOWN: Row = {"code": "unknown", "packages": {}}

#: What SQLite says of a disk or a file that cannot be written to, by its own number.
_FULL = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}


class Store:
    """Rows, the settings that they share, and the code that each comes from.

    A row is on disk when :meth:`append` returns, or not at all, whatever ends the process.  One
    process at a time may have a store open; what has its key already is not written again.

    Parameters
    ----------
    path : path
        Made when it is missing; its directory must exist.  Where it is missing and there is a file
        of the same name with the ending ``.jsonl``, as older releases wrote, its rows are taken
        over once; that file stays as it is.
    settings : mapping
        Whatever decides a row besides its own key.  A file with other settings is refused.
    kinds : mapping of str to types, optional
        Fields that every row must have, and of which types.
    key : sequence of str
        Fields that tell rows apart; each row has them.

    Attributes
    ----------
    rows : list of Row
        All rows, old and new, in the order in which they came.
    origins : list of Row
        The different codes that they come from.

    Raises
    ------
    InvalidInput
        A file of other settings, of another kind, damaged, or in use.
    OSError
        A disk that is full, or on which nothing may be written; with the path.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        settings: Mapping[str, Any],
        kinds: Kinds | None = None,
        *,
        key: Sequence[str],
    ) -> None:
        self.path = Path(path)
        self.kinds = kinds or {}
        self.key = tuple(key)
        # As they will read back: tuples are lists there.
        self.settings: Row = json.loads(json.dumps(dict(settings)))
        self.rows: list[Row] = []
        self.origins: list[Row] = []
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> "Store":
        there = self.path.exists()
        try:
            with told(self.path):
                self._open()
        except BaseException:
            self._close()
            if not there:
                self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def append(self, row: Row, origin: Row | None = None) -> bool:
        """Add a row, on disk when this returns; whether it was new.

        Parameters
        ----------
        row : Row
        origin : Row, optional
            Code and packages that it comes from, as :func:`liftless_papers.compare.origin.origin`
            has them; those of this process if left out.
        """
        if origin is None:
            from liftless_papers.compare.origin import origin as here

            origin = here()
        with told(self.path):
            try:
                new = self._insert(row, origin)
                self._database.commit()
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._database.rollback()
                raise
        return new

    @property
    def _database(self) -> sqlite3.Connection:
        assert self._connection is not None, "a store is used inside its with block"
        return self._connection

    def _insert(self, row: Row, origin: Row) -> bool:
        text, key = json.dumps(row, allow_nan=False), json.dumps([row[k] for k in self.key])
        source = json.dumps(origin, sort_keys=True)
        known = self._database.execute("SELECT id FROM origins WHERE origin = ?", [source])
        found = known.fetchone()
        if found is None:
            insert = "INSERT INTO origins (origin) VALUES (?)"
            found = (self._database.execute(insert, [source]).lastrowid,)
        insert = "INSERT INTO rows (key, origin, row) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        new = self._database.execute(insert, [key, found[0], text]).rowcount == 1
        if new:
            self.rows.append(json.loads(text))
            if origin not in self.origins:
                self.origins.append(origin)
        return new

    def _open(self) -> None:
        self._connection = connected(self.path)
        # The file is this process's from here on; then no memory need be shared between
        # processes, which disks of a network do not offer.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA synchronous = FULL")
        # Nothing in it: new, or left by a process that was killed while it made it.
        if _empty(self._database):
            self._make()
        else:
            self._read()
            # What is refused is not changed: only now is it taken for writing.
            self._database.execute("BEGIN EXCLUSIVE")
            # Nothing new, but something that a disk without writing refuses here and now.
            self._database.execute(f"PRAGMA user_version = {FORM}")
            self._database.commit()
        # One wait for the disk a row instead of three; where that cannot be, it stays as it was.
        self._database.execute("PRAGMA journal_mode = WAL")

    def _make(self) -> None:
        """Tables, settings and what was there before, all or nothing."""
        taken = self._taken_over()
        self._database.execute("BEGIN EXCLUSIVE")
        for statement in TABLES.split(";\n"):
            self._database.execute(statement)
        self._database.execute(f"PRAGMA application_id = {MARK}")
        self._database.execute(f"PRAGMA user_version = {FORM}")
        named = [(name, json.dumps(value)) for name, value in self.settings.items()]
        self._database.executemany("INSERT INTO settings VALUES (?, ?)", named)
        for row in taken:
            self._insert(row, UNKNOWN)
        self._database.commit()

    def _read(self) -> None:
        settings, rows = contents(self._database, self.path)
        same_settings(self.path, settings, self.settings)
        for number, row, origin in rows:
            self.rows.append(checked(self.path, f"row {number}", row, self.kinds))
            if origin not in self.origins:
                self.origins.append(origin)

    def _taken_over(self) -> list[Row]:
        """Rows of a file of lines beside a store that does not exist yet."""
        old = self.path.with_suffix(".jsonl")
        return old_rows(old, self.settings, self.kinds) if old.is_file() else []

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):  # what is committed is safe in any case
                self._connection.close()
            self._connection = None

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.path}{ending}").unlink(missing_ok=True)


def connected(path: Path) -> sqlite3.Connection:
    """Connection to a file, made where it is missing."""
    return sqlite3.connect(path, timeout=PATIENCE)


def _code(error: sqlite3.Error) -> int:
    """SQLite's number of what went wrong, without its details."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite says into one line: in use, damaged, full, or not writable."""
    try:
        yield
    except sqlite3.Error as error:
        code = _code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            cure = "Wait for it, or take another directory."
            raise InvalidInput(str(path), "in use by another run", "free", cure) from error
        if code in _FULL:
            number = _FULL[code] if os.access(path.parent, os.W_OK) else errno.EROFS
            raise OSError(number, os.strerror(number), str(path)) from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
            raise _foreign(path, str(error)) from error
        raise


def _foreign(path: Path, why: str) -> InvalidInput:
    cure = "Take another directory."
    return InvalidInput(str(path), f"damaged, or no store of rows ({why})", "one", cure)


def _empty(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def contents(database: sqlite3.Connection, path: Path) -> tuple[Row, list[tuple[int, Any, Row]]]:
    """Settings of a store, and its rows with their numbers and origins."""
    mark = database.execute("PRAGMA application_id").fetchone()[0]
    form = database.execute("PRAGMA user_version").fetchone()[0]
    if _empty(database):
        return {}, []
    if mark != MARK:
        raise _foreign(path, "of another program")
    if form != FORM:
        cure = "Use the release that wrote it, or take another directory."
        raise InvalidInput(str(path), f"a store of form {form}", f"of form {FORM}", cure)
    try:
        named = database.execute("SELECT name, value FROM settings")
        settings = {name: json.loads(value) for name, value in named}
        sources = database.execute("SELECT id, origin FROM origins")
        origins = {number: json.loads(text) for number, text in sources}
        found = database.execute("SELECT id, row, origin FROM rows ORDER BY id")
        return settings, [(k, json.loads(text), origins[source]) for k, text, source in found]
    except (ValueError, RecursionError, KeyError, UnicodeDecodeError, TypeError) as error:
        raise _foreign(path, str(error)) from error


def _looked_into(path: Path, where: Path) -> tuple[Row, list[tuple[int, Any, Row]]]:
    """Contents of the store ``path``, read at ``where``.

    Rows of a run that was killed may still be in the file beside it, which is only read where
    that can be written to; elsewhere, as on a disk that is full, both are copied first.
    """
    database = connected(where)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        return contents(database, path)
    except sqlite3.OperationalError as error:
        if where != path or _code(error) not in _FULL:
            raise
    finally:
        database.close()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for ending in ("", "-wal"):
            if Path(f"{path}{ending}").exists():
                shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
        return _looked_into(path, copy)


def read_store(path: str | os.PathLike) -> tuple[Row, list[Row], list[Row]]:
    """Settings, rows, and the origin of each row, of a store that no run has open.

    Nothing of a store whose run was killed while it made it.

    Raises
    ------
    InvalidInput
        A file that is missing, damaged, of another kind, or in use.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidInput(str(path), "missing", "a store of rows")
    with told(path):
        settings, found = _looked_into(path, path)
    return settings, [row for _, row, _ in found], [origin for _, _, origin in found]
