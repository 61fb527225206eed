"""Panels of curves with their spread, for the benchmarks that draw."""

from pathlib import Path
from typing import Any

import numpy as np


def shaded(
    axes: Any, grid: Any, table: Any, name: str, words: str, colour: str, **how: Any
) -> None:
    """Medians of one method over a grid, a row of values a point, and the middle half of them."""
    low, middle, high = np.array([np.quantile(row, [0.25, 0.5, 0.75]) for row in table]).T
    wide = 2.2 if name == "liftless" else 1.2
    axes.plot(grid, middle, color=colour, linewidth=wide, label=words, **how)
    axes.fill_between(grid, low, high, color=colour, alpha=0.12, linewidth=0)


def finished(figure: Any, panels: Any, label: str, path: Path) -> None:
    """Label the first panel's values, name the curves below, and save."""
    panels[0].set_ylabel(label, fontsize=8)
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    figure.savefig(path)
