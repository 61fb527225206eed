"""Perturbed completion (C.1) in two fast forms that are exactly the library's own objective.

The instance of :func:`liftless.instances.papers.pmc` observes all n(n+1)/2 entries, so a step costs
O(n²).  With rank one the objective is a function of a few sums, and a step costs O(n):
:func:`reduced_problem`, for descent.  What needs the matrix (the slack, its eigenpair, the escapes)
uses :class:`WeightedEntries`, dense products in place of gathers: :func:`dense_problem`.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from liftless._types import AnyArray
from liftless.instances.papers import pmc
from liftless.operators import EntriesOperator, SensingOperator, measure
from liftless.problem import Problem
from liftless.regularisers import Regulariser

Factor = Float[AnyArray, "n r"]
Scalar = Float[AnyArray, ""]


def support_first(n: int) -> Int[np.ndarray, " n"]:
    """Order of the coordinates in :func:`reduced_problem`: the support of z, then the rest."""
    return np.r_[np.arange(0, n, 2), np.arange(1, n, 2)]


class SupportSums(SensingOperator):
    """The measurable part of the reduced objective, in O(n); coordinates in support-first order.

    With c = diag(M), k = ⌈n/2⌉ the size of the support and ε the weight: √(1−ε²)·c_i on the
    support, ε·Σ c_i over the support, and Σ c_i over the rest; m = k + 2.

    Parameters
    ----------
    n : int
    eps : float
        In (0, 1).  It is data, so that one compiled program serves every value.
    """

    eps: Scalar
    n: int = eqx.field(static=True)

    def __init__(self, n: int, eps: float) -> None:
        self.n, self.eps = n, np.asarray(float(eps))

    @property
    def k(self) -> int:
        """Size of the support."""
        return (self.n + 1) // 2

    @property
    def m(self) -> int:
        """Number of measurements, k + 2."""
        return self.k + 2

    def measure(self, U: Factor, V: Factor) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        c = jnp.sum(jnp.asarray(U) * jnp.asarray(V), axis=1)
        on, off = c[: self.k], c[self.k :]
        sums = jnp.stack([self.eps * jnp.sum(on), jnp.sum(off)])
        return jnp.concatenate([jnp.sqrt(1 - self.eps**2) * on, sums])

    def backproject(self, y: Float[AnyArray, " m"], V: Factor) -> Factor:
        """A*(y) V; A*(y) is diagonal."""
        y, V = jnp.asarray(y), jnp.asarray(V)
        on = jnp.sqrt(1 - self.eps**2) * y[: self.k] + self.eps * y[self.k]
        return jnp.concatenate([on[:, None] * V[: self.k], y[self.k + 1] * V[self.k :]])


class SupportRest(Regulariser):
    """The rest of the reduced objective, ε²(k p − s²) + p q; it is nonnegative.

    For a factor x of one column p = Σ x_i² and s = Σ x_i over the support, q = Σ x_i² over the
    rest; k p − s² is k² times the variance of x on the support.
    """

    eps: Scalar
    k: int = eqx.field(static=True)

    def _sums(self, X: Factor, D: Factor) -> tuple[Scalar, Scalar, Scalar, Scalar]:
        """⟨x, d⟩ on the support and off it, and Σ x, Σ d on the support."""
        X, D = jnp.asarray(X), jnp.asarray(D)
        # Written as in SupportSums.measure, so that the compiler computes p and q once.
        c = jnp.sum(X * D, axis=1)
        s, t = jnp.sum(X[: self.k, 0]), jnp.sum(D[: self.k, 0])
        return jnp.sum(c[: self.k]), jnp.sum(c[self.k :]), s, t

    def _join(self, on: Float[AnyArray, " k"], off: Float[AnyArray, " j"]) -> Factor:
        return jnp.concatenate([on, off])[:, None]

    def value(self, X: Factor) -> Scalar:
        """ε²(k p − s²) + p q, the bracket as a sum of squares, which cannot turn negative."""
        p, q, s, _ = self._sums(X, X)
        apart = jnp.asarray(X)[: self.k, 0] - s / self.k
        return self.eps**2 * self.k * jnp.sum(apart * apart) + p * q

    def gradient(self, X: Factor) -> Factor:
        """Gradient at X."""
        p, q, s, _ = self._sums(X, X)
        on, off = jnp.asarray(X)[: self.k, 0], jnp.asarray(X)[self.k :, 0]
        return self._join(2 * self.eps**2 * (self.k * on - s) + 2 * q * on, 2 * p * off)

    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Hessian at X applied to D."""
        p, q, _, _ = self._sums(X, X)
        dp, dq, _, ds = self._sums(X, D)
        x, d = jnp.asarray(X)[:, 0], jnp.asarray(D)[:, 0]
        on, off = slice(None, self.k), slice(self.k, None)
        bend = 2 * self.eps**2 * (self.k * d[on] - ds) + 2 * q * d[on] + 4 * dq * x[on]
        return self._join(bend, 2 * p * d[off] + 4 * dp * x[off])

    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        """Coefficients of s ↦ value(X + s D)."""
        (p0, q0, s0, s1), (p2, q2, _, _) = self._sums(X, D), self._sums(D, D)
        p1, q1 = 2 * p0, 2 * q0
        p0, q0, _, _ = self._sums(X, X)
        p, q, s = jnp.stack([p0, p1, p2]), jnp.stack([q0, q1, q2]), jnp.stack([s0, s1])
        square = self.eps**2 * (self.k * p - jnp.convolve(s, s))
        return jnp.convolve(p, q) + jnp.concatenate([square, jnp.zeros(2, square.dtype)])


