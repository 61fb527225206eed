"""A completed table as plain arrays: what a picture, a file and a report of it need."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from liftless._errors import InvalidInput
from liftless.tables.completed import CompletedTable

#: Fields of a view that a file has under the same name.
SCALARS = ("kind", "rank", "additive", "sigma", "error", "seed", "message")
#: Fields of a held-out trial, in the order of the columns of ``tried``.
TRIED = ("rank", "additive", "error", "spread")


@dataclass(frozen=True)
class TableView:
    """What is shown of a completed table.

    Attributes
    ----------
    given : array of shape (n1, n2)
        NaN for holes.
    matrix, deviation, effects : arrays of shape (n1, n2)
        Completed entries, NaN where they are open; standard deviation of their error; mean and
        effects of rows and columns.
    rows, cols : arrays of shapes (n1,) and (n2,)
    symmetric, named : bool
        As of the table.
    determined : boolean array of shape (n1, n2)
    tried : array of shape (k, 4)
        Columns :data:`TRIED`.
    kind, rank, additive, sigma, error, seed, message
        As of :class:`liftless.CompletedTable`.
    """

    given: Float[np.ndarray, "n1 n2"] = field(repr=False)
    matrix: Float[np.ndarray, "n1 n2"] = field(repr=False)
    deviation: Float[np.ndarray, "n1 n2"] = field(repr=False)
    effects: Float[np.ndarray, "n1 n2"] = field(repr=False)
    determined: Bool[np.ndarray, "n1 n2"] = field(repr=False)
    rows: Shaped[np.ndarray, " n1"] = field(repr=False)
    cols: Shaped[np.ndarray, " n2"] = field(repr=False)
    symmetric: bool
    named: bool
    tried: Float[np.ndarray, "k 4"] = field(repr=False)
    kind: str
    rank: int
    additive: bool
    sigma: float
    error: float
    seed: int
    message: str

    @classmethod
    def of(cls, done: CompletedTable) -> "TableView":
        """View of a completed table."""
        table = done.table
        matrix = done.matrix
        given = np.full(table.shape, math.nan)
        given[table.i, table.j] = table.y
        if table.symmetric:
            given[table.j, table.i] = table.y
        i, j = np.indices(table.shape)
        at = table.rows[i], table.cols[j]
        tried = [[one.rank, one.additive, one.error, one.spread] for one in done.tried]
        return cls(
            given=given,
            matrix=matrix,
            deviation=done.deviation(*at),
            effects=np.asarray(done.model.effects.at(i, j), float),
            determined=np.asarray(done.determined(*at)),
            rows=table.rows,
            cols=table.cols,
            symmetric=table.symmetric,
            named=table.named,
            tried=np.asarray(tried, float).reshape(-1, len(TRIED)),
            **{name: getattr(done, name) for name in SCALARS},
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> "TableView":
        """View of what :meth:`arrays` has made, as a file hands it back."""
        missing = set(cls.__dataclass_fields__) - set(arrays)
        if missing:
            was = f"without {', '.join(sorted(missing))}"
            raise InvalidInput("result", was, "what 'liftless complete --out' wrote")
        found = {name: np.asarray(arrays[name]) for name in arrays}
        shape = found["matrix"].shape
        flat = {name: found[name].reshape(-1)[0] for name in (*SCALARS, "symmetric", "named")}
        return cls(
            **{name: found[name].astype(float) for name in ("given", "matrix", "deviation")},
            effects=found["effects"].astype(float),
            determined=found["determined"].astype(bool).reshape(shape),
            rows=_names(found["rows"]),
            cols=_names(found["cols"]),
            tried=np.asarray(found["tried"], float).reshape(-1, len(TRIED)),
            symmetric=bool(flat["symmetric"]),
            named=bool(flat["named"]),
            kind=str(flat["kind"]),
            rank=int(flat["rank"]),
            additive=bool(flat["additive"]),
            sigma=float(flat["sigma"]),
            error=float(flat["error"]),
            seed=int(flat["seed"]),
            message=str(flat["message"]),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays, to be written."""
        return {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}


def _names(given: np.ndarray) -> np.ndarray:
    """Identifiers of lines; MATLAB pads words with spaces and keeps numbers in a column."""
    flat = given.reshape(-1)
    return np.char.rstrip(flat) if flat.dtype.kind == "U" else flat
