"""One self-contained page of a result, for a person who was not there.

It reads what ``liftless recover`` and ``liftless complete`` have written, and computes nothing.
jinja2 and matplotlib are the extra ``report``.
"""

import importlib
import json
import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput, needing
from liftless._version import __version__
from liftless.io.read import read_arrays
from liftless.io.write import atomic_write
from liftless.pages.words import GLOSSARY, RECOVERED, TABLES
from liftless.space import Hermitian, Rectangular, Space, Symmetric
from liftless.tables.view import TableView

#: Lines that are named at the most, and entries that are told apart from the others.
NAMED, LEAST_SURE = 30, 10


def write_report(result: str | Path, out: str | Path, title: str | None = None) -> dict[str, Any]:
    """Write the page of a result.

    Parameters
    ----------
    result : path
        ``.npz`` or ``.mat`` of ``liftless recover`` or ``liftless complete``.
    out : path
        One HTML file, which refers to no other.
    title : str, optional

    Returns
    -------
    dict
        What is on the page: ``title``, ``kind``, ``lead`` and ``rows``.

    Raises
    ------
    InvalidInput
        For a file that holds no result, or where jinja2 or matplotlib is missing.
    """
    template = _template()
    _, names = read_arrays(result, ())
    arrays, _ = read_arrays(result, names)
    if "given" in arrays:
        page = _of_table(TableView.from_arrays(arrays))
    elif "factor" in arrays and "kind" in arrays:
        page = _of_recovery(arrays)
    else:
        was = f"{str(result)!r}, which holds no result"
        raise InvalidInput("result", was, "what recover or complete wrote with --out")
    page |= {"title": title or Path(result).stem, "version": __version__, "glossary": GLOSSARY}
    with atomic_write(out) as temporary:
        temporary.write_text(template.render(page), encoding="utf-8")
    return {name: page[name] for name in ("title", "kind", "lead", "rows")}


def _template() -> Any:
    with needing("jinja2", "report", "installed for reports"):
        jinja2 = importlib.import_module("jinja2")
    text = files("liftless.pages").joinpath("report.html").read_text(encoding="utf-8")
    made = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return made.from_string(text)


# -- a completed table -----------------------------------------------------------------------------


def _of_table(view: TableView) -> dict[str, Any]:
    from liftless.figures import svg_text, table_figure

    n1, n2 = view.matrix.shape
    holes = np.isnan(view.given)
    open_ = holes & ~view.determined
    rows = [
        ("Size", f"{n1} rows, {n2} columns" + (", symmetric" if view.symmetric else "")),
        ("Entries given", f"{int((~holes).sum())} of {n1 * n2}"),
        ("Filled in", f"{int((holes & view.determined).sum())}"),
        ("Left open by the data", f"{int(open_.sum())}"),
        ("Rank", f"{view.rank}" + (" beside a mean and effects" if view.additive else "")),
        ("Noise of an entry", "none" if view.kind == "exact" else f"σ = {view.sigma:.4g}"),
    ]
    if not math.isnan(view.error):
        rows.append(("Error on entries held out", f"{view.error:.4g}"))
    lead, meaning = TABLES["exact" if view.kind == "exact" else "noise"]
    tried = [
        (f"{int(rank)}", "yes" if additive else "no", f"{error:.4g}", f"± {spread:.2g}")
        for rank, additive, error, spread in view.tried
    ]
    return {
        "kind": view.kind,
        "lead": lead,
        "meaning": meaning,
        "rows": rows,
        "message": view.message,
        "picture": svg_text(table_figure(view)),
        "caption": "Above: the entries that were given; the completed table; how sure each entry "
        "is. Below: the singular values and the rank that was taken; what the fit leaves of the "
        "given entries; the error on entries that the fit was not shown, by rank.",
        "tried": tried,
        "open": _open_lines(view, open_),
        "unsure": _least_sure(view, holes & view.determined),
        "seed": view.seed,
        "repeat": "liftless complete FILE --out result.npz",
    }


