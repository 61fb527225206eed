"""Pictures of networks: points with their distances, buses with their branches."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from liftless.figures.style import BLUE, GREY, ORANGE, RED, new_figure, tidy
from liftless.linalg import classical_scaling

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from liftless.distances import Location
    from liftless.grid import Estimate, Grid

#: Points up to which each has its name beside it, and readings taken out that are named.
NAMED, SUSPECTS = 40, 4
#: Distances beyond which they are drawn finer.
MANY = 800
#: Rounds of the layout.
ROUNDS = 60


def location_figure(found: "Location") -> Figure:
    """Draw places and distances: what is determined, what is not; and the residuals.

    Parameters
    ----------
    found : Location
        Places in space are drawn from two sides, of more dimensions by their first three.
    """
    n, dim = found.points.shape
    views = [(0, 1)] if dim < 3 else [(0, 1), (0, 2)]
    figure = new_figure(7.6 if dim < 3 else 9.6, 4.2)
    *drawn, side = figure.subplots(1, len(views) + 1, width_ratios=[2.2] * len(views) + [1.2])
    X = np.pad(found.points, ((0, 0), (0, max(0, 2 - dim))))
    for axes, (a, b) in zip(drawn, views, strict=True):
        tidy(axes, "", "" if dim < 3 else f"axis {a + 1}", "" if dim < 3 else f"axis {b + 1}")
        _seen(axes, found, X, [a, b])
    title = f"{found.kind}: {int(found.determined.sum())} of {n} places determined"
    drawn[0].set_title(title, fontsize=9, loc="left")
    drawn[0].legend(fontsize=7, frameon=False, loc="best")
    tidy(side, "Residuals of the distances", "(fit − d)/std", "distances")
    side.hist(found.residuals, bins=min(30, max(5, len(found.pairs) // 8)), color=BLUE)
    side.axvline(0.0, color=GREY, linewidth=0.8)
    return figure


def _seen(
    axes: "Axes", found: "Location", X: Float[np.ndarray, "n dim"], columns: list[int]
) -> None:
    """Draw two coordinates of the places; of many the lines and marks are the finer."""
    X = X[:, columns]
    n, lines = len(X), _lines(X, found.pairs)
    width = 0.6 if len(lines) <= MANY else 0.25
    axes.set_aspect("equal", adjustable="datalim")
    axes.add_collection(LineCollection(lines, colors="#CCCCCC", linewidths=width))
    other = ~found.determined & ~found.flexible
    anchors = np.isin(np.arange(n), found.anchors)
    size = 14 if len(lines) <= MANY else 7
    for which, colour, marker, label in (
        (found.determined & ~anchors, BLUE, "o", "determined"),
        (anchors, "black", "s", "anchor"),
        (other, ORANGE, "^", "has another place"),
        (found.flexible, RED, "x", "can move"),
    ):
        if which.any():
            axes.scatter(*X[which].T, s=size, color=colour, marker=marker, label=label, zorder=3)
    label = "and a rival fit's place"
    for one in found.rivals:
        there = np.pad(one.places, ((0, 0), (0, max(0, 2 - one.places.shape[1]))))[:, columns]
        ways = np.stack([X[one.points], there], axis=1)
        axes.add_collection(LineCollection(list(ways), colors=BLUE, linewidths=0.6, linestyles=":"))
        ring = {"facecolors": "none", "edgecolors": BLUE, "linewidths": 0.8, "label": label}
        axes.scatter(*there.T, s=size, zorder=3, **ring)
        label = "_again"
    if n <= NAMED:
        for name, place in zip(found.names, X, strict=True):
            axes.annotate(str(name), place, xytext=(3, 3), textcoords="offset points", fontsize=6)


def _lines(X: Float[np.ndarray, "n 2"], pairs: Int[np.ndarray, "m 2"]) -> list[np.ndarray]:
    return [X[[a, b]] for a, b in pairs]


def grid_figure(found: "Estimate") -> Figure:
    """Draw a network, its buses and branches by their worst residual, and what was taken out.

    Parameters
    ----------
    found : Estimate
        Without coordinates the buses are laid out by path lengths.
    """
    figure = new_figure(7.6, 4.2)
    axes, side = figure.subplots(1, 2, width_ratios=[2.2, 1])
    grid = found.grid
    X = grid.places if grid.places is not None else _layout(found)
    worst_bus, worst_branch = _worst(found)
    shades = colormaps["viridis_r"]
    most = max(4.0, float(np.nanmax(np.r_[worst_bus, worst_branch, 0.0])))
    scale = Normalize(0.0, most)
    colours = [GREY if np.isnan(x) else shades(scale(x)) for x in worst_branch]
    widths = [0.5 if np.isnan(x) else 1.4 for x in worst_branch]
    axes.add_collection(LineCollection(_lines(X, grid.ends), colors=colours, linewidths=widths))
    seen, read = found.observable, ~np.isnan(worst_bus)
    if (seen & ~read).any():
        axes.scatter(*X[seen & ~read].T, s=8, color=GREY, label="not read", zorder=3)
    dots = axes.scatter(
        *X[seen & read].T, s=18, c=worst_bus[seen & read], cmap=shades, norm=scale, zorder=3
    )
    if (~seen).any():
        axes.scatter(*X[~seen].T, s=22, color=RED, marker="x", label="not observable")
    bar = figure.colorbar(dots, ax=axes, shrink=0.7)
    bar.set_label("normalised residual", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    tidy(axes, f"{found.kind}: worst normalised residual of each bus and branch", "", "")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.margins(0.08)
    axes.autoscale_view()
    if grid.n <= NAMED:
        for name, place in zip(grid.buses, X, strict=True):
            axes.annotate(str(name), place, xytext=(4, 4), textcoords="offset points", fontsize=7)
    _suspects(axes, found, X)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False)
    tidy(side, f"σ of the angles at {grid.n} buses", "bus, by σ", "degrees")
    spread = np.sort(found.sigma_va[np.isfinite(found.sigma_va)])
    side.plot(spread, color=BLUE, linewidth=1.2)
    return figure


def _suspects(axes: "Axes", found: "Estimate", X: Float[np.ndarray, "n 2"]) -> None:
    """Mark readings that were taken out; name them, or the worst one where noise is not all."""
    grid, label = found.grid, "taken out"
    named = [(one.name, one.element, one.side) for one in found.gross[:SUSPECTS]]
    for one in found.gross:
        at = _place(grid, one.element, one.side, X)
        axes.plot(*at.T, "o-", color=RED, linewidth=2.4, markersize=4, zorder=4, label=label)
        label = "_again"
    if found.kind == "stationary" and not named and np.isfinite(found.normalised).any():
        k, of = int(np.nanargmax(found.normalised)), found.readings
        named = [(of.name(k), str(of.element[k]), str(of.side[k]))]
    for name, element, side in named:
        middle = _place(grid, element, side, X).mean(axis=0)
        axes.annotate(
            name,
            middle,
            xytext=(6, 8),
            textcoords="offset points",
            fontsize=7,
            color=RED,
            zorder=5,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
        )


def _place(
    grid: "Grid", element: str, side: str, X: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "k 2"]:
    """Place of the bus or ends of the branch that a reading is of."""
    return X[grid.ends[grid.branch(element)]] if side else X[[grid.bus(element)]]


def _worst(found: "Estimate") -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " l"]]:
    """Largest normalised residual at each bus and branch; NaN where nothing is read."""
    readings, places = found.readings, found.readings.places(found.grid)
    bus, branch = (np.full(k, np.nan) for k in (found.grid.n, found.grid.branches.size))
    for k, (place, which) in enumerate(zip(places, readings.side, strict=True)):
        out = branch if which else bus
        out[place] = np.fmax(out[place], found.normalised[k])
    return bus, branch


def _layout(found: "Estimate") -> Float[np.ndarray, "n 2"]:
    """Places of the buses whose distances are the path lengths, as well as they can be.

    Σ (‖x_i − x_j‖/d_ij − 1)² made small by majorisation (Gansner, Koren and North, Graph Drawing
    2004) from the slowest modes, which lay much of a large network in one place.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial.distance import pdist, squareform

    grid = found.grid
    one = np.ones(len(grid.ends))
    graph = csr_array((one, (grid.ends[:, 0], grid.ends[:, 1])), shape=(grid.n, grid.n))
    paths = np.asarray(dijkstra(graph, directed=False, unweighted=True))
    paths[~np.isfinite(paths)] = 2 * paths[np.isfinite(paths)].max(initial=0.5)
    X = classical_scaling(paths, 2)
    W = np.where(paths > 0, 1 / np.where(paths > 0, paths, 1.0) ** 2, 0.0)
    # Its null vector, all ones, is fixed: places are about their mean.
    inverse = np.linalg.inv(np.diag(W.sum(axis=1)) - W + 1.0 / grid.n)
    for _ in range(ROUNDS):
        now = np.maximum(squareform(pdist(X)), 1e-9)
        pull = -W * paths / now
        np.fill_diagonal(pull, 0.0)
        np.fill_diagonal(pull, -pull.sum(axis=1))
        X = inverse @ (pull @ X)
    return X
