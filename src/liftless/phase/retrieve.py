"""Retrieve an image from the squared moduli of its transforms: start, descend, weigh, judge."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int
from liftless._errors import InvalidInput
from liftless._precision import double, precision_of
from liftless._threads import few_threads
from liftless.certificate.resolution import resolution
from liftless.phase.data import Data, budget_of, read
from liftless.phase.descent import (
    Books,
    descended,
    draw_of,
    error_of,
    first_problem,
    fit_of,
    problem_of,
)
from liftless.phase.likelihood import most_likely
from liftless.phase.result import Retrieval, fixed_phase
from liftless.problem import Problem
from liftless.start.vector_passing import VectorPassing, vectors_passed

Factor = Float[np.ndarray, "n 1"]

#: Rounds of which each begins with images of its own.
ROUNDS = 6
#: Rounds that must end at one level of the misfit before it is the end; and how near that is.
AGREE, NEAR = 2, 1e-4
#: Relative misfit of amplitudes (that of counts below two in the mean) above which a start that
#: gets so far is often at a wrong image all the same, so that others are compared: at one photon a
#: reading that takes the error from 2.2 to 1.6 times Cramér and Rao's, at three it changes nothing.
DOUBT = 0.6
#: Times that the weights are set again from the fit, and the relative change of the image at which
#: they need not be.
REWEIGHTED, SETTLED = 2, 0.05
#: h relative to h at zero that is round-off.
ROUND_OFF = 1e-20
#: Standard deviations of chi² that a fit within the noise may be above its mean.
SIGMAS = 4.0


@dataclass(frozen=True)
class _First:
    """Problem of every first descent, and the share of h at zero where it ends, of exact data."""

    problem: Problem
    level: float | None


@dataclass
class _Best:
    """Lowest end of a descent so far, with its problem and the image that it began with."""

    X: Factor
    h: float
    problem: Problem
    begun: Factor
    fitted: bool
    limited: bool
    chi2: float = math.inf


@double
def retrieve(
    intensities: Any,
    *,
    masks: Any = None,
    support: Any = None,
    probe: Any = None,
    positions: Any = None,
    shape: Any = None,
    real: bool = False,
    known: Any = None,
    noise: Any = None,
    norm: str = "ortho",
    seed: int = 0,
    budget: float | int | None = None,
    callback: Callable[[dict], None] | None = None,
    precision: str = "float64",
) -> Retrieval:
    """Retrieve an image x from intensities |F (M_l ⊙ x)|², or |F (P ⊙ x[window])|² of a scan.

    Parameters
    ----------
    intensities : array of shape ``(L, *shape)``
        Squared moduli, zero frequency first, as ``numpy.abs(numpy.fft.fftn(masks * image, axes=…,
        norm=norm)) ** 2``; of one to three dimensions.  Larger than the masks where the masked
        image was padded with zeros at the end of each axis.
    masks : array of shape ``(L, *shape)``, optional
        Real or complex; three of random phases or signs are enough.  Left out for the transform of
        the image itself, which needs a support.
    support : boolean array, or sides of a box, optional
        Where the image may be other than zero.
    probe : array of shape w, optional
        In place of masks: what a window of the image is multiplied by, known, real or complex; of a
        signal the window of its short-time transform.  Intensities are then one array of that shape
        after another.
    positions : integer array of shape (S, d)
        First corner of every window in the image.
    shape : tuple of int, optional
        Of that image; the least that holds all windows.
    real : bool
        Whether the image is real.
    known : boolean array of the shape of ``intensities``, optional
        Which of them were read.
    noise : None, "poisson", or standard deviations
        None for exact readings; "poisson" where they are counts; σ, one number or one a reading.
    norm : {"ortho", "backward", "forward"}
        Of the transform, as :mod:`numpy.fft` names them.
    seed : int
        Of every random image; the only randomness.
    budget : float, optional
        Transforms of one mask that the search may take, 20,000 by default; of a scan 4,000 of every
        window.
    callback : callable, optional
        Called with a dictionary of ``event``, ``ffts`` and ``misfit`` after every start and
        descent; raising ``StopIteration`` ends the search with the best image so far.
    precision : {"float64", "mixed"}
        "mixed" searches in float32 and ends in float64: starts, and descents until the error is
        about 1e-5, take half the memory and less time.  What is handed back, and said of it, is
        computed in float64 either way.

    Returns
    -------
    Retrieval
        The same for the same arguments.

    Raises
    ------
    InvalidInput
        For data or arguments that cannot be used.

    Notes
    -----
    Of masked transforms the search begins with vector message passing from random images and goes
    on with L-BFGS on Σ (|F M_l x|² − b)²/(b + mean(b)/100); of a plain one with a support, and of a
    scan, it begins with reflections.  From there counts are fitted by their Poisson likelihood, and
    other noisy readings with the reciprocal variances as weights, which is theirs.
    """
    began = time.perf_counter()
    data = _data(
        intensities, masks, support, (probe, positions, shape), known, noise, norm, real=bool(real)
    )
    seed = positive_int("seed", seed, least=0)
    books = Books(data, budget_of(budget, data), callback, precision_of(precision))
    if callback is not None and not callable(callback):
        raise InvalidInput("callback", describe(callback), "a function of one dictionary")
    best: list[_Best] = []
    stopped = False
    with few_threads(data.operator.n):
        try:
            _search(data, books, seed, best)
            if data.noise.name != "none" and best and not data.plain:
                _weighed(data, books, best[0])
        except StopIteration:
            stopped = True
        return _judged(data, books, best, seed, began, stopped=stopped)


def _data(
    intensities: Any,
    masks: Any,
    support: Any,
    scan: tuple[Any, Any, Any],
    known: Any,
    noise: Any,
    norm: str,
    *,
    real: bool,
) -> Data:
    """Readings behind masks or a support, or behind a scanned probe."""
    if all(value is None for value in scan):
        return read(intensities, masks, support, known, noise, norm, real=real)
    for name, value in (("masks", masks), ("support", support)):
        if value is not None:
            raise InvalidInput(name, "given beside probe or positions", "left out")
    from liftless.phase.scan import read_scan

    return read_scan(intensities, *scan, known, noise, norm, real=real)


def _search(data: Data, books: Books, seed: int, best: list[_Best]) -> None:
    """Rounds until the readings are fitted, two ends agree, or the budget is spent."""
    from liftless.phase.support import search_support

    problem = first_problem(data)
    exact = data.noise.name == "none"
    first = _First(problem, max(ROUND_OFF, _digits(data, problem)) if exact else None)
    if data.plain:
        search_support(data, books, seed, lambda X: _candidate(data, books, first, X, best))
        return
    plan = VectorPassing(ready=data.noise.ready(data.intensity, data.mean))
    levels: list[float] = []
    for k in range(ROUNDS):
        if books.left < 8:
            return
        precision = books.precision
        begun = vectors_passed(problem, plan, seed + k, books.left, precision=precision)
        spent, error = begun.applications, begun.error
        books.starts += 1
        books.note("start", spent, error, spent if books.mixed else 0)
        done = _descend(data, books, first, begun.X, best, begun.rows)
        levels.append(done.h)
        # Of noisy readings h is about half their number: near is half a unit of log-likelihood.
        near = NEAR if exact else max(NEAR, 1 / max(data.rows, 1.0))
        agreeing = sum(level <= best[0].h * (1 + near) for level in levels)
        sure = not exact and error <= plan.ready <= DOUBT
        if done.fitted or sure or agreeing >= AGREE:
            return


def _descend(
    data: Data, books: Books, first: _First, X: Factor, best: list[_Best], rows: Any = None
) -> _Best:
    """First descent of a round, and the best of all in ``best``."""
    Y, done = descended(data, books, first.problem, X, first.level, rows)
    full = float(first.problem.zero_level(Y))
    reached = first.level is not None and done.objective <= first.level * full
    found = _Best(Y, float(done.objective), first.problem, X, reached, done.status == 0)
    if not best or found.h < best[0].h:
        best[:] = [found]
    misfit = math.sqrt(found.h / full) if full else 0.0
    books.note("descent", done.applications, misfit, done.rough)
    return found


def _candidate(data: Data, books: Books, first: _First, X: Factor, best: list[_Best]) -> bool:
    """Descend from where reflections are, with noise weigh; whether the readings are explained.

    Of noisy ends the one of the lowest χ² is kept: images that fit nearly as well lie close
    together, and only the misfit tells them apart.
    """
    if data.noise.name == "none":
        return _descend(data, books, first, X, best).fitted
    one: list[_Best] = []
    explained = False
    try:
        _weighed(data, books, _descend(data, books, first, X, one))
    finally:
        if one:
            intensity = np.asarray(fit_of(data, one[0].X).intensity)
            books.applications += 1
            one[0].chi2 = _chi2(data, intensity)
            explained = one[0].chi2 <= _limit(data, intensity)
            if not best or one[0].chi2 < best[0].chi2:
                best[:] = one
    return explained


def _digits(data: Data, problem: Problem) -> float:
    """H that the last digits of the readings explain, relative to h at zero."""
    half = resolution(data.b[data.known > 0])
    if half is None:
        return 0.0
    omega = np.asarray(problem.omega)[data.known > 0]
    return float(np.sum(omega * half**2)) / float(
        problem.zero_level(np.zeros((data.operator.n, 1)))
    )


def _weighed(data: Data, books: Books, best: _Best) -> None:
    """Descend to maximum likelihood: of counts; or with the reciprocal variances as weights."""
    if data.noise.name == "poisson":
        if books.left >= 6:
            best.X, done = most_likely(data, books, best.X)
            best.h = float(done.objective)
            books.note("likelihood", done.applications + 1, float(fit_of(data, best.X).misfit))
        return
    there = fit_of(data, best.X)
    for _ in range(REWEIGHTED):
        if books.left < 6:
            return
        problem = problem_of(data, data.noise.variance(np.asarray(there.intensity)))
        X, done = descended(data, books, problem, best.X, None)
        moved = float(np.linalg.norm(X - best.X) / max(np.linalg.norm(X), 1e-300))
        best.X, best.problem, best.h = X, problem, float(done.objective)
        there = fit_of(data, X)
        books.note("weighted", done.applications + 1, float(there.misfit), done.rough)
        # The noise moves the image by about the root of unknowns over total information.
        told = 4 * float(problem.zero_level(X))
        if moved**2 < SETTLED**2 * data.unknowns / told:
            return


def _judged(
    data: Data, books: Books, best: list[_Best], seed: int, began: float, *, stopped: bool
) -> Retrieval:
    """Misfit, chi², error estimate, and words."""
    if not best:
        X = np.zeros((data.operator.n, 1))
        best = [_Best(X, math.inf, first_problem(data), X, False, True)]
    one = best[0]
    fit = fit_of(data, one.X)
    chi2, kind = math.nan, "exact" if one.fitted else "stationary"
    if data.noise.name != "none":
        intensity = np.asarray(fit.intensity)
        chi2 = _chi2(data, intensity)
        kind = "fitted" if chi2 <= _limit(data, intensity) else "stationary"
    if kind == "stationary" and (one.limited or stopped or books.left < 8):
        kind = "unfinished"
    error, spent = math.nan, 0
    if np.any(one.X):
        problem, s = one.problem, draw_of(data, seed)
        if data.noise.name == "none":
            s = np.asarray(problem.residual(one.X))
        else:
            problem = problem_of(data, data.noise.variance(np.asarray(fit.intensity)))
        error, spent = error_of(data, problem, one.X, s)
    image, c = fixed_phase(data.image(one.X))
    return Retrieval(
        image=image,
        kind=kind,
        message=_message(data, kind, float(fit.misfit), stopped=stopped),
        misfit=float(fit.misfit),
        chi2=chi2,
        error_estimate=error,
        ffts=books.ffts,
        ffts_single=books.rough * data.transforms,
        ffts_error=spent * data.transforms,
        starts=books.starts,
        start=c * data.image(one.begun),
        pattern=data.pattern,
        readings=data.rows,
        unknowns=data.unknowns,
        history=tuple(books.history),
        noise=data.noise.name,
        precision=books.precision,
        seed=seed,
        seconds=time.perf_counter() - began,
    )


def _chi2(data: Data, intensity: Float[np.ndarray, " m"]) -> float:
    """Chi² a degree of freedom."""
    variance = data.noise.variance(intensity)
    off = data.known * (data.b - data.counts * intensity) ** 2 / variance
    mean = _expected(data, intensity)
    return float(np.sum(off)) / (mean * max(data.rows - data.unknowns, 1.0))


def _expected(data: Data, intensity: Float[np.ndarray, " m"]) -> float:
    """Mean of the terms of chi² that noise makes, one unless counts are few."""
    return float(np.average(data.noise.expected(intensity), weights=data.known * data.counts))


def _limit(data: Data, intensity: Float[np.ndarray, " m"]) -> float:
    """Chi² a degree of freedom that noise explains."""
    spread = data.noise.spread(intensity) * data.rows / intensity.size
    free = max(data.rows - data.unknowns, 1.0)
    return 1 + SIGMAS * math.sqrt(spread) / (_expected(data, intensity) * free)


def _message(data: Data, kind: str, misfit: float, *, stopped: bool) -> str:
    """What happened, which other images fit as well, and the cure."""
    words = {
        "exact": "exact: the readings are fitted to round-off.",
        "fitted": "fitted: the noise explains what is left of the misfit.",
        "stationary": f"stationary: a misfit of {misfit:.2g} of the amplitudes is left.",
        "unfinished": f"unfinished: a misfit of {misfit:.2g} of the amplitudes is left.",
    }[kind]
    same = "times a sign" if data.operator.real else "times a constant phase"
    if data.plain and not data.scanned:
        same += ", or turned by 180°" + ("" if data.operator.real else " (and conjugated)")
        same += "; shifted too, where the support leaves room"
    parts = [words, f"The image is known {same} at best."]
    if data.scanned:
        parts.append("Pixels with little light are known less well, and dark ones are zero.")
    if stopped:
        parts.append("Stopped by the callback.")
    elif kind == "unfinished":
        parts.append("Pass a larger budget.")
    elif kind == "stationary" and data.noise.name == "none":
        more = "windows that overlap more" if data.scanned else "more masks"
        parts.append(f"If the readings are noisy, pass noise='poisson' or their σ; else {more}.")
    elif kind == "stationary":
        parts.append("The usual causes are too small a σ, wrong masks, or too few readings.")
    return " ".join(parts)
