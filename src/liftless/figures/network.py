"""Pictures of networks: points with their distances, buses with their branches."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from liftless.figures.style import BLUE, GREY, ORANGE, RED, new_figure, tidy

if TYPE_CHECKING:
    from liftless.distances import Location
    from liftless.grid import Estimate

#: Points up to which each has its name beside it.
NAMED = 40


def location_figure(found: "Location") -> Figure:
    """Draw places and distances: what is determined, what is not; and the residuals.

    Parameters
    ----------
    found : Location
        Its first two coordinates are drawn.
    """
    figure = new_figure(7.6, 4.2)
    axes, side = figure.subplots(1, 2, width_ratios=[2.2, 1])
    X = np.pad(found.points, ((0, 0), (0, max(0, 2 - found.points.shape[1]))))[:, :2]
    tidy(axes, f"{found.kind}: {int(found.determined.sum())} of {len(X)} places determined", "", "")
    axes.set_aspect("equal", adjustable="datalim")
    axes.add_collection(LineCollection(_lines(X, found.pairs), colors="#CCCCCC", linewidths=0.6))
    other = ~found.determined & ~found.flexible
    anchors = np.isin(np.arange(len(X)), found.anchors)
    for which, colour, marker, label in (
        (found.determined & ~anchors, BLUE, "o", "determined"),
        (anchors, "black", "s", "anchor"),
        (other, ORANGE, "^", "has another place"),
        (found.flexible, RED, "x", "can move"),
    ):
        if which.any():
            axes.scatter(*X[which].T, s=14, color=colour, marker=marker, label=label, zorder=3)
    if len(X) <= NAMED:
        for name, place in zip(found.names, X, strict=True):
            axes.annotate(str(name), place, xytext=(3, 3), textcoords="offset points", fontsize=6)
    axes.legend(fontsize=7, frameon=False, loc="best")
    tidy(side, "Residuals of the distances", "(fit − d)/std", "distances")
    side.hist(found.residuals, bins=min(30, max(5, len(found.pairs) // 8)), color=BLUE)
    side.axvline(0.0, color=GREY, linewidth=0.8)
    return figure


def _lines(X: Float[np.ndarray, "n 2"], pairs: Int[np.ndarray, "m 2"]) -> list[np.ndarray]:
    return [X[[a, b]] for a, b in pairs]


def grid_figure(found: "Estimate") -> Figure:
    """Draw a network, its buses by their errors and its branches by their worst residual.

    Parameters
    ----------
    found : Estimate
        Without coordinates the buses are laid out by the two slowest modes of the network.
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
    axes.grid(visible=False)
    axes.margins(0.08)
    axes.autoscale_view()
    if grid.n <= NAMED:
        for name, place in zip(grid.buses, X, strict=True):
            axes.annotate(str(name), place, xytext=(4, 4), textcoords="offset points", fontsize=7)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False)
    tidy(side, f"σ of the angles at {grid.n} buses", "bus, by σ", "degrees")
    spread = np.sort(found.sigma_va[np.isfinite(found.sigma_va)])
    side.plot(spread, color=BLUE, linewidth=1.2)
    return figure


def _worst(found: "Estimate") -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " l"]]:
    """Largest normalised residual at each bus and branch; NaN where nothing is read."""
    readings, places = found.readings, found.readings.places(found.grid)
    bus, branch = (np.full(k, np.nan) for k in (found.grid.n, found.grid.branches.size))
    for k, (place, which) in enumerate(zip(places, readings.side, strict=True)):
        out = branch if which else bus
        out[place] = np.fmax(out[place], found.normalised[k])
    return bus, branch


def _layout(found: "Estimate") -> Float[np.ndarray, "n 2"]:
    """Places of the buses: the stress of path lengths made small from the slowest modes."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    grid = found.grid
    one = np.ones(len(grid.ends))
    graph = csr_array((one, (grid.ends[:, 0], grid.ends[:, 1])), shape=(grid.n, grid.n))
    paths = np.asarray(dijkstra(graph, directed=False, unweighted=True))
    paths[~np.isfinite(paths)] = 2 * paths[np.isfinite(paths)].max()
    B = -0.5 * paths**2
    B = B - B.mean(axis=0) - B.mean(axis=1)[:, None] + B.mean()
    values, vectors = np.linalg.eigh(B)
    return vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0.0))
