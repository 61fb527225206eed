"""What an experiment is: it computes rows and judges claims; it draws nothing.

An experiment is one module with one subclass of :class:`Experiment` and one registration line in
:mod:`liftless_papers.experiments`.  Its figures are declared as data
(:mod:`liftless_papers.experiments.figures`) that name tables and columns of the rows; the report
reads them.
"""

import abc
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from liftless_papers.experiments.figures import Figure

Size = Literal["smoke", "paper"]
SIZES: tuple[Size, ...] = ("smoke", "paper")

#: The three verdicts on a claim of a paper.
HOLDS, CHANGED, FAILS = "holds", "holds with change", "fails"

#: Ends the place of a number that an independent computation gave.
REFERENCE = "(reference)"

#: A row of numbers and short strings; the column "table" names the table it belongs to.
Row = dict[str, Any]
#: Runs a function of one argument for many, and hands over each result as soon as it is there.
Sweep = Callable[[Callable[[Any], Any], Sequence[Any], Callable[[Any], None]], Any]


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, judged.

    Attributes
    ----------
    where : str
        Place in the paper, such as "Prop. 5.3" or "Table 5, l = 5".
    text : str
        What the paper claims, in a sentence of our own.
    verdict : str
        "holds", "holds with change" or "fails".
    measured, expected : float, bool, str or None
        What was computed here, and what the claim says it should be.
    tolerance : float or None
        Allowed deviation where both are numbers.
    note : str
        The change that makes it hold, or the counterexample.
    """

    where: str
    text: str
    verdict: str
    measured: Any
    expected: Any
    tolerance: float | None = None
    note: str = ""

    @property
    def reference(self) -> bool:
        """Whether it is the number of an independent computation, and no claim of a paper."""
        return self.where.endswith(REFERENCE)


def number_claim(
    where: str,
    text: str,
    measured: float,
    expected: float,
    tolerance: float,
    *,
    relative: bool = False,
    note: str = "",
) -> Claim:
    """Judge a printed number: it holds iff ``measured`` is within ``tolerance`` of it."""
    scale = abs(expected) if relative else 1.0
    good = math.isfinite(measured) and abs(measured - expected) <= tolerance * scale
    verdict = HOLDS if good else FAILS
    return Claim(where, text, verdict, float(measured), float(expected), tolerance, note)


def truth_claim(
    where: str,
    text: str,
    holds: bool,
    *,
    changed: bool | None = None,
    measured: Any = None,
    expected: Any = None,
    tolerance: float | None = None,
    note: str = "",
) -> Claim:
    """Judge a statement.

    Parameters
    ----------
    where, text, note : str
        See :class:`Claim`.
    holds : bool
        Whether the statement held as printed, as computed here.
    changed : bool, optional
        Whether it held with the change that ``note`` names, as computed here.
    measured, expected, tolerance
        Evidence; ``measured`` defaults to ``holds`` and ``expected`` to True.
    """
    verdict = HOLDS if holds else (CHANGED if changed else FAILS)
    return Claim(
        where,
        text,
        verdict,
        bool(holds) if measured is None else measured,
        True if expected is None else expected,
        tolerance,
        note,
    )


def all_cases(cases: Iterable[bool]) -> bool:
    """As ``all``, of at least one case: what holds of none is no evidence.

    Raises
    ------
    ValueError
        If there is no case.
    """
    found = list(cases)
    if not found:
        raise ValueError("a claim about every case has no case; it would hold of nothing")
    return all(found)


@dataclass(frozen=True)
class Outcome:
    """What a run hands over: rows, claims, and values that captions name."""

    rows: list[Row]
    claims: list[Claim]
    values: Mapping[str, Any]


class Experiment(abc.ABC):
    """One figure or table of a paper.  A subclass is final and has no state.

    Class attributes
    ----------------
    name : str
        As on the command line, such as "sod-fig8".
    paper : str
        Key of the paper, such as "sod".
    title : str
        One line.
    figures : tuple of Figure
        Declared in terms of the rows.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = "sod"
    title: ClassVar[str]
    figures: ClassVar[tuple[Figure, ...]] = ()

    @abc.abstractmethod
    def run(self, size: Size, seed: int) -> Outcome:
        """Compute.  The same size and seed give the same rows.

        ``smoke`` takes seconds; ``paper`` is the paper's size.
        """

    #: Whether :meth:`resume` keeps what is done in a file.
    resumable: ClassVar[bool] = False

    def resume(
        self,
        size: Size,
        seed: int,
        path: str | os.PathLike[str],
        sweep: Sweep | None = None,
    ) -> Outcome:
        """As :meth:`run`; a long experiment keeps its cells in ``path`` and goes on from there.

        ``sweep`` runs the cells elsewhere.
        """
        del path, sweep
        return self.run(size, seed)


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Rows of one named table."""
    return [{"table": name, **row} for row in rows]


def columns(name: str, /, **values: Any) -> list[Row]:
    """Rows of one named table from equally long columns; a scalar column is repeated."""
    sized = {k: v for k, v in values.items() if hasattr(v, "__len__") and not isinstance(v, str)}
    length = {len(v) for v in sized.values()}
    if len(length) != 1:
        raise ValueError(f"columns of {name} have lengths {sorted(length)}; they must agree")
    (count,) = length
    return [
        {"table": name, **{k: _plain(v[i]) if k in sized else v for k, v in values.items()}}
        for i in range(count)
    ]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
