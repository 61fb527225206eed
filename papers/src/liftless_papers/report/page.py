"""One self-contained page: all claims with their verdicts, then every experiment's figures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from liftless._version import __version__
from liftless_papers.experiments.base import CHANGED, FAILS, HOLDS, Claim, Row
from liftless_papers.experiments.figures import Figure
from liftless_papers.experiments.papers import OWN, PAPERS
from liftless_papers.report.experiment import caption, draw_panel
from liftless_papers.report.run import VERDICTS, Run, counts, references
from liftless_papers.report.select import by_table, heads
from liftless_papers.report.svg import inline_svg
from liftless_papers.statements import EMPTY, OPEN, Statement, statements, tally

#: Tables up to this size are in the page; larger ones are linked only.
SHOWN_ROWS, SHOWN_COLUMNS = 40, 16
#: Class of a verdict in the style sheet, and its sign beside the word.
BADGES = {
    HOLDS: ("holds", "✓"),
    CHANGED: ("changed", "~"),
    FAILS: ("fails", "✗"),
    EMPTY: ("empty", "∅"),
    OPEN: ("open", "?"),
}


@dataclass(frozen=True)
class Section:
    """What the page has of one run; drawn once, however often the page is written."""

    name: str
    title: str
    paper: str
    command: str
    about: str
    counts: dict[str, int]
    claims: tuple[Claim, ...]
    against: tuple[str, ...]
    figures: tuple[dict[str, Any], ...]
    tables: tuple[dict[str, Any], ...]


def section(run: Run) -> Section:
    """Draw the figures of a run and gather the rest of its section."""
    paper = PAPERS.get(run.experiment.paper)
    return Section(
        name=run.name,
        title=run.experiment.title,
        paper="" if paper is None else paper.text,
        command=run.command,
        about=f"size {run.size}, seed {run.seed}, {run.seconds:.1f} s",
        counts=counts(run.outcome.claims),
        claims=tuple(run.outcome.claims),
        against=tuple(run.against),
        figures=drawn(run.name, run.experiment.figures, run.outcome.rows, run.outcome.values),
        tables=tuple(shown_table(name, rows) for name, rows in by_table(run.outcome.rows).items()),
    )


def drawn(
    name: str, figures: Sequence[Figure], rows: Sequence[Row], values: Mapping[str, Any]
) -> tuple[dict[str, Any], ...]:
    """Draw figures for a page's section of that name: each with its caption and panels."""
    found = []
    for number, figure in enumerate(figures):
        panels = []
        for k, panel in enumerate(figure.panels):
            drawing = draw_panel(panel, rows, values, figure.height)
            # Made by us from numbers and escaped labels: safe as it is.
            panels.append(Markup(inline_svg(drawing, f"{name}-{number}-{k}")))
        found.append({"name": figure.name, "caption": caption(figure, values), "panels": panels})
    return tuple(found)


def shown_table(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Gather one table for a page; its cells only while it is small."""
    columns = heads(rows)
    small = len(rows) <= SHOWN_ROWS and len(columns) <= SHOWN_COLUMNS
    cells = [[show(row.get(column)) for column in columns] for row in rows] if small else []
    return {"name": name, "columns": columns, "count": len(rows), "cells": cells}


def page(sections: Sequence[Section], failed: Sequence[tuple[str, str]] = ()) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    sections : sequence of Section
        In the order of the experiments.
    failed : sequence of (name, message)
        Experiments that ended with an error.

    Returns
    -------
    str
        Needs no network; its only links lead to the CSV, SVG and PNG files beside it.
    """
    claims = [(claim, part) for part in sections for claim in part.claims]
    claims.sort(key=lambda pair: (pair[0].reference, VERDICTS.index(pair[0].verdict)))
    judged = statements()
    papers = list(dict.fromkeys(part.paper for part in sections if part.paper))
    return (
        environment()
        .get_template("page.html")
        .render(
            version=__version__,
            sections=sections,
            judged=[
                *((paper.text, _of_paper(judged, key)) for key, paper in PAPERS.items()),
                ("Beyond the papers (docs/escapes.md)", _of_paper(judged, OWN)),
            ],
            judgements=tally(judged),
            shown={part.name for part in sections},
            against=[line for part in sections for line in part.against],
            claims=claims,
            total=counts(claim for claim, _ in claims),
            met=references(claim for claim, _ in claims),
            badges=BADGES,
            papers=papers,
            failed=failed,
        )
    )


def _of_paper(judged: Sequence[Statement], key: str) -> list[Statement]:
    return [one for one in judged if one.paper == key]


def environment() -> Environment:
    """Templates of the pages, with everything escaped."""
    found = Environment(
        loader=PackageLoader("liftless_papers", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"show": show}
    return found


def show(value: Any) -> str:
    """Return a number with up to six digits, a truth as a word, nothing as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        return f"{value:.6g}".replace("-", "−")
    if isinstance(value, int):
        return str(value).replace("-", "−")
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value)
    return str(value)
