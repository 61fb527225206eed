"""How runs and results show themselves: lines, HTML, and figures loaded when asked for."""

import importlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
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


def table_text(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values as lines, the names to the right."""
    return "\n".join(f"{name:>14}: {text}" for name, text in rows)


def drawn(name: str, found: Any, path: Any = None) -> Any:
    """Draw a result by the figure of that name, and save that where there is a path."""
    figure = getattr(figures(), name)(found)
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


def event_line(event: Mapping[str, Any]) -> str:
    """Say in one line what was done, what it came to, and what was spent so far.

    Parameters
    ----------
    event : mapping
        What :func:`liftless.recover`, :func:`liftless.complete` and
        :func:`liftless.phase.retrieve` tell a callback.
    """
    name = event["event"]
    if name == "held out":
        beside = " beside effects" if event["additive"] else ""
        return f"rank {event['rank']}{beside}: held-out error {event['error']:.4g}"
    if "ffts" in event:
        return f"{name}: misfit {event['misfit']:.3g}, {event['ffts']:.0f} transforms"
    if "applications" not in event:
        numbers = [f"{k} {v:.3g}" for k, v in event.items() if isinstance(v, (int, float))]
        return f"{name}: {', '.join(numbers)}"
    spent = f"{event['applications']:.0f} applications"
    if "error" in event:
        return f"{name}: estimated error {event['error']:.2g}, {spent}"
    # Inside a start there may be no h yet.
    h = event.get("objective", math.nan)
    reached = f"h {h:.6g}, " if math.isfinite(h) else ""
    return f"{name}: {reached}{spent}"


def newsworthy(event: Mapping[str, Any]) -> bool:
    """Whether an event is worth a line of a log: a single sweep of a completion is not."""
    return event["event"] == "held out" or "applications" in event or "ffts" in event


def printing(
    callback: Callable[[dict], None] | None, verbose: bool
) -> Callable[[dict], None] | None:
    """Return a callback that also prints a line for each event on standard error."""
    if not verbose:
        return callback

    def told(event: dict) -> None:
        if newsworthy(event):
            sys.stderr.write(event_line(event) + "\n")
        if callback is not None:
            callback(event)

    return told
