"""Lines for people on standard error, and the pieces of a report on standard output."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from liftless._ends import INTERRUPTED

#: Exit code of an experiment that ended with an error.
FAILED = 1
#: Exit code of a run that speaks against what is written of a statement.
CONTRADICTED = 3
#: Exit code of bad usage or bad input.
USAGE = 2

#: Colour of a verdict, by the exit code that goes with it.
COLOURS = {0: "32", 3: "33", 4: "33", INTERRUPTED: "35"}


def note(text: str) -> None:
    """Print one line on standard error, whatever line breaks ``text`` has."""
    sys.stderr.write(" ".join(text.split()) + "\n")
    sys.stderr.flush()


def complain(text: str) -> None:
    """Print an error as one line on standard error."""
    note(f"error: {text}")


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each warning once, as a line on standard error."""
    from liftless._errors import InputWarning

    seen: set[str] = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        text = str(message)
        if text not in seen:
            seen.add(text)
            note(f"warning: {text}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        warnings.showwarning = show
        yield


def emit(line: str) -> None:
    """Print a line on standard output."""
    sys.stdout.write(line + "\n")


def emit_json(fields: dict[str, Any]) -> None:
    """Print one JSON object on standard output; NaN and infinities become null."""
    import json

    from liftless.io import plain

    emit(json.dumps(plain(fields), allow_nan=False))


def emit_table(rows: list[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        emit(f"  {name:<{width}}  {value}".rstrip())


def emit_found(found: Any, written: Sequence[str], more: Sequence[tuple[str, str]] = ()) -> None:
    """Print the message of a result in the colour of its status, its rows, and what was written.

    Parameters
    ----------
    found : Location, Estimate, Retrieval or State
    written : sequence of str
        Names of files.
    more : sequence of (str, str)
        Rows that the result does not have.
    """
    emit(coloured(found.message, found.status))
    rows = [row for row in found.rows() if row[0] != "message"]
    emit_table([*rows, *more, *(("wrote", name) for name in written)])


def lambda_row(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """Row of the slack's least eigenvalue, where the matrix is positive semidefinite."""
    return [("λ_n", f"{fields['lambda_n']:.6g}")] if fields["semidefinite"] else []


def coloured(text: str, status: int) -> str:
    """``text`` in the colour of a status, on a terminal and unless NO_COLOR is set."""
    plain_terminal = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain_terminal or not sys.stdout.isatty():
        return text
    return f"\033[1;{COLOURS.get(status, '0')}m{text}\033[0m"
