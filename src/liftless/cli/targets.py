"""Files that a command is to write, checked before anything is computed."""

import os

from liftless._errors import InvalidInput
from liftless.io import ARRAY_SUFFIXES, FIGURE_SUFFIXES, check_target


def check_targets(
    source: str,
    what: str,
    out: str | None,
    plot: str | None = None,
    *,
    suffixes: tuple[str, ...] = ARRAY_SUFFIXES,
) -> None:
    """Check the files for arrays and for a picture; neither may be the one that is read.

    Parameters
    ----------
    source, what : str
        The file that is read, and what it is.
    out, plot : str, optional
    suffixes : tuple of str
        Formats of the former.

    Raises
    ------
    InvalidInput
        By the name of the option.
    """
    for name, path, formats in (("out", out, suffixes), ("plot", plot, FIGURE_SUFFIXES)):
        if path is None:
            continue
        check_target(name, path, formats)
        if os.path.realpath(path) == os.path.realpath(source):
            raise InvalidInput(name, what, "another file")
