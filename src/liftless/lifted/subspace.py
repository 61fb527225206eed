"""The lifted objective on the span of a few rank-one tensors, in closed form for any order.

A tensor w = Σ_i w_i D_i^{⊗l} with directions D_i of shape (n, r) enters the lifted objective

    h^l(w) = ‖A^{⊗l}(M(w)) − b^{⊗l}‖²        (printed scaling: no ½)

only through the measurements y_ij = A(½(D_i D_jᵀ + D_j D_iᵀ)), because
M(D_i^{⊗l}, D_j^{⊗l}) = (D_i D_jᵀ)^{⊗l} and an inner product of l-th powers is the l-th power of
the inner product.  So O(k⁴) numbers replace a tensor of (n r)^l entries.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._precision import entry
from liftless._types import AnyArray
from liftless.escape.oracle import Oracle, oracle
from liftless.problem import Problem

Weights = Float[np.ndarray, " k"]
Square = Float[np.ndarray, "k k"]
# NumPy turns arrays without axes into scalars as it computes.
_Values = np.ndarray | float

#: Eigenvalues of the Gram matrix below this fraction of the largest count as zero.
PARALLEL = 1e-8

_MODES = {"exact": 4.0, "paper": 1.0}


@entry
def _measure(problem: Problem, U: AnyArray, V: AnyArray) -> AnyArray:
    """Weighted measurements of sym(U_p V_pᵀ) for stacks of factors."""
    return problem.weights[None] * jax.vmap(problem.operator.measure)(U, V)


@dataclass(frozen=True)
class Form:
    """The quartic in the unordered pairs p = (i <= j), in units of ‖b‖^{2l}.

    With μ_p = W_i W_j · (1 or 2) and m_p = μ_p (‖y_p‖/‖b‖)^l it is mᵀ T m − 2 mᵀ τ + 1, where
    T and τ are l-th powers of cosines, hence never above 1 in size.

    Attributes
    ----------
    i, j : arrays of shape (p,)
        The pairs; ``index`` (k, k) finds a pair's place.
    count : array of shape (p,)
        1 on the diagonal, 2 off it.
    log_scale : array of shape (p,)
        l log(‖y_p‖/‖b‖); minus infinity where nothing is measured.
    T, tau : arrays of shape (p, p) and (p,)
    """

    i: np.ndarray
    j: np.ndarray
    index: np.ndarray
    count: np.ndarray
    log_scale: np.ndarray
    T: np.ndarray
    tau: np.ndarray


def _unit(rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Rows over their sizes; zero rows stay zero."""
    return rows / np.where(sizes > 0, sizes, 1.0)[..., None]


