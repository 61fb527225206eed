"""One look for every figure: colour-blind safe, readable at column width."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Six of Okabe and Ito's palette.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#666666",
)


class Picture(Figure):
    """A figure that a notebook shows, whether or not pyplot is there to do it."""

    def _repr_png_(self) -> bytes:
        target = io.BytesIO()
        self.savefig(target, format="png")
        return target.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given size in inches, independent of any global state."""
    return Picture(figsize=(width, height), layout="constrained", dpi=160)


def tidy(axes: Axes, title: str, x: str, y: str) -> None:
    """Title, axis names, a light grid, no box."""
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(which="both", labelsize=7)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
