"""The papers' own examples, with the points the papers name and what these really are."""

from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless.instances.base import LOCAL_SEARCH, SOD, Instance, KnownPoint, check_size, pairs
from liftless.operators import DenseOperator, EntriesOperator
from liftless.problem import Problem

#: Upper triangles, row by row, of the six matrices of eq. (C.2).
REAL_WORLD_UPPER = (
    (0.0783, 0.2372, -0.0439, -0.0397, 0.1456, -0.4724),
    (0.0389, 0.0536, -0.0059, 0.4614, -0.3907, 0.2760),
    (0.0293, -0.1456, -0.1656, 0.3257, 0.2528, -0.0078),
    (0.0762, 0.3193, -0.3338, -0.3364, 0.5847, 0.1873),
    (-0.0889, 0.7089, 0.4472, 0.3788, 0.0902, -0.3193),
    (0.4097, 0.1190, 0.2078, 0.2282, -0.2274, 0.4046),
)

#: The local minimum as Appendix C.2 prints it: four digits, hence not a critical point.
REAL_WORLD_PRINTED = (0.2234, 0.0918, 0.5985)

#: The local minimum of eq. (C.2) to round-off: Newton's limit from the printed one.
REAL_WORLD_MINIMUM = (0.22347075233541905, 0.09183150195480291, 0.5985783536443192)


def basic() -> Instance:
    """Rank-one example of order two, eq. (1.1) of the SOD escape paper.

    Notes
    -----
    The paper calls (0, ±1/√2) a local minimum.  It is a degenerate second-order critical point:
    h falls from 3/8 along (a, √((1 − 4a²)/2)), by exactly 3a⁴/2.
    """
    half = np.sqrt(3.0) / 2
    A = np.array([[[1, 0], [0, 0.5]], [[0, half], [half, 0]], [[0, 0], [0, half]]])
    note = (
        "Second-order critical, called a local minimum in the paper; it is not one: "
        "h falls as -1.5 a^4 along (a, sqrt((1 - 4a^2)/2))."
    )
    point = KnownPoint(np.array([[0.0], [np.sqrt(0.5)]]), "spurious", note)
    return Instance(
        name="basic",
        problem=Problem(DenseOperator.from_matrices(A), A[:, 0, 0], 1),
        truth=np.array([[1.0], [0.0]]),
        points=(point,),
        seed=None,
        parameters={},
        description="rank-one sensing of order 2 with three matrices",
        reference=f"{SOD}, eq. (1.1)",
    )


def pmc(n: int = 3, eps: float = 0.3) -> Instance:
    """Perturbed matrix completion, eq. (C.1) of the SOD escape paper, z = (1, 0, 1, 0, …).

    Parameters
    ----------
    n : int
        Order, at least 2.
    eps : float
        Weight of the entries outside Ω, in (0, 1).  Ω has the diagonal and every second row and
        column; the weight there is 1.

    Notes
    -----
    The paper's sum runs over all n² entries.  Here each pair i <= j is one measurement, an
    off-diagonal one times √2, so that h is that sum.

    With k = ⌈n/2⌉ nonzero entries of z, k even, x = a s is stationary for every s = ±1 on them
    with as many of either sign, and q = a² = (1 − ε²)/(1 + ε²(k − 1)); the positions can be
    permuted, so one such s is listed.  The Hessian has the eigenvalue 2(2q(1 − ε²) − ε²k) along
    the ones on the support and is positive definite on the rest.  The paper's ±(1, 0, −1) is
    x to the first digit: a = 0.9137 at n = 3, ε = 0.3.
    """
    n, eps = positive_int("n", n, least=2), real_number("eps", eps, above=0.0)
    if eps >= 1:
        raise InvalidInput("eps", eps, "a number > 0 and < 1")
    check_size(n, None, 6 * pairs(n))
    z = (np.arange(n) % 2 == 0).astype(np.float64)
    i, j = np.triu_indices(n)
    # Zero-based, Ω has the diagonal and whatever touches an odd row or column.
    inside = (i == j) | (i % 2 == 1) | (j % 2 == 1)
    weights = np.where(inside, 1.0, eps) * np.where(i == j, 1.0, np.sqrt(2.0))
    operator = EntriesOperator(i, j, n, weights)
    return Instance(
        name="pmc",
        problem=Problem(operator, weights * z[i] * z[j], 1),
        truth=z[:, None],
        points=_pmc_points(z, eps),
        seed=None,
        parameters={"n": n, "eps": eps},
        description=f"perturbed matrix completion of order {n}, eps {eps:g}",
        reference=f"{SOD}, eq. (C.1)",
    )


