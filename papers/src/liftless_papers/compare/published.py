"""The published sampler of completion near the limit, what is determined there, quoted rates."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._checks import positive_int, real_number
from liftless._errors import InvalidInput
from liftless.instances import Instance
from liftless.operators import RectangularEntries
from liftless.problem import Problem
from liftless.space import Space
from liftless.start.belief import peel

Factor = Float[np.ndarray, "n r"]

#: Relative error of the determined block, and of the whole matrix, that counts as success.
BLOCK, WHOLE = 1e-6, 1e-3
#: Measurements a degree of freedom of the published curves, and their condition numbers.
RATIOS = (1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5)
KAPPAS = (10.0, 1e5)
RANK = 5


def published(
    n: int = 100,
    rank: int = RANK,
    ratio: float = 1.5,
    kappa: float = 10.0,
    seed: int = 0,
    redraws: int = 1000,
) -> Instance:
    """Completion as in the tables of MatrixIRLS: n × n, a condition number, few entries.

    Parameters
    ----------
    n, rank : int
    ratio : float
        Entries over the degrees of freedom r (2n − r); the number is rounded down.
    kappa : float
        Ratio of the largest singular value to the least; they are even in the logarithm.
    seed : int
        Of ``numpy.random.default_rng``.
    redraws : int
        The positions are drawn again, at most so often, until every row and column has more than
        ``rank``; the last draw is kept whatever it has.

    Notes
    -----
    Kümmerle and Mayrink Verdun (ICML 2021), section 4 and the sampler of their code.  Singular
    vectors are those of Gaussian matrices; the number of redraws there is taken to be 1000.
    """
    n, rank = positive_int("n", n), positive_int("rank", rank, most=n)
    seed = positive_int("seed", seed, least=0)
    redraws = positive_int("redraws", redraws, least=0)
    kappa = real_number("kappa", kappa, least=1.0)
    count = int(real_number("ratio", ratio, above=0.0) * rank * (2 * n - rank) * (1 + 1e-12))
    if not rank <= count <= n * n:
        must = f"such that there are {rank} to {n * n} entries"
        raise InvalidInput("ratio", f"{ratio:g} ({count} entries)", must, "Take another n.")
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((n, rank)))[0] for _ in range(2))
    root = np.sqrt(np.logspace(np.log10(kappa), 0, rank) if rank > 1 else np.ones(1))
    truth = np.concatenate([U * root, V * root])
    i, j = _positions(rng, n, count)
    for _ in range(redraws):
        if min(np.bincount(i, minlength=n).min(), np.bincount(j, minlength=n).min()) > rank:
            break
        i, j = _positions(rng, n, count)
    b = np.einsum("ek,ek->e", truth[i], truth[n + j])
    return Instance(
        name="completion-published",
        problem=Problem(RectangularEntries(i, j, n, n), b, rank),
        truth=truth,
        points=(),
        seed=seed,
        parameters={"n": n, "rank": rank, "ratio": ratio, "kappa": kappa, "seed": seed}
        | {"redraws": redraws},
        description=f"{count} of {n * n} entries, rank {rank}, condition number {kappa:g}",
        reference="Kümmerle and Mayrink Verdun (2021), section 4",
    )


def _positions(
    rng: np.random.Generator, n: int, count: int
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Rows and columns of different places, uniform."""
    return np.divmod(rng.choice(n * n, count, replace=False, shuffle=False), n)


def determined_lines(problem: Problem) -> Bool[np.ndarray, " n"]:
    """Lines that the positions of the entries determine, of a matrix in general position.

    Those left after lines of at most r entries are peeled off, and the peeled ones with exactly r
    entries against lines that are determined.
    """
    entries = problem.operator.entries()
    assert entries is not None, "the problem is of entries"
    rows, cols = (np.asarray(part) for part in (entries.rows, entries.cols))
    known, order = peel(rows, cols, problem.n, problem.rank)
    known = known.copy()
    for peeled in reversed(order):
        known[peeled.line] = len(peeled.near) == problem.rank and bool(known[peeled.near].all())
    return known


def errors(
    X: Factor, truth: Factor, known: Bool[np.ndarray, " n"], space: Space
) -> tuple[float, float]:
    """Relative errors on the block of determined lines, and on the whole matrix."""
    pairs = ((space.kept(known), X[known], truth[known]), (space, X, truth))
    inside, outside = (float(s.distance(a, b) / s.size(b)) for s, a, b in pairs)
    return inside, outside


# -- quoted rates ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quoted:
    """A published rate of success, never a run of this library.

    Attributes
    ----------
    method : str
    kappa, ratio : float
    success : float
        Share of relative errors below 1e-3 of the whole matrix.
    seconds : float or None
        Published median, on the authors' machine.
    """

    method: str
    kappa: float
    ratio: float
    success: float
    seconds: float | None = None


#: Where the quoted rates are from, and of which matrices.
SOURCE = (
    "Kümmerle and Mayrink Verdun, A scalable second order method for ill-conditioned matrix "
    "completion from few samples, ICML 2021: 1000 × 1000, r = 5, relative error of the whole "
    "matrix below 1e-3, the authors' draws and machine"
)
#: Order and rank that the rates are of.
QUOTED_N = 1000

_RATES: dict[str, dict[float, dict[float, tuple[float, ...]]]] = {
    "MatrixIRLS": {
        10.0: {
            **dict.fromkeys((1.05, 1.1, 1.2, 1.3, 1.4), (0.0,)),
            1.5: (0.58, 55.0),
            1.6: (0.88, 15.0),
            1.7: (0.97,),
            1.8: (0.99,),
            2.0: (1.0, 10.0),
            2.5: (1.0,),
        },
        1e5: {
            **dict.fromkeys((1.05, 1.1, 1.2), (0.0,)),
            1.3: (0.18,),
            1.4: (0.34,),
            1.5: (0.58,),
            1.6: (0.68,),
            1.8: (0.92,),
            2.0: (1.0,),
        },
    },
    "R2RILS": {
        10.0: {
            **dict.fromkeys((1.05, 1.1, 1.2, 1.3), (0.0,)),
            1.4: (0.01,),
            1.5: (0.89, 139.0),
            1.6: (0.98, 36.0),
            **dict.fromkeys((1.7, 1.8, 2.5), (1.0,)),
            2.0: (1.0, 25.0),
        },
        1e5: {
            **dict.fromkeys((1.05, 1.1, 1.2, 1.3, 1.4, 1.5), (0.0,)),
            1.6: (0.04,),
            1.8: (0.26,),
            2.0: (0.38,),
        },
    },
}

QUOTED: tuple[Quoted, ...] = tuple(
    Quoted(method, kappa, ratio, *numbers)
    for method, by_kappa in _RATES.items()
    for kappa, by_ratio in by_kappa.items()
    for ratio, numbers in by_ratio.items()
)


def quoted(rank: int, kappa: float, ratio: float) -> list[Quoted]:
    """Published rates at a rank, condition number and number of entries; none for other ranks."""
    here = (kappa, ratio)
    return [q for q in QUOTED if rank == RANK and (q.kappa, q.ratio) == here]
