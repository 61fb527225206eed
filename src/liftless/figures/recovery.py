"""The picture of one recovery: course of the objective, recovered matrix, fit of the data."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from liftless._errors import InvalidInput
from liftless.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, new_figure, tidy
from liftless.io import FIGURE_SUFFIXES, atomic_write
from liftless.problem import Problem
from liftless.recovery import Recovery
from liftless.space import Space

#: Colour of a stage by the first word of its name; other stages are escapes.
STAGES = {
    "start": GREY,
    "over": GREY,
    "probe": GREY,
    "descent": BLUE,
    "fit": BLUE,
    "converge": BLUE,
    "polish": GREEN,
    "finish": PURPLE,
}
#: What the legend says for a stage, where that is not its name.
LEGEND = {"start": "reweighted start, by stages", "over": "over-parameterised start"}
#: Largest order whose matrix is drawn entry by entry.
DRAWN = 400


def course_rows(recovery: Recovery) -> list[dict[str, Any]]:
    """One row a recorded value: stage, position and h, from a run with ``trace=True``.

    The position counts steps of the local method over all stages.
    """
    rows, position = [], 0
    for number, event in enumerate(recovery.history):
        values = event.get("values")
        if values is None:
            continue
        rows += [
            {"stage": event["event"], "number": number, "step": position + k, "objective": float(h)}
            for k, h in enumerate(values)
        ]
        position += len(values)
    return rows


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure at once or not at all; PNG, SVG or PDF by suffix."""
    path = Path(path)
    if path.suffix not in FIGURE_SUFFIXES:
        raise InvalidInput(
            "plot", repr(path.name), f"a name that ends in {', '.join(FIGURE_SUFFIXES)}"
        )
    # No date and fixed names of elements keep the bytes the same from run to run.
    when = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[path.suffix]
    with atomic_write(path) as target, rc_context({"svg.hashsalt": "liftless"}):
        figure.savefig(target, format=path.suffix[1:], metadata=when)


def svg_text(figure: Figure) -> str:
    """Return a figure as an element of a page, as wide as the page has it."""
    target = io.StringIO()
    with rc_context({"svg.hashsalt": "liftless"}):
        figure.savefig(target, format="svg", metadata={"Date": None})
    text = target.getvalue()
    head, gap, rest = text[text.index("<svg") :].partition(">")
    return re.sub(r' (width|height)="[^"]*"', "", head) + gap + rest


def recovery_figure(
    problem: Problem,
    recovery: Recovery,
    path: str | Path,
    truth: Float[np.ndarray, "n s"] | None = None,
) -> None:
    """Draw a recovery and save it.

    Parameters
    ----------
    problem : Problem
    recovery : Recovery
        From ``recover(..., trace=True)``; without the trace the first panel has its end points.
    path : path
        PNG, SVG or PDF.
    truth : array of shape (n, s), optional
        Drawn beside the recovered matrix by its error.
    """
    save_figure(draw_recovery(recovery, problem, truth), path)


def draw_recovery(
    recovery: Recovery,
    problem: Problem | None = None,
    truth: Float[np.ndarray, "n s"] | None = None,
) -> Figure:
    """Draw a recovery: course, matrix, and fit of the data, or the spectrum without the problem."""
    figure = new_figure(9.6, 3.1)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.35, 1.0, 1.0))
    _course(left, recovery)
    draw_matrix(figure, middle, recovery.x, recovery.space, truth)
    if problem is None:
        draw_spectrum(right, recovery.x, recovery.space)
    else:
        _fit(right, problem, recovery)
    figure.suptitle(recovery.certificate.message.split(";")[0], fontsize=9, x=0.01, ha="left")
    return figure


