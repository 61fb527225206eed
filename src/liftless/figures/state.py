"""The picture of one quantum state: ρ as a city, and its eigenvalues over the noise floor."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from liftless.figures.recovery import save_figure
from liftless.figures.style import BLUE, GREY, RED, new_figure, tidy
from liftless.tomography import State

#: Largest order that is drawn as a city; beyond it entries are pixels.
CITY = 16
#: Eigenvalues shown.
SHOWN = 16
#: Height of a tower of nothing, relative to the highest, so that its roof has light.
FLAT = 2e-3


def state_figure(state: State, path: str | Path | None = None) -> Figure:
    """Draw a state, and save it where there is a path.

    Parameters
    ----------
    state : State
    path : path, optional
        PNG, SVG or PDF by suffix.

    Returns
    -------
    matplotlib.figure.Figure
        Real part, imaginary part and spectrum, from left to right.
    """
    rho = state.density
    figure = new_figure(10.2, 3.6)
    city = rho.shape[0] <= CITY
    grid = figure.add_gridspec(1, 3, width_ratios=(1.15, 1.15, 1))
    high = float(np.abs(rho).max())
    for place, (name, part) in enumerate((("Re ρ", np.real(rho)), ("Im ρ", np.imag(rho)))):
        if city:
            axes = figure.add_subplot(grid[place], projection="3d")
            _city(axes, part, high, state.qubits)
        else:
            axes = figure.add_subplot(grid[place])
            drawn = axes.imshow(part, cmap="RdBu_r", vmin=-high, vmax=high, interpolation="nearest")
            axes.set_axis_off()
            if place:
                figure.colorbar(drawn, ax=axes, shrink=0.7).ax.tick_params(labelsize=7)
        axes.set_title(name, fontsize=9, loc="left")
    _spectrum(figure.add_subplot(grid[2]), state)
    if path is not None:
        save_figure(figure, path)
    return figure


def _city(axes: Any, part: Float[np.ndarray, "d d"], high: float, qubits: int) -> None:
    """A tower an entry, all of one scale; red above zero, blue below."""
    d = part.shape[0]
    i, j = (index.ravel() for index in np.indices(part.shape))
    tall = part.ravel()
    colours = ScalarMappable(Normalize(-high, high), "RdBu_r").to_rgba(tall)
    low = np.minimum(tall, 0.0)
    height = np.maximum(np.abs(tall), FLAT * high)
    axes.bar3d(j - 0.4, i - 0.4, low, 0.8, 0.8, height, color=colours, shade=True)
    names = [f"{k:0{qubits}b}" for k in range(d)]
    every = max(1, d // 8)
    for ticks, labels in (
        (axes.set_xticks, axes.set_xticklabels),
        (axes.set_yticks, axes.set_yticklabels),
    ):
        ticks(range(0, d, every))
        labels(names[::every], fontsize=5)
    axes.tick_params(axis="z", labelsize=5)
    axes.set_zlim(min(-0.05 * high, float(part.min())), high)
    axes.view_init(elev=32, azim=-55)


def _spectrum(axes: Axes, state: State) -> None:
    """Eigenvalues as bars; the line is what the misfit alone makes in linear inversion."""
    values = state.spectrum[:SHOWN]
    tidy(axes, "Eigenvalues of ρ", "number", "")
    numbers = np.arange(1, values.size + 1)
    axes.bar(numbers, values, color=BLUE, width=0.7)
    if state.floor > 0:
        axes.axhline(state.floor, color=RED, linewidth=1, linestyle="--")
        axes.annotate(
            "noise floor of linear inversion",
            (values.size + 0.5, state.floor),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color=RED,
        )
    axes.set_xticks(numbers[:: max(1, values.size // 8)])
    axes.set_ylim(0, 1.08 * max(float(values.max()), state.floor))
    text = f"rank {state.rank}, purity {state.purity:.3f}"
    if state.white:
        text += f", white noise {state.white:.1%}"
    axes.text(0.98, 0.95, text, transform=axes.transAxes, ha="right", fontsize=7, color=GREY)
