"""Readings behind a probe that is moved over the image, checked."""

import warnings
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from liftless._checks import describe
from liftless._errors import InputWarning, InvalidInput
from liftless.operators import ScannedProbe
from liftless.phase.data import Data, checked, in_units


def read_scan(
    intensities: Any,
    probe: Any,
    positions: Any,
    shape: Any,
    known: Any,
    noise: Any,
    norm: str,
    *,
    real: bool,
) -> Data:
    """Check what :func:`liftless.phase.retrieve` takes with a probe.

    Raises
    ------
    InvalidInput
        By the name of the argument.
    """
    for name, value in (("probe", probe), ("positions", positions)):
        if value is None:
            raise InvalidInput(name, "left out", "given, probe and positions together")
    P, corners = np.asarray(probe), np.asarray(positions)
    if corners.ndim == 1 and P.ndim == 1:
        corners = corners[:, None]
    if shape is None:
        shape = _reach(corners, P)
    operator = ScannedProbe(probe, corners, shape, real=real)
    windows = (operator.transforms, *operator.grid)
    if np.shape(intensities) != windows:
        was, must = f"of shape {np.shape(intensities)}", f"of shape {windows}: a window a position"
        raise InvalidInput("intensities", was, must, "Put the positions on the first axis.")
    even = P.dtype.kind != "c"
    b, seen, level = checked(intensities, windows, known, noise, real=real, even=even)
    data = in_units(operator, b, seen, level, norm, None, float(np.count_nonzero(seen)))
    data.enough(data.rows / (2 if real and even else 1))
    parts = _parts(operator)
    if parts > 1:
        text = (
            f"the windows fall into {parts} parts that share no pixel: how their phases differ "
            "is measured by nothing. Let neighbours overlap by half or more."
        )
        warnings.warn(text, InputWarning, stacklevel=5)
    return data


def _reach(corners: np.ndarray, probe: np.ndarray) -> tuple[int, ...]:
    """Least image that holds all windows."""
    sound = corners.dtype.kind in "iu" and corners.ndim == 2 and corners.shape[1] == probe.ndim
    if not sound or not len(corners):
        must = f"an integer array of shape (S, {probe.ndim}): the first corner of each window"
        raise InvalidInput("positions", describe(corners), must, "Round them to pixels.")
    return tuple(int(k) for k in corners.max(axis=0) + np.array(probe.shape))


def _parts(operator: ScannedProbe) -> int:
    """Sets of windows that share lit pixels."""
    windows, lit = np.asarray(operator.windows), np.asarray(operator.probe).ravel() != 0
    pixels = windows[:, lit]
    S, n = len(pixels), operator.order
    rows = np.repeat(np.arange(S), pixels.shape[1])
    ones = np.ones(rows.size, np.int8)
    graph = coo_array((ones, (rows, S + pixels.ravel())), shape=(S + n, S + n))
    return int(connected_components(graph, directed=False)[0])
