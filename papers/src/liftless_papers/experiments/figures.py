"""Figures as data: which table and columns, which axes, which caption.  Nothing here draws."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "line", "curve", "points", "bar", "band", "image", "contour", "path", "text", "table"
]


@dataclass(frozen=True)
class Layer:
    """One set of marks in a panel.

    Attributes
    ----------
    table, x, y : str
        Table and columns.  For "bar" x may be a column of names.
    kind : str
        "line"; "curve", a line without markers, for what a formula gives; "points", "bar"; "band"
        between y and z; "image" or "contour" of z over the grid of x and y; "path" (a line in the
        order of the rows, with its start and end marked); "text" (the column z written at x, y);
        "table" (the text z in the cell of the name y of its line and the name x of its column).
    label : str
        In the legend; "" for none.  With ``group`` it may contain "{group}".
    where : tuple of (column, value)
        Keeps the rows whose columns have these values.
    group : str
        One line for every value of this column.
    z : str
        Third column, for the kinds that need one.
    low, high : str
        Columns of error bars, for "points" and "line".
    dashed : bool
    z_limits : tuple
        Ends of the colours of an "image" or a "table"; those of the data where None.
    shade : str
        Column of numbers that colours the cells of a "table".
    """

    table: str
    x: str
    y: str
    kind: Kind = "line"
    label: str = ""
    where: tuple[tuple[str, object], ...] = ()
    group: str = ""
    z: str = ""
    low: str = ""
    high: str = ""
    dashed: bool = False
    z_limits: tuple[float | None, float | None] = (None, None)
    shade: str = ""


@dataclass(frozen=True)
class Mark:
    """A straight line across a panel: at a fixed value, or at one named in the outcome's values."""

    axis: Literal["x", "y"]
    at: float | str
    label: str = ""


@dataclass(frozen=True)
class Panel:
    """One set of axes; scales are "linear", "log" or "symlog"."""

    title: str
    x: str
    y: str
    layers: tuple[Layer, ...]
    marks: tuple[Mark, ...] = ()
    x_scale: str = "linear"
    y_scale: str = "linear"
    x_limits: tuple[float | None, float | None] = (None, None)
    y_limits: tuple[float | None, float | None] = (None, None)
    legend: str = "best"
    equal: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure: panels in rows of ``columns``, and a caption.

    The caption says what was run (instance, seed, steps) and what to see; it may name entries of
    the outcome's values in braces, such as "{seed}" or "{ratio:.3f}".
    """

    name: str
    caption: str
    panels: tuple[Panel, ...]
    columns: int = 3
    height: float = field(default=2.9)


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun, for a caption: "1 draw", "3 draws"."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def spanned(least: int, most: int) -> str:
    """Return a range for a caption: "4 to 8", or "4" where it is one number."""
    return str(least) if least == most else f"{least} to {most}"
