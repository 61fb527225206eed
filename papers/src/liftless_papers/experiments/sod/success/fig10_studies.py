"""The three studies of Fig. 10: cells with controls, settings of descent, and courses of trials."""

import math
from typing import Any

import numpy as np

from liftless_papers.experiments.base import Row, Size, table
from liftless_papers.experiments.sod.rates import rate_columns
from liftless_papers.experiments.sod.success.completion import dense_problem
from liftless_papers.experiments.sod.success.fig10_runs import (
    STABLE,
    SUCCESS,
    CellRun,
    Failure,
    Runner,
    Setting,
    distances,
    failure,
    run_cell,
    stable_step,
    starts,
    truth,
)
from liftless_papers.experiments.sod.success.strides import STRIDE

#: Orders and weights of section 6.2, and larger orders.
ORDERS: dict[Size, tuple[int, ...]] = {"smoke": (40, 80), "paper": (40, 50, 60, 70, 80)}
LARGER: dict[Size, tuple[int, ...]] = {"smoke": (), "paper": (120, 160, 200)}
TRIALS: dict[Size, int] = {"smoke": 20, "paper": 50}
EPSILONS = (0.15, 0.10)

#: Methods by name: what the legend says, and the shift along n that keeps markers apart.
LABELS = {
    "gd": ("gradient descent", 0.0),
    "exact": ("+ escape, exact amplitude", -1.2),
    "auto-3": ("+ escape, t inside U_γ, l = 3", -0.6),
    "auto-5": ("+ escape, t inside U_γ, l = 5", 0.6),
    "auto-11": ("+ escape, t inside U_γ, l = 11", 1.2),
    "fixed": ("+ escape, l = 11, t = 59000 fixed", 1.8),
    "spectral": ("spectral start", -1.2),
    "absolute": ("start |N(0, 1)|·ζ", -0.6),
    "second": ("best of two starts", 0.6),
    "random": ("+ jump, random direction", 1.2),
}

#: What else gradient descent can be told: starts, steps, budgets.  "stable" keeps below the limit
#: 2/n at every n, "unstable" does not, "budget" shrinks with n.
SETTINGS: tuple[tuple[str, Setting], ...] = (
    ("stable", Setting("ζ 0.01, step 0.02", 0.01, stable_step, 20000)),
    ("stable", Setting("ζ 0.01, step 0.001", 0.01, lambda _: 0.001, 6000)),
    ("stable", Setting("ζ 0.1, step 0.02", 0.1, stable_step, 2000)),
    ("stable", Setting("ζ 0.3, step 0.02", 0.3, stable_step, 2000)),
    ("stable", Setting("ζ 1, step 0.01", 1.0, lambda _: 0.01, 2000)),
    ("stable", Setting("ζ 1, step 0.001", 1.0, lambda _: 0.001, 6000)),
    ("stable", Setting("ζ 2, step 0.001", 2.0, lambda _: 0.001, 6000)),
    ("unstable", Setting("ζ 0.01, step 0.03", 0.01, lambda _: 0.03, 2000, False)),
    ("unstable", Setting("ζ 1, step 0.03", 1.0, lambda _: 0.03, 2000, False)),
    ("unstable", Setting("ζ 1, step 0.02", 1.0, lambda _: 0.02, 2000, False)),
    ("budget", Setting("ζ 0.01, step 4/n², 3000 steps", 0.01, lambda n: 4 / n**2, 3000)),
    ("budget", Setting("ζ 1, step 4/n², 3000 steps", 1.0, lambda n: 4 / n**2, 3000)),
)
#: The settings of a smoke run: one of every kind and start.
FEW = {0, 4, 7, 10}

#: Order of the courses, and the iteration at which the escape is made.
TRACED: dict[Size, int] = {"smoke": 80, "paper": 70}
JUMP_AT = 400
TRACE = Setting("courses", 0.01, stable_step, 2 * JUMP_AT, early=False)


def scaled_eps(n: int) -> float:
    """ε with ε²n = 0.4: it keeps ε²k, which decides whether the spurious points are minima."""
    return 0.10 * math.sqrt(40 / n)


def cell_rows(name: str, run: CellRun, trials: int) -> list[Row]:
    """Success of every method in a cell."""
    rows = []
    for method, good in run.success.items():
        label, shift = LABELS[method]
        about = {"n": run.n, "eps": run.eps, "method": method, "label": label, "at": run.n + shift}
        rows.append(about | rate_columns(int(np.count_nonzero(good)), trials))
    return table(name, rows)


def failure_rows(run: CellRun) -> list[Row]:
    """One row for every failure of gradient descent: what its escape points are."""
    return table("failures", [_failure_row(run, f) for f in run.failures])


