"""Legends that hide no data: inside the axes where there is room, else below them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection
from matplotlib.figure import Figure as Drawing
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox, ScaledTranslation

from liftless_papers.experiments.figures import Panel

#: More entries than this stand below the axes, whatever room there is.
MOST = 6
#: Values of a panel's ``legend`` that are not places of matplotlib.
NONE, OUTSIDE = ("", "none"), "outside"
_MARKUP = str.maketrans("", "", "$\\{}_^")
#: Corners in which "best" looks for room.
CORNERS = ("upper right", "upper left", "lower left", "lower right", "center right", "center left")


def place_legends(
    drawing: Drawing, spots: Sequence[tuple[Axes, Panel]], width: float
) -> list[float]:
    """Draw the legend of every panel.

    Parameters
    ----------
    drawing : matplotlib.figure.Figure
    spots : sequence of (Axes, Panel)
    width : float
        Width of a panel in inches.

    Returns
    -------
    list of float
        By how many inches each panel should grow for a legend below it.
    """
    lay_out(drawing)
    return [_place(axes, panel, width) for axes, panel in spots]


def lay_out(drawing: Drawing) -> None:
    """Arrange the axes once; a layout is what takes time, and saving would repeat it."""
    engine = drawing.get_layout_engine()
    if engine is not None:
        engine.execute(drawing)


def _place(axes: Axes, panel: Panel, width: float) -> float:
    handles, labels = axes.get_legend_handles_labels()
    if not labels or panel.legend in NONE:
        return 0.0
    if panel.legend != OUTSIDE and len(labels) <= MOST:
        corners = CORNERS if panel.legend == "best" else (panel.legend, *CORNERS)
        if _inside(axes, corners):
            return 0.0
    # Signs of mathematics take no room.
    longest = max(len(label.translate(_MARKUP)) for label in labels)
    columns = max(1, min(len(labels), int(width * 13 / (longest + 5))))
    shift = ScaledTranslation(0, -_room(axes), _drawing(axes).dpi_scale_trans)
    legend = axes.legend(
        handles,
        labels,
        loc="upper center",
        ncols=columns,
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=axes.transAxes + shift,
        **_look(),
    )
    return legend.get_window_extent().height / _drawing(axes).dpi


def _look() -> dict[str, Any]:
    return {
        "fontsize": 7,
        "frameon": True,
        "framealpha": 0.85,
        "edgecolor": "none",
        "borderpad": 0.3,
        "borderaxespad": 0.4,
        "handlelength": 2.2,
        "columnspacing": 1.0,
        "labelspacing": 0.35,
    }


def _inside(axes: Axes, corners: tuple[str, ...]) -> bool:
    """Put the legend into the first corner where it hides nothing, if there is one."""
    shapes = list(_shapes(axes))
    frame = axes.get_window_extent()
    for corner in dict.fromkeys(corners):
        look = _look() | {"loc": corner}
        legend = axes.legend(**look)
        box = legend.get_window_extent()
        fits = box.width < 0.8 * frame.width and box.height < 0.6 * frame.height
        if not fits:
            break
        if not any(_hides(box, shape) for shape in shapes):
            return True
    return False


def _hides(box: Bbox, shape: tuple[Path, bool]) -> bool:
    path, filled = shape
    return bool(path.intersects_bbox(box, filled=filled))


def _shapes(axes: Axes) -> Iterator[tuple[Path, bool]]:
    """Yield everything drawn on the axes, in pixels; True for filled areas."""
    for line in axes.get_lines():
        path = line.get_transform().transform_path(line.get_path())
        points = np.asarray(path.vertices)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) == 0 or not line.get_visible():
            continue
        if line.get_linestyle() == "None":
            yield from ((Path(np.stack([p - 3, p + 3])), False) for p in points)
        else:
            yield path.cleaned(remove_nans=True), False
    for patch in axes.patches:
        if isinstance(patch, Rectangle):
            yield patch.get_transform().transform_path(patch.get_path()), True
    for area in axes.collections:
        yield from _areas(area)
    for note in axes.texts:
        if isinstance(note, Annotation):
            yield Path(note.get_window_extent().corners()[[0, 1, 3, 2, 0]]), True
    for picture in axes.images:
        if isinstance(picture, AxesImage):
            yield Path(picture.get_window_extent().corners()[[0, 1, 3, 2, 0]]), True


def _areas(area: Collection) -> Iterator[tuple[Path, bool]]:
    transform = area.get_transform()
    if isinstance(area, PathCollection):
        spots = area.get_offset_transform().transform(np.asarray(area.get_offsets()))
        yield from ((Path(np.stack([p - 3, p + 3])), False) for p in spots)
        return
    paths = area.get_paths()
    if not paths and area.axes is not None:
        # A mesh has no paths; it covers the axes.
        yield Path(area.axes.get_window_extent().corners()[[0, 1, 3, 2, 0]]), True
    for path in paths:
        yield transform.transform_path(path), bool(len(area.get_facecolor()))


def _room(axes: Axes) -> float:
    """Inches from the bottom of the axes to below their ticks and name."""
    used = axes.xaxis.get_tightbbox()
    bottom = axes.get_window_extent().y0
    return 0.05 if used is None else (bottom - used.y0) / _drawing(axes).dpi + 0.03


def _drawing(axes: Axes) -> Drawing:
    found = axes.get_figure(root=True)
    assert isinstance(found, Drawing)
    return found
