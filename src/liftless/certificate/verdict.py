"""What kind of point X is, and how far its objective can be above the optimum.

The matrix problem min over M ⪰ 0 of f(M) is convex for every loss here.  With the slack
S = ∇f(X Xᵀ) and its least eigenvalue λ_n,

    f(M) >= f(X Xᵀ) + ⟨S, M⟩ − ⟨S, X Xᵀ⟩ >= f(X Xᵀ) − ⟨S, X Xᵀ⟩ + min(0, λ_n) tr M,

so a first-order point (S X = 0) with S ⪰ 0 is optimal over *all* positive semidefinite matrices,
of any rank.  Without S ⪰ 0 the same inequality bounds the optimum when tr M is bounded; and where
some w with A*(w) ≻ 0 is known, the residual can be moved along w to a dual feasible point, which
bounds it without any assumption.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import factor, real_number
from liftless._precision import double, entry
from liftless._types import AnyArray
from liftless.linalg import DENSE_LIMIT, extreme_eigenpairs
from liftless.operators import backproject
from liftless.problem import Problem

#: The five kinds of point, in words.
KINDS = {
    "exact": "the data are fitted to round-off, or to the noise level if one is given",
    "global": "optimal over all positive semidefinite matrices",
    "spurious": "a second-order point that is not optimal among positive semidefinite matrices",
    "saddle": "a stationary point with a direction of negative curvature",
    "unfinished": "not stationary to the accuracy a verdict needs: descend further",
}

#: ‖∇h‖ ‖X‖ / h below this counts as stationary.
STATIONARY = 1e-6
#: λ_n above minus this fraction of ‖S‖₂, and costing less than this fraction of h, counts as >= 0.
NONNEGATIVE = 1e-9
#: λ_n between this and the level above is too close to zero to call: descend further.
UNDECIDED = 1e-7
#: A Hessian eigenvalue above minus this fraction of the largest counts as >= 0.
FLAT = 1e-7


@dataclass(frozen=True)
class Certificate:
    """Verdict on a point, with the evidence.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    objective, relative_objective : float
        h(X), and its excess over the least conceivable value relative to the same at X = 0.
    gradient_norm, relative_gradient : float
        ‖∇h(X)‖_F, and ‖∇h‖ ‖X‖ / h (NaN at an exact fit, where it is round-off).
    lambda_n, u_n : float, array of shape (n,)
        Least eigenvalue of the slack ∇f(X Xᵀ) and its eigenvector (largest entry positive).
    hessian_least, hessian_largest : float
        Extreme eigenvalues of ∇²h(X); NaN if neither asked for nor needed.
    lower_bound, upper_bound : float
        lower <= min over M ⪰ 0 of the objective <= upper = h(X).
    assumption : str
        What ``lower_bound`` assumes: "none", or "trace(M) <= τ".
    noise_level : float
        Objective up to which the fit counts as exact; 0 without a noise level.
    message : str
        The verdict in a sentence.
    """

    kind: str
    objective: float
    relative_objective: float
    gradient_norm: float
    relative_gradient: float
    lambda_n: float
    u_n: Float[np.ndarray, " n"] = field(repr=False)
    hessian_least: float
    hessian_largest: float
    lower_bound: float
    upper_bound: float
    assumption: str
    noise_level: float
    message: str

    @property
    def optimal(self) -> bool:
        """Whether the point is certified optimal over all positive semidefinite matrices."""
        return self.kind in ("exact", "global")


@double
def certify(
    problem: Problem,
    X: Any,
    *,
    trace_bound: float | None = None,
    noise: float | None = None,
    second_order: bool = True,
) -> Certificate:
    """Say what kind of point ``X`` is and bound the optimum from both sides.

    Parameters
    ----------
    problem : Problem
    X : array of shape (n, r)
        Zero columns beyond ``problem.rank`` are padding and are dropped.
    trace_bound : float, optional
        τ with tr M <= τ for the optimal M, if one is known; the bound says that it assumes it.
    noise : float, optional
        Standard deviation σ of the noise in each measurement (after the row weights, in units of
        b).  A fit within what that noise explains counts as exact.
    second_order : bool
        Compute the Hessian's extreme eigenvalues even where the kind does not depend on them.

    Returns
    -------
    Certificate

    Raises
    ------
    InvalidInput
        If ``X`` is not a finite (n, r) array, or a level is negative.

    Notes
    -----
    Eigenvalues are exact up to n = 500 (n r = 500 for the Hessian), by Lanczos above.
    ``global`` needs first order, λ_n >= −1e-9 ‖S‖₂ and |λ_n| tr(X Xᵀ) <= 1e-9 h: it is meant for
    the matrix problem, hence holds for every rank.
    """
    X = _unpadded(factor("X", X, problem.n), problem.rank)
    tau = None if trace_bound is None else real_number("trace_bound", trace_bound, least=0.0)
    level = noise_level(problem, noise)
    local, values, vectors = _point(problem, X)
    lambda_n = float(values[0])
    free = _free_bound(problem, X, local, lambda_n)
    low, assumption = free, "none"
    if tau is not None and _trace_bound(local, lambda_n, tau) > free:
        low, assumption = _trace_bound(local, lambda_n, tau), f"trace(M) <= {tau:g}"
    kind, least, largest = _classify(problem, X, local, lambda_n, level, free)
    if second_order and math.isnan(least):
        least, largest = hessian_extremes(problem, X)
    return Certificate(
        kind=kind,
        objective=local.objective,
        relative_objective=local.excess / local.full if local.full > 0 else local.excess,
        gradient_norm=local.gradient_norm,
        # At a perfect fit both sides of the ratio are round-off.
        relative_gradient=math.nan if kind == "exact" else local.relative_gradient,
        lambda_n=lambda_n,
        u_n=vectors[:, 0],
        hessian_least=least,
        hessian_largest=largest,
        lower_bound=min(low, local.objective),
        upper_bound=local.objective,
        assumption=assumption,
        noise_level=level,
        message=_message(kind, local, lambda_n, level),
    )


# -- parts, each usable alone ---------------------------------------------------------------------


@dataclass(frozen=True)
class FirstOrder:
    """Values at a point that need no eigenproblem."""

    objective: float
    excess: float
    full: float
    gradient_norm: float
    relative_gradient: float
    inner: float
    penalty_gap: float


@entry
def _values(problem: Problem, X: AnyArray) -> tuple[AnyArray, ...]:
    y = problem.operator.measure(X, X)
    zero = jnp.zeros_like(y)
    trace_part = problem.trace_weight / 2 * jnp.sum(X * X)
    data_gradient = 2 * problem.operator.backproject(problem.pull(y), X)
    return (
        problem.value_at(y, X),
        problem.excess_at(y, X),
        jnp.sum(problem.omega * problem.loss.excess(zero, problem.b)),
        jnp.linalg.norm(problem.gradient_at(y, X)),
        # ⟨S, X Xᵀ⟩, zero at a stationary point, and what the regularisers add beyond their trace.
        jnp.sum(X * data_gradient) / 2 + trace_part,
        problem.penalty(X) - trace_part,
    )


@entry
def _values_and_slack(problem: Problem, X: AnyArray) -> tuple[tuple[AnyArray, ...], AnyArray]:
    return _values(problem, X), problem.slack(X, jnp.eye(problem.n, dtype=X.dtype))


def _point(
    problem: Problem, X: Float[np.ndarray, "n r"]
) -> tuple[FirstOrder, Float[np.ndarray, " 1"], Float[np.ndarray, "n 1"]]:
    """First-order values and the slack's lowest eigenpair, in one compiled call for small n."""
    if problem.n > DENSE_LIMIT:
        return first_order(problem, X), *slack_eigenpairs(problem, X, 1)
    numbers, slack = _values_and_slack(problem, X)
    return _first_order(numbers, X), *extreme_eigenpairs(lambda _: np.asarray(slack), problem.n, 1)


