"""Fit a state of low rank to counts: which rank, how much white noise, whether it is the one."""

import math
import time
from typing import Any

import numpy as np

from liftless._checks import describe, positive_int
from liftless._errors import InvalidInput
from liftless._precision import double
from liftless._threads import few_threads
from liftless.operators import ProductBases, measure
from liftless.space import Hermitian
from liftless.tomography.counts import Counts, counts_of
from liftless.tomography.likelihood import Fit, fitted, shadow
from liftless.tomography.state import State, fidelity

#: Largest rank that is tried, unless told otherwise.
MOST_RANK = 6
#: Starts by which other states are looked for.
OTHERS = 3
#: Log-likelihood within which another fit is as good: half of a χ² of one degree of freedom at 4 σ.
AS_GOOD = 8.0
#: Multiple of the infidelity that the shots leave open beyond which another state is another.
ANOTHER = 10.0


@double
def fit(
    counts: Any,
    settings: Any = None,
    *,
    rank: int | str = "auto",
    white: bool | str = "auto",
    order: str = "big",
    seed: int = 0,
) -> State:
    """Fit a quantum state of low rank to counts of outcomes in product bases.

    Parameters
    ----------
    counts : array of shape (S, 2^q), or dictionary
        A row a setting, a column an outcome; or ``{"XZ": {"01": 17, …}, …}``.
    settings : sequence of str, or integer array of shape (S, q), optional
        A letter X, Y or Z (0, 1, 2) a qubit; left out with a dictionary.
    rank : int or "auto"
        By default that of least BIC.
    white : bool or "auto"
        Whether ρ has a share of white noise I/d beside the low rank; by default where BIC is less.
    order : {"big", "little"}
        Whether letters and bits begin with qubit 0, or end with it, as Qiskit's do.
    seed : int
        Of the starts; the only randomness.

    Returns
    -------
    State
        Qubit 0 is the most significant bit of its rows.

    Raises
    ------
    InvalidInput
        For data or arguments that cannot be used.

    Notes
    -----
    Maximum likelihood with the Poissonised multinomial, Σ N_s tr ρ − Σ n log p, of which the trace
    is one at the optimum by itself; convex in ρ.  It begins at the leading vectors of the inverted
    shadow, in a factor of two columns more.
    """
    began = time.perf_counter()
    data = counts_of(counts, settings, order)
    seed = positive_int("seed", seed, least=0)
    d = 2**data.qubits
    if rank != "auto":
        if isinstance(rank, str):
            raise InvalidInput("rank", describe(rank), "a whole number or 'auto'")
        rank = positive_int("rank", rank, most=d)
    if not (white == "auto" or isinstance(white, (bool, np.bool_))):
        raise InvalidInput("white", describe(white), "True, False or 'auto'")
    with few_threads(d):
        begin = shadow(data)
        fits = _models(data, begin, rank, white, seed)
        shots = float(data.shots.sum())
        best = min(fits, key=lambda one: one.bic(shots))
        others = _others(data, best, seed)
    return _state(data, best, fits, others, seed, began)


def _models(data: Counts, begin: Any, rank: Any, white: Any, seed: int) -> list[Fit]:
    """Models by rising rank, until one more is no better, with and without white noise."""
    shots, d = float(data.shots.sum()), 2**data.qubits
    ranks = [int(rank)] if rank != "auto" else list(range(1, min(MOST_RANK, d) + 1))
    kinds = [False, True] if white == "auto" else [bool(white)]
    fits: list[Fit] = []
    for kind in kinds:
        last = math.inf
        for r in ranks:
            one = fitted(data, r, begin, white=kind, seed=seed)
            fits.append(one)
            if one.bic(shots) >= last:
                break
            last = one.bic(shots)
    return fits


def _others(data: Counts, best: Fit, seed: int) -> list[Fit]:
    """Fits of the same model from random states that are as likely."""
    d, found = 2**data.qubits, []
    for k in range(OTHERS):
        rng = np.random.default_rng([seed, 37, k])
        G = rng.standard_normal((d, d)) + 1j * rng.standard_normal((d, d))
        one = fitted(data, best.rank, G @ G.conj().T, white=best.modelled, seed=seed + k + 1)
        if one.loss <= best.loss + AS_GOOD:
            found.append(one)
    return found


def _state(
    data: Counts, best: Fit, fits: list[Fit], others: list[Fit], seed: int, began: float
) -> State:
    shots = float(data.shots.sum())
    far = max((1 - fidelity(best.density, one.density) for one in others), default=0.0)
    far = max(far, 0.0)
    # A parameter is told to about 1/(4 N); the infidelity is their sum.
    open_ = best.parameters / (4 * shots)
    sure = far <= ANOTHER * open_
    chi2 = _chi2(data, best)
    words = [
        f"rank {best.rank}" + (f" and {best.white:.1%} of white noise" if best.modelled else "")
    ]
    words.append(f"fits with a χ² of {chi2:.2f} a degree of freedom.")
    if not sure:
        words.append(
            f"NOT identifiable: a state of fidelity {1 - far:.2f} with it is as likely. Measure in "
            "more settings."
        )
    return State(
        factor=best.Z,
        rank=best.rank,
        white=best.white,
        loss=best.loss,
        chi2=chi2,
        tried=tuple(
            {"rank": f.rank, "white": f.white, "loss": f.loss, "bic": f.bic(shots)} for f in fits
        ),
        identifiable=sure,
        other_infidelity=far,
        applications=sum(f.applications for f in [*fits, *others]),
        message=" ".join(words),
        shots=shots,
        qubits=data.qubits,
        settings=len(data.settings),
        seed=seed,
        seconds=time.perf_counter() - began,
    )


def _chi2(data: Counts, best: Fit) -> float:
    """Pearson's χ² a degree of freedom, over outcomes that the model does not exclude."""
    d = 2**data.qubits
    X = Hermitian(d).pack(best.Z)
    p = np.asarray(measure(ProductBases(data.settings), X, X)).reshape(data.n.shape)
    mean = data.shots[:, None] * (p + best.white / d)
    kept = mean > 1e-9 * data.shots[:, None]
    off = float(np.sum((data.n - mean)[kept] ** 2 / mean[kept]))
    free = int(np.count_nonzero(kept)) - len(data.settings) - best.parameters
    return off / max(free, 1)
