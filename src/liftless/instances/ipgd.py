"""The seven problems of the IPGD paper, with the settings it prints for them.

Sensing, completion and one-bit completion, each of a symmetric and of a rectangular matrix, and
sparse recovery.  The paper's objectives differ from h by one factor, which each problem carries as
``scale``: scale · h is the printed function.  The factors are over-parameterised, r' = n = 20
columns for a truth of rank 3; rectangular ones are stacked, [X; Y], and sparse ones are [u; v].
"""

import difflib
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_array, real_number
from liftless._errors import InvalidInput
from liftless.instances.base import check_size
from liftless.losses import Logistic, Loss, Squared
from liftless.operators import (
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    RectangularEntries,
    RectangularOperator,
    SensingOperator,
    measure,
)
from liftless.problem import Problem
from liftless.regularisers import Balance
from liftless.space import Rectangular

#: Second part of every seed, so that these draws share nothing with the other instances.
STREAM = 20260
#: Singular values of every matrix, and the nonzero entries of the sparse vector.
SPECTRUM = (10.0, 5.0, 1.0)
THETA = (10.0, -5.0, 3.0, -2.0, 1.0)


@dataclass(frozen=True)
class PrintedSettings:
    """Constants of IPGD+ as section 7 prints them; all runs start at zero.

    Attributes
    ----------
    step : float
        η.
    gamma, G, F : float
        Radius of the perturbation, gradient threshold, termination threshold.
    T_escape : int
        Steps after a perturbation.
    balance : float or None
        Weight of ‖XᵀX − YᵀY‖² as printed, none for a problem without it.
    scale : float or None
        Factor of h in the printed objective; None where the paper does not print N.
    """

    step: float
    gamma: float = 1e-15
    G: float = 1e-7
    F: float = 1e-10
    T_escape: int = 50
    balance: float | None = None
    scale: float | None = None


@dataclass(frozen=True)
class IpgdProblem:
    """One problem of the paper, with its truth and the settings that are printed for it.

    Attributes
    ----------
    name : str
        A key of :data:`PROBLEMS`.
    problem : Problem
        Of r' columns; its objective times ``scale`` is the paper's.
    truth : array of shape (n, r)
        A solution in the implicit region: balanced for a rectangular matrix, [√θ₊; √θ₋] for a
        sparse vector.
    rank : int
        Columns r of the truth; the implicit region of a matrix is rank <= r, that of a sparse
        vector the support of the truth.
    scale : float
    printed : PrintedSettings
    """

    name: str
    problem: Problem
    truth: Float[np.ndarray, "n r"] = field(repr=False)
    rank: int
    scale: float
    printed: PrintedSettings

    @property
    def wide_truth(self) -> Float[np.ndarray, "n w"]:
        """The truth padded with zero columns to the width of the problem."""
        return np.pad(self.truth, ((0, 0), (0, self.problem.rank - self.rank)))


def sensing(
    seed: int = 0,
    *,
    rectangular: bool = False,
    n: int = 20,
    columns: int | None = None,
    width: int | None = None,
    spectrum: Sequence[float] = SPECTRUM,
    N: int = 1000,
    balance: float = 1 / 16,
    scale: float | None = None,
) -> IpgdProblem:
    """Matrix sensing (MS): 1/(4N) Σ (⟨A_i, M⟩ − y_i)², A_i of independent N(0, 1) entries.

    Parameters
    ----------
    seed : int
    rectangular : bool
        M = X Yᵀ, with balance · ‖XᵀX − YᵀY‖_F² added, in place of X Xᵀ.
    n, columns : int
        Sides of M; ``columns`` is n if left out.
    width : int, optional
        Columns r' of the factor; n if left out.
    spectrum : sequence of float
        Singular values of M*, whose singular vectors are random.
    N : int
        Number of measurements, which the paper does not print.
    balance : float
        Of the rectangular problem, in the objective's own scale.  The paper prints the term
        without a weight; weight 1 is unstable at the printed step.
    scale : float, optional
        1/(2N) if left out.
    """
    N = positive_int("N", N)
    rng, truth, n1, n2 = _matrix(seed, rectangular, n, columns, spectrum, N)
    if rectangular:
        operator: SensingOperator = RectangularOperator(rng.standard_normal((N, n1 * n2)), n1, n2)
    else:
        i, j = np.triu_indices(n1)
        # A symmetric matrix sees A_jk + A_kj alone, which is N(0, 2).
        deviation = np.where(i == j, 1.0, np.sqrt(2.0))
        operator = DenseOperator(rng.standard_normal((N, i.size)) * deviation, n1)
    b = np.asarray(measure(operator, truth, truth))
    scale = 1 / (2 * N) if scale is None else scale
    printed = PrintedSettings(0.1, balance=1.0 if rectangular else None)
    return _made("ms", operator, b, Squared(), truth, width, balance, scale, printed)


