"""Rows of an outcome, as a figure's layers name them: tables, columns, lines of a group."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless_papers.experiments.base import Row
from liftless_papers.experiments.figures import Layer

#: Column of a row that has the name of its table.
TABLE = "table"


def by_table(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by their table, in the order of their first appearance."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row.get(TABLE, "rows")), []).append(row)
    return found


def heads(rows: Sequence[Row]) -> list[str]:
    """Names of the columns of one table, in the order of their first appearance."""
    return [name for name in dict.fromkeys(k for row in rows for k in row) if name != TABLE]


def select(tables: Mapping[str, list[Row]], layer: Layer) -> list[Row]:
    """Rows of a layer: those of its table that its ``where`` keeps.

    Raises
    ------
    InvalidInput
        No such table or column, or no row left; the message names table and column.
    """
    if layer.table not in tables:
        have = ", ".join(tables) or "none"
        raise InvalidInput(f"table {layer.table!r}", "not in the rows", f"one of: {have}")
    rows = tables[layer.table]
    named = [layer.x, layer.y, layer.z, layer.low, layer.high, layer.group, layer.shade]
    for name in filter(None, [*named, *(column for column, _ in layer.where)]):
        if not any(name in row for row in rows):
            raise InvalidInput(
                f"column {name!r} of table {layer.table!r}",
                "in no row",
                f"one of: {', '.join(heads(rows))}",
            )
    kept = [row for row in rows if all(row.get(k) == value for k, value in layer.where)]
    if not kept:
        where = " and ".join(f"{k} = {value!r}" for k, value in layer.where)
        raise InvalidInput(f"table {layer.table!r}", f"without a row where {where}", "not empty")
    return kept


def groups(rows: Sequence[Row], layer: Layer) -> list[tuple[Any, list[Row]]]:
    """Rows by the value of the layer's ``group`` column; one group without one."""
    if not layer.group:
        return [(None, list(rows))]
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row.get(layer.group), []).append(row)
    return list(found.items())


def numbers(rows: Sequence[Row], column: str, table: str) -> Float[np.ndarray, " k"]:
    """One column as floats; a missing value or None is NaN."""
    values = [row.get(column) for row in rows]
    try:
        return np.array([math.nan if v is None else float(v) for v in values], dtype=np.float64)
    except (TypeError, ValueError):
        bad = next(v for v in values if v is not None and not _is_number(v))
        raise InvalidInput(f"column {column!r} of table {table!r}", repr(bad), "a number") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def text_of(value: Any) -> str:
    """Return a value as it stands in a legend or on a category's tick."""
    return f"{value:g}" if isinstance(value, float) else str(value)
