"""Cases as MATPOWER's text files, read without MATLAB."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.grid.network import (
    BR_B,
    BR_R,
    BR_STATUS,
    BR_X,
    BS,
    BUS_I,
    BUS_TYPE,
    F_BUS,
    GEN_BUS,
    GEN_STATUS,
    GS,
    ISOLATED,
    PD,
    PG,
    QD,
    QG,
    SHIFT,
    T_BUS,
    TAP,
    VA,
    VM,
    Grid,
    assembled,
    branch_names,
)

#: Columns that each table must have, and those that are used.
NEEDED = {"bus": 9, "gen": 8, "branch": 11}
USED = {
    "bus": (BUS_I, BUS_TYPE, PD, QD, GS, BS, VM, VA),
    "gen": (GEN_BUS, PG, QG, GEN_STATUS),
    "branch": (F_BUS, T_BUS, BR_R, BR_X, BR_B, TAP, SHIFT, BR_STATUS),
}


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
    base = re.search(r"mpc\.baseMVA\s*=\s*(\d+\.?\d*(?:[eE][-+]?\d+)?)\s*[;\n]", text)
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
    if not rows:
        raise InvalidInput(f"mpc.{name}", "without a row", "a table of numbers")
    if table.ndim != 2 or table.shape[1] < NEEDED[name]:
        must = f"{NEEDED[name]} columns and more"
        raise InvalidInput(f"mpc.{name}", f"of shape {table.shape}", must)
    odd = ~np.isfinite(table[:, USED[name]]).all(axis=1)
    if odd.any():
        was = f"without a finite number in row {np.flatnonzero(odd)[0] + 1}"
        raise InvalidInput(f"mpc.{name}", was, "numbers in the columns that are used")
    return table


def _numbers(name: str, table: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """Bus numbers of a table as integers."""
    given = table[:, list(columns)]
    numbers = np.round(given).astype(int)
    if np.any(numbers != given):
        was = f"with bus {given[numbers != given][0]:g}"
        raise InvalidInput(f"mpc.{name}", was, "of buses with whole numbers")
    return numbers


def from_tables(
    bus: np.ndarray, branch: np.ndarray, gen: np.ndarray, base: float, source: str = ""
) -> Grid:
    """Return the grid of MATPOWER's tables; bus numbers are any, isolated buses are left out."""
    known = _numbers("bus", bus, (BUS_I,))[:, 0]
    if np.unique(known).size < known.size:
        raise InvalidInput("mpc.bus", "with a bus twice", "of different buses")
    bus = bus[bus[:, BUS_TYPE] != ISOLATED]
    numbers = bus[:, BUS_I].astype(int)
    place = {int(name): k for k, name in enumerate(numbers)}

    def placed(name: str, table: np.ndarray, columns: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        """Rows of buses that are not isolated, with these numbered from 0; and their names."""
        ends = _numbers(name, table, columns)
        if not np.isin(ends, known).all():
            bad = ends[~np.isin(ends, known)][0]
            raise InvalidInput(f"mpc.{name}", f"with bus {bad}", "of buses that mpc.bus has")
        kept = np.isin(ends, numbers).all(axis=1)
        table, ends = table[kept].astype(float), ends[kept]
        for c, column in enumerate(columns):
            table[:, column] = [place[int(x)] for x in ends[:, c]]
        return table, ends

    lines, ends = placed("branch", branch, (F_BUS, T_BUS))
    if np.any(ends[:, 0] == ends[:, 1]):
        loop = ends[ends[:, 0] == ends[:, 1]][0, 0]
        raise InvalidInput("mpc.branch", f"from bus {loop} to itself", "between two buses")
    units, _ = placed("gen", gen, (GEN_BUS,)) if len(gen) else (gen, None)
    return assembled(
        bus,
        lines,
        units,
        base,
        buses=numbers.astype(str),
        branches=branch_names(ends),
        source=source,
    )