def _failure_row(run: CellRun, f: Failure) -> dict[str, Any]:
    # The trials of an order stand side by side instead of on top of one another.
    row: dict[str, Any] = {
        "n": run.n,
        "eps": run.eps,
        "at": run.n + 3 * (2 * f.trial / len(run.success["gd"]) - 1),
        "trial": f.trial,
        "h": f.h,
        "lambda_n": f.lambda_n,
        "one_signed": f.one_signed,
        "c_term_leads": f.leads,
    }
    size = float(np.linalg.norm(f.X))
    for name, point in f.points.items():
        row[f"ratio_{name}"] = f.h_at[name] / f.h if point is not None else math.nan
        length = math.nan if point is None else float(np.linalg.norm(point))
        row[f"norm_{name}"] = length / size
        row[f"rescued_{name}"] = bool(run.success[name][f.trial]) if name in run.success else False
    return row


def main_rows(size: Size, seed: int) -> list[Row]:
    """Cells of the paper with every escape and control, and their failures."""
    rows, trials = [], TRIALS[size]
    for eps in EPSILONS:
        for n in ORDERS[size]:
            run = run_cell(n, eps, STABLE, trials, seed)
            rows += cell_rows("cells", run, trials) + failure_rows(run)
    return rows


def larger_rows(size: Size, seed: int, cells: list[Row]) -> list[Row]:
    """Orders to 200: with ε = 0.10, of which the cells are a part, and with ε²n fixed."""
    trials = TRIALS[size]
    known = [r for r in cells if r["table"] == "cells" and r["eps"] == 0.10]
    rows = [{**r, "table": "larger"} for r in known]
    for n in (*ORDERS[size], *LARGER[size]):
        rows += cell_rows("scaled", run_cell(n, scaled_eps(n), STABLE, trials, seed), trials)
    for n in LARGER[size]:
        rows += cell_rows("larger", run_cell(n, 0.10, STABLE, trials, seed), trials)
    return rows


def setting_rows(size: Size, seed: int) -> list[Row]:
    """Vanilla descent under other starts, steps and budgets; one escape where the budget binds."""
    rows, trials = [], TRIALS[size]
    for k, (kind, setting) in enumerate(SETTINGS):
        if size == "smoke" and k not in FEW:
            continue
        for eps in EPSILONS:
            for n in ORDERS[size]:
                escapes = kind == "budget" and setting.zeta < 1
                run = run_cell(n, eps, setting, trials, seed, escapes=escapes, controls=False)
                about = {"setting": setting.name, "kind": kind, "n": n, "eps": eps}
                about |= {"diverged": run.diverged, "steps": setting.steps}
                about |= {"step": float(setting.step(n)), "zeta": setting.zeta}
                for method in ("gd", "exact", "auto-5"):
                    if method in run.success:
                        count = int(np.count_nonzero(run.success[method]))
                        rows.append(about | {"method": method} | rate_columns(count, trials))
    return table("settings", rows)


def course_rows(size: Size, seed: int) -> list[Row]:
    """‖X Xᵀ − M*‖_F of every trial over the iterations, without and with one escape."""
    n, trials, eps = TRACED[size], TRIALS[size], 0.10
    runner = Runner(n, eps, TRACE, trials)
    plain, X = _course(runner, starts(n, trials, seed, TRACE.zeta))
    dense = dense_problem(n, eps)
    half = JUMP_AT // STRIDE
    rng = np.random.default_rng([seed, n])
    for k in np.flatnonzero(plain[:, half] >= SUCCESS):
        point = failure(dense, X[k], int(k), rng).points["exact"]
        X[k] = X[k] if point is None else point
    second, _ = _course(runner, X)
    escaped = np.concatenate([plain[:, : half + 1], second[:, : half + 1]], axis=1)
    every = STRIDE * np.arange(plain.shape[1])
    twice = np.concatenate([every[: half + 1], JUMP_AT + every[: half + 1]])
    return table("courses", _lines("plain", plain, every) + _lines("escaped", escaped, twice))


def _course(runner: Runner, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances at the kept iterations, and the points at the escape in the usual order."""
    done = runner.descend(X, history="iterates")
    path = np.empty_like(done.history["X"])
    path[:, :, runner.order] = done.history["X"]
    z = truth(runner.n)
    kept = range(TRACE.steps // STRIDE + 1)
    # A run that nothing moves any more ends early.
    last = path.shape[1] - 1
    values = np.stack([distances(path[:, min(i, last)], z) for i in kept], axis=1)
    return values, path[:, min(JUMP_AT // STRIDE, last)].copy()


def _lines(name: str, values: np.ndarray, iterations: np.ndarray) -> list[dict[str, Any]]:
    """Rows of all trials, those with one end together; an empty row parts two lines."""
    rows = []
    good = values[:, -1] < SUCCESS
    for ended, chosen in (("ends at the truth", good), ("ends elsewhere", ~good)):
        for k in np.flatnonzero(chosen):
            about = {"course": name, "ended": ended, "trial": int(k)}
            for i, value in zip(iterations, values[k], strict=True):
                rows.append(about | {"iteration": int(i), "distance": float(value)})
            rows.append(about | {"iteration": int(iterations[-1]), "distance": math.nan})
    return rows
