"""How results show themselves: as a table of HTML, and by the figures, loaded when asked for."""

import importlib
from collections.abc import Sequence
from html import escape
from typing import Any


def figures() -> Any:
    """Return :mod:`liftless.figures`, which imports the results and not the other way round."""
    return importlib.import_module("liftless.figures")


def table_html(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values as a table for a notebook."""
    cells = "".join(
        f"<tr><th style='text-align:right'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table>{cells}</table>"


def drawn(done: Any, path: Any = None) -> Any:
    """Draw a completed table, and save that where there is a path."""
    figure = figures().table_figure(done)
    if path is not None:
        figures().save_figure(figure, path)
    return figure


def told(done: Any) -> list[tuple[str, str]]:
    """Say what a completed table is, in some eight rows."""
    table = done.table
    form = "symmetric" if table.symmetric else "rectangular"
    shape = " × ".join(map(str, table.shape))
    beside = " beside mean and effects" if done.additive else ""
    exact = "none: every entry is fitted"
    rows = [
        ("table", f"{shape}, {form}, {table.y.size} entries"),
        ("rank", f"{done.rank}{beside}"),
        ("noise", exact if done.kind == "exact" else f"σ = {done.sigma:.4g}"),
    ]
    rows += [
        (
            f"rank {one.rank}{', effects' if one.additive else ''}",
            f"held-out error {one.error:.4g} ± {one.spread:.2g}",
        )
        for one in done.tried
    ]
    return [*rows, ("message", done.message)]
