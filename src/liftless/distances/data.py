"""Measured distances as callers have them, checked, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from liftless._checks import describe, positive_int, real_array, real_number
from liftless._errors import InvalidInput

#: Names of the coordinates in files; there are no points of more.
AXES = ("x", "y", "z", "u", "v", "w", "s", "t")
#: Length of a fit, as a share of the measured one, below which a relative deviation falls no more.
SHORTEST = 1e-3


@dataclass(frozen=True)
class Distances:
    """Distances between points, and points whose places are known.

    Attributes
    ----------
    names : array of shape (n,)
    dim : int
    i, j : integer arrays of shape (m,)
        The points of each distance, as rows of ``names``.
    d : array of shape (m,)
    std : array of shape (m,) or None
        Standard deviations; None where they are not known.
    shape : array of shape (m,)
        Standard deviations up to a common factor.
    anchors : integer array of shape (a,)
    places : array of shape (a, dim)
    relative : bool
        Whether the deviations are proportional to the distances.
    """

    names: Shaped[np.ndarray, " n"]
    dim: int
    i: Int[np.ndarray, " m"]
    j: Int[np.ndarray, " m"]
    d: Float[np.ndarray, " m"]
    std: Float[np.ndarray, " m"] | None
    shape: Float[np.ndarray, " m"]
    anchors: Int[np.ndarray, " a"]
    places: Float[np.ndarray, "a dim"]
    relative: bool = False

    @property
    def n(self) -> int:
        """Number of points."""
        return self.names.size

    def of(self, kept: np.ndarray) -> "Distances":
        """Return the distances among some points (a boolean array), as data of their own."""
        number = np.cumsum(kept) - 1
        e = kept[self.i] & kept[self.j]
        a = kept[self.anchors] if self.anchors.size else np.zeros(0, bool)
        return Distances(
            self.names[kept],
            self.dim,
            number[self.i[e]],
            number[self.j[e]],
            self.d[e],
            None if self.std is None else self.std[e],
            self.shape[e],
            number[self.anchors[a]],
            self.places[a],
            self.relative,
        )

    def lengths(self, X: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " m"]:
        """Distances of the pairs between places."""
        return np.linalg.norm(X[self.i] - X[self.j], axis=1)

    def reweighted(self, X: Float[np.ndarray, "n dim"]) -> "Distances":
        """Return the data with relative deviations taken of a fit's lengths, not of the measured.

        Of these the short ones would weigh too much, and shrink the fit.
        """
        if not self.relative:
            return self
        ratio = np.maximum(self.lengths(X), SHORTEST * self.d) / self.d
        std = None if self.std is None else self.std * ratio
        return replace(self, std=std, shape=self.shape * ratio)


def read(pairs: Any, d: Any, dim: Any, anchors: Any, noise: Any, std: Any, n: Any) -> Distances:
    """Check what :func:`liftless.distances.locate` was given.

    Raises
    ------
    InvalidInput
        By the name of the argument.
    """
    dim = positive_int("dim", dim, most=len(AXES))
    if noise not in ("absolute", "relative"):
        must = "'absolute' (std in units of d) or 'relative' (std as a share of d)"
        raise InvalidInput("noise", describe(noise), must)
    ends = np.asarray(pairs)
    if ends.ndim != 2 or ends.shape[1] != 2 or len(ends) < 1 or ends.dtype.kind not in "iuUS":
        must = "of shape (m, 2): two points a line, by number or name"
        raise InvalidInput("pairs", describe(pairs), must)
    d = real_array("d", d, 1)
    if d.shape != (len(ends),):
        raise InvalidInput("d", describe(d), f"as long as pairs ({len(ends)})")
    if np.any(d <= 0):
        where = int(np.argmin(d))
        cure = "Two names of one place are one point."
        raise InvalidInput("d", f"{d[where]:g} at index {where}", "> 0", cure)
    known = _anchors(anchors, dim)
    names = _names(ends, list(known), n)
    place = {name: k for k, name in enumerate(names.tolist())}
    i, j = (np.array([place[e] for e in ends[:, c].tolist()]) for c in (0, 1))
    if np.any(i == j):
        where = int(np.flatnonzero(i == j)[0])
        raise InvalidInput("pairs", f"one point twice at index {where}", "two points a line")
    spread = _std(std, d, noise)
    i, j, d, spread = _once(i, j, d, spread)
    shape = d if noise == "relative" else np.full(d.size, float(np.median(d)))
    fixed = np.array([place[name] for name in known], int)
    places = np.array(list(known.values()), float).reshape(-1, dim)
    shape = shape if spread is None else spread
    relative = noise == "relative"
    return Distances(names, dim, i, j, d, spread, shape, fixed, places, relative)


def _anchors(anchors: Any, dim: int) -> dict[Any, np.ndarray]:
    """Places by point."""
    if anchors is None:
        return {}
    if not isinstance(anchors, Mapping):
        must = f"a dictionary of points and {dim} coordinates each"
        raise InvalidInput("anchors", describe(anchors), must)
    out = {}
    for name, given in anchors.items():
        place = real_array(f"anchors[{name!r}]", given, 1)
        if place.shape != (dim,):
            raise InvalidInput(f"anchors[{name!r}]", describe(place), f"{dim} coordinates")
        out[name.item() if isinstance(name, np.generic) else name] = place
    return out


def _names(ends: np.ndarray, anchors: list, n: Any) -> Shaped[np.ndarray, " n"]:
    """All points: 0 … n − 1 where they are numbers and ``n`` says how many, else those met."""
    met = set(ends.ravel().tolist())
    words = ends.dtype.kind in "US"
    for name in anchors:
        if isinstance(name, str) != words or (not words and not isinstance(name, int)):
            must = "points as pairs has them: " + ("names" if words else "whole numbers")
            raise InvalidInput("anchors", f"of the point {name!r}", must)
    met |= set(anchors)
    if len(met) == len(anchors) and n is None:
        raise InvalidInput("anchors", "of every point", "of some: nothing is left to be found")
    if n is None:
        return np.array(sorted(met))
    n = positive_int("n", n)
    if words:
        raise InvalidInput("n", n, "left out where points have names")
    if min(met) < 0 or max(met) >= n:
        raise InvalidInput("pairs", f"from {min(met)} to {max(met)}", f"from 0 to {n - 1}")
    return np.arange(n)


def _std(std: Any, d: np.ndarray, noise: str) -> np.ndarray | None:
    if std is None:
        return None
    if np.ndim(std) == 0:
        std = np.full(d.size, real_number("std", std, above=0.0))
    std = real_array("std", std, 1)
    if std.shape != d.shape or np.any(std <= 0):
        raise InvalidInput("std", describe(std), "> 0, one number or one a distance")
    return std * d if noise == "relative" else std


def _once(
    i: np.ndarray, j: np.ndarray, d: np.ndarray, std: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Pairs with i < j; one that was measured many times is their weighted mean."""
    i, j = np.minimum(i, j), np.maximum(i, j)
    pairs, where = np.unique(np.stack([i, j], axis=1), axis=0, return_inverse=True)
    where = where.reshape(-1)
    if len(pairs) == d.size:
        return i, j, d, std
    w = np.ones(d.size) if std is None else 1 / std**2
    total = np.bincount(where, w)
    mean = np.bincount(where, w * d) / total
    return pairs[:, 0], pairs[:, 1], mean, None if std is None else 1 / np.sqrt(total)