def reduced_problem(n: int, eps: float) -> Problem:
    """Return the rank-one objective of perturbed completion with O(n) steps, support first.

    h(x) = ½[(1−ε²) Σ(x_i²−1)² + ε²(p−k)² + 2ε²(k p − s²) + 2 p q + q²], the sum over the support.
    It follows from Σ W_ij²(x_i x_j − z_i z_j)² by splitting the weights W² into 1 off the support's
    block, ε² on it, and 1−ε² more on its diagonal.

    Notes
    -----
    Equal to the library's instance as a function of a factor of one column, and of nothing else:
    as a function of the matrix the two differ, so points are certified on :func:`dense_problem`.
    """
    operator = SupportSums(n, eps)
    z = (np.arange(n) < operator.k).astype(np.float64)[:, None]
    rest = SupportRest(np.asarray(float(eps)), operator.k)
    return Problem(operator, np.asarray(measure(operator, z, z)), 1, regularisers=(rest,))


class WeightedEntries(SensingOperator):
    """Every entry of the upper triangle, weighted; dense products where entries would be gathered.

    Parameters
    ----------
    table : array of shape (n, n)
        Weight of each entry of M on and above the diagonal, in the order of ``triu_indices``.
    """

    table: Float[AnyArray, "n n"]

    def __init__(self, table: Float[np.ndarray, "n n"]) -> None:
        self.table = table

    @property
    def n(self) -> int:
        """Order of the matrix."""
        return self.table.shape[0]

    @property
    def m(self) -> int:
        """Number of entries."""
        return self.n * (self.n + 1) // 2

    def measure(self, U: Factor, V: Factor) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        product = jnp.asarray(U) @ jnp.asarray(V).T
        return (self.table * (product + product.T) / 2)[np.triu_indices(self.n)]

    def subset(self, indices: Int[AnyArray, " k"]) -> EntriesOperator:
        """See :meth:`SensingOperator.subset`; a few entries are gathered."""
        i, j = (jnp.asarray(a)[jnp.asarray(indices)] for a in np.triu_indices(self.n))
        parts = (i, j, jnp.asarray(self.table)[i, j])
        one = EntriesOperator([0], [0], self.n)
        return eqx.tree_at(lambda o: (o.rows, o.cols, o.weights), one, parts)

    def backproject(self, y: Float[AnyArray, " m"], V: Factor) -> Factor:
        """A*(y) V by one dense product."""
        y = jnp.asarray(y)
        upper = jnp.zeros((self.n, self.n), y.dtype).at[np.triu_indices(self.n)].set(y)
        upper = upper * self.table / 2
        return (upper + upper.T) @ jnp.asarray(V)


def dense_problem(n: int, eps: float) -> Problem:
    """Return the library's instance with :class:`WeightedEntries`; same measurements and order."""
    instance = pmc(n, eps)
    operator: Any = instance.problem.operator
    table = np.zeros((n, n))
    table[np.asarray(operator.rows), np.asarray(operator.cols)] = np.asarray(operator.weights)
    return Problem(WeightedEntries(table), instance.problem.b, 1)
