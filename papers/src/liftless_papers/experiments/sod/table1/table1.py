"""Table 1: every named method and every escape, from the same starts beside spurious points."""

import math
from typing import ClassVar

import numpy as np

from liftless import recover
from liftless_papers.experiments.base import Experiment, Outcome, Row, Size, table
from liftless_papers.experiments.figures import Figure, Layer, Panel
from liftless_papers.experiments.sod.rates import wilson
from liftless_papers.experiments.sod.table1.cases import CASES, Case
from liftless_papers.experiments.sod.table1.claims import (
    SETTLED,
    comparison_claims,
    descent_claim,
    heuristic_claims,
    random_claims,
    sod_claims,
)
from liftless_papers.experiments.sod.table1.methods import BASELINES, CONTROLS, DEFAULT, SOD
from liftless_papers.experiments.sod.table1.runs import Line, one_case, settled
from liftless_papers.experiments.sod.table1.sgd import sgd_claims, sgd_rows

#: Starts beside every point, budget in applications, and runs of stochastic descent in Fig. 1.
STARTS = {"smoke": 6, "paper": 8}
BUDGET = {"smoke": 600, "paper": 2000}
SGD_RUNS = {"smoke": 600, "paper": 2000}

NAMES = (*(base.name for base in BASELINES), *SOD, DEFAULT, *CONTROLS)

_WHAT = "{cases} spurious points, {starts} starts 1e-3 ‖X̂‖ beside each, the same for all methods; "
_WHAT += (
    "budget {budget} applications of A or A*, then the same L-BFGS; one hyper-parameter of each "
)
_WHAT += "baseline tuned per column on other starts (and other instances); seed {seed}. "


def _map(title: str, column: str, label: str, words: str) -> Panel:
    return Panel(
        title=title,
        x="",
        y="",
        layers=(Layer("cells", "case", "method", "table", label, z=words, shade=column),),
        legend="none",
    )


TABLE = Figure(
    name="sod-table1",
    caption="What Table 1 claims, measured: " + _WHAT + "First map: percent of runs that reach the "
    "truth. Second map: applications of all runs over the successes, log₁₀ in colour (no entry "
    "without a success). The deterministic escapes are rows {first}–{last}, each from one start; "
    "then the library's default, which may start anew; then the controls: a random kick from X̂ by "
    "its own norm, fresh random starts, the spectral start, each with L-BFGS. On “basic” X̂ is a "
    "plateau, no minimum. Compare the escapes with the controls, not with gradient descent alone: "
    "at small n a blind kick of the same length does as well.",
    panels=(
        _map("Success", "success", "share of runs", "percent"),
        _map("Cost of a success", "log_price", "log₁₀ applications", "price_text"),
    ),
    columns=1,
    height=5.6,
)

CHANCE = Figure(
    name="sod-table1-chance",
    caption="Left: SGD in the basic example from x̂ + 10⁻³, one of three measurements a step, "
    "{sgd_runs} runs of 500 steps: share that comes within 0.1 of the truth, without and with "
    "noise added to the iterate (bars: 95 %; hollow: reference rates of 60 runs). It stays for "
    "small steps and leaves with noise. Right: random methods on the cases where they are tuned, "
    "started beside the truth: share within 0.02 of it after the whole budget. Constant noise "
    "does not settle.",
    panels=(
        Panel(
            title="SGD on the plateau",
            x="step size",
            y="share of runs",
            x_scale="log",
            layers=(
                Layer(
                    "sgd",
                    "step",
                    "rate",
                    label="noise {group}",
                    group="noise",
                    low="low",
                    high="high",
                ),
                Layer("sgd", "step", "reference", "points", "reference", dashed=True),
            ),
            y_limits=(-0.03, 1.03),
        ),
        Panel(
            title="Settling at the truth",
            x="method",
            y="share of runs",
            layers=(Layer("settled", "method", "share", "bar", "{group}", group="case"),),
            y_limits=(0.0, 1.03),
        ),
    ),
    columns=2,
    height=3.6,
)


