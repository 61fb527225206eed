"""Lower bounds on the optimum over all positive semidefinite matrices.

With the slack S = ∇f(X Xᵀ) and its least eigenvalue λ_n,

    f(M) >= f(X Xᵀ) + ⟨S, M⟩ − ⟨S, X Xᵀ⟩ >= f(X Xᵀ) − ⟨S, X Xᵀ⟩ + min(0, λ_n) tr M,

which bounds the optimum where tr M is bounded; and where some w with A*(w) ≻ 0 is known, the
residual can be moved along w to a dual feasible point, which bounds it without any assumption.
"""

import math
import weakref

import numpy as np

from liftless import cost
from liftless._precision import entry
from liftless._types import AnyArray
from liftless.certificate.values import FirstOrder
from liftless.linalg import extreme_eigenpairs
from liftless.operators import SensingOperator, backproject
from liftless.problem import Problem


def least_with_trace(local: FirstOrder, lambda_n: float, tau: float) -> float:
    """Lower bound over M ⪰ 0 with tr M <= τ, from the slack's least eigenvalue."""
    base = local.objective - local.penalty_gap - local.inner
    return base + tau * min(0.0, lambda_n)


def free_bound(problem: Problem, X: np.ndarray, local: FirstOrder, lambda_n: float) -> float:
    """Best lower bound that assumes nothing."""
    bound = local.objective - local.excess  # the least value any measurements could reach
    mu = float(problem.trace_weight)
    if mu > 0:  # the penalty itself bounds the trace of any matrix no worse than X
        bound = max(bound, least_with_trace(local, lambda_n, 2 * local.excess / mu))
    if local.excess <= problem.loss.roundoff * local.full:
        return bound  # both bounds are equal to round-off
    dual = _dual_bound(problem, X, lambda_n)
    return bound if dual is None else max(bound, dual)


def _dual_bound(problem: Problem, X: np.ndarray, lambda_n: float) -> float | None:
    """−Σ ω ℓ*(v/ω) at a dual feasible v = t (pull + α w), or None without a w."""
    w = _combination(problem.operator)
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


#: The last operators and their combinations: a search certifies many points of one problem.
_COMBINED: list[tuple[weakref.ref, np.ndarray | None]] = []


def _combination(operator: SensingOperator) -> np.ndarray | None:
    """Weights w with A*(w) ≻ 0, or None; those of operators asked lately are remembered."""
    for held, w in _COMBINED:
        if held() is operator:
            return w
    w = operator.positive_combination()
    _COMBINED.insert(0, (weakref.ref(operator), w))
    del _COMBINED[4:]
    return w


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

    if not cost.dense_eigen(problem.n):
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
