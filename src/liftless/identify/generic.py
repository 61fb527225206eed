"""Measurements that look drawn at random, of which a matrix fixed before the draw has no double.

Another matrix Y of the rank of M fits if ⟨A_i, Y − M⟩ = 0 for all i: each is one equation for A_i,
so the draws for which some Y fits are fewer by m dimensions, and more by the dof of the Y.  Where
m > dof, and the A_i, or the a_i of a_i a_iᵀ, are drawn from a continuous law, this has probability
zero (Rong, Wang, Xu, Almost everywhere injectivity conditions for the matrix recovery problem,
Appl. Comput. Harmon. Anal. 50, 2021).  What can be seen of a draw is asked of the A_i here; that it
is one, nobody can prove.
"""

import jax
import numpy as np
from jaxtyping import Float, Int

from liftless._precision import entry
from liftless._types import AnyArray
from liftless.identify.fit import Fit
from liftless.identify.question import matrices
from liftless.operators import SensingOperator
from liftless.space import Space

#: Most numbers of those looked at, and most measurements.
MANY = 5e4
LOOKED_AT = 64
#: Least share of different sizes among the entries: a discrete law repeats its values.
DIFFERENT = 0.5
#: Least mean size of an entry over its root mean square: .80 for a Gaussian, .64 for a product of
#: two, less where few entries are all of a matrix.
EVEN = 0.4
#: An entry below this size, relative to the root mean square, is a zero of the structure.
ZERO = 1e-12


def _some(fit: Fit) -> Float[np.ndarray, "k n n"] | None:
    """Some of the used A_i, of norm one; None where even these are too many numbers."""
    if fit.q is not None:
        few = _few(len(fit.q.A), fit.problem.n)
        A = fit.q.A[few] / (fit.q.lengths[:, None] * fit.q.lengths)
    else:
        n, used = fit.problem.n, np.flatnonzero(fit.used)
        # Two of them may be more numbers than are worth it.
        small = n**2 <= MANY
        operator = fit.problem.operator.subset(used[_few(used.size, n)]) if small else None
        if operator is None:
            return None
        A = matrices(operator)
    norms = np.sqrt(np.sum(A * A, axis=(1, 2)))
    return A / norms[:, None, None] if len(A) > 1 and norms.min() > 0 else None


def _few(m: int, n: int) -> Int[np.ndarray, " k"]:
    """Which of m measurements are looked at, evenly spread."""
    most = max(2, min(LOOKED_AT, int(MANY / n**2)))
    return np.unique(np.linspace(0, m - 1, most).astype(int))


def looks_generic(fit: Fit) -> bool:
    """Whether the A_i have no zero, no repeated value, no outlier and no common invariant subspace.

    Over the complex numbers the answer is no.
    """
    space = fit.problem.operator.space
    A = None if space.name == "hermitian" else _some(fit)
    if A is None:
        return False
    sizes = np.sort(np.abs(A[:, _places(space)]), axis=None)
    size = float(np.sqrt(np.mean(sizes**2)))
    if sizes[0] <= ZERO * size or sizes.mean() < EVEN * size:
        return False
    different = np.count_nonzero(np.diff(sizes) > 1e-12 * sizes[1:]) + 1
    return bool(different >= DIFFERENT * sizes.size and _mixed(fit))


def _places(space: Space) -> np.ndarray:
    """Entries that a matrix of the space has, each once."""
    place = np.triu(np.ones((space.n, space.n), bool))
    if len(space.sides) > 1:
        # U and V meet in one block, and nowhere else.
        for side in space.sides:
            place[side, side] = False
    return place


@entry
def _sums(operator: SensingOperator, w: AnyArray) -> AnyArray:
    return jax.lax.map(operator.matrix, w)


def _mixed(fit: Fit) -> bool:
    """Whether no subspace but the whole is invariant under all: two sums have no common block.

    In the singular vectors of one sum a common invariant subspace makes zeros of another.
    """
    problem = fit.problem
    w = np.random.default_rng(0).standard_normal((2, problem.m)) * fit.used
    sides = problem.space.sides
    both = np.asarray(_sums(problem.operator, w))
    one, other = both[:, sides[0], sides[-1]]
    if len(sides) > 1:
        U, _, Vt = np.linalg.svd(one, full_matrices=False)
    else:
        U = np.linalg.eigh(one)[1]
        Vt = U.T
    turned = np.abs(U.T @ other @ Vt.T)
    return bool(turned.min() > ZERO * turned.max())