class Table1(Experiment):
    """Table 1 of the SOD paper as a measurement."""

    name = "sod-table1"
    title = "Every method of Table 1, tuned, with controls"
    figures: ClassVar[tuple[Figure, ...]] = (TABLE, CHANCE)

    def run(self, size: Size, seed: int) -> Outcome:
        """Run every method on every case."""
        count, budget = STARTS[size], BUDGET[size]
        cases = [make(seed) for make in CASES[size]]
        lines: list[Line] = []
        tuning: list[Row] = []
        for case in cases:
            done, tried = one_case(case, seed, count, budget)
            lines += done
            tuning += table("tuning", tried)
        cells = _cells(lines, cases)
        flips, still = _flips(lines), _settled(lines, cases, seed, count, budget)
        repeats = _repeats(cases, seed, budget)
        sgd = sgd_rows(SGD_RUNS[size], seed)
        described = table("cases", [{"case": case.name, "text": case.text} for case in cases])
        rows = [*cells, *tuning, *flips, *still, *repeats, *sgd, *described]
        claims = [
            *random_claims(cells, flips, still),
            *heuristic_claims(cells, tuning),
            descent_claim(tuning),
            *sod_claims(cells, repeats),
            *comparison_claims(cells),
            *sgd_claims(sgd),
        ]
        values = {
            "first": len(BASELINES) + 1,
            "last": len(BASELINES) + len(SOD),
            "seed": seed,
            "starts": count,
            "budget": budget,
            "cases": sum(len(case.test) for case in cases),
            "sgd_runs": SGD_RUNS[size],
        }
        return Outcome(rows, claims, values)


def _cells(lines: list[Line], cases: list[Case]) -> list[Row]:
    """One row a cell: rates with their intervals, and costs."""
    order = [case.name for case in cases]
    rows = []
    for line in sorted(lines, key=lambda one: (NAMES.index(one.name), order.index(one.case))):
        runs, count = line.runs, len(line.runs.success)
        low, high = wilson(int(runs.success.sum()), count)
        price = runs.price
        rows.append(
            {
                "case": line.case,
                "method": line.name,
                "line": NAMES.index(line.name) + 1,
                "family": line.family,
                "value": line.value,
                "runs": count,
                "left": float(runs.left.mean()),
                "success": runs.rate,
                "low": low,
                "high": high,
                "percent": f"{100 * runs.rate:.0f}",
                "cost": float(runs.cost.mean()),
                "price": price,
                "log_price": math.log10(price) if math.isfinite(price) else math.nan,
                "price_text": _short(price),
            }
        )
    return table("cells", rows)


def _short(price: float) -> str:
    """Write a number of applications in at most four letters."""
    if not math.isfinite(price):
        return "–"
    if price < 1000:
        return f"{price:.0f}"
    return f"{price / 1000:.1f}k" if price < 9950 else f"{price / 1000:.0f}k"


def _flips(lines: list[Line]) -> list[Row]:
    """Share of the starts whose end depends on the method's seed."""
    rows = []
    for line in lines:
        if line.again is None:
            continue
        both = np.concatenate([line.runs.success, line.again.success])
        changed = float(np.mean(line.runs.success != line.again.success))
        row = {"case": line.case, "method": line.name, "changed": changed}
        rows.append({**row, "between": bool(both.any() and not both.all())})
    return table("flips", rows)


def _settled(lines: list[Line], cases: list[Case], seed: int, count: int, budget: int) -> list[Row]:
    """Where noise methods are after a whole budget from beside the truth."""
    by_name = {case.name: case for case in cases}
    methods = {base.name: base for base in BASELINES if base.random}
    rows = []
    for line in lines:
        base = methods.get(line.name)
        # Sampling alone has no noise at an exact fit.
        if base is None or line.value is None or line.name == "SGD":
            continue
        spot = by_name[line.case].test[0]
        away = settled(base, spot, line.value, seed, count, budget)
        row = {"case": line.case, "method": line.name, "median": float(np.median(away))}
        rows.append({**row, "share": float(np.mean(away < SETTLED))})
    return table("settled", rows)


def _repeats(cases: list[Case], seed: int, budget: int) -> list[Row]:
    """Every escape twice from one start of every case."""
    rows = []
    for case in cases:
        spot = case.test[0]
        X = spot.starts(1, seed)[0]
        for name, key in SOD.items():
            one, two = (
                recover(spot.problem, start=X, escape=key, rounds=1, budget=budget).x
                for _ in range(2)
            )
            same = bool(np.array_equal(one, two))
            rows.append({"case": case.name, "method": name, "same": same})
    return table("repeats", rows)