def _log(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(x)


def _supported(problem: Problem) -> None:
    if not problem.loss.quadratic:
        raise InvalidInput(
            "loss", problem.loss.name, "squared", "The lift is defined for it alone."
        )
    if problem.regularisers:
        raise InvalidInput("regularisers", "given", "left out: the lift has none")
    if not np.any(np.asarray(problem.weights) * np.asarray(problem.b)):
        raise InvalidInput("b", "zero", "measurements that are not all zero")


@dataclass(frozen=True)
class LiftedSubspace:
    """Span{D_i^{⊗l}} with the lifted objective, its gradient and Hessian, all in closed form.

    Build it with :meth:`at` (the paper's span{a, b, c}) or :meth:`of`.  *Coefficients* w multiply
    D_i^{⊗l}; *weights* W = w_i ‖D_i‖^l multiply the unit directions.  Methods take weights.

    Attributes
    ----------
    problem : Problem
        Squared loss, no regularisers.  Row weights are honoured.
    directions : array of shape (k, n, r)
    order : int
        Order l of the lift, odd or even.
    names : tuple of str
    products : array of shape (k, k, m)
        Weighted measurements of sym(D_i D_jᵀ), unit directions.
    b : array of shape (m,)
        Weighted measurements of the truth.

    Notes
    -----
    **Scaling.** h^l is the printed ‖·‖² without ½.  The gradient printed in Lemma A.1 of the SOD
    paper belongs to h^l/4: the true gradient is 4 times it.  Mode "paper" gives the printed one,
    mode "exact" the true one; descent with the true gradient is printed descent with 4 η.

    **Parallel directions.** In the paper's basic and completion examples E X̂ is a multiple of
    u q_rᵀ up to round-off, so that the Gram matrix is singular.  Its pseudo-inverse then gives the
    coefficients of least norm.  Only the sum of the weights of b and c matters there (their
    difference where b and c are opposite and l is odd).

    **Range.** Everything is kept in units of ‖b‖^{2l} with cosines for powers, so that orders up
    to 301 neither overflow nor cancel; only what is handed out in absolute units can.
    """

    problem: Problem = field(repr=False)
    directions: Float[np.ndarray, "k n r"] = field(repr=False)
    order: int
    names: tuple[str, ...]
    products: Float[np.ndarray, "k k m"] = field(repr=False)
    b: Float[np.ndarray, " m"] = field(repr=False)

    @classmethod
    def at(
        cls, problem: Problem, X: Any, order: int, *, o: Oracle | None = None
    ) -> "LiftedSubspace":
        """Span{a, b, c} of (5.1): directions X, u_n q_rᵀ and E X.

        Parameters
        ----------
        problem : Problem
        X : array of shape (n, r)
            A first-order point.
        order : int
        o : Oracle, optional
            Of ``X``.  Turning the sign of its u_n turns b and c, and changes h^l of a + b + c.
        """
        _supported(problem)
        X = factor("X", X, problem.n)
        o = oracle(problem, X) if o is None else o
        stack = [X, o.beta_direction, o.gamma_direction]
        return cls.of(problem, stack, order, ("a", "b", "c"))

    @classmethod
    def of(
        cls,
        problem: Problem,
        directions: Sequence[Any] | np.ndarray,
        order: int,
        names: Sequence[str] = (),
    ) -> "LiftedSubspace":
        """Span of any directions, the first of which is :meth:`start`.

        Zero directions are allowed; their weights mean nothing.
        """
        _supported(problem)
        D = real_array("directions", directions, 3)
        if len(D) == 0 or D.shape[1] != problem.n:
            raise InvalidInput("directions", describe(D), f"of shape (k, {problem.n}, r), k >= 1")
        i, j = np.triu_indices(len(D))
        unit = _unit(D.reshape(len(D), -1), np.linalg.norm(D, axis=(1, 2))).reshape(D.shape)
        Y = np.zeros((len(D), len(D), problem.m))
        Y[i, j] = Y[j, i] = np.asarray(_measure(problem, unit[i], unit[j]))
        return cls(
            problem=problem,
            directions=D,
            order=positive_int("order", order),
            names=tuple(names) or tuple(f"D{q + 1}" for q in range(len(D))),
            products=Y,
            b=np.asarray(problem.weights, np.float64) * np.asarray(problem.b, np.float64),
        )

    # -- the basis ----------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Number k of directions."""
        return len(self.directions)

    @cached_property
    def norms(self) -> Weights:
        """‖D_i‖_F."""
        return np.linalg.norm(self.directions, axis=(1, 2))

    @property
    def log_norms_l(self) -> Weights:
        """Logarithm of ‖D_i^{⊗l}‖_F = ‖D_i‖^l."""
        return self.order * _log(self.norms)

    @property
    def log_data(self) -> float:
        """Logarithm of ‖b‖^{2l} = h^l(0), the unit in which values are kept."""
        return float(2 * self.order * np.log(np.linalg.norm(self.b)))

    def weights(self, w: Weights) -> Weights:
        """Weights W_i = w_i ‖D_i‖^l of coefficients."""
        return w * np.exp(self.log_norms_l)

    def coefficients(self, W: Weights) -> Weights:
        """Coefficients of weights; 0 for a direction that is zero."""
        live = self.norms > 0
        return np.where(live, W * np.exp(-np.where(live, self.log_norms_l, 0.0)), 0.0)

    def start(self) -> Weights:
        """Weights of the first direction's lift, a = vec(X̂)^{⊗l} for the paper's span."""
        return self.weights(np.eye(self.size)[0])

    def escaped(self, rho: float) -> Weights:
        """Weights of w_escape = a + ρ b, equation (3.1)."""
        if self.size < 2:
            raise InvalidInput("directions", f"{self.size}", "at least two for an escape step")
        return self.start() + self.weights(rho * np.eye(self.size)[1])

    def gram(self) -> Square:
        """⟨D_i, D_j⟩^l of the unit directions."""
        unit = _unit(self.directions.reshape(self.size, -1), self.norms)
        return (unit @ unit.T) ** self.order

    @cached_property
    def gram_inverse(self) -> Square:
        """Pseudo-inverse of the Gram matrix, eigenvalues below :data:`PARALLEL` dropped."""
        return np.linalg.pinv(self.gram(), rcond=PARALLEL, hermitian=True)

    @property
    def rank(self) -> int:
        """Dimension of the span, to the tolerance of :attr:`gram_inverse`."""
        return int(np.linalg.matrix_rank(self.gram(), tol=PARALLEL, hermitian=True))

    # -- values -------------------------------------------------------------------------------

    @cached_property
    def form(self) -> Form:
        """The normalised quartic."""
        i, j = np.triu_indices(self.size)
        index = np.zeros((self.size, self.size), int)
        index[i, j] = index[j, i] = np.arange(len(i))
        Y = self.products[i, j]
        sizes, length = np.linalg.norm(Y, axis=1), np.linalg.norm(self.b)
        unit = _unit(Y, sizes)
        return Form(
            i=i,
            j=j,
            index=index,
            count=np.where(i == j, 1.0, 2.0),
            log_scale=self.order * _log(sizes / length),
            T=(unit @ unit.T) ** self.order,
            tau=(unit @ (self.b / length)) ** self.order,
        )

    def _pairs(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """u_i v_j (‖y_ij‖/‖b‖)^l · (1 or 2) for every pair; leading axes are kept."""
        f = self.form
        # Half the scale on either factor: their product may be sane where neither square is.
        half = np.exp(f.log_scale / 2)
        return f.count * (u[..., f.i] * half) * (v[..., f.j] * half)

    def _difference(self, W: np.ndarray, W0: np.ndarray) -> _Values:
        """h^l(W) − h^l(W0) in units of ‖b‖^{2l}; leading axes of W are kept."""
        f, step = self.form, W - W0
        minus = self._pairs(step, W) + self._pairs(W0, step)
        plus = self._pairs(W, W) + self._pairs(W0, W0)
        return np.sum(minus * (plus @ f.T - 2 * f.tau), axis=-1)

    def _value(self, W: np.ndarray) -> _Values:
        """h^l(W) in units of ‖b‖^{2l}; leading axes are kept."""
        m = self._pairs(W, W)
        return np.sum(m * (m @ self.form.T - 2 * self.form.tau), axis=-1) + 1.0

    def _absolute(self, value: _Values) -> _Values:
        with np.errstate(over="ignore"):
            return value * np.exp(self.log_data)

    def objective(self, W: Weights) -> float:
        """h^l(W), printed scaling (no ½)."""
        return float(self._absolute(self._value(W)))

    def difference(self, W: Weights, W0: Weights, *, scaled: bool = False) -> float:
        """h^l(W) − h^l(W0) = (μ − μ₀)ᵀ T (μ + μ₀) − 2 (μ − μ₀)ᵀ τ, free of cancellation.

        ``scaled`` gives it in units of ‖b‖^{2l}, which at high orders is out of range itself.
        """
        value = self._difference(W, W0)
        return float(value if scaled else self._absolute(value))

    def relative(self, W: Weights, W0: Weights | None = None) -> float:
        """h^l(W) / h^l(W0), with the lift of the first direction for W0 by default."""
        return float(self.relative_path(W[None], W0)[0])

    def relative_path(
        self, W: Float[np.ndarray, "K k"], W0: Weights | None = None
    ) -> Float[np.ndarray, " K"]:
        """:meth:`relative` for many weights at once; infinite where weights overflowed."""
        base = self.start() if W0 is None else W0
        with np.errstate(over="ignore", invalid="ignore"):
            value = 1.0 + self._difference(W, base) / self._value(base)
        return np.where(np.isfinite(value), value, np.inf)

    def objective_path(self, W: Float[np.ndarray, "K k"]) -> Float[np.ndarray, " K"]:
        """:meth:`objective` for many weights at once; infinite where weights overflowed."""
        with np.errstate(over="ignore", invalid="ignore"):
            value = self._absolute(self._value(W))
        return np.where(np.isfinite(value), value, np.inf)

    # -- derivatives --------------------------------------------------------------------------

    def _residual(self, W: Weights) -> tuple[Square, Square]:
        """((T μ − τ)_ij as a matrix, and the scale (‖y_ij‖/‖b‖)^l ‖b‖^{2l} of its entries)."""
        f = self.form
        inner = self._pairs(W, W) @ f.T - f.tau
        return inner[f.index], np.exp(f.log_scale + self.log_data)[f.index]

    def pull(self, W: Weights) -> Weights:
        """⟨D_i^{⊗l}, printed gradient of Lemma A.1⟩ = Σ_j W_j (T μ − τ)_ij, unit directions."""
        residual, scale = self._residual(W)
        return (scale * residual) @ W

    def gradient(self, W: Weights, mode: str = "exact") -> Weights:
        """Weights of the gradient projected onto the span.

        Mode "exact" is the true gradient of h^l, mode "paper" the quarter of it that Lemma A.1
        prints.
        """
        return _mode(mode) * self.gram_inverse @ self.pull(W)

    def hessian(self, W: Weights, mode: str = "exact") -> Square:
        """Hessian of h^l in the weights, ∂²h^l/∂W_i∂W_j; a quarter of it in mode "paper".

        As a map on the span it is :attr:`gram_inverse` times this; see :meth:`curvature`.
        """
        f = self.form
        residual, scale = self._residual(W)
        # T as a four-index array: entry (i, p, j, q) couples the pairs (i, p) and (j, q).
        couple = np.exp(f.log_scale)[f.index]
        T = f.T[f.index[:, :, None, None], f.index[None, None]]
        bend = np.einsum("ip,p,ipjq,jq,q->ij", scale, W, T, couple, W)
        return _mode(mode) * (scale * residual + 2 * bend)

    def curvature(
        self, W: Weights, mode: str = "exact"
    ) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "k d"]]:
        """Eigenvalues (ascending) of the Hessian projected onto the span, d its dimension.

        Columns of the second array are weights of the eigentensors, of unit norm.
        """
        lengths, Q = np.linalg.eigh(self.gram())
        live = lengths > PARALLEL * lengths[-1]
        root = Q[:, live] / np.sqrt(lengths[live])
        inner = root.T @ self.hessian(W, mode) @ root
        values, vectors = np.linalg.eigh((inner + inner.T) / 2)
        return values, root @ vectors

    # -- other objectives ---------------------------------------------------------------------

    def diagonal(self, W: Weights) -> float:
        """Surrogate objective: the m diagonal residuals i₁ = … = i_l alone.

        Σ_i (Σ_pq W_p W_q (y_pq)_i^l − b_i^l)² is not h^l: it ignores the m^l − m other residuals.
        It alone reproduces the decrease printed in figure 9 of the SOD paper.

        Notes
        -----
        It depends on how measurements are split: an off-diagonal entry counted once times √2 and
        the same entry counted twice give one h^l but two surrogates.
        """
        length = np.linalg.norm(self.b)
        powers = (self.products / length) ** self.order
        with np.errstate(over="ignore"):  # infinite far along a diverging path
            inner = np.einsum("p,q,pqi->i", W, W, powers) - (self.b / length) ** self.order
            return float(self._absolute(np.sum(inner * inner)))

    def rank_one(self, X: Any) -> float:
        """h^l(vec(X)^{⊗l}) of any factor X of shape (n, r)."""
        return (one := self._lifted(X)).objective(one.start())

    def rank_one_relative(self, X: Any) -> float:
        """h^l(vec(X)^{⊗l}) over h^l of the first direction's lift."""
        pair = self._lifted(X, self.directions[0])
        return pair.relative(pair.start(), pair.weights(np.array([0.0, 1.0])))

    def _lifted(self, X: Any, *others: Any) -> "LiftedSubspace":
        X = factor("X", X, self.problem.n)
        return LiftedSubspace.of(self.problem, [X, *others], self.order)


def _mode(mode: str) -> float:
    if mode not in _MODES:
        raise InvalidInput("mode", repr(mode), "'exact' or 'paper'")
    return _MODES[mode]
