"""Distances and anchors as files."""

from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.distances.data import AXES
from liftless.io.columns import number, read_columns


def read_distances(path: Any) -> dict[str, Any]:
    """Arguments of :func:`liftless.distances.locate` from lines ``i, j, d[, std]``.

    Returns
    -------
    dict
        ``pairs``, ``d``, and ``std`` where every line has one.
    """
    lines = read_columns(path, ("i", "j", "d", "std"), 3)
    d = np.array([number(path, k, "d", cells[2]) for k, cells in lines])
    out = {"pairs": points([cells[:2] for _, cells in lines]), "d": d}
    spread = [cells[3] for _, cells in lines]
    if any(spread):
        out["std"] = np.array([number(path, k, "std", cells[3]) for k, cells in lines])
    return out


def read_anchors(path: Any, dim: int, words: bool) -> dict[Any, np.ndarray]:
    """Places of known points from lines ``point, x, y, …``."""
    names = ("point", *AXES[:dim])
    out: dict[Any, np.ndarray] = {}
    for k, cells in read_columns(path, names, 1 + dim):
        name: Any = cells[0]
        if not words:
            try:
                name = int(name)
            except ValueError:
                was = f"{str(path)!r}: line {k} has {cells[0]!r}"
                raise InvalidInput("anchors", was, "a point as the distances have it") from None
        out[name] = np.array([number(path, k, "a coordinate", cell) for cell in cells[1:]])
    return out


def points(cells: list[list[str]]) -> np.ndarray:
    """Pairs of whole numbers where all of them are, else of words."""
    try:
        return np.array([[int(cell) for cell in row] for row in cells])
    except ValueError:
        return np.array(cells)