def completion(
    seed: int = 0,
    *,
    rectangular: bool = False,
    n: int = 20,
    columns: int | None = None,
    width: int | None = None,
    spectrum: Sequence[float] = SPECTRUM,
    probability: float = 0.8,
    balance: float = 1 / 4,
    scale: float = 2.0,
) -> IpgdProblem:
    """Matrix completion, eq. (123): Σ over Ω of (M_ij − M*_ij)².

    Ω is a uniform subset of p n1 n2 ordered pairs, rounded, for the symmetric matrix as well (the
    paper prints |Ω| = n p, which must mean n² p).

    Parameters
    ----------
    seed, rectangular, n, columns, width, spectrum, balance
        As in :func:`sensing`.
    probability : float
        p in (0, 1].
    scale : float
        2 for the printed sum.
    """
    rng, truth, n1, n2 = _matrix(seed, rectangular, n, columns, spectrum)
    probability = real_number("probability", probability, above=0.0)
    if probability > 1:
        raise InvalidInput("probability", probability, "a number > 0 and <= 1")
    seen = max(1, round(probability * n1 * n2))
    i, j = np.divmod(np.sort(rng.choice(n1 * n2, seen, replace=False)), n2)
    operator = _entries(i, j, n1, n2, rectangular)
    b = np.asarray(measure(operator, truth, truth))
    printed = PrintedSettings(0.02, balance=1.0 if rectangular else None, scale=2.0)
    return _made("mc", operator, b, Squared(), truth, width, balance, scale, printed)


def one_bit(
    seed: int = 0,
    *,
    rectangular: bool = False,
    n: int = 20,
    columns: int | None = None,
    width: int | None = None,
    spectrum: Sequence[float] = SPECTRUM,
    draws: int | None = None,
    balance: float = 1 / 16,
    scale: float = 1.0,
) -> IpgdProblem:
    """One-bit completion, eq. (124): Σ over all (i, j) of log(1 + exp M_ij) − α_ij M_ij.

    Parameters
    ----------
    seed, rectangular, n, columns, width, spectrum, balance
        As in :func:`sensing`.
    draws : int, optional
        Binary measurements of each entry, of which α is the fraction of ones.  If left out α is
        its expectation 1/(1 + exp(−M*_ij)), as in the paper.
    scale : float
        1 for the printed sum.
    """
    rng, truth, n1, n2 = _matrix(seed, rectangular, n, columns, spectrum)
    i, j = np.divmod(np.arange(n1 * n2), n2)
    operator = _entries(i, j, n1, n2, rectangular)
    alpha = 1 / (1 + np.exp(-np.asarray(measure(operator, truth, truth))))
    if draws is not None:
        draws = positive_int("draws", draws)
        alpha = rng.binomial(draws, alpha) / draws
    printed = PrintedSettings(0.1, balance=1.0 if rectangular else None, scale=1.0)
    return _made("onebit", operator, alpha, Logistic(), truth, width, balance, scale, printed)


def sparse_vector(
    seed: int = 0,
    *,
    d: int = 150,
    N: int = 300,
    theta: Sequence[float] = THETA,
    scale: float | None = None,
) -> IpgdProblem:
    """Sparse recovery, eq. (125): Σ (y_i − ⟨u⊙u − v⊙v, x_i⟩)², x_i of independent N(0, 1) entries.

    Parameters
    ----------
    seed : int
    d, N : int
        Length of the vector and number of measurements.
    theta : sequence of float
        Its first entries; the others are zero.
    scale : float, optional
        2/N if left out, the mean of the squares.  The printed sum is ``scale`` = 2, which diverges
        at the printed step.
    """
    rng = _generator(seed)
    d, N = positive_int("d", d), positive_int("N", N)
    entries = real_array("theta", theta, 1)
    if not 1 <= entries.size <= d:
        raise InvalidInput("theta", describe(entries), f"of 1 to d = {d} entries")
    whole = np.pad(entries, (0, d - entries.size))
    truth = np.sqrt(np.maximum(np.r_[whole, -whole], 0.0))[:, None]
    x = rng.standard_normal((N, d))
    operator = DiagonalOperator(np.c_[x, -x])
    b = np.asarray(measure(operator, truth, truth))
    scale = 2 / N if scale is None else scale
    printed = PrintedSettings(0.01, scale=2.0)
    return _made("sparse", operator, b, Squared(), truth, 1, 0.0, scale, printed)