def _open_lines(view: TableView, open_: np.ndarray) -> str:
    """Names of the lines of which more than half is open."""
    found = [("row", name) for name in view.rows[open_.mean(axis=1) > 0.5]]
    found += [("column", name) for name in view.cols[open_.mean(axis=0) > 0.5]]
    more = "" if len(found) <= NAMED else f", and {len(found) - NAMED} more"
    return ", ".join(f"{side} {name}" for side, name in found[:NAMED]) + more


def _least_sure(view: TableView, filled: np.ndarray) -> list[tuple[str, str, str]]:
    """Filled entries with the largest deviations, largest first."""
    spread = np.where(filled & np.isfinite(view.deviation), view.deviation, -1.0)
    if view.symmetric:
        spread = np.triu(spread + 2) - 2
    order = np.argsort(-spread, axis=None, kind="stable")[:LEAST_SURE]
    found = [np.unravel_index(k, spread.shape) for k in order]
    return [
        (str(view.rows[i]), str(view.cols[j]), f"{view.matrix[i, j]:.4g} ± {spread[i, j]:.2g}")
        for i, j in found
        if spread[i, j] > 0
    ]


# -- a recovery ------------------------------------------------------------------------------------


def _of_recovery(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    from liftless.figures import stored_figure, svg_text

    field = {name: value.reshape(-1)[0] for name, value in arrays.items() if value.size == 1}
    space, X = _space(arrays, field)
    kind = str(field["kind"])
    lead, meaning = RECOVERED.get(kind, RECOVERED["unfinished"])
    course = json.loads(str(field["course"])) if "course" in field else []
    return {
        "kind": kind,
        "lead": lead,
        "meaning": meaning,
        "rows": _numbers(field, space),
        "message": str(field["message"]),
        "picture": svg_text(stored_figure(X, space, course, kind)),
        "caption": "The least h so far, over the applications of the measurements; the recovered "
        f"matrix; its {space.spectrum_name}s.",
        "tried": [],
        "open": "",
        "unsure": [],
        "seed": int(field["seed"]),
        "repeat": f"liftless recover FILE --rank {int(field['rank'])} --out result.npz",
    }


def _space(arrays: Mapping[str, np.ndarray], field: Mapping[str, Any]) -> tuple[Space, np.ndarray]:
    factor = np.atleast_2d(arrays["factor"])
    if "n1" in field:
        return Rectangular(int(field["n1"]), int(field["n2"])), factor
    if np.iscomplexobj(factor):
        return Hermitian(factor.shape[0]), np.concatenate([np.real(factor), np.imag(factor)])
    return Symmetric(factor.shape[0]), factor


def _numbers(field: Mapping[str, Any], space: Space) -> list[tuple[str, str]]:
    m, rank = (int(field[name]) for name in ("m", "rank"))
    rows = [
        ("Matrix", f"{space.formula}, {space.describe()}"),
        ("Measurements", f"{m}, for {int(field['degrees_of_freedom'])} degrees of freedom"),
        ("Rank", f"{int(field['effective_rank'])} found, {rank} asked for"),
        ("Proved optimal", "yes" if field["certified"] else "no"),
        ("Objective h", f"{float(field['objective']):.6g}"),
        ("Optimum, at least", f"{float(field['lower_bound']):.6g}"),
    ]
    sigma = float(field["sigma"])
    if math.isfinite(sigma) and str(field["kind"]) != "exact":
        rows.append(("Noise that explains the misfit", f"σ = {sigma:.4g}"))
    if "determined" in field:
        told = str(field["determined"])
        rows.append(("Is it the only fit?", "not looked into" if told == "nan" else told))
    rows.append(("Work", f"{int(field['applications'])} applications of the measurements"))
    if "relative_distance" in field:
        rows.append(("Relative distance to the truth", f"{float(field['relative_distance']):.2g}"))
    return rows
