"""Measurements of a rectangular matrix U Vᵀ through the stacked factor X = [U; V].

The off-diagonal block of X Xᵀ is U Vᵀ, so an operator that sees that block alone is a sensing
operator of order n1 + n2 like any other.  Nothing sees the diagonal blocks U Uᵀ and V Vᵀ: the
freedom U → U G, V → V G⁻ᵀ is taken away by :class:`liftless.Balance`, not by the data.
"""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from liftless._checks import describe, factor, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator, rows_of, with_fields
from liftless.operators.entries import ObservedEntries, as_many, positions
from liftless.operators.lines import block_products, sorted_lines
from liftless.space import Rectangular


class StackedOperator(SensingOperator):
    """An operator that sees the block U Vᵀ of the stacked factor X = [U; V] alone.

    A subclass is final and has the static fields n1 and n2.
    """

    n1: eqx.AbstractVar[int]
    n2: eqx.AbstractVar[int]

    @property
    def space(self) -> Rectangular:
        """Matrices U Vᵀ of shape (n1, n2)."""
        return Rectangular(self.n1, self.n2)

    @abc.abstractmethod
    def mean_square(self, omega: Float[AnyArray, " m"]) -> float:
        """Σ_i ω_i ‖A_i‖_F² / (n1 n2): the mean eigenvalue of M ↦ A*(ω A(M)) on n1 × n2."""


