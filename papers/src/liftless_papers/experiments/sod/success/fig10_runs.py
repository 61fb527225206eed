"""The runs behind Fig. 10: one cell is an order n, a weight ε and a setting of gradient descent."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float

from liftless import Descent, Problem, Stop, descend
from liftless.escape import MultiStepEscape, Oracle, line_minimisers, oracle
from liftless.start import spectral_start
from liftless_papers.experiments.sod.success.completion import (
    dense_problem,
    reduced_problem,
    support_first,
)
from liftless_papers.experiments.sod.success.strides import STRIDE, Strides

#: A trial succeeds when ‖X Xᵀ − M*‖_F is below this (section 6.2).
SUCCESS = 0.02
#: Runs end here: h this small a fraction of h(0) is far inside success, and a relative gradient
#: this small is a stationary point.
FITTED, FLAT = 1e-10, 1e-7
#: The parameters of Fig. 8, which the paper's text leaves open for Fig. 10.
FIXED_STEPS = 59000.0
FIXED = MultiStepEscape(order=11, rho=0.3, eta=0.01, steps=FIXED_STEPS)

Points = Float[np.ndarray, "k n 1"]
Flags = Bool[np.ndarray, " k"]


@dataclass(frozen=True)
class Setting:
    """How gradient descent is run: starts ζ·N(0, 1), a step size for every n, a budget.

    ``early`` ends a run at its tolerances.  A step above the limit 2/n needs the whole budget: the
    iterates come near the truth before they leave it.
    """

    name: str
    zeta: float
    step: Callable[[int], float]
    steps: int
    early: bool = True


def stable_step(n: int) -> float:
    """0.02 to n = 80, and 1.6/n beyond: below the limit of stability, 2/n."""
    return min(0.02, 1.6 / n)


STABLE = Setting("stable", 0.01, stable_step, 20000)


def _exact(problem: Problem, X: np.ndarray, o: Oracle) -> np.ndarray | None:
    """Lowest point of the two lines s·u qᵀ and s·E X̂: exact amplitude, no parameter."""
    zero, found = np.zeros_like(X), []
    for D in (o.beta_direction, o.gamma_direction):
        unit = D / np.linalg.norm(D)
        found += [float(s) * unit for s in line_minimisers(problem, zero, unit)]
    return min(found, key=lambda P: float(problem.objective(P)), default=None)


def _closed_form(
    escape: MultiStepEscape, problem: Problem, X: np.ndarray, o: Oracle
) -> np.ndarray | None:
    """Return the printed escape point; t is just inside U_γ (U_β where that is empty) or fixed.

    A fixed t takes the γ point (5.16) whether or not the c-term leads there, as in Fig. 8.
    """
    del problem
    form = escape.closed_form(X, o)
    if escape.steps is not None:
        t, gamma = float(escape.steps), True
    else:
        gamma = not form.u_gamma.empty
        t = (form.u_gamma if gamma else form.u_beta).lower * (1 + escape.INSIDE)
        t = t if t > 0 else 1.0
    s, D = (form.gamma(t), o.gamma_direction) if gamma else (form.beta(t), o.beta_direction)
    return s * D if math.isfinite(s) else None


#: Escape points by name; every one is tried once, from the same failures.
ESCAPES: dict[str, Callable[[Problem, np.ndarray, Oracle], np.ndarray | None]] = {
    "exact": _exact,
    "auto-3": partial(_closed_form, MultiStepEscape(3)),
    "auto-5": partial(_closed_form, MultiStepEscape(5)),
    "auto-11": partial(_closed_form, MultiStepEscape(11)),
    "fixed": partial(_closed_form, FIXED),
}
#: Controls that are starts rather than escapes.
STARTS = ("absolute", "second", "spectral")


@dataclass(frozen=True)
class Failure:
    """A trial of vanilla descent that ended elsewhere, and the escape points from there.

    ``one_signed`` says whether u_n has one sign on the support of z, ``leads`` whether the c-term
    leads at the fixed t; ``h_at`` has h at each point.
    """

    trial: int
    X: Float[np.ndarray, "n 1"]
    h: float
    lambda_n: float
    one_signed: bool
    leads: bool
    points: dict[str, np.ndarray | None]
    h_at: dict[str, float]


@dataclass(frozen=True)
class CellRun:
    """Outcome of a cell: success of every trial by method, and the failures of vanilla descent."""

    n: int
    eps: float
    success: dict[str, Flags]
    failures: list[Failure]
    diverged: int


def distances(X: Points, z: Float[np.ndarray, " n"]) -> Float[np.ndarray, " k"]:
    """‖x xᵀ − z zᵀ‖_F of every point, without forming a matrix; NaN where x is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        x = X[:, :, 0]
        p, s, q = np.sum(x * x, axis=1), x @ z, float(z @ z)
        return np.sqrt((p - q) ** 2 + 2 * np.maximum(p * q - s * s, 0.0))


