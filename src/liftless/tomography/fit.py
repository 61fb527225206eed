"""Fit a state of low rank: which rank, how much white noise, whether it is the one."""

import time
from typing import Any

import numpy as np

from liftless._checks import describe, positive_int
from liftless._errors import InvalidInput
from liftless._precision import double
from liftless._threads import few_threads
from liftless.tomography.counts import counts_of
from liftless.tomography.expectations import expectations_of
from liftless.tomography.likelihood import OfCounts
from liftless.tomography.measured import Fit, Measured
from liftless.tomography.mirrors import Mirrors
from liftless.tomography.share import adjusted
from liftless.tomography.state import State, fidelity
from liftless.tomography.strings import OfExpectations

#: Largest rank that is tried, unless told otherwise.
MOST_RANK = 6
#: Starts by which other states are looked for.
OTHERS = 3
#: Log-likelihood within which another fit is as good: half of a χ² of one degree of freedom at 4 σ.
AS_GOOD = 8.0
#: Multiple of the infidelity that the noise leaves open beyond which another state is another.
ANOTHER = 10.0


@double
def fit(
    counts: Any = None,
    settings: Any = None,
    *,
    expectations: Any = None,
    paulis: Any = None,
    shots: Any = None,
    errors: Any = None,
    rank: int | str = "auto",
    white: bool | str = "auto",
    order: str = "big",
    seed: int = 0,
) -> State:
    """Fit a quantum state of low rank to counts in product bases, or to Pauli expectation values.

    Parameters
    ----------
    counts : array of shape (S, 2^q), or dictionary
        A row a setting, a column an outcome; or ``{"XZ": {"01": 17, …}, …}``.
    settings : sequence of str, or integer array of shape (S, q), optional
        A letter X, Y or Z (0, 1, 2) a qubit; left out with a dictionary.
    expectations : dictionary, or array of shape (m,)
        In place of counts: ``{"XXI": 0.31, …}`` of strings of I, X, Y and Z.
    paulis : sequence of str, optional
        The strings of an array of expectations.
    shots : number, dictionary by string, or array of shape (m,)
        Outcomes that each expectation is the mean of.
    errors : number, dictionary by string, or array of shape (m,)
        In place of shots: standard errors.
    rank : int or "auto"
        By default that of least BIC of counts; of expectations the first of which χ² is what noise
        makes.
    white : bool or "auto"
        Whether ρ has a share of white noise I/d beside the low rank; by default where the data ask
        for it by the same rule.
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
    Of counts maximum likelihood with the Poissonised multinomial, Σ N_s tr ρ − Σ n log p, of which
    the trace is one at the optimum by itself; convex in ρ.  Of expectations Σ (tr P ρ − e)²/σ² with
    the variances (1 − p²)/N at the fit.  Both begin at the leading vectors of the linear inversion
    (for counts the shadow), in a factor of two columns more.
    """
    began = time.perf_counter()
    data = _data(counts, settings, expectations, paulis, shots, errors, order)
    seed = positive_int("seed", seed, least=0)
    d = 2**data.qubits
    if rank != "auto":
        if isinstance(rank, str):
            raise InvalidInput("rank", describe(rank), "a whole number or 'auto'")
        rank = positive_int("rank", rank, most=d)
    if not (white == "auto" or isinstance(white, (bool, np.bool_))):
        raise InvalidInput("white", describe(white), "True, False or 'auto'")
    ranks = [int(rank)] if rank != "auto" else list(range(1, min(MOST_RANK, d) + 1))
    kinds = [False, True] if white == "auto" else [bool(white)]
    with few_threads(d):
        fits, best = data.models(ranks, kinds, seed)
        best = adjusted(data, best) if isinstance(data, OfCounts) else best
        others = _others(data, best, seed)
        return _state(data, best, fits, others, seed, began)


def _data(
    counts: Any, settings: Any, expectations: Any, paulis: Any, shots: Any, errors: Any, order: Any
) -> Measured:
    """Counts, or expectation values."""
    if expectations is None:
        if counts is None:
            raise InvalidInput("counts", "left out, and expectations too", "one of the two")
        for name, value in (("paulis", paulis), ("shots", shots), ("errors", errors)):
            if value is not None:
                raise InvalidInput(name, "given with counts", "left out", "Pass expectations=.")
        return OfCounts(counts_of(counts, settings, order))
    if counts is not None or settings is not None:
        name = "settings" if counts is None else "counts"
        raise InvalidInput(name, "given beside expectations", "left out")
    return OfExpectations(expectations_of(expectations, paulis, shots, errors, order))


def _others(data: Measured, best: Fit, seed: int) -> list[Fit]:
    """Fits of the same model, from random states and from mirror images, that are as likely."""
    d, fits = 2**data.qubits, []

    def fit(begin: np.ndarray, *, wide: bool) -> None:
        where = {"white": best.modelled, "seed": seed + len(fits) + 1, "wide": wide}
        fits.append(data.fitted(best.rank, begin, **where))

    for k in range(OTHERS):
        rng = np.random.default_rng([seed, 37, k])
        G = rng.standard_normal((d, d)) + 1j * rng.standard_normal((d, d))
        fit(G @ G.conj().T, wide=True)
    mirrors = Mirrors.of(data.qubits)
    losses = data.mirrored(mirrors, best)
    # The image of a fit has the noise of the wrong side: twice the parameters in χ², about.
    most = losses[0] + AS_GOOD + 2 * best.parameters
    for W in mirrors.likely(losses, most, best.Z, ANOTHER * data.left_open(best)):
        fit(W @ W.conj().T, wide=False)
    return [one for one in fits if one.loss <= best.loss + AS_GOOD]


def _state(
    data: Measured, best: Fit, fits: list[Fit], others: list[Fit], seed: int, began: float
) -> State:
    far = max((1 - fidelity(best.density, one.density) for one in others), default=0.0)
    far = max(far, 0.0)
    sure = far <= ANOTHER * data.left_open(best) and data.enough(best)
    chi2 = data.reduced(best)
    return State(
        factor=best.Z,
        rank=best.rank,
        white=best.white,
        loss=best.loss,
        chi2=chi2,
        tried=tuple(data.told(one) for one in fits),
        identifiable=sure,
        other_infidelity=far,
        applications=sum(f.applications for f in [*fits, *others]),
        message=_message(data, best, chi2, far, sure=sure),
        shots=data.shots,
        qubits=data.qubits,
        settings=data.settings,
        data=data.words,
        floor=data.floor(best),
        evidence=data.evidence(best),
        seed=seed,
        seconds=time.perf_counter() - began,
    )


def _message(data: Measured, best: Fit, chi2: float, far: float, *, sure: bool) -> str:
    """Which state, how well it fits, whether another one does."""
    words = [
        f"rank {best.rank}" + (f" and {best.white:.1%} of white noise" if best.modelled else ""),
        f"fits with a χ² of {chi2:.2f} a degree of freedom.",
    ]
    if not data.enough(best):
        words.append(
            "NOT identifiable: there are no more numbers than parameters, and any state of that "
            f"rank may fit. {data.cure}"
        )
    elif not sure:
        words.append(
            f"NOT identifiable: a state of fidelity {1 - far:.2f} with it is as likely. {data.cure}"
        )
    elif not data.within(best):
        words.append("That is more than noise makes: see the errors, or try a higher rank.")
    return " ".join(words)
