"""Fig. 10: success on perturbed completion, n = 40 … 80, with controls and larger orders."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from liftless_papers.experiments.base import Experiment, Outcome, Row, Size
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.sod.success.fig10_claims import fig10_claims, pick, pooled
from liftless_papers.experiments.sod.success.fig10_studies import (
    ORDERS,
    TRACED,
    TRIALS,
    course_rows,
    larger_rows,
    main_rows,
    setting_rows,
)

PAPER_METHODS = ("gd", "exact", "auto-5", "fixed")
CONTROLS = ("gd", "spectral", "absolute", "second", "random")
RATE = "success rate"

SUCCESS_CAPTION = (
    "Perturbed completion, {trials} trials a cell, seed {seed}, starts 0.01·N(0, 1), step "
    "min(0.02, 1.6/n), run to stationarity; success is ‖XXᵀ − M*‖_F < 0.02; bars are 95 % Wilson "
    "intervals, and markers are shifted a little along n. (a), (b): gradient descent, and one "
    "escape from each of its failures. Success of gradient descent rises with n, and one escape "
    "with an amplitude chosen at the point reaches {auto:.3f} over all cells. Parameters fixed as "
    "in Fig. 8 overshoot. (c), (d): controls from the same starts. A spectral start ({spectral:.2f}"
    ") and |N(0, 1)| ({absolute:.2f}) do as well as the escape; chance (two starts, {second:.2f}; "
    "a jump of the same length in a random direction, {random:.2f}) does not."
)
EVIDENCE_CAPTION = (
    "{trials} trials a point, seed {seed}. (a) Gradient descent at ε = 0.15 with other starts ζ, "
    "steps and budgets: success rises with n unless the step exceeds the limit 2/n or the budget "
    "shrinks with n (dashed). (b) At ε = 0.10 gradient descent needs no help at the largest n. (c) "
    "With ε²n = 0.4 kept it succeeds in {scaled:.3f} of all trials; one escape and the spectral "
    "start do not notice. (d) h at the γ point just inside U_γ (l = 5) over h at the failure, "
    "trials side by side: below 1 in only {below:.0%} of {failures} failures. u_n has one sign on "
    "the support of z in {signed:.0%}."
)
COURSE_CAPTION = (
    "Courses of {trials} trials, n = {traced}, ε = 0.10, seed {seed}: (a) gradient descent alone; "
    "(b) with one escape of exact amplitude at iteration 400 wherever the distance is still above "
    "0.02, the threshold of success (dash-dotted)."
)


def _success_panel(letter: str, eps: float, methods: tuple[str, ...], title: str) -> Panel:
    layers = tuple(
        Layer("cells", "at", "rate", "line", "{group}", where, "label", low="low", high="high")
        for where in ((("eps", eps), ("method", m)) for m in methods)
    )
    return Panel(
        f"({letter}) ε = {eps:.2f}: {title}",
        "order n",
        RATE,
        layers,
        y_limits=(-0.03, 1.05),
        legend="outside",
    )


def _setting_layers() -> tuple[Layer, ...]:
    def layer(kind: str, dashed: bool) -> Layer:
        where = (("method", "gd"), ("eps", 0.15), ("kind", kind))
        return Layer("settings", "n", "rate", "line", "{group}", where, "setting", dashed=dashed)

    return layer("stable", False), layer("unstable", True), layer("budget", True)


def _order_panel(letter: str, name: str, title: str) -> Panel:
    layers = tuple(
        Layer(name, "at", "rate", "line", "{group}", (("method", m),), "label", "", "low", "high")
        for m in ("gd", "exact", "spectral", "second")
    )
    return Panel(
        f"({letter}) {title}", "order n", RATE, layers, y_limits=(-0.03, 1.05), legend="outside"
    )


def _course_panel(letter: str, course: str, title: str) -> Panel:
    where = (("course", course),)
    return Panel(
        f"({letter}) {title}",
        "iteration",
        "‖XXᵀ − M*‖_F",
        (Layer("courses", "iteration", "distance", "line", "{group}", where, "ended"),),
        (Mark("y", 0.02),),
        y_scale="log",
        y_limits=(1e-4, None),
        legend="outside",
    )


FIGURES = (
    Figure(
        "success",
        SUCCESS_CAPTION,
        (
            _success_panel("a", 0.15, PAPER_METHODS, "one escape"),
            _success_panel("b", 0.10, PAPER_METHODS, "one escape"),
            _success_panel("c", 0.15, CONTROLS, "controls"),
            _success_panel("d", 0.10, CONTROLS, "controls"),
        ),
        columns=2,
    ),
    Figure(
        "evidence",
        EVIDENCE_CAPTION,
        (
            Panel(
                "(a) gradient descent, ε = 0.15",
                "order n",
                RATE,
                _setting_layers(),
                y_limits=(-0.03, 1.05),
                legend="outside",
            ),
            _order_panel("b", "larger", "larger orders, ε = 0.10"),
            _order_panel("c", "scaled", "larger orders, ε²n = 0.4"),
            Panel(
                "(d) automatic t: h at the escape point",
                "order n",
                "h(X̌)/h(X̂)",
                (Layer("failures", "at", "ratio_auto-5", "points", "ε = {group}", (), "eps"),),
                (Mark("y", 1.0),),
                y_scale="log",
                legend="outside",
            ),
        ),
        columns=2,
    ),
    Figure(
        "courses",
        COURSE_CAPTION,
        (
            _course_panel("a", "plain", "gradient descent"),
            _course_panel("b", "escaped", "with one escape"),
        ),
        columns=2,
    ),
)


class Fig10(Experiment):
    """Success of gradient descent, with an escape and with controls."""

    name = "sod-fig10"
    title = "Success on perturbed completion, with controls"
    figures = FIGURES

    def run(self, size: Size, seed: int) -> Outcome:
        """All cells, settings, larger orders and courses; orders 40 and 80 in a smoke run."""
        rows = main_rows(size, seed)
        rows += larger_rows(size, seed, rows)
        rows += setting_rows(size, seed) + course_rows(size, seed)
        return Outcome(rows, fig10_claims(rows), _values(rows, size, seed))


def _values(rows: Sequence[Row], size: Size, seed: int) -> dict[str, Any]:
    def rate(name: str, method: str) -> float:
        return float(pooled(pick(rows, name, method=method))["rate"])

    failed = pick(rows, "failures")
    ratios = np.array([r["ratio_auto-5"] for r in failed])
    return {
        "seed": seed,
        "trials": TRIALS[size],
        "orders": list(ORDERS[size]),
        "traced": TRACED[size],
        "auto": rate("cells", "auto-5"),
        **{m: rate("cells", m) for m in CONTROLS},
        "scaled": rate("scaled", "gd"),
        "failures": len(failed),
        "below": float(np.mean(ratios < 1)) if failed else float("nan"),
        "signed": float(np.mean([r["one_signed"] for r in failed])) if failed else float("nan"),
    }
