"""What a named problem carries besides its data: the truth, known points, and its origin."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, real_array
from liftless._errors import InvalidInput
from liftless._memory import check_memory
from liftless.linalg import matrix_distance
from liftless.problem import Problem

#: The papers, as references name them.
SOD = "Shen, Yang, He, Gao and Ma, Escaping Local Minima Provably in Non-convex Matrix Sensing"
LOCAL_SEARCH = "Bhojanapalli, Neyshabur and Srebro, Global Optimality of Local Search (2016)"

#: Copies of the drawn numbers that there are at a time, about.
COPIES = 2

#: Kinds of a known point, as a certificate names them.
POINT_KINDS = ("exact", "global", "spurious", "saddle")


@dataclass(frozen=True)
class KnownPoint:
    """A stationary point known in closed form or to round-off, one for each matrix X Xᵀ.

    Parameters
    ----------
    X : array of shape (n, r)
        The factor; X Q for any orthogonal Q is the same point.
    kind : {"exact", "global", "spurious", "saddle"}
        What the point really is: "spurious" has no direction of negative curvature, "saddle" has.
    note : str
        Why, and the descending curve where a second-order test does not see it.

    Raises
    ------
    InvalidInput
        An unknown kind, or ``X`` not a finite real array of two dimensions.
    """

    X: Float[np.ndarray, "n r"]
    kind: str
    note: str

    def __post_init__(self) -> None:
        real_array("X", self.X, 2)
        if self.kind not in POINT_KINDS:
            raise InvalidInput("kind", describe(self.kind), f"one of {', '.join(POINT_KINDS)}")


@dataclass(frozen=True)
class Instance:
    """A problem with what is known about it.

    Parameters
    ----------
    name : str
        Its name in :data:`liftless.instances.INSTANCES`.
    problem : Problem
    truth : array of shape (n, r) or None
        A factor the measurements were made from, before noise.
    points : tuple of KnownPoint
        Stationary points other than the truth.
    seed : int or None
        Seed of all its randomness; None if there is none.
    parameters : dict
        Every parameter with its value: ``make_instance(name, **parameters)`` builds it again.
    description, reference : str
        What it is and where it comes from, with equation numbers.
    readout : callable, optional
        Maps a factor to the quantity sought, where that is not X Xᵀ; a module-level function, so
        that an instance can be sent to another process.
    """

    name: str
    problem: Problem
    truth: Float[np.ndarray, "n r"] | None
    points: tuple[KnownPoint, ...]
    seed: int | None
    parameters: dict[str, Any]
    description: str
    reference: str
    readout: Callable[[np.ndarray], np.ndarray] | None = field(default=None, repr=False)

    def distance(self, X: Any) -> float:
        """Distance of ``X`` from the truth.

        Parameters
        ----------
        X : array of shape (n, r)
            Any number of columns.

        Returns
        -------
        float
            ‖X Xᵀ − Z Zᵀ‖_F, or the Euclidean distance of the two readouts where there is one;
            NaN if the truth is unknown.

        Raises
        ------
        InvalidInput
            If ``X`` is not a finite array of shape (n, r).
        """
        X = factor("X", X, self.problem.n)
        if self.truth is None:
            return float("nan")
        if self.readout is not None:
            return float(np.linalg.norm(self.readout(X) - self.readout(self.truth)))
        return matrix_distance(X, self.truth)


def pairs(n: int) -> int:
    """Entries i <= j of a matrix of order n."""
    return n * (n + 1) // 2


def check_size(n: int, m: int | None, numbers: float | int) -> None:
    """Raise :class:`InvalidInput` where drawing so many numbers would not fit into the memory.

    ``m`` is the number of measurements where it was given: then it is the one to blame.
    """
    name, was = ("n", n) if m is None else ("m", m)
    check_memory(name, was, 8.0 * COPIES * numbers, "Take a smaller one.")


@dataclass(frozen=True)
class InstanceSpec:
    """A maker of instances, and the parameters it takes.

    Parameters
    ----------
    maker : callable
        Returns an :class:`Instance`; every parameter has a default.
    fixed : dict, optional
        Parameters that the name decides.
    """

    maker: Callable[..., Instance]
    fixed: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that may be given, with their defaults, in the maker's order."""
        signature = inspect.signature(self.maker).parameters
        return {key: p.default for key, p in signature.items() if key not in self.fixed}

    @property
    def summary(self) -> str:
        """First line of the maker's documentation, with what the name decides."""
        line = (inspect.getdoc(self.maker) or "").partition("\n")[0]
        chosen = ", ".join(f"{key} {value}" for key, value in self.fixed.items())
        return f"{line.removesuffix('.')} ({chosen})." if chosen else line

    def make(self, **given: Any) -> Instance:
        """Build the instance."""
        return self.maker(**given, **self.fixed)
