"""The picture of one phase retrieval: data, start, image, and how well the readings are fitted."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes

from liftless.figures.recovery import save_figure
from liftless.figures.style import BLUE, GREY, new_figure, tidy
from liftless.phase import Retrieval

#: Smallest intensity shown, relative to the largest.
DARK = 1e-6


def retrieval_figure(
    found: Retrieval, intensities: Any, path: str | Path, masks: Any = None
) -> None:
    """Draw a retrieval and save it.

    Parameters
    ----------
    found : Retrieval
    intensities : array of shape ``(L, *shape)``
        The readings; those of the first mask are shown.
    path : path
        PNG, SVG or PDF by suffix.
    masks : array of shape ``(L, *shape)``, optional
        Where there are none the readings are those of the image itself.
    """
    b = np.asarray(intensities, float)
    first = b[0] if masks is not None or b.ndim > found.image.ndim else b
    figure = new_figure(7.2, 6.4)
    panels = figure.subplots(2, 2)
    title = "Readings of the first mask" if masks is not None else "Readings"
    shown = np.log10(np.maximum(first, DARK * first.max()))
    _panel(panels[0, 0], np.fft.fftshift(shown), f"{title}, log₁₀, zero in the middle")
    _panel(panels[0, 1], found.start, "Where the last descent began")
    _panel(panels[1, 0], found.image, f"Image found: {found.kind}")
    _course(panels[1, 1], found)
    save_figure(figure, path)


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