def stored_figure(
    X: Float[np.ndarray, "n r"], space: Space, course: Sequence[Sequence[Any]], title: str
) -> Figure:
    """Draw what a file has of a recovery: least h over the applications, matrix, spectrum.

    Parameters
    ----------
    X : array of shape (n, r)
    space : Space
    course : sequence of (event, h or None, applications)
    title : str
    """
    figure = new_figure(9.6, 3.1)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.35, 1.0, 1.0))
    known = [(spent, float(h)) for _, h, spent in course if h is not None and np.isfinite(h)]
    if known:
        spent, h = np.array(known).T
        least = np.maximum(np.minimum.accumulate(h), 1e-32 * max(h.max(), 1e-300))
        left.step(spent, least, where="post", color=BLUE, lw=1.2)
        left.plot(spent, np.maximum(h, least), ".", color=GREY, markersize=4)
        left.set_yscale("log")
    tidy(left, "Least h so far", "applications", "h(X)")
    draw_matrix(figure, middle, X, space)
    draw_spectrum(right, X, space)
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    return figure


def _course(axes: Axes, recovery: Recovery) -> None:
    rows = course_rows(recovery)
    if not rows:
        rows = [
            {"stage": e["event"], "number": k, "step": k, "objective": e["objective"]}
            for k, e in enumerate(recovery.history)
            if not e["event"].startswith("certified") and np.isfinite(e["objective"])
        ]
    named: set[str] = set()
    top = max((row["objective"] for row in rows), default=1.0)
    for number in dict.fromkeys(row["number"] for row in rows):
        part = [row for row in rows if row["number"] == number]
        stage = part[0]["stage"]
        colour = STAGES.get(stage.split()[0], ORANGE)
        kind = stage.split()[0]
        label = None if kind in named else LEGEND.get(kind, stage)
        named.add(kind)
        heights = [max(row["objective"], 1e-32 * top) for row in part]
        steps = [row["step"] for row in part]
        axes.plot(steps, heights, color=colour, marker=".", markersize=2.5, lw=1.2, label=label)
        if colour == ORANGE:
            axes.axvline(steps[0], color=RED, lw=0.8, ls=":")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(axes, "Course of the objective", "step of the local method", "h(X)")
    axes.legend(fontsize=7, frameon=False, loc="best")


def draw_spectrum(axes: Axes, X: Float[np.ndarray, "n r"], space: Space) -> None:
    """Eigenvalues or singular values of the matrix of a factor."""
    s = space.spectrum(X)
    axes.bar(np.arange(1, s.size + 1), s, width=0.6, color=BLUE)
    # A single bar would fill the panel.
    axes.set_xlim(0.4, max(s.size, 4) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    kind = space.spectrum_name
    tidy(axes, f"{kind.capitalize()}s of the matrix", "number", kind)


def draw_matrix(
    figure: Figure,
    axes: Axes,
    X: Float[np.ndarray, "n r"],
    space: Space,
    truth: Float[np.ndarray, "n s"] | None = None,
) -> None:
    """Draw the matrix of a factor entry by entry, or its spectrum where it is too large."""
    name = space.formula
    if X.shape[0] > DRAWN:
        draw_spectrum(axes, X, space)
        return
    M = space.matrix(X)
    complex_ = np.iscomplexobj(M)
    parts = np.abs(M) if complex_ else M
    top = float(np.abs(M).max()) or 1.0
    image = axes.imshow(parts, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
    # So few that names of three digits stay apart where the matrix is narrow.
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.ax.tick_params(labelsize=7)
    title = f"Modulus of the recovered {name}" if complex_ else f"Recovered matrix {name}"
    if truth is not None:
        error = space.distance(X, truth)
        title += f"\n‖{name} − M*‖ = {error:.1e}"
    tidy(axes, title, "column", "row")
    axes.grid(visible=False)


def _fit(axes: Axes, problem: Problem, recovery: Recovery) -> None:
    b = np.asarray(problem.b)
    y = np.asarray(problem.measurements(recovery.x))
    if problem.loss.name == "logistic":
        y = 1 / (1 + np.exp(-y))
    ends = [min(b.min(), y.min()), max(b.max(), y.max())]
    axes.plot(ends, ends, color=GREY, lw=0.8)
    axes.plot(b, y, ".", color=BLUE, markersize=4 if b.size < 500 else 2)
    name = problem.operator.space.formula
    tidy(axes, "Fit of the data", "measured  b", f"fitted  A({name})")
