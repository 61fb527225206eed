"""One function for every kind of layer; each draws one series of rows on one set of axes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.lines import Line2D

from liftless._errors import InvalidInput
from liftless.figures.style import GREY
from liftless_papers.experiments.base import Row
from liftless_papers.experiments.figures import Layer, Panel
from liftless_papers.report.select import numbers, text_of
from liftless_papers.report.style import ANSWERS, COLOUR_MAP, COLOURS, TABLE_MAP, Pen
from liftless_papers.report.typeset import typeset

Values = Float[np.ndarray, " k"]

#: A line of more points has markers at a few of them only.
MARKED = 25
#: Levels of a contour plot.
LEVELS = 12
#: Nodes along either axis from which on a grid is one of a function.
SMOOTH = 20
#: Start and end of a path.
END_STYLES: dict[str, dict[str, Any]] = {
    "start": {"marker": "o", "markersize": 5.5, "markerfacecolor": "white"},
    "end": {"marker": "*", "markersize": 8.0},
}
#: White edge that keeps text readable on lines and images.
HALO = (patheffects.withStroke(linewidth=2, foreground="white"),)


@dataclass
class Canvas:
    """What the layers of one panel share.

    Attributes
    ----------
    axes : Axes
    panel : Panel
    categories : list or None
        Values of x that are drawn side by side, where x is not an axis of numbers.
    bars : int
        How many series of bars share a category.
    crowd : int
        How many series the panel has.
    drawn_bars : int
        Series of bars so far.
    raised : bool
        Whether the axes were made higher for what reaches to infinity.
    handles : list
        Legend entries that no artist of the axes makes by itself.
    endless : list
        What reaches to infinity; drawn when the limits are known.
    """

    axes: Axes
    panel: Panel
    categories: list[Any] | None = None
    bars: int = 1
    crowd: int = 1
    drawn_bars: int = 0
    raised: bool = False
    handles: list[Line2D] = field(default_factory=list)
    endless: list[Callable[[], None]] = field(default_factory=list)

    def x(self, rows: Sequence[Row], layer: Layer) -> Values:
        """Positions along x; NaN where there is none."""
        if self.categories is not None:
            return np.array([float(self.categories.index(row.get(layer.x))) for row in rows])
        return self.visible(numbers(rows, layer.x, layer.table), self.panel.x_scale)

    def y(self, rows: Sequence[Row], column: str, layer: Layer) -> Values:
        """Heights; NaN where there is none."""
        return self.visible(numbers(rows, column, layer.table), self.panel.y_scale)

    @staticmethod
    def visible(values: Values, scale: str) -> Values:
        """Replace by NaN what has no place on an axis: infinities, and x <= 0 on a log scale."""
        shown = np.isfinite(values) & ((values > 0) if scale == "log" else True)
        return np.where(shown, values, np.nan)


def line(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """Lines; with few points, or beside other lines, with markers."""
    x, y = canvas.x(rows, layer), canvas.y(rows, layer.y, layer)
    few = x.size <= MARKED
    style: dict[str, Any] = {"color": pen.colour, "lw": 1.3, "ls": "--" if layer.dashed else "-"}
    if layer.group and "{group}" not in layer.label:
        # Many runs of one kind: thin, so that their crowd shows its density.
        style |= {"lw": 0.7, "alpha": 0.6}
    elif pen.under:
        # Wide and pale below the lines that would hide it.
        style |= {"lw": 1.3 + 2.0 * min(pen.under, 3), "alpha": 0.45, "solid_capstyle": "round"}
    elif few or canvas.crowd > 1:
        style |= {"marker": pen.marker, "markersize": 3.2 if few else 3.6}
        # Distances on the page, shifted from line to line, keep markers apart on any scale.
        shift = 0.03 * (COLOURS.index(pen.colour) if pen.colour in COLOURS else 0)
        style["markevery"] = 1 if few else (shift, 0.22)
    canvas.axes.plot(x, y, label=label or None, **style)
    _errors(canvas, layer, rows, x, y, pen)


def curve(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """A thin line without markers: what a formula gives, beside what was measured."""
    x, y = canvas.x(rows, layer), canvas.y(rows, layer.y, layer)
    ls = "--" if layer.dashed else "-"
    canvas.axes.plot(x, y, color=pen.colour, lw=1.1, ls=ls, label=label or None, zorder=1.8)


def points(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """Markers, hollow where the layer is ``dashed``."""
    x, y = canvas.x(rows, layer), canvas.y(rows, layer.y, layer)
    canvas.axes.plot(
        x,
        y,
        ls="none",
        marker=pen.marker,
        markersize=4.0 if x.size <= 4 * MARKED else 2.2,
        color=pen.colour,
        markerfacecolor="white" if layer.dashed else pen.colour,
        label=label or None,
    )
    _errors(canvas, layer, rows, x, y, pen)


def _errors(
    canvas: Canvas, layer: Layer, rows: Sequence[Row], x: Values, y: Values, pen: Pen
) -> None:
    """Bars from the column ``low`` to the column ``high``, whose entries are ends, not lengths."""
    if not layer.low and not layer.high:
        return
    low = canvas.y(rows, layer.low, layer) if layer.low else y
    high = canvas.y(rows, layer.high, layer) if layer.high else y
    # Round-off may put an end on the wrong side of the value.
    lengths = np.maximum(np.nan_to_num(np.stack([y - low, high - y])), 0.0)
    canvas.axes.errorbar(x, y, lengths, fmt="none", ecolor=pen.colour, elinewidth=0.9, capsize=2)


def bar(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """Bars; several series stand side by side and differ by hatch as well."""
    x, y = canvas.x(rows, layer), canvas.y(rows, layer.y, layer)
    gaps = np.diff(np.unique(x[np.isfinite(x)]))
    step = 1.0 if canvas.categories is not None or gaps.size == 0 else float(gaps.min())
    width = 0.8 * step / canvas.bars
    x = x + width * (canvas.drawn_bars - (canvas.bars - 1) / 2)
    canvas.drawn_bars += 1
    canvas.axes.bar(
        x,
        np.nan_to_num(y),
        width,
        color=pen.colour,
        hatch=pen.hatch,
        edgecolor="white",
        lw=0.4 if x.size <= 2 * MARKED else 0.0,
        label=label or None,
    )
    _errors(canvas, layer, rows, x, y, pen)


def band(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """Area between the columns y and z; an infinite end is at the edge of the axes."""
    x = canvas.x(rows, layer)
    ends = [numbers(rows, column, layer.table) for column in (layer.y, layer.z)]
    axes, scale = canvas.axes, canvas.panel.y_scale
    # Finite ends count for the limits before the area is drawn.
    for end in ends:
        axes.plot(x, canvas.visible(end, scale), lw=0.8, color=pen.colour, ls=":")

    def fill() -> None:
        """Draw the area once the limits of the axes are known."""
        bottom, top = axes.get_ylim()
        if np.any(np.isposinf(ends)) and canvas.panel.y_limits[1] is None and not canvas.raised:
            # Room that shows that the area goes on.
            top = top * (top / bottom) ** 0.1 if scale == "log" else top + 0.1 * (top - bottom)
            canvas.raised = True
        low, high = (np.clip(end, bottom, top) for end in ends)
        axes.fill_between(x, low, high, color=pen.colour, alpha=0.25, lw=0)
        hatched = {"edgecolor": pen.colour, "hatch": pen.hatch, "lw": 0}
        if pen.hatch:
            # By itself: in SVG a hatched area has no transparent ground.
            axes.fill_between(x, low, high, facecolor="none", alpha=0.5, **hatched)
        if label and np.any(high > low):
            axes.fill_between([], [], [], facecolor=_pale(pen.colour), label=label, **hatched)
        axes.set_ylim(bottom, top)

    canvas.endless.append(fill)


def _pale(colour: str) -> tuple[float, float, float]:
    """Return the colour as it looks on white at the opacity of an area."""
    red, green, blue = to_rgb(colour)
    return 0.75 + red / 4, 0.75 + green / 4, 0.75 + blue / 4


def image(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """Colours of z over the grid of x and y, with a colour bar."""
    del pen
    x, y, z = _grid(rows, layer)
    low, high = layer.z_limits
    # A fine grid samples a function and is drawn smooth; the nodes of a coarse one are cells.
    smooth = min(z.shape) >= SMOOTH and bool(np.isfinite(z).all()) and np.unique(z).size > LEVELS
    answers = set(np.unique(z[np.isfinite(z)])) <= {0.0, 1.0}
    drawn = canvas.axes.pcolormesh(
        x,
        y,
        z,
        cmap=ListedColormap(ANSWERS) if answers else COLOUR_MAP,
        shading="gouraud" if smooth else "nearest",
        rasterized=True,
        vmin=0.0 if answers else low,
        vmax=1.0 if answers else high,
    )
    scale = _colour_bar(canvas, drawn, label or typeset(layer.z))
    if answers:
        scale.set_ticks([0.25, 0.75], labels=["no", "yes"])
        scale.ax.tick_params(length=0)
    canvas.axes.grid(visible=False)


def contour(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """Level lines of z over the grid of x and y, on an image in white."""
    del pen
    x, y, z = _grid(rows, layer)
    low, high, middle = np.nanmin(z), np.nanmax(z), np.nanmedian(z)
    if not high > low:
        return
    # Levels crowd towards the least value where most of the grid is near it.
    steep = (high - low) > 5 * (middle - low)
    parts = np.geomspace(1e-3, 1, LEVELS) if steep else np.linspace(0, 1, LEVELS + 2)[1:-1]
    over = any(other.kind == "image" for other in canvas.panel.layers)
    style: dict[str, Any] = {"colors": "white"} if over else {"cmap": COLOUR_MAP}
    canvas.axes.contour(x, y, z, levels=low + (high - low) * parts, linewidths=0.7, **style)
    if label:
        colour = GREY if not over else "#BBBBBB"
        canvas.handles.append(Line2D([], [], color=colour, lw=0.7, label=label))


def _grid(
    rows: Sequence[Row], layer: Layer
) -> tuple[Float[np.ndarray, " i"], Float[np.ndarray, " j"], Float[np.ndarray, "j i"]]:
    """Grid of a table with one row a node; a node without a row is NaN."""
    if not layer.z:
        raise InvalidInput(f"z of the {layer.kind} of table {layer.table!r}", "empty", "a column")
    columns = [numbers(rows, name, layer.table) for name in (layer.x, layer.y, layer.z)]
    x, i = np.unique(columns[0], return_inverse=True)
    y, j = np.unique(columns[1], return_inverse=True)
    z = np.full((y.size, x.size), math.nan)
    z[j, i] = np.where(np.isfinite(columns[2]), columns[2], np.nan)
    if min(z.shape) < 2 or not np.any(np.isfinite(z)):
        was = f"a grid of {x.size} x {y.size}"
        raise InvalidInput(f"columns {layer.x!r}, {layer.y!r} of table {layer.table!r}", was, "2-D")
    return x, y, z


def path(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """A line in the order of the rows, from a hollow circle to a star."""
    x, y = canvas.x(rows, layer), canvas.y(rows, layer.y, layer)
    ls = "--" if layer.dashed else "-"
    canvas.axes.plot(
        x, y, color=pen.colour, lw=1.2, ls=ls, label=label or None, path_effects=HALO, zorder=3
    )
    shown = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if shown.size == 0:
        return
    for k, style in zip(shown[[0, -1]], END_STYLES.values(), strict=True):
        fill = style.get("markerfacecolor", pen.colour)
        shape = style | {"markerfacecolor": fill, "color": pen.colour, "ls": "none"}
        canvas.axes.plot([x[k]], [y[k]], zorder=4, **shape)
    if not any(handle.get_label() == "start" for handle in canvas.handles):
        for name, style in END_STYLES.items():
            canvas.handles.append(Line2D([], [], color=GREY, ls="none", label=name, **style))


def text(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """Write the column z at (x, y)."""
    del label, pen
    x, y = canvas.x(rows, layer), canvas.y(rows, layer.y, layer)
    for row, at_x, at_y in zip(rows, x, y, strict=True):
        if math.isfinite(at_x) and math.isfinite(at_y) and row.get(layer.z) is not None:
            words = typeset(text_of(row[layer.z]))
            canvas.axes.annotate(
                words,
                (float(at_x), float(at_y)),
                xytext=(3, 3),
                textcoords="offset points",
                fontsize=7,
                path_effects=HALO,
                annotation_clip=True,
                # Above the star in which a path ends.
                zorder=6,
            )
    # Text alone does not stretch the axes.
    canvas.axes.plot(x, y, ls="none", marker=".", markersize=2, color=GREY)


def cells(canvas: Canvas, layer: Layer, rows: Sequence[Row], label: str, pen: Pen) -> None:
    """Text in cells, under the names of its columns and beside those of its lines."""
    del pen
    axes = canvas.axes
    across = list(dict.fromkeys(row.get(layer.x) for row in rows))
    down = list(dict.fromkeys(row.get(layer.y) for row in rows))
    shown = np.full((len(down), len(across)), math.nan)
    shades = numbers(rows, layer.shade, layer.table) if layer.shade else np.full(len(rows), np.nan)
    for row, shade in zip(rows, shades, strict=True):
        shown[down.index(row.get(layer.y)), across.index(row.get(layer.x))] = shade
    low, high = layer.z_limits
    drawn = axes.imshow(shown, cmap=TABLE_MAP, aspect="auto", vmin=low, vmax=high)
    for row, shade in zip(rows, shades, strict=True):
        place = across.index(row.get(layer.x)), down.index(row.get(layer.y))
        words = row.get(layer.z)
        if words is not None:
            # White where the ground is dark.
            dark = math.isfinite(shade) and float(np.asarray(drawn.norm(shade))) > 0.6
            style = {"color": "white" if dark else "black", "fontsize": 7}
            axes.text(*place, typeset(text_of(words)), ha="center", va="center", **style)

    def name() -> None:
        """Names in place of numbers, the columns' on top."""
        long = sum(len(text_of(value)) for value in across) > 40
        turned = {"rotation": 35, "ha": "left", "rotation_mode": "anchor"} if long else {}
        axes.xaxis.tick_top()
        axes.set_xticks(range(len(across)), [typeset(text_of(v)) for v in across], **turned)
        axes.set_yticks(range(len(down)), [typeset(text_of(v)) for v in down])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)

    canvas.endless.append(name)
    if layer.shade and np.isfinite(shown).any():
        _colour_bar(canvas, drawn, label or layer.shade)


def _colour_bar(canvas: Canvas, drawn: Any, label: str) -> Colorbar:
    figure = canvas.axes.get_figure()
    assert figure is not None
    scale = figure.colorbar(drawn, ax=canvas.axes, shrink=0.9, pad=0.02)
    scale.set_label(label, fontsize=8)
    scale.ax.tick_params(labelsize=7)
    return scale


DRAW: dict[str, Callable[[Canvas, Layer, Sequence[Row], str, Pen], None]] = {
    "line": line,
    "curve": curve,
    "points": points,
    "bar": bar,
    "band": band,
    "image": image,
    "contour": contour,
    "path": path,
    "text": text,
    "table": cells,
}
