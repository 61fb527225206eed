"""The moves an escape is made of, each with its exact amplitude."""

import dataclasses

import numpy as np
from jaxtyping import Float

from liftless.certificate import Certificate, slack_eigenpairs
from liftless.escape.base import Candidate
from liftless.escape.oracle import Oracle, singular_triples
from liftless.escape.scale import best_scale, line_minimisers
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Relative accuracy of eigenvalues that only scale a direction, where Lanczos finds them.
ROUGH = 1e-3
#: Least weight of a direction that fills up a factor, relative to the most negative eigenvalue.
FILL = 0.3
#: Share of h at which a rank lift stops and truncates: going on costs 30 times more and gains
#: nothing, since only the direction matters.
SETTLE_LIFT = 1e-2
#: The same for a whole over-parameterised start, relative to h at zero.
SETTLE_OVER = 1e-4


def _candidate(
    kind: str,
    problem: Problem,
    before: float,
    base: Factor,
    direction: Factor,
    s: float,
    note: str = "",
) -> Candidate:
    at = float(problem.objective(base + s * direction))
    return Candidate(kind, base, direction, s, before, at, note=note)


def beta(problem: Problem, X: Factor, certificate: Certificate, o: Oracle) -> list[Candidate]:
    """s·u qᵀ: the b-term with its exact amplitude.  It has rank one, so it is for r = 1."""
    D = o.beta_direction
    before = certificate.objective
    zero = np.zeros_like(X)
    return [
        _candidate("beta", problem, before, zero, D, float(s))
        for s in line_minimisers(problem, zero, D)
    ]


def gamma(problem: Problem, X: Factor, certificate: Certificate, o: Oracle) -> list[Candidate]:
    """s·E X̂: the c-term with its exact amplitude, for any r."""
    D = o.gamma_direction
    size = np.linalg.norm(D)
    if size == 0:
        return []
    # The direction is scaled to the size of X, which keeps the quartic's coefficients comparable.
    D = D * (np.linalg.norm(X) / size)
    before = certificate.objective
    zero = np.zeros_like(X)
    return [
        _candidate("gamma", problem, before, zero, D, float(s))
        for s in line_minimisers(problem, zero, D)
    ]


def swap(
    problem: Problem, X: Factor, certificate: Certificate, u: Float[np.ndarray, " n"]
) -> list[Candidate]:
    """Drop singular triple j of X̂ and put s·u q_jᵀ in its place, for every j, smallest first.

    The b-term for r > 1: alone it would collapse the rank.
    """
    V, sigma, Q = singular_triples(X)
    before = certificate.objective
    found = []
    for j in reversed(range(sigma.size)):
        base = X - sigma[j] * np.outer(V[:, j], Q[:, j])
        D = np.outer(u, Q[:, j])
        found += [
            _candidate("swap", problem, before, base, D, float(s), f"triple={j + 1}")
            # The kept triples are orthogonal to q_j, so that ±s give the same matrix.
            for s in line_minimisers(problem, base, D)[:1]
        ]
    return found


def lift(problem: Problem, X: Factor, certificate: Certificate, extra: int = 2) -> list[Candidate]:
    """Append the ``extra`` most negative eigenvectors of the slack as new columns.

    The factor is descended in the wider space until h has fallen to a hundredth, then truncated.
    """
    values, vectors = slack_eigenpairs(problem, X, min(extra, problem.n), accuracy=ROUGH)
    columns = vectors[:, values < 0]
    if columns.shape[1] == 0:
        return []
    base = np.pad(X, ((0, 0), (0, columns.shape[1])))
    D = np.pad(columns * np.sqrt(-values[values < 0]), ((0, 0), (X.shape[1], 0)))
    found = []
    for s in line_minimisers(problem, base, D)[:1]:
        one = _candidate("lift", problem, certificate.objective, base, D, float(s))
        found.append(_settled(one, SETTLE_LIFT, f"columns={columns.shape[1]}"))
    return found


def replace(problem: Problem, X: Factor, certificate: Certificate, width: int) -> list[Candidate]:
    """A whole new over-parameterised factor from the negative part of the slack.

    Where fewer than r eigenvalues are negative the next eigenvectors fill it up: descent cannot
    leave a zero column.
    """
    values, vectors = slack_eigenpairs(problem, X, width, accuracy=ROUGH)
    if values[0] >= 0:
        return []
    # The slack is zero on the columns of X: an eigenvalue of that size is round-off.
    negative = values < ROUGH * values[0]
    if negative.sum() < X.shape[1]:
        D = vectors * np.sqrt(np.maximum(-values, -FILL * values[0]))
    else:
        D = vectors[:, negative] * np.sqrt(-values[negative])
    s = best_scale(problem, D)
    if s == 0:
        return []
    zero = np.zeros_like(D)
    one = _candidate("replace", problem, certificate.objective, zero, D, s)
    return [_settled(one, SETTLE_OVER, f"columns={D.shape[1]}")]


def _settled(candidate: Candidate, settle: float, note: str) -> Candidate:
    return dataclasses.replace(candidate, settle=settle, note=note)
