"""Real rectangular matrices U Vᵀ."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from liftless._checks import describe, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.linalg import fix_signs
from liftless.space.base import Directions, Factor, Other, Space, products, rows_of, widened
from liftless.space.symmetric import Symmetric


@dataclass(frozen=True)
class Rectangular(Space):
    """M = U Vᵀ, real, of shape (n1, n2); X = [U; V].

    Parameters
    ----------
    n1, n2 : int
        Rows of U and of V.
    """

    n1: int
    n2: int
    name = "rectangular"
    formula = "U Vᵀ"
    spectrum_name = "singular value"
    semidefinite = False

    def __post_init__(self) -> None:
        positive_int("n1", self.n1)
        positive_int("n2", self.n2)

    @property
    def n(self) -> int:
        """Rows of X: n1 + n2."""
        return self.n1 + self.n2

    @property
    def shape(self) -> tuple[int, int]:
        """(n1, n2)."""
        return self.n1, self.n2

    @property
    def sides(self) -> tuple[slice, slice]:
        """Rows, then columns."""
        return slice(0, self.n1), slice(self.n1, self.n)

    def matrix(self, X: Factor) -> np.ndarray:
        """U Vᵀ."""
        return X[: self.n1] @ X[self.n1 :].T

    def entries(self, X: Factor, i: Any, j: Any) -> np.ndarray:
        """See :meth:`Space.entries`."""
        return np.sum(X[: self.n1][i] * X[self.n1 :][j], axis=-1)

    def distance(self, X: Factor, Y: Other) -> float:
        """See :meth:`Space.distance`."""
        U = np.linalg.qr(np.concatenate([X[: self.n1], Y[: self.n1]], axis=1), mode="r")
        V = np.linalg.qr(np.concatenate([X[self.n1 :], -Y[self.n1 :]], axis=1), mode="r")
        return float(np.linalg.norm(np.asarray(U) @ np.asarray(V).T))

    def _svd(self, X: Factor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        (P, R), (Q, T) = np.linalg.qr(X[: self.n1]), np.linalg.qr(X[self.n1 :])
        left, s, right = np.linalg.svd(np.asarray(R) @ np.asarray(T).T)
        k = s.size
        return np.asarray(P) @ left[:, :k], s, np.asarray(Q) @ right[:k].T

    def spectrum(self, X: Factor) -> Float[np.ndarray, " k"]:
        """Singular values of U Vᵀ."""
        return self._svd(X)[1]

    def truncate(self, X: Float[np.ndarray, "n p"], rank: int) -> Factor:
        """[P √Σ; Q √Σ] of the leading singular triples, hence balanced."""
        left, s, right = self._svd(X)
        k = min(rank, s.size)
        both = fix_signs(np.concatenate([left[:, :k], right[:, :k]]))
        return widened(both * np.sqrt(s[:k]), rank)

    def degrees_of_freedom(self, rank: int) -> int:
        """Return k (n1 + n2 − k) for k = min(rank, n1, n2)."""
        k = min(rank, self.n1, self.n2)
        return k * (self.n1 + self.n2 - k)

    def gauge(self, X: Factor) -> Directions:
        """[U G; −V Gᵀ]."""
        r = X.shape[1]
        out = np.zeros((r * r, *X.shape))
        for k, (a, b) in enumerate((a, b) for a in range(r) for b in range(r)):
            out[k, : self.n1, a] = X[: self.n1, b]
            out[k, self.n1 :, b] -= X[self.n1 :, a]
        return out

    def change(
        self, directions: Directions, X: Factor, i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """See :meth:`Space.change`."""
        below = j + self.n1
        moved = products(directions[:, i], X[below]) + products(directions[:, below], X[i])
        return np.sqrt(np.sum(moved * moved, axis=0))

    def across(self, directions: Directions, X: Factor, line: int) -> Float[np.ndarray, " lines"]:
        """See :meth:`Space.across`; lines of one kind share no entry."""
        out = np.zeros(self.n)
        if line < self.n1:
            every = np.arange(self.n2)
            out[self.n1 :] = self.change(directions, X, np.full(self.n2, line), every)
        else:
            every, column = np.arange(self.n1), np.full(self.n1, line - self.n1)
            out[: self.n1] = self.change(directions, X, every, column)
        return out

    def pataki(self, measurements: int) -> int:
        """Return Pataki's number for the stacked factor, since the lift is X Xᵀ."""
        return Symmetric(self.n).pataki(measurements)

    def rotated(self, X: Float[AnyArray, "n p"]) -> tuple[AnyArray, AnyArray]:
        """See :meth:`Space.rotated`; by an orthogonal matrix, which keeps the balance."""
        U, s, _ = jnp.linalg.svd(X, full_matrices=False)
        return U * s[None, :], s

    def pack(self, factor: Any, argument: str = "factor") -> Factor:
        """Take the pair (U, V), or the stacked [U; V]."""
        if isinstance(factor, tuple) and len(factor) == 2:
            U = rows_of(real_array("U", factor[0], 2), self.n1, "U")
            V = rows_of(real_array("V", factor[1], 2), self.n2, "V")
            if U.shape[1] != V.shape[1]:
                raise InvalidInput("V", describe(V), f"of {U.shape[1]} columns, as U has")
            return np.concatenate([U, V])
        return rows_of(real_array(argument, factor, 2), self.n, argument)

    def unpack(self, X: Factor) -> tuple[np.ndarray, np.ndarray]:
        """Return (U, V)."""
        return X[: self.n1], X[self.n1 :]

    def line_name(self, k: int) -> str:
        """Return a row of U as "row i", and one of V as "column j"."""
        return f"row {k}" if k < self.n1 else f"column {k - self.n1}"

    def describe(self) -> str:
        """Return the shape."""
        return f"of {self.n1} × {self.n2}"