def first_order(problem: Problem, X: Float[np.ndarray, "n r"]) -> FirstOrder:
    """Objective, gradient and their scale-free ratio at ``X``."""
    return _first_order(_values(problem, X), X)


def _first_order(numbers: tuple, X: Float[np.ndarray, "n r"]) -> FirstOrder:
    h, excess, full, norm, inner, gap = (float(v) for v in numbers)
    length = float(np.linalg.norm(X))
    ratio = norm * length / excess if excess > 0 else 0.0
    return FirstOrder(h, excess, full, norm, ratio, inner, gap)


def slack_eigenpairs(
    problem: Problem, X: Float[np.ndarray, "n r"], k: int, which: str = "lowest"
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "n k"]]:
    """Return the k lowest (or highest) eigenpairs of the slack ∇f(X Xᵀ), signs fixed."""
    return extreme_eigenpairs(lambda W: np.asarray(problem.slack(X, W)), problem.n, k, which)


@entry
def _dense_hessian(problem: Problem, X: AnyArray) -> AnyArray:
    units = jnp.eye(X.size, dtype=X.dtype).reshape(-1, *X.shape)
    return jax.vmap(lambda D: problem.hessian_product(X, D).ravel())(units)


def hessian_extremes(problem: Problem, X: Float[np.ndarray, "n r"]) -> tuple[float, float]:
    """Least and largest eigenvalue of ∇²h(X): dense to n r = 500, Lanczos above."""
    if X.size <= DENSE_LIMIT:
        matrix = np.asarray(_dense_hessian(problem, X))
        values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
        return float(values[0]), float(values[-1])

    def product(w: np.ndarray) -> np.ndarray:
        return np.asarray(problem.hessian_product(X, w.reshape(X.shape))).reshape(-1, 1)

    low, _ = extreme_eigenpairs(product, X.size, 1, "lowest")
    high, _ = extreme_eigenpairs(product, X.size, 1, "highest")
    return float(low[0]), float(high[0])


