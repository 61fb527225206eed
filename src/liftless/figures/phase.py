"""The picture of one phase retrieval: data, start, image, and how well the readings are fitted."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from liftless.figures.recovery import save_figure
from liftless.figures.style import BLUE, GREY, new_figure, tidy
from liftless.phase import Retrieval
from liftless.phase.result import aligned_to

#: Smallest intensity shown, relative to the largest.
DARK = 1e-6


def retrieval_figure(found: Retrieval, path: str | Path | None = None, truth: Any = None) -> Figure:
    """Draw a retrieval, and save it where there is a path.

    Parameters
    ----------
    found : Retrieval
    path : path, optional
        PNG, SVG or PDF by suffix.
    truth : array of the image's shape, optional
        What is wrong with the image is then drawn in the place of its start.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(7.2, 6.4)
    panels = figure.subplots(2, 2)
    shown = np.log10(np.maximum(found.pattern, DARK * found.pattern.max()))
    title = "First readings, log₁₀, zero frequency in the middle"
    _panel(panels[0, 0], np.fft.fftshift(shown), title)
    if truth is None:
        _panel(panels[0, 1], found.start, "Where the last descent began")
    else:
        wrong = aligned_to(found.image, truth) - np.asarray(truth)
        _panel(panels[0, 1], np.abs(wrong), f"Error, {found.distance(truth):.2g} of the image")
    _panel(panels[1, 0], found.image, f"Image found: {found.kind}")
    _course(panels[1, 1], found)
    if path is not None:
        save_figure(figure, path)
    return figure


def _panel(axes: Axes, image: Num[np.ndarray, "..."], title: str) -> None:
    """Modulus of a complex image, a real one as it is; a line; the middle of three dimensions."""
    if image.ndim == 3:
        image = image[image.shape[0] // 2]
        title += ", middle slice"
    if np.iscomplexobj(image):
        image, title = np.abs(image), f"{title}, modulus"
    if image.ndim == 1:
        tidy(axes, title, "position", "")
        axes.plot(image, color=BLUE, linewidth=1)
        return
    axes.imshow(image, cmap="gray", interpolation="nearest")
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_axis_off()


def _course(axes: Axes, found: Retrieval) -> None:
    """Misfit after every start and descent against the transforms so far."""
    tidy(axes, "Course", "transforms of one mask", "relative misfit")
    rows = [row for row in found.history if row["misfit"] > 0 and np.isfinite(row["misfit"])]
    axes.plot([r["ffts"] for r in rows], [r["misfit"] for r in rows], color=GREY, linewidth=0.8)
    for row in rows:
        axes.plot(row["ffts"], row["misfit"], "o", color=BLUE, markersize=4)
    if rows:
        axes.set_yscale("log")
