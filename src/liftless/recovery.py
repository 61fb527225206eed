"""The one outer loop: descend, certify, escape, until the answer is certified or paid for."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, positive_int, real_number
from liftless._errors import InputWarning, InvalidInput
from liftless._precision import double, on_device
from liftless._rounds import Search, search
from liftless._run import START_COST, Run, Stopped
from liftless._threads import few_threads
from liftless.certificate import Certificate, certify, noise_level
from liftless.descent import Method
from liftless.escape import Candidate, Escape, Ladder, MultiStepEscape, OracleJump, SingleStep
from liftless.identify import Identifiability, identifiability
from liftless.lifted import LiftedEscape
from liftless.problem import Problem
from liftless.start import STAGE_COST, over_width

Factor = Float[np.ndarray, "n r"]

#: ‖∇h‖ ‖X‖ / h of the point that is reported.
POLISHED = 1e-10

#: Escapes by the name the command line uses.
ESCAPES: dict[str, type[Escape]] = {
    "ladder": Ladder,
    "single": SingleStep,
    "multi": MultiStepEscape,
    "lifted": LiftedEscape,
    "jump": OracleJump,
}

#: Most m (n r)² for which an exact fit is checked for being the only one: a fraction of a second.
UNIQUE_WORK = 2e9

#: Rules by which the first round can start.
STARTS = ("auto", "reweighted", "over", "spectral", "random")

#: Status, which is also the exit code of the command line.
CERTIFIED, NOT_CONVERGED, UNCERTIFIED, INTERRUPTED = 0, 3, 4, 75


@dataclass(frozen=True)
class Recovery:
    """Result of :func:`recover`; the first names are SciPy's ``OptimizeResult``'s.

    Attributes
    ----------
    x : array of shape (n, r)
        The factor, also called ``factor``.
    fun : float
        h at ``x``.
    success : bool
        Whether the certificate says ``exact`` or ``global``.
    status : int
        0 certified, 3 not converged within the budget, 4 stationary but not certified, 75 stopped
        by the callback.
    message : str
        What happened, the usual cause, and what to pass instead.
    nit, nfev : int
        Iterations of local methods, and applications of A or A* to one matrix.
    certificate : Certificate
    identifiability : Identifiability or None
        Whether the measurements determine the matrix near an exact fit, which the certificate does
        not say; None where the fit is not exact or the check would take long.
    escapes : tuple of Candidate
        Every candidate that was tried, with h before, at, and after the local solve.
    history : tuple of dict
        One row an event: what was done, h after it, applications so far; with ``trace=True`` also
        the values of h on the way.  After message passing and reflections, which do not evaluate
        h, that is NaN, and ``error`` is their own estimate of how far they are.
    rounds : int
        Fresh starts used.
    seed : int
    seconds : float
    split : int or None
        Rows of U where the problem is rectangular and ``x`` stacks [U; V].
    """

    x: Factor
    fun: float
    success: bool
    status: int
    message: str
    nit: int
    nfev: int
    certificate: Certificate
    identifiability: Identifiability | None = field(repr=False)
    escapes: tuple[Candidate, ...]
    history: tuple[dict, ...] = field(repr=False)
    rounds: int
    seed: int
    seconds: float
    split: int | None = None

    @property
    def factor(self) -> Factor:
        """The recovered factor X."""
        return self.x

    @property
    def matrix(self) -> Float[np.ndarray, "p q"]:
        """The recovered matrix X Xᵀ, or U Vᵀ of a stacked factor [U; V]."""
        if self.split is not None:
            return self.x[: self.split] @ self.x[self.split :].T
        return self.x @ self.x.T


@double
def recover(
    problem: Problem,
    *,
    start: str | Any = "auto",
    escape: str | Escape | None = "ladder",
    method: Method | None = None,
    seed: int = 0,
    noise: float | None = None,
    trace_bound: float | None = None,
    budget: int = 6000,
    rounds: int | None = None,
    callback: Callable[[dict], None] | None = None,
    trace: bool = False,
) -> Recovery:
    """Recover the low-rank matrix: start, descend, certify, escape, and start afresh.

    Parameters
    ----------
    problem : Problem
    start : {"auto", "reweighted", "over", "spectral", "random"} or array of shape (n, r)
        Message passing where it is meant for the measurements, then reweighted and
        over-parameterised starts in turn (the default); over-parameterised descent with a
        reweighted trace penalty (for the squared loss without a trace penalty of its own; "over"
        else); plain over-parameterised descent, truncated; the spectral start itself; a small
        random one; or a given factor.  Later rounds are those of the default, whatever the first
        was, or of "reweighted".
    escape : {"ladder", "single", "multi", "lifted", "jump"}, Escape or None
        What to try at a spurious point.
    method : Method, optional
        Local method, run to the end from every start.  By default Levenberg–Marquardt for n r up
        to 1000 and :class:`LBFGS` above, given up early where hopeless.
    seed : int
        Of every random start; the only randomness.
    noise : float, optional
        Standard deviation of the noise; a fit within it ends the search.
    trace_bound : float, optional
        Passed on to :func:`certify`.
    budget : int
        Applications of A or A* to one matrix after which the search ends.
    rounds : int, optional
        Most fresh starts; by default as many as the budget pays for, or one without an escape.
    callback : callable, optional
        Called with a dictionary after every local solve; raising ``StopIteration`` ends the run.
    trace : bool
        Keep the values of h along every local solve in ``history``.

    Returns
    -------
    Recovery
        The same for the same arguments.

    Raises
    ------
    InvalidInput
        For an argument that cannot be used.
    """
    began = time.perf_counter()
    rule = _escape_rule(escape)
    seed = positive_int("seed", seed, least=0)
    budget = positive_int("budget", budget, least=10)
    # Without an escape the run is one plain descent, unless fresh starts are asked for.
    most = 1 if rule is None else math.inf
    limit = float(most if rounds is None else positive_int("rounds", rounds))
    first = _check_start(problem, start)
    if trace_bound is not None:
        trace_bound = real_number("trace_bound", trace_bound, least=0.0)
    _warn(problem, budget)
    run = Run(
        on_device(problem),
        method,
        budget,
        callback,
        trace,
        noise_level(problem, noise),
    )
    stopped = False
    with few_threads(problem.n):
        try:
            search(run, Search(first, rule, seed, limit, trace_bound, noise))
        except Stopped:
            stopped = True
        return _finish(run, seed, stopped, trace_bound, noise, began)


def _finish(
    run: Run,
    seed: int,
    stopped: bool,
    trace_bound: float | None,
    noise: float | None,
    began: float,
) -> Recovery:
    """Polish and certify the best point, and say what happened."""
    X = run.answer()
    point = certify(run.problem, X, trace_bound=trace_bound, noise=noise, second_order=False)
    # A fit within the noise is the best estimate only at the end of its descent.
    within = point.kind == "exact" and run.level > 0
    if (within or not point.optimal) and not stopped and run.best is not None:
        X = run.polish(X, POLISHED, near=within)
        point = certify(run.problem, X, trace_bound=trace_bound, noise=noise)
    status = _status(point, stopped)
    unique = _unique(run.problem, X, point)
    return Recovery(
        x=X,
        fun=point.objective,
        success=point.optimal,
        status=status,
        message=_message(status, point, run, unique),
        nit=run.iterations,
        nfev=run.spent,
        certificate=point,
        identifiability=unique,
        escapes=tuple(run.escapes),
        history=tuple(run.events),
        rounds=run.rounds,
        seed=seed,
        seconds=time.perf_counter() - began,
        split=run.problem.operator.split,
    )


def _status(point: Certificate, stopped: bool) -> int:
    if point.optimal:
        return CERTIFIED
    if stopped:
        return INTERRUPTED
    return NOT_CONVERGED if point.kind == "unfinished" else UNCERTIFIED


def _unique(problem: Problem, X: Factor, point: Certificate) -> Identifiability | None:
    """Whether an exact fit is the only one near it, where that is quickly found out."""
    if point.kind != "exact" or not np.any(X) or problem.m * X.size**2 > UNIQUE_WORK:
        return None
    return identifiability(problem, X)


def _message(status: int, point: Certificate, run: Run, unique: Identifiability | None) -> str:
    head = f"{point.message} {run.rounds} round(s), {len(run.escapes)} escape(s) tried."
    if unique is not None and not unique.identifiable:
        head += f" Other matrices fit as well: {unique.message}"
    cures = {
        CERTIFIED: "",
        NOT_CONVERGED: " The budget ended before a stationary point: pass a larger budget.",
        UNCERTIFIED: " The usual causes are noise (pass noise=σ), too low a rank, or too few "
        "measurements; a larger budget or another seed searches further.",
        INTERRUPTED: " Stopped by the callback; pass the factor as start to go on.",
    }
    return head + cures[status]


def _escape_rule(escape: str | Escape | None) -> Escape | None:
    if escape is None or escape == "none":
        return None
    if isinstance(escape, Escape):
        return escape
    if isinstance(escape, str) and escape in ESCAPES:
        return ESCAPES[escape]()
    names = ", ".join([*ESCAPES, "none"])
    raise InvalidInput("escape", describe(escape), f"one of {names}, or an Escape")


def _check_start(problem: Problem, start: Any) -> str | Factor:
    if isinstance(start, str):
        if start not in STARTS:
            names = ", ".join(repr(name) for name in STARTS)
            raise InvalidInput("start", repr(start), f"one of {names}, or a factor")
        return start
    X = factor("start", start, problem.n)
    if X.shape[1] > problem.rank:
        cure = "Truncate it, or raise the problem's rank."
        raise InvalidInput("start", describe(X), f"at most {problem.rank} columns wide", cure)
    X = np.pad(X, ((0, 0), (0, problem.rank - X.shape[1])))
    if not np.any(X):
        raise InvalidInput("start", "zero", "a nonzero factor", "Zero is a stationary point.")
    return X


def _warn(problem: Problem, budget: int) -> None:
    """Warn of what the search cannot mend, and say what follows."""
    m, rank, width = problem.m, problem.rank, over_width(problem)
    if m < problem.degrees_of_freedom:
        text = (
            f"{m} measurements are fewer than the {problem.degrees_of_freedom} degrees of "
            f"freedom of a rank-{rank} matrix {_shape(problem)}: many matrices fit, and "
            "the one returned need not be yours. Add measurements or lower the rank."
        )
        if rank * (rank + 1) // 2 > m:
            enough = (math.isqrt(8 * m + 1) - 1) // 2
            text += (
                f" Rank {rank} is even above Pataki's bound: if any matrix fits, one of rank "
                f"{enough} does."
            )
        _say(text)
    least = STAGE_COST + START_COST
    if budget < least and width > rank:
        _say(
            f"a budget of {budget} applications ends inside the first stage of the first start "
            f"({least}): the answer is no more than that start. Allow some hundreds."
        )


def _shape(problem: Problem) -> str:
    rows = problem.operator.split
    return f"of order {problem.n}" if rows is None else f"of {rows} × {problem.n - rows}"


def _say(text: str) -> None:
    warnings.warn(text, InputWarning, stacklevel=5)