def _pmc_points(z: Float[np.ndarray, " n"], eps: float) -> tuple[KnownPoint, ...]:
    support = np.flatnonzero(z)
    k, square = support.size, eps * eps
    if k % 2:
        return ()
    q = (1 - square) / (1 + square * (k - 1))
    x = np.zeros_like(z)
    x[support] = np.sqrt(q) * np.where(np.arange(k) % 2 == 0, 1.0, -1.0)
    bend = 2 * (2 * q * (1 - square) - square * k)
    if bend < 0:
        note = f"Hessian eigenvalue {bend:.6g} along the ones on the support of z."
        return (KnownPoint(x[:, None], "saddle", note),)
    note = f"Local minimum; Hessian eigenvalue {bend:.6g} along the ones on the support of z."
    return (KnownPoint(x[:, None], "spurious", note),)


def real_world() -> Instance:
    """Six printed matrices of order three, eq. (C.2) of the SOD escape paper, z = (1, 0, 0).

    Notes
    -----
    The printed local minimum :data:`REAL_WORLD_PRINTED` has four digits and is not a critical
    point; the point listed is Newton's limit from it, to round-off.
    """
    i, j = np.triu_indices(3)
    A = np.zeros((len(REAL_WORLD_UPPER), 3, 3))
    A[:, i, j] = A[:, j, i] = REAL_WORLD_UPPER
    note = "Strict local minimum; the paper prints its first four digits, not rounded."
    return Instance(
        name="real-world",
        problem=Problem(DenseOperator.from_matrices(A), A[:, 0, 0], 1),
        truth=np.array([[1.0], [0.0], [0.0]]),
        points=(KnownPoint(np.array(REAL_WORLD_MINIMUM)[:, None], "spurious", note),),
        seed=None,
        parameters={},
        description="rank-one sensing of order 3 with six matrices of a real system",
        reference=f"{SOD}, eq. (C.2)",
    )


def example_one(rank: int = 1, form: str = "exact", weight: float | None = None) -> Instance:
    """Spurious minimum at the rank of the truth, Example 1 of the local-search paper.

    f(X) = (X₁₁ + X₂₂ − 1)² + (X₁₁ − 1)² + Σ_{i=3}^{r+1} (X_ii − 1)² + c Σ X_ij², size r + 1.

    Parameters
    ----------
    rank : int
        Rank r of the constraint and of the truth diag(1, 0, 1, …, 1).
    form : {"exact", "paper"}
        "exact" penalises every off-diagonal entry with c > 1: diag(0, 1, 1, …, 1), f = 1, is a
        local minimum, strict up to rotations X Q.  "paper" has c = 1 and X₁₂, X₂₁ alone.
    weight : float, optional
        c of the exact form; 2 if left out.

    Notes
    -----
    Sensing matrices are scaled so that h = ½‖A(X) − b‖² is f.

    The printed point is no local minimum.  At rank 1, (X₁₁, X₂₂) = (a, 1 − 2a) gives f = 1 − 2a².
    At higher rank the unpenalised X_1j leave a Hessian eigenvalue −4.  The printed padding runs
    to i = r + 2, which would give the truth rank r + 1; here it ends at r + 1 in either form.
    """
    rank, size = positive_int("rank", rank), rank + 1
    c = _off_diagonal(form, weight, default=2.0, above=1.0)
    eye = np.eye(size)
    rows, targets = [eye[0] + eye[1], eye[0], *eye[2:]], np.ones(size)
    pairs = np.triu_indices(size, 1) if form == "exact" else (np.array([0]), np.array([1]))
    problem = _squares(np.array(rows), targets, pairs, c, rank)
    note = f"Local minimum with f = 1; Hessian eigenvalue {4 * (c - 1):g} on the first row."
    if form == "paper" and rank == 1:
        note = (
            "Second-order critical, called a local minimum in the paper; it is not one: "
            "(X_11, X_22) = (a, 1 - 2a) gives f = 1 - 2a^2."
        )
    elif form == "paper":
        note = "Hessian eigenvalue -4: first row (0, p, 0, ...) gives f = 1 - 2p^2 + 2p^4."
    kind = "saddle" if form == "paper" and rank > 1 else "spurious"
    truth, point = np.delete(eye, 1, axis=1), KnownPoint(eye[:, 1:], kind, note)
    return _example("example-1", problem, truth, point, form, c)


