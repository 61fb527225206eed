"""Random instances, each decided by its parameters and one seed.

The truth is drawn before the measurements and the noise after them, so that with one seed
another number of measurements keeps the truth, and another noise level keeps both.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless.instances.base import LOCAL_SEARCH, SOD, Instance, check_size, pairs
from liftless.operators import (
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    RankOneOperator,
    SensingOperator,
    measure,
)
from liftless.problem import Problem

#: Measurements a degree of freedom, when neither their number nor a ratio is given.
DEFAULT_RATIO = 2.0

#: Registry name of each Gaussian ensemble.
GAUSSIAN_NAMES = {"symmetric": "gaussian", "unsymmetrised": "gaussian-unsymmetrised"}


def gaussian(
    n: int = 20,
    rank: int = 1,
    m: int | None = None,
    ratio: float | None = None,
    seed: int = 0,
    ensemble: str = "symmetric",
    noise: float = 0.0,
) -> Instance:
    """Dense Gaussian sensing matrices; the truth has independent standard normal entries.

    Parameters
    ----------
    n, rank : int
        Order and rank of the truth Z Zᵀ.
    m : int, optional
        Number of measurements.
    ratio : float, optional
        In place of ``m``: measurements a degree of freedom n r − r(r−1)/2, rounded up; 2 if
        neither is given.
    seed : int
        Seed of ``numpy.random.default_rng``.
    ensemble : {"symmetric", "unsymmetrised"}
        "symmetric" is eq. (4.7) of the SOD escape paper: symmetric A_i, variance 1/m on the
        diagonal and 1/(2m) off it, so that E‖A(M)‖² = ‖M‖_F².  "unsymmetrised" is Section 2 and
        Figure 1 of the local-search paper: n² independent N(0, 1) entries each, without 1/√m.
    noise : float
        Standard deviation of normal noise added to each measurement.

    Notes
    -----
    A symmetric matrix sees only the symmetric part of A_i, and that of the second ensemble is √m
    times the first in law.  Both are drawn packed: N(0, 1) on the diagonal, N(0, 2) for the sum
    A_jk + A_kj; with one seed they differ by the factor √m alone.
    """
    n, rank, seed, noise = _common(n, rank, seed, noise)
    if ensemble not in GAUSSIAN_NAMES:
        raise InvalidInput("ensemble", describe(ensemble), f"one of {', '.join(GAUSSIAN_NAMES)}")
    given, m = m, _count(m, ratio, n * rank - rank * (rank - 1) // 2)
    check_size(n, given, (m + 3) * pairs(n))
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((n, rank))
    operator = _gaussian_operator(rng, m, n, ensemble)
    parameters = {"n": n, "rank": rank, "m": m, "seed": seed, "noise": noise}
    name, reference = GAUSSIAN_NAMES[ensemble], f"{SOD}, eq. (4.7)"
    if ensemble == "unsymmetrised":
        reference = f"{LOCAL_SEARCH}, Section 2 and Figure 1"
    text = f"{m} dense Gaussian measurements ({ensemble}), order {n}, rank {rank}"
    return _instance(name, operator, truth, rng, parameters, text, reference)


def phase(
    n: int = 20,
    rank: int = 1,
    m: int | None = None,
    ratio: float | None = None,
    seed: int = 0,
    noise: float = 0.0,
) -> Instance:
    """Real phase retrieval: b_i = ‖Zᵀ a_i‖² with standard Gaussian a_i and Z.

    Parameters
    ----------
    n, rank : int
        Order and rank of the truth; rank 1 is phase retrieval, above it quadratic sensing.
    m, ratio, seed, noise
        As in :func:`gaussian`; at rank 1 the ratio is m/n.
    """
    n, rank, seed, noise = _common(n, rank, seed, noise)
    given, m = m, _count(m, ratio, n * rank - rank * (rank - 1) // 2)
    check_size(n, given, (m + rank) * n)
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((n, rank))
    operator = RankOneOperator(rng.standard_normal((m, n)))
    parameters = {"n": n, "rank": rank, "m": m, "seed": seed, "noise": noise}
    text = f"{m} rank-one Gaussian measurements, order {n}, rank {rank}"
    return _instance("phase", operator, truth, rng, parameters, text, "phase retrieval")


def completion(
    n: int = 20, rank: int = 1, probability: float = 0.5, seed: int = 0, noise: float = 0.0
) -> Instance:
    """Matrix completion: a random symmetric set of entries of Z Zᵀ, Z standard normal.

    Parameters
    ----------
    n, rank : int
        Order and rank of the truth.
    probability : float
        Chance of each entry (i, j), i <= j, to be observed, in (0, 1].  A pair is one
        measurement of weight one, whether on the diagonal or off it.
    seed, noise
        As in :func:`gaussian`.

    Raises
    ------
    InvalidInput
        A bad argument, or no entry observed.
    """
    n, rank, seed, noise = _common(n, rank, seed, noise)
    probability = real_number("probability", probability, above=0.0)
    if probability > 1:
        raise InvalidInput("probability", probability, "a number > 0 and <= 1")
    check_size(n, None, 4 * pairs(n))
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((n, rank))
    i, j = np.triu_indices(n)
    seen = rng.random(i.size) < probability
    if not seen.any():
        cure = "Raise it, or take another seed."
        must = "large enough to observe an entry"
        raise InvalidInput("probability", f"{probability:g} (nothing observed)", must, cure)
    operator = EntriesOperator(i[seen], j[seen], n)
    parameters = {"n": n, "rank": rank, "probability": probability, "seed": seed, "noise": noise}
    text = f"{operator.m} of {i.size} entries observed, order {n}, rank {rank}"
    return _instance("completion", operator, truth, rng, parameters, text, "matrix completion")


def sparse(
    n: int = 100, sparsity: int = 5, m: int | None = None, seed: int = 0, noise: float = 0.0
) -> Instance:
    """Sparse recovery θ = u⊙u − v⊙v as a rank-one problem with diagonal sensing matrices.

    Parameters
    ----------
    n : int
        Length of θ; the factor [u; v] has 2n rows and one column.
    sparsity : int
        Nonzero entries of θ, of random sign and of magnitude uniform in [1, 2].
    m : int, optional
        Number of measurements ⟨x_i, θ⟩ with x_i normal of variance 1/m.  By default
        ⌈2 s log(n/s) + 5 s/4⌉ + 1, at most n: enough for ℓ1 recovery with high probability.
    seed, noise
        As in :func:`gaussian`.

    Notes
    -----
    The measurements see θ alone: the signs of u and v are free, so the distance is that of θ.
    With m < n many θ fit the data; a small start or the trace penalty, which is ℓ1 on θ, selects.
    """
    n = positive_int("n", n)
    sparsity = positive_int("sparsity", sparsity, most=n)
    seed, noise = positive_int("seed", seed, least=0), real_number("noise", noise, least=0.0)
    width = 2 * sparsity * math.log(n / sparsity) + 1.25 * sparsity
    given, m = m, min(n, math.ceil(width) + 1) if m is None else positive_int("m", m)
    check_size(n, given, 2 * m * n + 4 * n)
    rng = np.random.default_rng(seed)
    theta = np.zeros(n)
    support = rng.choice(n, sparsity, replace=False)
    theta[support] = rng.uniform(1.0, 2.0, sparsity) * rng.choice([-1.0, 1.0], sparsity)
    truth = np.sqrt(np.maximum(np.r_[theta, -theta], 0.0))[:, None]
    x = rng.standard_normal((m, n)) / math.sqrt(m)
    parameters = {"n": n, "sparsity": sparsity, "m": m, "seed": seed, "noise": noise}
    text = f"{m} measurements of a vector of length {n} with {sparsity} nonzero entries"
    operator, reference = DiagonalOperator(np.c_[x, -x]), "Chandrasekaran et al. (2012), Prop. 3.10"
    return _instance("sparse", operator, truth, rng, parameters, text, reference, signed)


def signed(X: Float[np.ndarray, "n r"]) -> Float[np.ndarray, " k"]:
    """θ = u⊙u − v⊙v of a stacked factor [u; v], summed over its columns."""
    u, v = np.split(np.sum(X * X, axis=1), 2)
    return u - v


def _common(n: Any, rank: Any, seed: Any, noise: Any) -> tuple[int, int, int, float]:
    n = positive_int("n", n)
    rank = positive_int("rank", rank, most=n)
    return n, rank, positive_int("seed", seed, least=0), real_number("noise", noise, least=0.0)


def _count(m: Any, ratio: Any, degrees: int) -> int:
    """Return the number of measurements, from itself or from their ratio to the degrees."""
    if m is not None and ratio is not None:
        raise InvalidInput("ratio", describe(ratio), "left out when m is given", "Give one.")
    if m is not None:
        return positive_int("m", m)
    ratio = DEFAULT_RATIO if ratio is None else real_number("ratio", ratio, above=0.0)
    # The slack keeps round-off in the product (1.1 × 50) from adding a measurement.
    return max(1, math.ceil(ratio * degrees * (1 - 1e-12)))


def _gaussian_operator(rng: np.random.Generator, m: int, n: int, ensemble: str) -> DenseOperator:
    i, j = np.triu_indices(n)
    packed = rng.standard_normal((m, i.size))
    scale = np.where(i == j, 1.0, math.sqrt(2.0))
    packed *= scale / math.sqrt(m) if ensemble == "symmetric" else scale
    return DenseOperator(packed, n)


def _instance(
    name: str,
    operator: SensingOperator,
    truth: np.ndarray,
    rng: np.random.Generator,
    parameters: dict[str, Any],
    description: str,
    reference: str,
    readout: Any = None,
) -> Instance:
    """Measure the truth, add the noise, and put the pieces together."""
    b = measure(operator, truth, truth) + parameters["noise"] * rng.standard_normal(operator.m)
    return Instance(
        name=name,
        problem=Problem(operator, b, truth.shape[1]),
        truth=truth,
        points=(),
        seed=parameters["seed"],
        parameters=parameters,
        description=description,
        reference=reference,
        readout=readout,
    )
