"""Figures of experiments, drawn from their rows; nothing is computed here."""

import dataclasses
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from liftless._errors import InvalidInput
from liftless.figures.style import GREY, new_figure, tidy
from liftless_papers.experiments.base import Row
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.report.layers import DRAW, HALO, Canvas
from liftless_papers.report.legend import lay_out, place_legends
from liftless_papers.report.overlap import covered
from liftless_papers.report.select import by_table, groups, select, text_of
from liftless_papers.report.style import COLOUR_MAP, COLOURS, MARKERS, Pen, pen
from liftless_papers.report.typeset import typeset

#: Width of a panel in inches by the number of panels in a row: a column of a page, or the page.
WIDTHS = {1: 4.4, 2: 3.6, 3: 2.75}
#: Most bars whose numbers on the x axis are names rather than positions.
NAMED_BARS = 12

Series = tuple[Layer, Any, Sequence[Row]]


def caption(figure: Figure, values: Mapping[str, Any]) -> str:
    """Caption of a figure with the outcome's values in their places."""
    try:
        return figure.caption.format_map(dict(values))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        must = f"a template of the values {', '.join(sorted(values)) or '(none)'}"
        raise InvalidInput(f"caption of {figure.name!r}", f"not filled ({error})", must) from error


def draw(figure: Figure, rows: Sequence[Row], values: Mapping[str, Any]) -> Drawing:
    """Draw a whole figure: its panels in rows of ``columns``.

    Parameters
    ----------
    figure : Figure
    rows : sequence of Row
        All rows of the outcome.
    values : mapping
        Values of the outcome, which marks may name.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(figure.columns, len(figure.panels))
    lines = math.ceil(len(figure.panels) / columns)
    width = WIDTHS.get(columns, 2.5)
    drawing = new_figure(width * columns, figure.height * lines)
    axes = drawing.subplots(lines, columns, squeeze=False)
    tables = by_table(rows)
    for k, spot in enumerate(axes.flat):
        if k >= len(figure.panels):
            spot.set_visible(False)
            continue
        _panel(spot, figure.panels[k], tables, values, width)
    grown = place_legends(drawing, list(zip(axes.flat, figure.panels, strict=False)), width)
    extra = sum(max(grown[k : k + columns]) for k in range(0, len(grown), columns))
    return _settled(drawing, width * columns, figure.height * lines + extra)


def draw_panel(
    panel: Panel, rows: Sequence[Row], values: Mapping[str, Any], height: float
) -> Drawing:
    """Draw one panel by itself, as wide as a telephone."""
    width = WIDTHS[2]
    drawing = new_figure(width, height)
    axes = drawing.subplots()
    _panel(axes, panel, by_table(rows), values, width)
    (extra,) = place_legends(drawing, [(axes, panel)], width)
    return _settled(drawing, width, height + extra)


def _settled(drawing: Drawing, width: float, height: float) -> Drawing:
    """Return a drawing at its final size, arranged once and for all."""
    drawing.set_size_inches(width, height)
    lay_out(drawing)
    drawing.set_layout_engine("none")
    return drawing


def _panel(
    axes: Axes,
    panel: Panel,
    tables: Mapping[str, list[Row]],
    values: Mapping[str, Any],
    width: float,
) -> None:
    letters = int(13.5 * width)
    y_name = textwrap.fill(panel.y, 34)
    names = textwrap.fill(panel.title, letters), textwrap.fill(panel.x, letters), y_name
    tidy(axes, *map(typeset, names))
    axes.set_xscale(panel.x_scale)
    axes.set_yscale(panel.y_scale)
    series: list[Series] = []
    for layer in panel.layers:
        found = groups(select(tables, layer), layer)
        series += [(layer, value, part) for value, part in found]
    bars = sum(layer.kind == "bar" for layer, _, _ in series)
    canvas = Canvas(axes, panel, _categories(panel, series), max(bars, 1), len(series))
    named: set[tuple[Layer, str]] = set()
    under = covered([(layer, part) for layer, _, part in series], panel)
    pens = [dataclasses.replace(p, under=u) for p, u in zip(_pens(series), under, strict=True)]
    for (layer, value, part), style in zip(series, pens, strict=True):
        label = layer.label.replace("{group}", text_of(value))
        # A group without its name in the label is one entry of the legend.
        shown = "" if (layer, label) in named else typeset(label)
        DRAW[layer.kind](canvas, layer, part, shown, style)
        named.add((layer, label))
    _finish(canvas, values)


def _pens(series: Sequence[Series]) -> list[Pen]:
    """Style of every series; one without a label shares the style of what it belongs to."""
    found: dict[int, Pen] = {}
    shared: dict[tuple[Any, ...], Pen] = {}
    used: dict[Pen, None] = {}
    for labelled in (True, False):
        for k, (layer, value, _) in enumerate(series):
            if bool(layer.label) != labelled or layer.kind in ("image", "text", "table"):
                continue
            partner = (layer.table, layer.where, layer.group, str(value))
            # A group whose label does not tell its members apart has one style.
            group = (k if "{group}" in layer.label or not layer.group else None, layer)
            style = shared.get(group) if labelled else shared.get(partner) or shared.get(group)
            found[k] = style or _family(layer, value, series) or pen(len(used))
            used.setdefault(found[k])
            shared.setdefault(partner, found[k])
            shared.setdefault(group, found[k])
    return [found.get(k, pen(0)) for k in range(len(series))]


def _family(layer: Layer, value: Any, series: Sequence[Series]) -> Pen | None:
    """Style of a member of a large named group: a colour of the map, in order."""
    members = [v for other, v, _ in series if other is layer]
    if "{group}" not in layer.label or len(members) <= len(COLOURS):
        return None
    k = members.index(value)
    colour = to_hex(colormaps[COLOUR_MAP](0.9 * k / (len(members) - 1)))
    return Pen(colour, MARKERS[k % len(MARKERS)], "")


def _categories(panel: Panel, series: Sequence[Series]) -> list[Any] | None:
    """Values of x in the order of their appearance, if they are names; else None."""
    if any(layer.kind == "table" for layer in panel.layers):
        return None
    found = list(dict.fromkeys(row.get(layer.x) for layer, _, part in series for row in part))
    if any(isinstance(value, str) for value in found):
        return found
    bars = all(layer.kind == "bar" for layer in panel.layers)
    numeric = panel.x_scale == "linear" and len(found) <= NAMED_BARS
    return sorted(found, key=lambda v: (v is None, v)) if bars and numeric else None


def _finish(canvas: Canvas, values: Mapping[str, Any]) -> None:
    """Limits, areas that reach to infinity, category names, marks."""
    axes, panel = canvas.axes, canvas.panel
    if canvas.categories is not None:
        names = [typeset(text_of(value)) for value in canvas.categories]
        long = sum(map(len, names)) > 30
        turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        style: dict[str, Any] = turned if long else {}
        if len(names) > NAMED_BARS and max(map(len, names)) <= 4:
            style = {"rotation": 90}
        axes.set_xticks(range(len(names)), names, **style)
        axes.grid(visible=False, axis="x")
    places = [(mark, _place(mark, values)) for mark in panel.marks]
    for mark, at in places:
        if math.isfinite(at):
            rule = axes.axvline if mark.axis == "x" else axes.axhline
            rule(at, color=GREY, lw=0.9, ls=(0, (6, 2, 1, 2)), zorder=1.5)
    axes.set_xlim(*panel.x_limits)
    axes.set_ylim(*panel.y_limits)
    _few_names(axes)
    if panel.equal:
        axes.set_aspect("equal", adjustable="box")
    for fill in canvas.endless:
        fill()
    _mark_names(axes, [(mark, at) for mark, at in places if mark.label and math.isfinite(at)])
    # Handles of the legend that belong to no single artist travel with the axes.
    for handle in canvas.handles:
        axes.add_artist(handle)


def _few_names(axes: Axes) -> None:
    """Name no ticks between the powers of ten, or only a few where there is hardly a power."""
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        if axis.get_scale() != "log" or not 0 < low < high:
            continue
        axis.set_minor_formatter(NullFormatter())
        if math.floor(math.log10(high)) - math.ceil(math.log10(low)) < 1:
            axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            every = LogFormatterSciNotation(minor_thresholds=(math.inf, math.inf))
            axis.set_major_formatter(every)


def _place(mark: Mark, values: Mapping[str, Any]) -> float:
    """Position of a mark; NaN where the outcome has none to show."""
    if not isinstance(mark.at, str):
        return float(mark.at)
    if mark.at not in values:
        have = ", ".join(sorted(values)) or "none"
        raise InvalidInput(f"mark {mark.at!r}", "not among the values", f"one of: {have}")
    value = values[mark.at]
    return math.nan if value is None else float(value)


def _mark_names(axes: Axes, marks: Sequence[tuple[Mark, float]]) -> None:
    """Write the names of the marks along them, those of neighbours at different heights."""
    levels: dict[str, list[tuple[float, int]]] = {"x": [], "y": []}
    for mark, at in marks:
        point = (at, axes.get_ylim()[0]) if mark.axis == "x" else (axes.get_xlim()[0], at)
        place = axes.transAxes.inverted().transform(axes.transData.transform(point))
        along = float(place[0] if mark.axis == "x" else place[1])
        if not 0 <= along <= 1:
            continue
        taken = [level for other, level in levels[mark.axis] if abs(other - along) < 0.12]
        level = next(k for k in range(len(taken) + 1) if k not in taken)
        levels[mark.axis].append((along, level))
        if mark.axis == "x":
            right = along > 0.7
            style: dict[str, Any] = {"ha": "right" if right else "left", "va": "top"}
            spot, shift = (along, 0.98 - 0.1 * level), (-3 if right else 3, 0)
        else:
            style = {"ha": "right", "va": "bottom"}
            spot, shift = (0.99 - 0.3 * level, along), (0, 1)
        axes.annotate(
            typeset(mark.label),
            spot,
            xycoords="axes fraction",
            xytext=shift,
            textcoords="offset points",
            fontsize=7,
            color="#444444",
            path_effects=HALO,
            in_layout=False,
            **style,
        )