def noise_level(problem: Problem, noise: float | None) -> float:
    """Objective that noise of standard deviation ``noise`` explains: ½σ² times χ²_m, + 3 sigma.

    Row weights are taken to whiten: with w = 1/σ_i pass noise = 1.
    """
    if noise is None:
        return 0.0
    sigma = real_number("noise", noise, least=0.0)
    rows = float(np.count_nonzero(np.asarray(problem.weights)))
    return sigma * sigma / 2 * (rows + 3 * math.sqrt(2 * rows))


def _unpadded(X: np.ndarray, rank: int) -> np.ndarray:
    if X.shape[1] <= rank:
        return X
    used = np.flatnonzero(np.any(X != 0, axis=0))
    if used.size <= rank:
        keep = np.sort(np.r_[used, np.setdiff1d(np.arange(X.shape[1]), used)[: rank - used.size]])
        return X[:, keep]
    return X


def _of_matrix(problem: Problem) -> bool:
    """Whether the whole objective is a convex function of X Xᵀ."""
    return all(g.of_matrix() for g in problem.regularisers)


def _classify(
    problem: Problem,
    X: np.ndarray,
    local: FirstOrder,
    lambda_n: float,
    level: float,
    low: float,
) -> tuple[str, float, float]:
    """Kind and extreme Hessian eigenvalues (NaN where the kind did not need them)."""
    nan = math.nan
    if local.excess <= max(problem.loss.roundoff * local.full, level):
        return "exact", nan, nan
    if local.relative_gradient > STATIONARY:
        return "unfinished", nan, nan
    size = float(np.abs(slack_eigenpairs(problem, X, 1, "highest")[0][0]))
    cost = abs(min(lambda_n, 0.0)) * float(np.sum(X * X))
    # Regularisers that are no function of the matrix must add nothing beyond their trace part.
    pure = _of_matrix(problem) or local.penalty_gap <= NONNEGATIVE * local.excess
    negligible = cost <= NONNEGATIVE * local.excess
    if pure and negligible and lambda_n >= -NONNEGATIVE * max(size, abs(lambda_n)):
        return "global", nan, nan
    if local.objective - low <= NONNEGATIVE * local.excess:
        return "global", nan, nan
    if lambda_n >= -UNDECIDED * size:
        return "unfinished", nan, nan
    least, largest = hessian_extremes(problem, X)
    scale = max(abs(least), abs(largest), size)
    return ("spurious" if least >= -FLAT * scale else "saddle"), least, largest


def _trace_bound(local: FirstOrder, lambda_n: float, tau: float) -> float:
    """Lower bound over M ⪰ 0 with tr M <= τ, from the slack's least eigenvalue."""
    base = local.objective - local.penalty_gap - local.inner
    return base + tau * min(0.0, lambda_n)