class RectangularOperator(StackedOperator):
    """A(M)_i = ⟨A_i, U Vᵀ⟩ with dense A_i of shape (n1, n2), for X = [U; V].

    Parameters
    ----------
    packed : array of shape (m, n1·n2)
        A_i row by row.
    n1, n2 : int
        Rows of U and of V.

    Raises
    ------
    InvalidInput
        Wrong shape, not finite, complex, or no measurement.

    Notes
    -----
    On symmetric matrices of order n1 + n2 this is the sensing matrix [[0, A_i], [A_iᵀ, 0]]/2:
    half of each block, since X Xᵀ has the block U Vᵀ twice.
    """

    packed: Float[AnyArray, "m p"]
    n1: int = eqx.field(static=True)
    n2: int = eqx.field(static=True)

    def __init__(self, packed: Any, n1: int, n2: int) -> None:
        self.n1, self.n2 = positive_int("n1", n1), positive_int("n2", n2)
        array = real_array("packed", packed, 2)
        if array.shape[0] < 1 or array.shape[1] != n1 * n2:
            must = f"of shape (m, {n1 * n2}) with m >= 1"
            cure = "Use RectangularOperator.from_matrices."
            raise InvalidInput("packed", describe(array), must, cure)
        self.packed = array

    @classmethod
    def from_matrices(cls, A: Any) -> "RectangularOperator":
        """Take the matrices as an array ``A`` of shape (m, n1, n2)."""
        A = real_array("A", A, 3)
        if min(A.shape) < 1:
            must = "of shape (m, n1, n2) with m, n1, n2 >= 1"
            raise InvalidInput("A", describe(A), must, "Put the matrices first.")
        return cls(A.reshape(A.shape[0], -1), A.shape[1], A.shape[2])

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.packed.shape[0]

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`; O(n1 n2 (r + m))."""
        U, V = jnp.asarray(U), jnp.asarray(V)
        block = U[: self.n1] @ V[self.n1 :].T + V[: self.n1] @ U[self.n1 :].T
        return self.packed @ block.reshape(-1) / 2

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """A*(y) V = [G V₂; Gᵀ V₁]/2 with G = Σ_i y_i A_i."""
        V = jnp.asarray(V)
        G = (jnp.asarray(y) @ self.packed).reshape(self.n1, self.n2)
        return jnp.concatenate([G @ V[self.n1 :], G.T @ V[: self.n1]]) / 2

    def cost(self, columns: int) -> float:
        """One product of the factors and one with the data."""
        return float(self.n1 * self.n2) * (self.m + 2 * columns)

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`: half the squared norm of the block."""
        return jnp.sum(jnp.asarray(self.packed, jnp.result_type(float)) ** 2, axis=1) / 2

    def subset(self, indices: Int[AnyArray, " k"]) -> "RectangularOperator":
        """See :meth:`SensingOperator.subset`."""
        return with_fields(self, packed=rows_of(self.packed, indices))

    def mean_square(self, omega: Float[AnyArray, " m"]) -> float:
        """Σ_i ω_i ‖A_i‖_F² / (n1 n2): the mean eigenvalue of M ↦ A*(ω A(M)) on n1 × n2."""
        squares = np.sum(np.asarray(self.packed) ** 2, axis=1)
        return float(np.asarray(omega) @ squares) / (self.n1 * self.n2)


class RectangularEntries(ObservedEntries, StackedOperator):
    """A(M)_k = weights_k · (U Vᵀ)[rows_k, cols_k] for X = [U; V]: O(|Ω| r), no matrix is formed.

    Parameters
    ----------
    rows, cols : integer arrays of shape (m,)
        Zero-based positions in the n1 × n2 matrix.
    n1, n2 : int
        Its shape: rows of U and of V.
    weights : array of shape (m,), optional
        Factor of each entry; 1 if left out.

    Raises
    ------
    InvalidInput
        Positions out of range or not whole numbers, wrong shapes, or no entry.
    """

    n1: int = eqx.field(static=True)
    n2: int = eqx.field(static=True)

    def __init__(self, rows: Any, cols: Any, n1: int, n2: int, weights: Any = None) -> None:
        self.n1, self.n2 = positive_int("n1", n1), positive_int("n2", n2)
        self.rows, self.cols = positions("rows", rows, n1), positions("cols", cols, n2)
        self.weights = as_many(self.rows, self.cols, weights)
        self.lines = sorted_lines(self.rows, self.n1 + self.cols, self.n1 + self.n2)

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        return self.weights * block_products(self.rows, self.cols, U, V, self.n1)

    def mean_square(self, omega: Float[AnyArray, " m"]) -> float:
        """Σ_k ω_k weights_k² / (n1 n2): the mean eigenvalue of M ↦ A*(ω A(M)) on n1 × n2."""
        squares = np.asarray(self.weights) ** 2
        return float(np.asarray(omega) @ squares) / (self.n1 * self.n2)


def factors(X: Any, n1: int) -> tuple[Float[np.ndarray, "n1 r"], Float[np.ndarray, "n2 r"]]:
    """U and V of a stacked factor.

    Parameters
    ----------
    X : array of shape (n1 + n2, r)
    n1 : int
        Rows of U.

    Returns
    -------
    U : array of shape (n1, r)
    V : array of shape (n2, r)
    """
    X = real_array("X", X, 2)
    n1 = positive_int("n1", n1, most=max(1, X.shape[0] - 1))
    return X[:n1], X[n1:]


def stacked(U: Any, V: Any) -> Float[np.ndarray, "n r"]:
    """Stacked factor X = [U; V], whose off-diagonal block of X Xᵀ is U Vᵀ.

    Parameters
    ----------
    U : array of shape (n1, r)
    V : array of shape (n2, r)

    Returns
    -------
    array of shape (n1 + n2, r)
    """
    U, V = real_array("U", U, 2), real_array("V", V, 2)
    if U.shape[1] != V.shape[1]:
        raise InvalidInput("V", describe(V), f"of {U.shape[1]} columns, as U has")
    return np.concatenate([U, V])


def balanced(X: Any, n1: int) -> Float[np.ndarray, "n r"]:
    """Stacked factor with the same U Vᵀ and with UᵀU = VᵀV diagonal.

    Parameters
    ----------
    X : array of shape (n1 + n2, r)
    n1 : int
        Rows of U.

    Returns
    -------
    array of shape (n1 + n2, r)
        [P √Σ; Q √Σ] for the singular value decomposition P Σ Qᵀ of U Vᵀ: of all factorisations
        the one of least ‖U‖² + ‖V‖², which is then twice the nuclear norm.
    """
    U, V = factors(factor("X", X, np.shape(X)[0]), n1)
    X = np.concatenate([U, V])
    return Rectangular(n1, V.shape[0]).truncate(X, X.shape[1])