def truth(n: int) -> Float[np.ndarray, " n"]:
    """Z = (1, 0, 1, 0, …)."""
    return (np.arange(n) % 2 == 0).astype(np.float64)


class Runner:
    """Descends from any number of starts of one cell, always in batches of one size.

    One compiled program per n: the weight, the step and the budget are data.
    """

    def __init__(self, n: int, eps: float, setting: Setting, batch: int) -> None:
        self.n, self.batch = n, batch
        self.problem = reduced_problem(n, eps)
        self.order = support_first(n)
        self.method = Strides(float(setting.step(n)))
        tolerances = (FITTED, FLAT) if setting.early else (0.0, 0.0)
        self.stop = Stop(*tolerances, setting.steps // STRIDE)

    def run(self, X: Points) -> tuple[Points, Flags, Flags]:
        """Return the end points, which of them are the truth, and which runs diverged."""
        ends, diverged = [], []
        for k in range(0, len(X), self.batch):
            # Places left over start at the truth, where a run ends at once.
            full = np.tile(truth(self.n)[:, None], (self.batch, 1, 1))
            part = X[k : k + self.batch]
            full[: len(part)] = part
            done = self.descend(full)
            back = np.empty_like(done.X)
            back[:, self.order] = done.X
            ends.append(back[: len(part)])
            diverged.append((np.asarray(done.status) == 3)[: len(part)])
        found = np.concatenate(ends)
        near = distances(found, truth(self.n)) < SUCCESS
        return found, near, np.concatenate(diverged)

    def descend(self, X: Points, history: str = "none") -> Descent:
        """One batch; iterates, one a stride, are in support-first order."""
        return descend(self.problem, X[:, self.order], self.method, self.stop, history=history)


def starts(n: int, trials: int, seed: int, zeta: float) -> Points:
    """ζ·N(0, 1) starts; the same ones for every ε."""
    return zeta * np.random.default_rng(seed).standard_normal((trials, n, 1))


def failure(dense: Problem, X: np.ndarray, trial: int, rng: np.random.Generator) -> Failure:
    """All escape points from one end point of vanilla descent."""
    o = oracle(dense, X)
    points = {name: rule(dense, X, o) for name, rule in ESCAPES.items()}
    exact = points["exact"]
    D = rng.standard_normal(X.shape)
    if exact is not None:
        points["random"] = D * (np.linalg.norm(exact) / np.linalg.norm(D))
    on_support = o.u_n[::2]
    h_at = {k: float(dense.objective(P)) for k, P in points.items() if P is not None}
    return Failure(
        trial,
        X,
        float(dense.objective(X)),
        o.lambda_n,
        bool(np.all(on_support > 0) or np.all(on_support < 0)),
        FIXED_STEPS in FIXED.closed_form(X, o).u_gamma,
        points,
        h_at,
    )


def run_cell(
    n: int,
    eps: float,
    setting: Setting,
    trials: int,
    seed: int,
    *,
    escapes: bool = True,
    controls: bool = True,
) -> CellRun:
    """One cell: vanilla descent, one escape of every kind from every failure, and the controls."""
    runner = Runner(n, eps, setting, trials)
    X0 = starts(n, trials, seed, setting.zeta)
    ends, good, diverged = runner.run(X0)
    success = {"gd": good}
    failures: list[Failure] = []
    if escapes or controls:
        dense = dense_problem(n, eps)
        if controls:
            success |= _controls(runner, dense, X0, good, seed, setting.zeta)
        if escapes:
            rng = np.random.default_rng([seed, n, round(1e6 * eps)])
            usable = np.flatnonzero(~good & np.isfinite(ends).all(axis=(1, 2)))
            failures = [failure(dense, ends[k], int(k), rng) for k in usable]
            success |= rescue(runner, failures, good)
    return CellRun(n, eps, success, failures, int(np.count_nonzero(diverged)))


def _controls(
    runner: Runner, dense: Problem, X0: Points, good: Flags, seed: int, zeta: float
) -> dict[str, Flags]:
    """Success from other starts; the spectral one has no chance in it, so it is run once."""
    second = starts(runner.n, len(X0), seed + 1_000_003, zeta)
    spectral = spectral_start(dense, 1)[None]
    _, near, _ = runner.run(np.concatenate([np.abs(X0), second, spectral]))
    k = len(X0)
    return {
        "absolute": near[:k],
        "second": good | near[k : 2 * k],
        "spectral": np.full(k, bool(near[2 * k])),
    }


def rescue(runner: Runner, failures: list[Failure], good: Flags) -> dict[str, Flags]:
    """Success of vanilla descent plus one escape, for every kind of escape."""
    names = [*ESCAPES, "random"]
    success = {name: good.copy() for name in names}
    jobs = [
        (name, f.trial, f.points[name])
        for name in names
        for f in failures
        if f.points.get(name) is not None
    ]
    if jobs:
        _, near, _ = runner.run(np.stack([np.asarray(P) for _, _, P in jobs]))
        for (name, trial, _), hit in zip(jobs, near, strict=True):
            success[name][trial] |= bool(hit)
    return success
