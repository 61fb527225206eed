"""Cases as MATPOWER's text files, read without MATLAB."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.grid.network import (
    BUS_I,
    BUS_TYPE,
    F_BUS,
    GEN_BUS,
    ISOLATED,
    T_BUS,
    Grid,
    assembled,
    branch_names,
)

#: Columns that each table must have.
NEEDED = {"bus": 9, "gen": 8, "branch": 11}


def from_matpower(path: Any) -> Grid:
    """Read a network from a MATPOWER case, ``.m`` (version 2).

    Parameters
    ----------
    path : path

    Returns
    -------
    Grid
        Buses by their numbers, branches as ``"f-t"``; what is out of service is left out.

    Raises
    ------
    InvalidInput
        For a file that is no case, or one that computes its numbers: such statements of MATLAB are
        not run.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidInput("path", f"{str(path)!r}, which is missing", "an existing file")
    try:
        text = file.read_text(encoding="latin-1")
    except OSError as error:
        raise InvalidInput("path", f"{str(path)!r} ({error})", "a readable file") from error
    text = _bare(text)
    tables = {name: _table(path, text, name) for name in NEEDED}
    base = re.search(r"mpc\.baseMVA\s*=\s*([-+.\deE]+)\s*;", text)
    if base is None or float(base[1]) <= 0:
        raise InvalidInput("path", f"{str(path)!r} without mpc.baseMVA > 0", "a MATPOWER case")
    return from_tables(tables["bus"], tables["branch"], tables["gen"], float(base[1]), file.name)


def _bare(text: str) -> str:
    """Text without comments and line continuations."""
    text = re.sub(r"^\s*%\{.*?^\s*%\}", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"%[^\n]*", "", text)
    return re.sub(r"\.\.\.[^\n]*\n", " ", text)


def _table(path: Any, text: str, name: str) -> np.ndarray:
    found = re.findall(rf"mpc\.{name}\s*=\s*\[(.*?)\]", text, flags=re.DOTALL)
    if not found:
        raise InvalidInput(
            "path", f"{str(path)!r} without mpc.{name}", "a MATPOWER case, version 2"
        )
    if re.search(rf"mpc\.{name}\s*\(", text):
        cure = "Save the case with savecase and read that."
        raise InvalidInput("path", f"{str(path)!r}, which computes mpc.{name}", "numbers", cure)
    rows = [r for r in re.split(r"[;\n]", found[-1]) if r.strip()]
    try:
        lines = [[float(cell) for cell in re.split(r"[,\s]+", row.strip()) if cell] for row in rows]
        table = np.array(lines, float)
    except ValueError:
        was = f"{str(path)!r} with something else than even rows of numbers in mpc.{name}"
        raise InvalidInput("path", was, "a MATPOWER case") from None
    if not rows and name == "gen":
        return np.zeros((0, NEEDED[name]))
    if table.ndim != 2 or table.shape[1] < NEEDED[name]:
        must = f"{NEEDED[name]} columns and more"
        raise InvalidInput(f"mpc.{name}", f"of shape {table.shape}", must)
    return table


def from_tables(
    bus: np.ndarray, branch: np.ndarray, gen: np.ndarray, base: float, source: str = ""
) -> Grid:
    """Return the grid of MATPOWER's tables; bus numbers are any, isolated buses are left out."""
    bus = bus[bus[:, BUS_TYPE] != ISOLATED]
    numbers = bus[:, BUS_I].astype(int)
    if np.unique(numbers).size < numbers.size:
        raise InvalidInput("mpc.bus", "with a bus twice", "of different buses")
    place = {int(name): k for k, name in enumerate(numbers)}

    def placed(table: np.ndarray, columns: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Rows whose buses all exist, with these numbered from 0; and their names."""
        known = np.array([all(int(x) in place for x in row[list(columns)]) for row in table], bool)
        kept = table[known].astype(float)
        ends = kept[:, list(columns)].astype(int)
        for c, column in enumerate(columns):
            kept[:, column] = [place[int(x)] for x in ends[:, c]]
        return kept, ends

    lines, ends = placed(branch, (F_BUS, T_BUS))
    units, _ = placed(gen, (GEN_BUS,)) if len(gen) else (gen, None)
    return assembled(
        bus,
        lines,
        units,
        base,
        buses=numbers.astype(str),
        branches=branch_names(ends),
        source=source,
    )
