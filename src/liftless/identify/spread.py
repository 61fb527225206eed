"""How many dimensions the measurements span: the numerical rank of {A_i} instead of m.

As many as the matrices have degrees of freedom, or fewer, determine a matrix near X at best: that
many equations have several solutions in general.
"""

import jax
import numpy as np
from jaxtyping import Float

from liftless._precision import entry
from liftless._types import AnyArray
from liftless.cost import CHECK
from liftless.identify.fit import Fit
from liftless.identify.question import Question
from liftless.operators import SensingOperator

#: A singular value below this fraction of the largest is zero.
ZERO = 1e-10
#: Least eigenvalue of JᵀJ relative to its trace above which no singular value can be zero.
PLAIN = 1e-11


def spread(q: Question) -> int:
    """Rank of the scaled A_i."""
    s = np.linalg.svd(q.A.reshape(len(q.A), -1), compute_uv=False)
    return int(np.sum(s > ZERO * s[0])) if s.size else 0


def whole(q: Question) -> int:
    """Dimension of the matrices of the space, of any rank."""
    n1, n2 = q.space.shape
    return {"symmetric": n1 * (n1 + 1) // 2}.get(q.space.name, n1 * n2)


@entry
def _probed(operator: SensingOperator, U: AnyArray, V: AnyArray) -> AnyArray:
    return jax.lax.map(lambda pair: operator.measure(pair[0], pair[1]), (U, V))


def probed_spread(fit: Fit, most: int) -> int | None:
    """Rank of {A_i} up to ``most``, from that many random matrices; None where it takes long."""
    problem = fit.problem
    work = float(most) * (problem.operator.cost(1) + problem.m * min(most, problem.m))
    # Before anything is drawn: of a large problem the probes alone are beyond any memory.
    if fit.q is None and work > CHECK:
        return None
    U, V = np.random.default_rng(0).standard_normal((2, most, problem.n, 1))
    if fit.q is not None:
        # The A_i are at hand, and symmetric.
        probes = (U * V.transpose(0, 2, 1)).reshape(most, -1)
        return _rank(fit.q.A.reshape(len(fit.q.A), -1) @ probes.T, most)
    seen: Float[np.ndarray, "m k"] = np.asarray(_probed(problem.operator, U, V)).T[fit.used]
    return _rank(seen, most)


def _rank(seen: Float[np.ndarray, "m k"], most: int) -> int:
    """Rank of k columns, the rows of one length."""
    norms = np.linalg.norm(seen, axis=1)
    unit = seen[norms > 0] / norms[norms > 0, None]
    if _plainly_full(unit):
        return most
    s = np.linalg.svd(unit, compute_uv=False)
    return int(np.sum(s > ZERO * s[0])) if s.size else 0


def _plainly_full(rows: Float[np.ndarray, "m k"]) -> bool:
    """Whether all k columns are independent beyond round-off, by Cholesky: a tenth of the time."""
    gram = rows.T @ rows
    try:
        np.linalg.cholesky(gram - PLAIN * np.trace(gram) * np.eye(len(gram)))
    except np.linalg.LinAlgError:
        return False
    return True
