"""The picture of a completed table: what was given, what it became, how sure, and why this rank."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from liftless.figures.style import BLUE, GREY, ORANGE, RED, new_figure, tidy
from liftless.tables.completed import COVER, CompletedTable, normal_quantile
from liftless.tables.view import TableView

#: Largest side of a table that is drawn line by line; of a larger one every so manyth line is.
DRAWN = 300
#: Points of the residuals that are drawn, and singular values.
POINTS, VALUES = 4000, 15
#: How a table is drawn, and the colour of entries that were filled in.
LOOK: dict[str, Any] = {"interpolation": "nearest", "aspect": "auto"}
LIGHT = "#BBD7EA"


def table_figure(done: CompletedTable | TableView) -> Figure:
    """Draw a completed table in six panels.

    Parameters
    ----------
    done : CompletedTable or TableView

    Returns
    -------
    Figure
        Given entries; completed ones; deviation of the error; spectrum and the rank that was
        taken; what the fit leaves of the given entries; error on held-out ones by rank.
    """
    view = done if isinstance(done, TableView) else TableView.of(done)
    figure = new_figure(9.6, 5.6)
    top, bottom = figure.subplots(2, 3)
    _tables(figure, top, view)
    _spectrum(bottom[0], view)
    _residuals(bottom[1], view)
    _held_out(bottom[2], view)
    figure.suptitle(view.message.split(";")[0].rstrip("."), fontsize=9, x=0.01, ha="left")
    return figure


def _tables(figure: Figure, axes: Any, view: TableView) -> None:
    step = [max(1, -(-side // DRAWN)) for side in view.matrix.shape]
    part = slice(None, None, step[0]), slice(None, None, step[1])
    known = view.matrix[np.isfinite(view.matrix)]
    low, high = np.quantile(known, [0.005, 0.995]) if known.size else (0.0, 1.0)
    holes = np.isnan(view.given)
    open_ = holes & ~view.determined
    thinned = "" if max(step) == 1 else f", one line in {step[0]} and {step[1]}"
    values = {"cmap": "viridis", "vmin": low, "vmax": high}
    _image(figure, axes[0], view.given[part], f"Given: {holes.sum()} holes{thinned}", **values)
    told = f": {open_.sum()} undetermined (red)" if open_.any() else ""
    _image(figure, axes[1], view.matrix[part], f"Completed{told}", **values)
    if open_.any():
        shade = np.where(open_, 1.0, np.nan)[part]
        axes[1].imshow(shade, cmap=ListedColormap([RED]), alpha=0.7, **LOOK)
    if view.kind == "exact":
        kinds = np.where(open_, 2.0, holes)[part]
        axes[2].imshow(kinds, cmap=ListedColormap([BLUE, LIGHT, RED]), vmin=0, vmax=2, **LOOK)
        for colour, label in ((BLUE, "given"), (LIGHT, "filled"), (RED, "undetermined")):
            axes[2].plot([], [], "s", color=colour, label=label)
        axes[2].legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        _dress(axes[2], "What is known")
    else:
        spread = np.where(np.isfinite(view.deviation), view.deviation, np.nan)[part]
        _image(figure, axes[2], spread, "Deviation of the error", cmap="cividis", vmin=0.0)


def _image(figure: Figure, axes: Axes, values: np.ndarray, title: str, **more: Any) -> None:
    image = axes.imshow(values, **LOOK, **more)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.ax.tick_params(labelsize=7)
    _dress(axes, title)


def _dress(axes: Axes, title: str) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))
    tidy(axes, title, "column", "row")
    axes.grid(visible=False)


def _spectrum(axes: Axes, view: TableView) -> None:
    beside = np.where(np.isnan(view.given), 0.0, view.given - view.effects)
    share = float(np.mean(~np.isnan(view.given)))
    # Lines that are open as a whole are left out, then those that an open entry is left in.
    fitted = view.matrix - view.effects
    fitted = fitted[np.isnan(fitted).mean(axis=1) < 0.5]
    fitted = fitted[:, ~np.isnan(fitted).any(axis=0)]
    for values, colour, label in (
        (beside / share, GREY, "given, holes as 0"),
        (fitted, BLUE, "completed"),
    ):
        s = np.linalg.svd(values, compute_uv=False)[:VALUES]
        s = s[s > 1e-9 * s.max(initial=0.0)]
        axes.semilogy(np.arange(1, s.size + 1), s, "o-", color=colour, markersize=3, label=label)
    if view.rank:
        axes.axvline(view.rank + 0.5, color=RED, lw=0.8, ls=":", label=f"rank {view.rank}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    name = " beside the effects" if view.additive else ""
    tidy(axes, f"Singular values{name}", "number", "singular value")
    axes.legend(fontsize=7, frameon=False, loc="upper right")


def _residuals(axes: Axes, view: TableView) -> None:
    seen = ~np.isnan(view.given) & ~np.isnan(view.matrix)
    x, y = view.matrix[seen], (view.given - view.matrix)[seen]
    if x.size > POINTS:
        kept = np.random.default_rng(0).choice(x.size, POINTS, replace=False)
        x, y = x[kept], y[kept]
    unit = _unit(y)
    axes.plot(x, y / unit, ".", color=BLUE, markersize=2.5, alpha=0.6)
    axes.axhline(0, color=GREY, lw=0.8)
    if view.sigma > 0:
        wide = normal_quantile(COVER) * view.sigma
        for end in (-wide, wide):
            axes.axhline(end / unit, color=ORANGE, lw=0.8, ls="--")
        axes.plot([], [], color=ORANGE, lw=0.8, ls="--", label=f"{COVER:.0%} of noise σ")
        axes.legend(fontsize=7, frameon=False, loc="best")
    name = "given − completed" + ("" if unit == 1 else f", in {unit:.0e}")
    tidy(axes, "What the fit leaves of the given", "completed", name)


def _unit(y: np.ndarray) -> float:
    """Power of ten to give small residuals in: round-off would crowd the axis with digits."""
    size = float(np.abs(y).max(initial=0.0))
    return 10.0 ** math.floor(math.log10(size)) if 0 < size < 1e-2 else 1.0


def _held_out(axes: Axes, view: TableView) -> None:
    rank, additive, error, spread = view.tried.T
    for flag, colour, label in ((1, BLUE, "with effects"), (0, ORANGE, "without effects")):
        part = np.flatnonzero(additive == flag)
        part = part[np.argsort(rank[part])]
        if part.size:
            axes.errorbar(
                rank[part],
                error[part],
                spread[part],
                fmt="o-",
                color=colour,
                markersize=3,
                lw=1,
                capsize=2,
                label=label,
            )
    if error.size:
        axes.axvline(view.rank, color=RED, lw=0.8, ls=":", label="taken")
        if error.max() > 10 * error.min() > 0:
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize=7, frameon=False, loc="best")
    else:
        why = (
            "nothing was held out:\nthe fit is exact"
            if view.kind == "exact"
            else "nothing was held out"
        )
        axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
    tidy(axes, "Error on entries held out", "rank", "root mean square error")
