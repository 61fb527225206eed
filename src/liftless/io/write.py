"""Files that are written whole or not at all."""

import contextlib
import csv
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liftless._ends import unfinished
from liftless._errors import InvalidInput
from liftless.io.hdf5 import library, write_hdf5

#: Bytes from which on an array has no room in a MATLAB file of version 7.
LARGEST = 2**31
#: Formats of problems and results that can be written.
ARRAY_SUFFIXES = (".npz", ".mat")

#: Formats a figure can be saved in.
FIGURE_SUFFIXES = (".png", ".svg", ".pdf")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside ``path``; what was written there becomes ``path`` at the end.

    Parameters
    ----------
    path : path
        The file wanted.  A link is followed, an existing file replaced.

    Yields
    ------
    Path
        A name in the same directory with the same suffix.  Nothing is left of it when the body
        raises, ``KeyboardInterrupt`` included, and ``path`` is then as it was.

    Raises
    ------
    OSError
        With ``path`` as its file name.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".liftless-{secrets.token_hex(6)}{target.suffix}")
    with unfinished(temporary):
        try:
            yield temporary
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, target)
        except OSError as error:
            # A full disk is told by the name that was asked for.
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        finally:
            temporary.unlink(missing_ok=True)


def check_target(argument: str, path: str | os.PathLike, suffixes: Sequence[str]) -> Path:
    """Check that ``path`` can be written, before anything is computed for it.

    Parameters
    ----------
    argument : str
        Name of the argument, for the message.
    path : path
    suffixes : sequence of str
        Accepted endings.

    Returns
    -------
    Path

    Raises
    ------
    InvalidInput
        A wrong suffix, a directory that is missing or closed, or a directory of that name.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise InvalidInput(
            argument, repr(str(path)), f"a file name in one of {', '.join(suffixes)}"
        )
    if path.is_dir():
        raise InvalidInput(argument, f"{str(path)!r}, a directory", "a file name")
    folder = path.parent
    if not folder.is_dir():
        was, cure = f"{str(path)!r}, in no directory that exists", f"Create {str(folder)!r} first."
        raise InvalidInput(argument, was, "in an existing directory", cure)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput(argument, f"{str(path)!r}", "in a directory you may write to")
    return path


def write_arrays(
    path: str | os.PathLike, arrays: Mapping[str, np.ndarray], *, hdf5: bool = False
) -> None:
    """Write named arrays to ``.npz`` or ``.mat``, atomically.

    Parameters
    ----------
    path : path
    arrays : mapping
    hdf5 : bool
        Whether a ``.mat`` file is of version 7.3 (extra ``hdf5``); one of an array of two gigabytes
        or more is in any case, since version 7 has no room for it.
    """
    path = check_target("path", path, ARRAY_SUFFIXES)
    mat = path.suffix.lower() == ".mat"
    hdf5 = mat and (hdf5 or any(np.asarray(one).nbytes >= LARGEST for one in arrays.values()))
    if hdf5:
        library()
    with _written(path), atomic_write(path) as temporary:
        if hdf5:
            write_hdf5(temporary, arrays)
        elif mat:
            from scipy.io import savemat

            savemat(temporary, dict(arrays), appendmat=False, oned_as="column", do_compression=True)
        else:
            # A handle, since np.savez would append to a suffix in capitals.
            with temporary.open("wb") as handle:
                np.savez(handle, **arrays)  # pyright: ignore[reportArgumentType]


def write_csv(
    path: str | os.PathLike, heading: Sequence[str], lines: Sequence[Sequence[Any]]
) -> None:
    """Write a table as text, atomically; numbers with all their digits.

    Parameters
    ----------
    path : path
    heading : sequence of str
    lines : sequence of sequences
    """
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows(lines)


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn a full disk, or a matrix too large for MATLAB's format, into one clear message."""
    try:
        yield
    except Exception as error:  # each library raises its own
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(
            str(path), f"not written ({why})", "a file that fits its disk and its format"
        ) from error
