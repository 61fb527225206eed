"""What a localisation hands back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless._show import drawn, table_html, table_text
from liftless.distances.mirrored import reflected
from liftless.distances.rigid import moved_onto

#: Names in a list of points at most.
NAMED = 6


@dataclass(frozen=True)
class Mirror:
    """Points that can be elsewhere, though they cannot move there.

    Attributes
    ----------
    points : integer array
        Rows of :attr:`Location.points`.
    separator : integer array
        Determined points that they hang on: where these are as many as the dimension, one of the
        other places is the mirror image in their line (plane, …).
    """

    points: Int[np.ndarray, " k"]
    separator: Int[np.ndarray, " s"]


@dataclass(frozen=True)
class Rival:
    """Another fit of the determined points that the noise does not exclude.

    Attributes
    ----------
    points : integer array of shape (k,)
        Rows of :attr:`Location.points` that are elsewhere in it.
    places : array of shape (k, dim)
        Where they are in it, the others being at rest.
    odds : float
        How likely it makes the distances, as a share of how likely the answer makes them.
    """

    points: Int[np.ndarray, " k"]
    places: Float[np.ndarray, "k dim"]
    odds: float


@dataclass(frozen=True, repr=False)
class Location:
    """Result of :func:`liftless.distances.locate`.

    Attributes
    ----------
    names : array of shape (n,)
        Points as the caller calls them, in the order of all the arrays below.
    points : array of shape (n, dim)
        Places; without anchors centred, along the principal axes, up to rotation and reflection.
    determined : boolean array of shape (n,)
        Whether the distances leave one place only, for points in general position.
    flexible : boolean array of shape (n,)
        Whether a point can move without changing a distance.
    mirrors : tuple of Mirror
        The points that are neither.
    rivals : tuple of Rival
        Other fits of determined points that are at most a hundred times less likely, of those that
        were looked at: reflections of parts that hardly hold, and other ways to put points
        together.  None where the fit is exact.
    sigma : array of shape (n, dim)
        Standard deviations of the coordinates from the linearised fit; infinite where flexible.
        Without anchors those of the shape, in the frame of the determined points: their centre and
        turn are nobody's error.
    kind : {"exact", "fitted", "stationary"}
        Fitted to round-off; within the noise; or not.
    message : str
    noise : float
        Standard deviation of the distances in units of ``std``; of the fit's own estimate (in units
        of d where ``noise="absolute"``, a share where "relative") if ``std`` was left out.
    chi2, pvalue : float
        Σ ((fit − d)/std)² a degree of freedom, and the chance of more; NaN without ``std``.
    residuals : array of shape (m,)
        (fit − d)/std of the distances as they were merged, each pair once.
    pairs : integer array of shape (m, 2)
    anchors : integer array
    steps, rounds : int
        Levenberg–Marquardt steps, and rounds of the search.
    seed : int
    seconds : float
    """

    names: Shaped[np.ndarray, " n"]
    points: Float[np.ndarray, "n dim"]
    determined: Bool[np.ndarray, " n"]
    flexible: Bool[np.ndarray, " n"]
    mirrors: tuple[Mirror, ...] = field(repr=False)
    rivals: tuple[Rival, ...] = field(repr=False)
    sigma: Float[np.ndarray, "n dim"]
    kind: str
    message: str
    noise: float
    chi2: float
    pvalue: float
    residuals: Float[np.ndarray, " m"] = field(repr=False)
    pairs: Int[np.ndarray, "m 2"] = field(repr=False)
    anchors: Int[np.ndarray, " a"] = field(repr=False)
    steps: int
    rounds: int
    seed: int
    seconds: float

    @property
    def success(self) -> bool:
        """Whether the distances are fitted and every point is certain."""
        return self.status == 0

    @property
    def status(self) -> int:
        """0 for a success, else 4."""
        return 0 if self.kind != "stationary" and bool(self.certain.all()) else 4

    @property
    def certain(self) -> Bool[np.ndarray, " n"]:
        """Whether a point is determined and at the same place in every rival."""
        out = self.determined.copy()
        for one in self.rivals:
            out[one.points] = False
        return out

    def distance(self, truth: Any, which: Any = None) -> float:
        """Root mean square distance from other places, after the best rigid motion.

        Parameters
        ----------
        truth : array of shape (n, dim), or dictionary of places by name
            An array is in the order of ``names``.  With more than ``dim`` anchors nothing is moved.
        which : boolean array, optional
            The determined points by default.
        """
        if isinstance(truth, Mapping):
            if missing := [name for name in self.names.tolist() if name not in truth]:
                raise InvalidInput("truth", f"without {missing[0]!r}", "a place of every point")
            truth = [truth[name] for name in self.names.tolist()]
        there = np.asarray(truth, float)
        if there.shape != self.points.shape:
            raise InvalidInput("truth", describe(truth), f"of shape {self.points.shape}")
        k = self.determined if which is None else np.asarray(which)
        X = self.points
        if self.anchors.size <= X.shape[1]:
            X = moved_onto(X, X[k], there[k])
        return float(np.sqrt(np.mean(np.sum((X[k] - there[k]) ** 2, axis=1))))

    def mirrored(self, group: int) -> Float[np.ndarray, "n dim"]:
        """Places with the points of one group of ``mirrors`` at their mirror image.

        Raises
        ------
        InvalidInput
            For a group that hangs on more points than the dimension, whose other places are no
            mirror image.
        """
        one, dim = self.mirrors[group], self.points.shape[1]
        if one.separator.size != dim:
            was = f"{group}, which hangs on {one.separator.size} points"
            raise InvalidInput("group", was, f"one that hangs on {dim}")
        return reflected(self.points, one.points, self.points[one.separator])

    def plot(self, path: Any = None) -> Any:
        """Draw the points and the distances; save that where there is a path."""
        return drawn("location_figure", self, path)

    def summary(self) -> dict[str, Any]:
        """The numbers and words, without the arrays."""
        names = ("kind", "message", "noise", "chi2", "pvalue", "steps", "rounds", "seed", "seconds")
        fields: dict[str, Any] = {name: getattr(self, name) for name in names}
        n, dim = self.points.shape
        return fields | {
            "points": n,
            "dim": dim,
            "distances": len(self.pairs),
            "anchors": self.anchors.size,
            "determined": int(self.determined.sum()),
            "flexible": self.named(np.flatnonzero(self.flexible), n),
            "mirrors": [
                {"points": self.named(one.points, n), "separator": self.named(one.separator, n)}
                for one in self.mirrors
            ],
            "rivals": [
                {"points": self.named(one.points, n), "odds": one.odds} for one in self.rivals
            ],
            "success": self.success,
            "status": self.status,
        }

    def named(self, points: Int[np.ndarray, " k"], most: int = NAMED) -> list[str]:
        """Names of some points, and how many more there are."""
        names = [str(name) for name in self.names[points[:most]]]
        return names + ([f"and {points.size - most} more"] if points.size > most else [])

    def rows(self) -> list[tuple[str, str]]:
        """The result in a few lines: a name and a text each."""
        n, dim = self.points.shape
        rows = [
            ("kind", f"{self.kind} (success {self.success})"),
            ("points", f"{n} in {dim} dimensions, {self.anchors.size} anchors"),
            ("distances", f"{len(self.pairs)}"),
            ("determined", f"{int(self.determined.sum())} of {n}"),
        ]
        if self.flexible.any():
            rows.append(("can move", ", ".join(self.named(np.flatnonzero(self.flexible)))))
        for one in self.mirrors[:NAMED]:
            points, hinge = (", ".join(self.named(part)) for part in (one.points, one.separator))
            what = "mirror image in" if one.separator.size == dim else "another place, hung on"
            rows.append(("ambiguous", f"{points}: {what} {hinge}"))
        if len(self.mirrors) > NAMED:
            rows.append(("ambiguous", f"and {len(self.mirrors) - NAMED} more groups"))
        for one in self.rivals[:NAMED]:
            points = ", ".join(self.named(one.points))
            rows.append(("rival", f"{points} elsewhere: {one.odds:.2g} times as likely"))
        if math.isfinite(self.chi2):
            rows.append(("chi²", f"{self.chi2:.3f} a degree of freedom, p = {self.pvalue:.2g}"))
        elif self.kind != "exact":
            rows.append(("noise", f"{self.noise:.3g}, from the fit"))
        known = self.sigma[self.determined]
        if self.kind != "exact" and known.size:
            middle, most = float(np.median(known)), float(known.max())
            rows.append(("σ", f"{middle:.3g} a coordinate in the middle, {most:.3g} at most"))
        return [
            *rows,
            ("steps", f"{self.steps} in {self.rounds} round(s)"),
            ("seconds", f"{self.seconds:.3g} (seed {self.seed})"),
            ("message", self.message),
        ]

    def __repr__(self) -> str:
        n, dim = self.points.shape
        known = int(self.determined.sum())
        return f"Location(kind={self.kind!r}, points={n}, dim={dim}, determined={known})"

    def __str__(self) -> str:
        return table_text(self.rows())

    def _repr_html_(self) -> str:
        return table_html(self.rows())
