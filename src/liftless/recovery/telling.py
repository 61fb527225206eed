"""What a recovery tells on its way: its history, rows for the callback, and signs of life."""

import math
import time
from collections.abc import Callable

import numpy as np

from liftless.account import Account
from liftless.certificate.units import Units

#: Seconds between two signs of life, and between two rows of the progress inside a start.
SIGN, OFTEN = 2.0, 1.0


class Stopped(Exception):
    """The callback asked for an end."""


class Telling:
    """History of one recovery, and whether it is to go on.

    Parameters
    ----------
    account : Account
    rank : int
        Columns of a factor beyond which a row names them.
    callback : callable, optional
    units : Units, optional
        Of the caller, where the problem is scaled.

    Attributes
    ----------
    events : list of dict
    enough : bool
        Whether the callback asked for an end.
    ending : bool
        Whether the run is at its end: then that wish ends a polish, no more.
    """

    def __init__(
        self,
        account: Account,
        rank: int,
        callback: Callable[[dict], None] | None = None,
        units: Units | None = None,
    ) -> None:
        self.account, self.rank = account, rank
        self.callback, self.units = callback, units
        self.events: list[dict] = []
        self.ending = self.enough = False
        self._told = time.perf_counter()

    def note(
        self,
        event: str,
        objective: float,
        values: np.ndarray | None = None,
        error: float | None = None,
        columns: int | None = None,
    ) -> None:
        """Add a row to the history, and tell the callback."""
        row = self._row(event, objective)
        if columns is not None and columns > self.rank:
            row["columns"] = columns
        if error is not None:
            row["error"] = error
        if values is not None:
            row["values"] = values
        if self.units is not None:
            row = self.units.row(row)
        self.events.append(row)
        self._tell(row)
        if self.enough and not self.ending:
            raise Stopped

    def going(self, row: dict | None = None) -> bool:
        """Whether a long step is to go on; every two seconds a sign of life for the callback.

        A step that is not hands over what it has, which the next row of the history then ends.
        """
        if self._silent(SIGN):
            h = math.nan if row is None else row.get("objective", math.nan)
            h = h if self.units is None else self.units.back(h, h=1)
            told = self._row("working", h)
            if row is not None and "error" in row:
                told["error"] = row["error"]
            self._tell(told)
        return not (self.account.late or self.enough)

    def swept(self, row: dict) -> None:
        """Tell how far belief propagation is, once a second."""
        if self._silent(OFTEN):
            told = self._row(f"{row['event']} after {row['sweeps']} sweeps", math.nan)
            self._tell({**told, "error": row["misfit"]})

    def _row(self, event: str, objective: float) -> dict:
        spent = self.account.applications
        return {"event": event, "objective": float(objective), "applications": spent}

    def _silent(self, seconds: float | int) -> bool:
        """Whether somebody listens who has heard nothing for so long."""
        return self.callback is not None and time.perf_counter() - self._told >= seconds

    def _tell(self, row: dict) -> None:
        self._told = time.perf_counter()
        if self.callback is None:
            return
        try:
            self.callback(row)
        except StopIteration:
            self.enough = True
