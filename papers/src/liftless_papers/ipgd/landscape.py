"""Definitions 6 and 7 of the IPGD paper on the seven problems, by search for what breaks them.

Section 7 takes the points of rank at most r for the implicit region 𝓜.  A matrix problem is
f(W) = F(W Wᵀ) of the stacked factor, with gradient 2 S W and curvature 2 uᵀ S u along a new column
u, S = F′.  So a point of 𝓜, which has r' > r columns of which at most r count, is searched for in
few variables: a factor of r columns, or for two factors one whose second half has row spaces of its
own.  Sparse recovery is the same with the diagonal of W Wᵀ alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from liftless.instances.ipgd import IpgdProblem
from liftless.operators import RectangularOperator
from liftless.regularisers import Balance

Vector = Float[np.ndarray, " p"]
#: Steps of one search.
ITERATIONS = 250


@dataclass(frozen=True)
class Landscape:
    """One problem, as a function of the points of 𝓜.

    Attributes
    ----------
    made : IpgdProblem
        Of a matrix, or of a sparse vector.
    """

    made: IpgdProblem

    @property
    def split(self) -> int:
        """Rows of the first factor; 0 where there is one factor."""
        return self.made.truth.shape[0] // 2 if self.made.name.endswith("-rect") else 0

    @property
    def sparse(self) -> bool:
        """Whether it is sparse recovery."""
        return self.made.name == "sparse"

    @property
    def size(self) -> int:
        """Number of variables of a search."""
        N, r = self.made.truth.shape
        if self.sparse:
            return 2 * self.support.size
        return N * r + (2 * r * r if self.split else 0)

    @cached_property
    def support(self) -> np.ndarray:
        """Entries of θ* that are not zero."""
        both = self.made.truth.reshape(2, -1)
        return np.flatnonzero((both**2).sum(axis=0))

    @property
    def smallest(self) -> float:
        """σ_r of M*, or the smallest |θ*_i| on the support."""
        if self.sparse:
            return float(np.abs(self.made.truth[self.made.truth != 0]).min() ** 2)
        half = self.made.truth[: self.split] if self.split else self.made.truth
        return float(np.linalg.svd(half, compute_uv=False)[-1] ** 2)

    # -- the point and the function ---------------------------------------------------------------

    def point(self, p: Any) -> Any:
        """Factor W of a point of 𝓜, without the columns that are zero."""
        Z = self.made.truth
        N, r = Z.shape
        if self.sparse:
            d = N // 2
            at = np.r_[self.support, d + self.support]
            return jnp.zeros((N, 1)).at[at, 0].set(p)
        if not self.split:
            return p.reshape(N, r)
        P, T = p[: N * r].reshape(N, r), p[N * r :].reshape(r, 2 * r)
        first, second = P[: self.split], P[self.split :]
        return jnp.concatenate([jnp.pad(first, ((0, 0), (0, r))), second @ T])

    @property
    def truth(self) -> Vector:
        """Variables of the truth."""
        Z = self.made.truth
        if self.sparse:
            d = len(Z) // 2
            return Z[np.r_[self.support, d + self.support], 0]
        r = Z.shape[1]
        turn = np.eye(r, 2 * r).ravel() if self.split else np.empty(0)
        return np.r_[Z.ravel(), turn]

    @cached_property
    def of_gram(self) -> Callable[[Any], Any]:
        """F(K), by (123) to (125) and (MS)."""
        made, n1 = self.made, self.split
        b = jnp.asarray(made.problem.b)
        family = made.name.partition("-")[0]
        weight = 0.0
        for term in made.problem.regularisers:
            if isinstance(term, Balance):
                weight = float(term.weight) * made.scale / 4
        measure = self._measure()

        def F(K: Any) -> Any:
            y = measure(K)
            if family == "onebit":
                fit = jnp.sum(jax.nn.softplus(y) - b * y)
            else:
                fit = jnp.sum((y - b) ** 2) / 2
            if not n1:
                return made.scale * fit
            J = jnp.where(jnp.arange(K.shape[0]) < n1, 1.0, -1.0)
            return made.scale * fit + weight * jnp.sum(K * J[:, None] * J[None] * K)

        return F

    def _measure(self) -> Callable[[Any], Any]:
        operator: Any = self.made.problem.operator
        n1 = self.split
        if self.sparse:
            rows = jnp.asarray(operator.diag)
            return lambda K: rows @ jnp.diagonal(K)
        if isinstance(operator, RectangularOperator):
            rows = jnp.asarray(operator.packed)
            return lambda K: rows @ K[:n1, n1:].ravel()
        if self.made.name.startswith("ms"):
            rows, (i, j) = jnp.asarray(operator.packed), np.triu_indices(len(self.made.truth))
            return lambda K: rows @ K[i, j]
        i, j = np.asarray(operator.rows), np.asarray(operator.cols)
        return lambda K: K[i, j + n1]

    def value(self, W: Any) -> Any:
        """The objective at W."""
        return self.of_gram(W @ W.T)

    def slope(self, W: Any) -> tuple[Any, Any]:
        """Gradient of f at W, and 2 S."""
        S = jax.grad(self.of_gram)(W @ W.T)
        S = S + S.T  # F sees entries of K, not of symmetric matrices
        return S @ W, S

    # -- distances --------------------------------------------------------------------------------

    def away(self, W: Any) -> Any:
        """Distance to the solutions in 𝓜; for a sparse vector an upper bound of it."""
        Z = jnp.asarray(self.made.truth)
        if self.sparse:
            d = len(Z) // 2
            both, wanted = W[:, 0].reshape(2, d), (Z[:, 0] ** 2).reshape(2, d)
            gap = both[0] ** 2 - both[1] ** 2 - wanted[0] + wanted[1]
            # Moving the larger of u_i, v_i by |e|/√|θ_i| mends an error e of θ_i.
            scale = jnp.sqrt(jnp.maximum(wanted[0] + wanted[1], 1e-300))
            return jnp.linalg.norm(jnp.where(wanted[0] + wanted[1] > 0, gap / scale, 0.0))
        cross = jnp.linalg.svd(Z.T @ W, compute_uv=False)
        square = jnp.sum(W**2) + jnp.sum(Z**2) - 2 * jnp.sum(cross)
        return jnp.sqrt(jnp.maximum(square, 1e-300))

    def least(self, p: Any, S: Any) -> Any:
        """Least curvature along new columns; for a sparse vector the least of all."""
        if not self.sparse:
            return jnp.linalg.eigvalsh(S)[0]
        d = S.shape[0] // 2
        off = np.setdiff1d(np.arange(d), self.support)
        inside = jnp.linalg.eigvalsh(jax.hessian(lambda q: self.value(self.point(q)))(p))[0]
        return jnp.minimum(inside, jnp.min(jnp.diagonal(S)[np.r_[off, d + off]]))

    # -- searches ---------------------------------------------------------------------------------

    def saddle(self, constants: tuple[float, float, float], starts: int, seed: int) -> float:
        """Least max{‖∇f‖/ε_g, −λ_min/ε_H} found in 𝓜 farther than ε_𝓜 from the solutions.

        The property of Definition 6 needs at least one.
        """
        eg, eH, near = constants

        def cost(p: Any) -> tuple[Any, Any]:
            W = self.point(p)
            g, S = self.slope(W)
            steep, bent = jnp.sum(g**2) / eg**2, jnp.maximum(-self.least(p, S), 0.0) / eH
            inside = jnp.maximum(1 - self.away(W) / near, 0.0)
            # Smooth, with a wall round the solutions.
            smooth = jnp.log1p(steep + bent**2) + 100 * inside**2
            return smooth, jnp.where(inside > 0, jnp.inf, jnp.maximum(jnp.sqrt(steep), bent))

        return _searched(cost, self._spread(starts, seed))

    def regular(
        self, beta: float, reach: float, starts: int, seed: int, bound: float = 1.0
    ) -> float:
        """Least α of (15) within reach of the solutions, for a given β; as far as found.

        Parameters
        ----------
        beta : float
        reach : float
            ζ; below √|θ_i| for a sparse vector.
        starts, seed : int
        bound : float
            Of a sparse vector, whose solutions (u_i, v_i) = √|θ_i| (cosh s, sinh s) are a curve
            without end: the part with |s| at most this.
        """

        def cost(p: Any) -> tuple[Any, Any]:
            W, e = self._displaced(p, bound)
            g, _ = self.slope(W)
            square = jnp.sum(e**2)
            alpha = 2 * (jnp.sum(g * e) - jnp.sum(g**2) / (2 * beta)) / square
            wall = jnp.maximum(jnp.sqrt(square) / reach - 1, 0.0)
            return alpha + 1e3 * beta * wall**2, jnp.where(wall > 1e-3, jnp.inf, alpha)

        rng = np.random.default_rng([seed, 61])
        steps = rng.standard_normal((starts, self.size))
        steps *= (reach * rng.uniform(0.3, 1, starts) / np.linalg.norm(steps, axis=1))[:, None]
        if self.sparse:  # all along the curve
            k = self.support.size
            steps[:, :k] = np.arctanh(rng.uniform(-1, 1, (starts, k)))
        else:
            steps = self.truth + steps
        return _searched(cost, steps)

    def _displaced(self, p: Any, bound: float) -> tuple[Any, Any]:
        """A point of 𝓜, and its displacement from the nearest solution in 𝓜."""
        Z = jnp.asarray(self.made.truth)
        if not self.sparse:
            W = self.point(p)
            U, _, Vt = jnp.linalg.svd(Z.T @ W, full_matrices=False)
            return W, W - Z @ (U @ Vt)
        k = self.support.size
        both = Z[:, 0].reshape(2, -1)[:, self.support]
        size, along = jnp.sqrt(jnp.sum(both**2, axis=0)), bound * jnp.tanh(p[:k])
        large, small = size * jnp.cosh(along), size * jnp.sinh(along)
        off = p[k:] / jnp.sqrt(large**2 + small**2)
        first = (both[0] > 0)[None]
        away = jnp.where(first, jnp.stack([large, -small]), jnp.stack([-small, large]))
        away = away * off[None]
        at = jnp.where(first, jnp.stack([large, small]), jnp.stack([small, large]))
        where = np.r_[self.support, len(Z) // 2 + self.support]
        e = jnp.zeros_like(Z).at[where, 0].set(away.ravel())
        return jnp.zeros_like(Z).at[where, 0].set(at.ravel()) + e, e

    def stiffness(self) -> float:
        """Largest curvature at the truth, new columns aside."""
        Z = jnp.asarray(self.made.truth)
        H = jax.hessian(lambda p: self.value(p.reshape(Z.shape)))(Z.ravel())
        return float(jnp.linalg.eigvalsh(H)[-1])

    def _spread(self, starts: int, seed: int) -> Float[np.ndarray, "k p"]:
        """Starts all over 𝓜: subsets of the truth's triples scaled, and noise, small to large."""
        rng = np.random.default_rng([seed, 60])
        found = []
        for k in range(starts):
            p = self.truth.copy()
            N, r = self.made.truth.shape
            if self.sparse:
                kept = np.tile(rng.random(self.support.size) < 0.5, 2)
                p = p * kept
            else:
                kept = rng.random(r) < 0.5
                p[: N * r] = (p[: N * r].reshape(N, r) * kept).ravel()
            size = 10 ** rng.uniform(-3, 0.2) if k % 2 else 1e-2
            p = p * rng.uniform(0.7, 1.3) + size * rng.standard_normal(p.size) / math.sqrt(2)
            found.append(p)
        return np.array(found)


def _searched(cost: Callable[[Any], tuple[Any, Any]], starts: Float[np.ndarray, "k p"]) -> float:
    """Least value, the second that the cost returns, that descent of the first came by."""
    best, search = math.inf, jax.jit(jax.value_and_grad(cost, has_aux=True))

    def plain(p: Vector) -> tuple[float, Vector]:
        nonlocal best
        (f, value), g = search(p)
        best = min(best, float(value))
        return float(f), np.nan_to_num(np.asarray(g, float))

    for start in starts:
        minimize(plain, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    return best