#: Parameters of a maker that the name or the caller's seed decides.
FIXED = ("seed", "rectangular")
#: Maker of each problem by its name.
PROBLEMS: dict[str, Callable[..., IpgdProblem]] = {
    "ms-sym": sensing,
    "ms-rect": functools.partial(sensing, rectangular=True),
    "mc-sym": completion,
    "mc-rect": functools.partial(completion, rectangular=True),
    "onebit-sym": one_bit,
    "onebit-rect": functools.partial(one_bit, rectangular=True),
    "sparse": sparse_vector,
}


def make_ipgd_problem(name: str, seed: int = 0, **sizes: Any) -> IpgdProblem:
    """Build one of the seven problems.

    Parameters
    ----------
    name : str
        A key of :data:`PROBLEMS`.
    seed : int
        Of ``numpy.random.default_rng([seed, 20260])``.
    **sizes
        Parameters of :func:`sensing`, :func:`completion`, :func:`one_bit` or
        :func:`sparse_vector`, by the name.

    Returns
    -------
    IpgdProblem

    Raises
    ------
    InvalidInput
        An unknown name, a parameter that the problem does not take, or a value it cannot use.
    """
    if name not in PROBLEMS:
        close = difflib.get_close_matches(str(name), PROBLEMS, n=1, cutoff=0.5)
        cure = f"Did you mean {close[0]!r}?" if close else ""
        raise InvalidInput("name", describe(name), f"one of {', '.join(PROBLEMS)}", cure)
    maker = PROBLEMS[name]
    taken = [key for key in inspect.signature(maker).parameters if key not in FIXED]
    for key, value in sizes.items():
        if key not in taken:
            cure = f"It takes {', '.join(taken)}."
            raise InvalidInput(key, describe(value), f"left out for {name!r}", cure)
    return maker(seed, **sizes)


# -- parts ----------------------------------------------------------------------------------------


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng([positive_int("seed", seed, least=0), STREAM])


def _matrix(
    seed: int,
    rectangular: bool,
    n: int,
    columns: int | None,
    spectrum: Sequence[float],
    each: int = 4,
) -> tuple[np.random.Generator, Float[np.ndarray, "n r"], int, int]:
    """Generator, balanced truth and sides; the singular vectors are drawn first.

    ``each`` is how many numbers there will be for an entry of the matrix.
    """
    rng = _generator(seed)
    n1 = positive_int("n", n)
    if columns is not None and not rectangular:
        raise InvalidInput("columns", columns, "left out for a symmetric matrix")
    n2 = n1 if columns is None else positive_int("columns", columns)
    check_size(n1, None, each * n1 * n2)
    values = real_array("spectrum", spectrum, 1)
    if not 1 <= values.size <= min(n1, n2) or values.min() <= 0:
        must = f"1 to {min(n1, n2)} positive numbers"
        raise InvalidInput("spectrum", describe(spectrum), must)
    truth = np.linalg.qr(rng.standard_normal((n1, values.size)))[0] * np.sqrt(values)
    if rectangular:
        right = np.linalg.qr(rng.standard_normal((n2, values.size)))[0] * np.sqrt(values)
        truth = np.concatenate([truth, right])
    return rng, truth, n1, n2


def _entries(i: np.ndarray, j: np.ndarray, n1: int, n2: int, rectangular: bool) -> SensingOperator:
    return RectangularEntries(i, j, n1, n2) if rectangular else EntriesOperator(i, j, n1)


def _made(
    family: str,
    operator: SensingOperator,
    b: Float[np.ndarray, " m"],
    loss: Loss,
    truth: Float[np.ndarray, "n r"],
    width: int | None,
    balance: float,
    scale: float,
    printed: PrintedSettings,
) -> IpgdProblem:
    """Put a problem together; the balance counts in the objective that ``scale`` makes."""
    scale, balance = (
        real_number("scale", scale, above=0.0),
        real_number("balance", balance, least=0.0),
    )
    space, name = operator.space, "sparse"
    split = space.n1 if isinstance(space, Rectangular) else 0
    if family != "sparse":
        name = f"{family}-{'rect' if split else 'sym'}"
    width = (split or operator.n) if width is None else width
    width = positive_int("width", width, least=truth.shape[1], most=operator.n)
    regularisers = ()
    if split and balance > 0:
        regularisers = (Balance(split, 4 * balance / scale),)
    problem = Problem(operator, b, width, loss=loss, regularisers=regularisers)
    return IpgdProblem(name, problem, truth, truth.shape[1], scale, printed)