def _free_bound(problem: Problem, X: np.ndarray, local: FirstOrder, lambda_n: float) -> float:
    """Best lower bound that assumes nothing."""
    bound = local.objective - local.excess  # the least value any measurements could reach
    mu = float(problem.trace_weight)
    if mu > 0:  # the penalty itself bounds the trace of any matrix no worse than X
        bound = max(bound, _trace_bound(local, lambda_n, 2 * local.excess / mu))
    if local.excess <= problem.loss.roundoff * local.full:
        return bound  # both bounds are equal to round-off
    dual = _dual_bound(problem, X, lambda_n)
    return bound if dual is None else max(bound, dual)


def _dual_bound(problem: Problem, X: np.ndarray, lambda_n: float) -> float | None:
    """−Σ ω ℓ*(v/ω) at a dual feasible v = t (pull + α w), or None without a w."""
    w = problem.operator.positive_combination()
    omega = np.asarray(problem.omega)
    if w is None or np.any((omega == 0) & (w != 0)):
        return None
    pull = np.asarray(_pull(problem, X))
    alpha = _dual_shift(problem, X, w, lambda_n)
    if alpha is None:
        return None
    direction = pull + alpha * w
    used = omega > 0
    b, weight = np.asarray(problem.b)[used], omega[used]
    # Scaling by 0 <= t <= 1 keeps A*(v) + ½ μ I ⪰ 0, and t > 1 does when there is no μ.
    most = 1.0 if float(problem.trace_weight) > 0 else 4.0
    return _best_scaling(problem, direction[used] / weight, weight, b, most)


def _best_scaling(
    problem: Problem, v: np.ndarray, weight: np.ndarray, b: np.ndarray, most: float
) -> float:
    """Largest dual value −Σ ω ℓ*(t v, b) over 0 <= t <= most, a concave function, by zooming."""
    low, high, best = 0.0, most, -math.inf
    for _ in range(8):
        t = np.linspace(low, high, 33)
        values = -(problem.loss.conjugate(t[:, None] * v, b) @ weight)
        k = int(np.argmax(values))
        best = max(best, float(values[k]))
        low, high = float(t[max(k - 1, 0)]), float(t[min(k + 1, 32)])
    return best


@entry
def _pull(problem: Problem, X: AnyArray) -> AnyArray:
    return problem.pull(problem.operator.measure(X, X))


def _dual_shift(problem: Problem, X: np.ndarray, w: np.ndarray, lambda_n: float) -> float | None:
    """Least α >= 0, plus a guard against round-off, with S + α A*(w) ⪰ 0."""
    if lambda_n >= 0:
        return 0.0

    def product(W: np.ndarray) -> np.ndarray:
        return np.asarray(backproject(problem.operator, w, W))

    if problem.n > DENSE_LIMIT:
        least = float(extreme_eigenpairs(product, problem.n, 1, "lowest")[0][0])
        return -lambda_n / least * (1 + 1e-9) if least > 0 else None
    eye = np.eye(problem.n)
    try:
        root = np.linalg.cholesky(product(eye))
    except np.linalg.LinAlgError:
        return None
    # Least generalised eigenvalue of the pair (S, A*(w)).
    slack = np.asarray(problem.slack(X, eye))
    turned = np.linalg.solve(root, np.linalg.solve(root, slack).T)
    least = float(np.linalg.eigvalsh((turned + turned.T) / 2)[0])
    return max(0.0, -least) * (1 + 1e-9)


def _message(kind: str, local: FirstOrder, lambda_n: float, level: float) -> str:
    words = KINDS[kind]
    if kind == "exact":
        words = f"the data are fitted to {'the noise level' if level > 0 else 'round-off'}"
    parts = f"{kind}: {words}; h = {local.objective:.3e}"
    if kind in ("spurious", "saddle", "global"):
        parts += f", λ_n = {lambda_n:.3e}"
    if kind == "unfinished":
        parts += f", relative gradient {local.relative_gradient:.1e}, λ_n = {lambda_n:.1e}"
    if kind == "exact" and level > 0:
        parts += f", noise level {level:.3e}"
    return parts + "."
