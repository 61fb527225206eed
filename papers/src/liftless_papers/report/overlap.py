"""Which lines of a panel run where later ones do, and would not be seen."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from liftless_papers.experiments.base import Row
from liftless_papers.experiments.figures import Layer, Panel
from liftless_papers.report.select import numbers

#: Heights closer than this share of the panel's look the same; a line is covered if so much of it
#: does.
CLOSE, MUCH = 0.012, 0.8


def covered(series: Sequence[tuple[Layer, Sequence[Row]]], panel: Panel) -> list[int]:
    """How many later lines run where each series does; 0 for what is no line.

    Lines are compared at the values of x that they share, or between them if they share none.
    """
    found = [0] * len(series)
    lines = {
        k: _line(layer, rows, panel) for k, (layer, rows) in enumerate(series) if _is_line(layer)
    }
    heights = np.concatenate(
        [np.array([*line.values()]) for line in lines.values() if line] or [[]]
    )
    if heights.size == 0:
        return found
    near = CLOSE * max(float(np.ptp(heights)), 1e-300)
    for first, second in itertools.combinations(lines, 2):
        if _met(lines[first], lines[second], near) > MUCH * len(lines[first]):
            found[first] += 1
    return found


def _met(first: dict[Any, float], second: dict[Any, float], near: float) -> int:
    """At how many points of the first line the second is near."""
    shared = first.keys() & second.keys()
    if shared:
        return sum(abs(first[x] - second[x]) <= near for x in shared)
    if not second or not all(isinstance(x, int | float) for x in (*first, *second)):
        return 0
    at = np.sort(np.array([*second], float))
    between = np.interp(np.array([*first], float), at, [second[x] for x in sorted(second)])
    return int(np.sum(np.abs(between - np.array([*first.values()])) <= near))


def _is_line(layer: Layer) -> bool:
    # Many runs of one kind are a crowd whose members need not be told apart.
    crowd = bool(layer.group) and "{group}" not in layer.label
    return layer.kind in ("line", "curve") and not crowd


def _line(layer: Layer, rows: Sequence[Row], panel: Panel) -> dict[Any, float]:
    """Heights by x, on the axis's own scale; what is not shown is left out."""
    y = numbers(rows, layer.y, layer.table)
    shown: Bool[np.ndarray, " k"] = np.isfinite(y) & ((y > 0) | (panel.y_scale != "log"))
    if panel.y_scale == "log":
        y = np.log(np.where(shown, y, 1.0))
    low, high = panel.y_limits
    if panel.y_scale == "linear":
        shown &= (y >= (-np.inf if low is None else low)) & (
            y <= (np.inf if high is None else high)
        )
    return {row.get(layer.x): float(y[k]) for k, row in enumerate(rows) if shown[k]}
