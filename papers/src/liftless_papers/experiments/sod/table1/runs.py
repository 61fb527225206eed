"""The runs of Table 1's study: tuned baselines, escapes and controls from the same starts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from liftless import LBFGS, Descent, Stop, descend, recover
from liftless.start import spectral_start
from liftless_papers.experiments.sod.table1.cases import Case, Spot, Starts
from liftless_papers.experiments.sod.table1.methods import (
    BASELINES,
    CONTROL,
    CONTROLS,
    DEFAULT,
    LIBRARY,
    OURS,
    SOD,
    Baseline,
)

Flags = Bool[np.ndarray, " k"]

#: A run has left X̂ for good where h is below this fraction of h(X̂); descent from there cannot
#: come back.
LEFT = 0.5
#: Descent that ends lower than X̂ by this fraction of h(X̂) has ended elsewhere.
LOWER = 1e-3
#: Iterations of the L-BFGS that finishes every run.
FINISH = 200
#: Distinct seeds of starts and of methods, for the test and for tuning.
TEST, TUNING, CHANCE = 0, 7919, 104_729


@dataclass(frozen=True)
class Runs:
    """Outcome of some runs: which left X̂, which reached the truth, and their applications."""

    left: Flags
    success: Flags
    cost: Float[np.ndarray, " k"]

    @classmethod
    def join(cls, parts: "list[Runs]") -> "Runs":
        """All of several."""
        names = ("left", "success", "cost")
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))

    @property
    def rate(self) -> float:
        """Share that reached the truth."""
        return float(self.success.mean())

    @property
    def price(self) -> float:
        """Applications of all runs over the number of successes; infinite without one."""
        hits = int(self.success.sum())
        return float(self.cost.sum()) / hits if hits else float("inf")


def finish(spot: Spot, X: Starts) -> Descent:
    """L-BFGS from the ends of any method, the same for all."""
    safe = np.where(np.isfinite(X) & (np.abs(X) < 1e6), X, 0.0)
    return descend(spot.problem, safe, LBFGS(), Stop(1e-14, 1e-9, FINISH))


def judged(spot: Spot, X: Starts, spent: Float[np.ndarray, " k"]) -> Runs:
    """Finish runs and judge their ends."""
    alive = np.isfinite(X).all(axis=(1, 2)) & (np.abs(X).max(axis=(1, 2)) < 1e6)
    done = finish(spot, X)
    success = alive & np.array([spot.recovered(x) for x in done.X])
    left = alive & (done.objective < (1 - LOWER) * spot.height)
    return Runs(left, success, spent + done.applications)


def local(
    base: Baseline, spot: Spot, X: Starts, value: float, seed: int, budget: int
) -> tuple[Starts, Float[np.ndarray, " k"]]:
    """Run a method until h is half of h(X̂), it is stationary, or the budget is spent."""
    method = base.make(spot, value, seed, budget)
    iterations = max(1, int(budget / base.cost(spot)))
    # A random method is at no stationary point for long.
    flat = 0.0 if base.random else 1e-10
    stop = Stop(LEFT * spot.height / spot.full, flat, iterations)
    done = descend(spot.problem, X, method, stop)
    return done.X, np.asarray(done.applications, float)


def baseline_runs(
    base: Baseline,
    spots: tuple[Spot, ...],
    value: float,
    seed: int,
    count: int,
    budget: int,
    chance: int = 0,
) -> Runs:
    """Run a method from ``count`` starts beside every point; ``chance`` changes its seed alone."""
    parts = []
    for k, spot in enumerate(spots):
        X = spot.starts(count, seed + k)
        parts.append(judged(spot, *local(base, spot, X, value, seed + k + chance, budget)))
    return Runs.join(parts)


def tuned(
    base: Baseline, case: Case, seed: int, count: int, budget: int
) -> tuple[float, list[tuple[float, Runs]]]:
    """Best value of the grid on the tuning starts: most successes, then least cost."""
    if len(base.grid) == 1:
        return base.grid[0], []
    tried = [
        (v, baseline_runs(base, case.tuning, v, seed + TUNING, count, budget)) for v in base.grid
    ]
    order = [(-runs.success.sum(), -runs.left.sum(), runs.cost.mean()) for _, runs in tried]
    return tried[min(range(len(tried)), key=order.__getitem__)][0], tried


def escape_runs(name: str, spots: tuple[Spot, ...], seed: int, count: int, budget: int) -> Runs:
    """Run an escape of the library: descend, certify, escape, descend; the default starts anew."""
    escape, rounds = (SOD[name], 1) if name in SOD else ("ladder", None)
    parts = []
    for k, spot in enumerate(spots):
        rows = []
        for X in spot.starts(count, seed + k):
            done = recover(spot.problem, start=X, escape=escape, rounds=rounds, budget=budget)
            low = done.fun < (1 - LOWER) * spot.height
            rows.append((low, spot.recovered(done.x), float(done.nfev)))
        parts.append(Runs(*(np.array(column) for column in zip(*rows, strict=True))))
    return Runs.join(parts)


def control_runs(name: str, spots: tuple[Spot, ...], seed: int, count: int, budget: int) -> Runs:
    """L-BFGS from elsewhere: kicked from X̂ by its own norm, anew, or from the spectral start.

    A kick or a restart is repeated until one succeeds or the budget is spent.
    """
    parts = []
    for k, spot in enumerate(spots):
        if name == "spectral start":
            X = spectral_start(spot.problem, spot.problem.rank)[None]
            one = judged(spot, np.repeat(X, count, axis=0), np.full(count, 4.0))
            parts.append(one)
            continue
        rng = np.random.default_rng([seed + k, 13])
        tries = max(1, int(budget / 60))
        D = rng.standard_normal((tries, count, *spot.X.shape))
        D *= spot.size / np.linalg.norm(D, axis=(2, 3), keepdims=True)
        centre = spot.X if name == "random kick" else np.zeros_like(spot.X)
        parts.append(_repeated(spot, centre + D, budget))
    return Runs.join(parts)


def _repeated(spot: Spot, draws: Float[np.ndarray, "t k n r"], budget: int) -> Runs:
    """Draws in turn, each with its own L-BFGS, until one succeeds or the budget is spent."""
    count = draws.shape[1]
    left, success = np.zeros(count, bool), np.zeros(count, bool)
    cost = np.zeros(count)
    for X in draws:
        todo = ~success & (cost < budget)
        if not todo.any():
            break
        one = judged(spot, X, np.zeros(count))
        cost += np.where(todo, one.cost, 0.0)
        left |= todo & one.left
        success |= todo & one.success
    return Runs(left, success, cost)


@dataclass(frozen=True)
class Line:
    """One cell of the table: a method on a case, with the value that tuning chose."""

    case: str
    name: str
    family: str
    value: float | None
    runs: Runs
    #: The same starts under another seed of the method; None for a deterministic one.
    again: Runs | None = None


def one_case(case: Case, seed: int, count: int, budget: int) -> tuple[list[Line], list[dict]]:
    """Every method on one case; also the rows of the tuning."""
    lines, tuning = [], []
    for base in BASELINES:
        value, tried = tuned(base, case, seed, count, budget)
        for v, runs in tried:
            row = {"case": case.name, "method": base.name, "family": base.family}
            row |= {"parameter": base.tuned, "value": v, "rate": runs.rate, "chosen": v == value}
            row |= {"left": float(runs.left.mean()), "cost": float(runs.cost.mean())}
            tuning.append(row)
        runs = baseline_runs(base, case.test, value, seed + TEST, count, budget)
        again = None
        if base.random:
            args = (seed + TEST, count, budget, CHANCE)
            again = baseline_runs(base, case.test, value, *args)
        lines.append(Line(case.name, base.name, base.family, value, runs, again))
    lines += [
        Line(case.name, name, OURS, None, escape_runs(name, case.test, seed, count, budget))
        for name in SOD
    ]
    default = escape_runs(DEFAULT, case.test, seed, count, budget)
    lines.append(Line(case.name, DEFAULT, LIBRARY, None, default))
    lines += [
        Line(case.name, name, CONTROL, None, control_runs(name, case.test, seed, count, budget))
        for name in CONTROLS
    ]
    return lines, tuning


def settled(
    base: Baseline, spot: Spot, value: float, seed: int, count: int, budget: int
) -> Float[np.ndarray, " k"]:
    """Distances from the truth, relative to it, after a whole budget from beside the truth."""
    beside = Spot(spot.problem, spot.truth, spot.truth)
    method = base.make(spot, value, seed, budget)
    stop = Stop(0.0, 0.0, max(1, int(budget / base.cost(spot))))
    done = descend(spot.problem, beside.starts(count, seed), method, stop)
    M = spot.truth @ spot.truth.T
    # A diverged run is infinitely far.
    X = np.where(np.isfinite(done.X) & (np.abs(done.X) < 1e9), done.X, 1e9)
    away = np.linalg.norm(X @ np.swapaxes(X, 1, 2) - M, axis=(1, 2))
    return away / float(np.linalg.norm(M))
