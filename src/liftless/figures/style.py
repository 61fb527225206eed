"""One look for every figure: colour-blind safe, readable at column width."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Okabe and Ito's palette, in the order in which it is used.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#666666",
)
#: The two others of the palette that show on white.
SKY, BLACK = "#56B4E9", "#000000"

#: Series are told apart by colour, and by marker and hatch where there is no colour.
COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "++", "ooo", "--")
#: Colour map of images and of families of lines; perceptually uniform and colour-blind safe.
COLOUR_MAP = "viridis"


@dataclass(frozen=True)
class Pen:
    """How one series of a panel is drawn."""

    colour: str
    marker: str
    hatch: str


def pen(number: int) -> Pen:
    """Style of the series of that number in its panel."""
    # The periods differ, so that the 64 first combinations differ.
    shift = number + number // len(COLOURS)
    return Pen(
        COLOURS[number % len(COLOURS)],
        MARKERS[shift % len(MARKERS)],
        HATCHES[number % len(HATCHES)],
    )


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given size in inches, independent of any global state."""
    return Figure(figsize=(width, height), layout="constrained", dpi=160)


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
