"""The page of a comparison: rows of its tables in, one HTML file with CSV, SVG and PNG beside."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liftless._version import __version__
from liftless.io import atomic_write
from liftless_papers.compare.cells import FAMILIES, Cell
from liftless_papers.compare.completion import completion_table
from liftless_papers.compare.plan import CONTROL, OWN
from liftless_papers.compare.summary import (
    BEST,
    CURRENCIES,
    TIED,
    WORSE,
    against_peers,
    apart,
    cell_records,
    cost_against_n,
    easy_cells,
    map_methods,
    profiles,
    success_map,
    summarise,
)
from liftless_papers.experiments import Figure, Layer, Mark, Panel, Row, table
from liftless_papers.report.completion import completion_figures
from liftless_papers.report.page import drawn, environment, shown_table
from liftless_papers.report.run import write_tables_and_figures
from liftless_papers.report.select import by_table

#: Name of the folder of the files, and of the page's section.
NAME = "compare"
#: Tables that the page shows in its own way; the others are folded below.
SHOWN = ("summary", "against", "completion", "easy", "apart", "skipped")
#: Words of the currencies on an axis.
AXES = {"applications": "mean applications of A or A*", "seconds": "mean seconds"}
#: Class of a standing in the style sheet, and its sign beside the word.
STANDINGS = {BEST: ("holds", "✓"), TIED: ("changed", "="), WORSE: ("plain", "·")}


@dataclass(frozen=True)
class Comparison:
    """What was run, its rows, and what they come to.

    Attributes
    ----------
    command : str
        Command line that repeats it.
    settings : mapping
        ``seed``, ``budget``, ``target``, ``trials`` and what else decides the rows.
    cells : tuple of Cell
    titles : mapping
        Of the methods, by name, in the order of the tables.
    rows : tuple of Row
    skipped : tuple of Row
    """

    command: str
    settings: Mapping[str, Any]
    cells: tuple[Cell, ...]
    titles: Mapping[str, str]
    rows: tuple[Row, ...]
    skipped: tuple[Row, ...]
    tables: dict[str, list[Row]] = field(init=False)

    def __post_init__(self) -> None:
        budget = int(self.settings["budget"])
        summary = summarise(self.rows, self.cells, budget)
        found = {
            "summary": summary,
            "against": against_peers(self.rows, budget),
            "profiles": profiles(self.rows),
            "map": success_map(summary),
            "cost": cost_against_n(summary, self.cells),
            "completion": completion_table(self.rows, self.cells, summary),
            "easy": easy_cells(self.rows),
            "apart": apart(self.rows),
            "skipped": list(self.skipped),
        }
        object.__setattr__(self, "tables", found)

    def record(self) -> dict[str, Any]:
        """Return everything but the rows, as one record for JSON."""
        found = self.tables
        return {
            "settings": dict(self.settings),
            "cells": cell_records(found["summary"], found["against"], found["easy"]),
            "completion": found["completion"],
            "apart": found["apart"],
            "skipped": found["skipped"],
        }


# -- figures --------------------------------------------------------------------------------------


def figures(tables: Mapping[str, list[Row]], trials: int, budget: int) -> tuple[Figure, ...]:
    """Declare the figures that the tables have data for."""
    found = [_profiles(tables["profiles"], budget), *_maps(tables["map"], trials, budget)]
    found.append(_costs(tables["cost"], trials, budget))
    found += completion_figures(tables.get("completion", []), trials)
    return tuple(figure for figure in found if figure is not None)


def _profiles(rows: Sequence[Row], budget: int) -> Figure | None:
    if not rows or len({row["method"] for row in rows}) < 2:
        return None
    panels = tuple(
        Panel(
            f"In {currency}",
            f"{currency} over the least of all methods",
            "share of all instances",
            (
                Layer(
                    "profiles",
                    "tau",
                    "share",
                    label="{group}",
                    group="method",
                    where=(("currency", currency),),
                ),
            ),
            x_scale="log",
            # At least a decade, or the ticks between the powers of ten would be named too.
            x_limits=(0.95, _farthest(rows, currency)),
            y_limits=(-0.02, 1.02),
            legend="outside",
        )
        for currency in CURRENCIES
    )
    caption = (
        f"Performance profiles over the {rows[0]['instances']} identifiable instances that every "
        f"method was run on, budget {budget} applications. A curve's height at τ is the share of "
        "instances solved at no more than τ times the least cost. At τ = 1 stands how often a "
        "method is the cheapest, at the right edge how often it succeeds at all."
    )
    return Figure("profiles", caption, panels, columns=2, height=3.1)


def _farthest(rows: Sequence[Row], currency: str) -> float:
    """Right edge of a profile."""
    return max(12.0, 1.1 * max(row["tau"] for row in rows if row["currency"] == currency))


def _maps(rows: Sequence[Row], trials: int, budget: int) -> Iterable[Figure]:
    for family in ("gaussian", "phase"):
        nodes = [row for row in rows if row["family"] == family]
        if min(len({row[k] for row in nodes}) for k in ("ratio", "n")) < 2:
            continue
        panels = tuple(_map(family, method) for method in map_methods(nodes, family))
        caption = (
            f"Share of successes over the number of measurements and the order, "
            f"{FAMILIES[family]} at rank one, up to {trials} trials a node, budget {budget} "
            "applications. White has no trial. Left the library's own method, right the other "
            "with the highest mean over the nodes."
        )
        yield Figure(f"map-{family}", caption, panels, columns=2, height=2.9)


def _map(family: str, method: str) -> Panel:
    where = (("family", family), ("method", method))
    # Near the limit the nodes lie close: the excess over it, on a log scale, spreads them.
    name = "m / n − 1" if family == "phase" else "m / degrees of freedom − 1"
    return Panel(
        method,
        name,
        "order n",
        (
            Layer(
                "map",
                "excess",
                "n",
                "image",
                "success",
                where=where,
                z="success",
                z_limits=(0.0, 1.0),
            ),
            Layer("map", "excess", "n", "text", where=where, z="text"),
        ),
        x_scale="log",
    )


def _costs(rows: Sequence[Row], trials: int, budget: int) -> Figure | None:
    orders = sorted({row["n"] for row in rows})
    if len(orders) < 2:
        return None
    scale = "log" if orders[-1] > 10 * orders[0] else "linear"
    panels = tuple(
        Panel(
            f"In {currency}",
            "order n",
            AXES[currency],
            (
                Layer(
                    "cost",
                    "n",
                    f"mean_{currency}",
                    label="{group}",
                    group="method",
                    low=f"{currency}_low",
                    high=f"{currency}_high",
                ),
            ),
            marks=(Mark("y", float(budget), "budget"),) if currency == "applications" else (),
            x_scale=scale,
            y_scale="log",
            legend="outside",
        )
        for currency in CURRENCIES
    )
    caption = (
        f"Cost against the order in phase retrieval at m/n = 3, up to {trials} trials a point, "
        "bars are 95 % bootstrap intervals of the mean. A failure counts at the budget of "
        f"{budget} applications, and at the seconds that it took."
    )
    return Figure("cost", caption, panels, columns=2, height=3.1)


# -- page -----------------------------------------------------------------------------------------


def write_comparison(done: Comparison, folder: Path) -> list[str]:
    """Write the page and the files it links to; the folder is made if it is missing.

    Returns
    -------
    list of str
        Names of the files, relative to the folder.
    """
    folder.mkdir(exist_ok=True)
    shown = figures(done.tables, int(done.settings["trials"]), int(done.settings["budget"]))
    rows = [row for name, part in done.tables.items() for row in table(name, part)]
    written = write_tables_and_figures(folder / NAME, shown, rows, {})
    text = page(done, shown, rows)
    with atomic_write(folder / "index.html") as target:
        target.write_text(text, "utf-8")
    return [*(os.path.join(NAME, name) for name in written), "index.html"]


def page(done: Comparison, shown: Sequence[Figure], rows: Sequence[Row]) -> str:
    """Return the page as HTML; it needs no network."""
    folded = [shown_table(name, part) for name, part in by_table(rows).items() if name not in SHOWN]
    part = {"name": NAME, "figures": drawn(NAME, shown, rows, {}), "tables": folded}
    summary = done.tables["summary"]
    return (
        environment()
        .get_template("compare.html")
        .render(
            version=__version__,
            command=done.command,
            settings=done.settings,
            part=part,
            own=OWN,
            control=CONTROL,
            titles=done.titles,
            standings=STANDINGS,
            total={
                "cells": len({row["cell"] for row in done.rows}),
                "methods": len({row["method"] for row in done.rows}),
                "rows": len(done.rows),
                "errors": sum(row["starts"] == 0 and not row["fitted"] for row in done.rows),
            },
            families=_families(summary),
            fixed=[cell.name for cell in done.cells if cell.fixed],
            tables={name: done.tables[name] for name in SHOWN},
            number=number,
            interval=interval,
        )
    )


def _families(summary: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows of the summary by family, then by cell, the winners of a cell first."""
    rank = {BEST: 0, TIED: 1, WORSE: 2, None: 3}
    found: dict[str, dict[str, list[Row]]] = {}
    for row in summary:
        found.setdefault(row["family"], {}).setdefault(row["cell"], []).append(row)
    return [
        {
            "title": FAMILIES[family],
            "name": family,
            "cells": [
                sorted(
                    part,
                    key=lambda r: (rank[r["standing"]], -r["successes"], r["mean_applications"]),
                )
                for part in cells.values()
            ],
        }
        for family, cells in found.items()
    ]


def number(value: float | None) -> str:
    """Return a number with three significant digits, nothing as a dash."""
    if value is None or value != value:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def interval(row: Row, value: str, low: str, high: str) -> str:
    """Return a value of a row with its interval."""
    if row[value] is None or row[value] != row[value]:
        return "–"
    return f"{number(row[value])} [{number(row[low])}, {number(row[high])}]"
