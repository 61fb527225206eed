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
from liftless.identify.question import Question
from liftless.operators import SensingOperator
from liftless.problem import Problem

#: A singular value below this fraction of the largest is zero.
ZERO = 1e-10


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


def probed_spread(problem: Problem, most: int) -> int | None:
    """Rank of {A_i} up to ``most``, from that many random matrices; None where it takes long."""
    work = float(most) * (problem.operator.cost(1) + problem.m * min(most, problem.m))
    if work > CHECK:
        return None
    used = np.asarray(problem.weights) != 0
    rng = np.random.default_rng(0)
    U, V = rng.standard_normal((2, most, problem.n, 1))
    seen: Float[np.ndarray, "m k"] = np.asarray(_probed(problem.operator, U, V)).T[used]
    norms = np.linalg.norm(seen, axis=1)
    s = np.linalg.svd(seen[norms > 0] / norms[norms > 0, None], compute_uv=False)
    return int(np.sum(s > ZERO * s[0])) if s.size else 0