def example_two(rank: int = 2, form: str = "exact", weight: float | None = None) -> Instance:
    """Spurious minimum at a rank above the truth's, Example 2 of the local-search paper.

    f(X) = (X₁₁ − 1)² + Σ_{i=1}^k [(X₁₁ + Y_i + Y'_i − 1)² + (Y_i − Y'_i)²] + c Σ_{i≠j} X_ij²,
    with Y_i = X_{2i,2i}, Y'_i = X_{2i+1,2i+1}, size 2k + 1; the truth diag(1, 0, …, 0) has rank 1.

    Parameters
    ----------
    rank : int
        "exact": even, 2k.  "paper": 2, or odd and equal to the size 2k + 1.
    form : {"exact", "paper"}
        "exact" has c > 2 and the rank 2k: (I − X*)/2, f = 1, is a local minimum, strict up to
        rotations.  "paper" has c = 1 at rank 2, and no off-diagonal term at odd rank.
    weight : float, optional
        c of the exact form; 3 if left out.

    Notes
    -----
    Sensing matrices are scaled so that h = ½‖A(X) − b‖² is f.

    The printed point is a saddle: at rank 2 the first row (p, 0) gives f = 1 − p² + 2p⁴, at odd
    rank f = 1 − 2p² + (1 + k)p⁴.  With the rank equal to the size no weight would help, since a
    rank-deficient local minimum is global.
    """
    rank, c = positive_int("rank", rank, least=2), _off_diagonal(form, weight, 3.0, 2.0)
    odd = rank % 2 == 1
    if odd and form == "exact":
        raise InvalidInput("rank", rank, "even in the exact form", "The size is then rank + 1.")
    if not odd and rank > 2 and form == "paper":
        raise InvalidInput("rank", rank, "2, or odd and > 1, in the paper form")
    size = rank if odd else rank + 1
    k, eye = size // 2, np.eye(size)
    rows = [eye[0]]
    rows += [eye[0] + eye[i] + eye[i + 1] for i in range(1, size, 2)]
    rows += [eye[i] - eye[i + 1] for i in range(1, size, 2)]
    targets = np.r_[np.ones(1 + k), np.zeros(k)]
    pairs = np.triu_indices(size, 1) if not odd else (np.array([], int), np.array([], int))
    problem = _squares(np.array(rows), targets, pairs, c, rank)
    note = f"Local minimum with f = 1; Hessian eigenvalue {2 * (c - 2):g} on the first row."
    if form == "paper":
        curve = f"1 - 2p^2 + {1 + k}p^4" if odd else "1 - p^2 + 2p^4"
        note = f"Hessian eigenvalue {-4 if odd else -2}: first row (p, 0, ...) gives f = {curve}."
    point = np.zeros((size, rank))
    point[1:, : size - 1] = np.sqrt(0.5) * np.eye(size - 1)
    kind = "saddle" if form == "paper" else "spurious"
    return _example(
        "example-2",
        problem,
        eye[:, :rank] * (np.arange(rank) == 0),
        KnownPoint(point, kind, note),
        form,
        c,
    )


def _off_diagonal(form: Any, weight: Any, default: float, above: float) -> float:
    """Return the weight c of the off-diagonal entries."""
    if form not in ("exact", "paper"):
        raise InvalidInput("form", describe(form), "'exact' or 'paper'")
    if form == "paper":
        if weight is not None:
            raise InvalidInput("weight", describe(weight), "left out in the paper form")
        return 1.0
    return default if weight is None else real_number("weight", weight, above=above)


def _squares(
    rows: Float[np.ndarray, "s n"],
    targets: Float[np.ndarray, " s"],
    pairs: tuple[np.ndarray, ...],
    c: float,
    rank: int,
) -> Problem:
    """½‖A(X) − b‖² = Σ_s (rows_s · diag X − targets_s)² + c Σ_pairs (X_ij² + X_ji²)."""
    i, j = pairs
    n = rows.shape[1]
    A = np.zeros((len(rows) + len(i), n, n))
    A[: len(rows), np.arange(n), np.arange(n)] = np.sqrt(2.0) * rows
    t = len(rows) + np.arange(len(i))
    A[t, i, j] = A[t, j, i] = np.sqrt(c)
    b = np.r_[np.sqrt(2.0) * targets, np.zeros(len(i))]
    return Problem(DenseOperator.from_matrices(A), b, rank)


def _example(
    name: str,
    problem: Problem,
    truth: Float[np.ndarray, "n r"],
    point: KnownPoint,
    form: str,
    c: float,
) -> Instance:
    parameters: dict[str, Any] = {"rank": problem.rank, "form": form}
    if form == "exact":
        parameters["weight"] = c
    return Instance(
        name=name,
        problem=problem,
        truth=truth,
        points=(point,),
        seed=None,
        parameters=parameters,
        description=f"order {problem.n}, rank constraint {problem.rank}, {form} form",
        reference=f"{LOCAL_SEARCH}, Section 5, Example {name[-1]}",
    )
