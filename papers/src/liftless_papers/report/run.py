"""One run of one experiment, as the report takes it: a record, and files on disk."""

import csv
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from liftless.figures import save_figure
from liftless_papers.experiments.base import CHANGED, FAILS, HOLDS, Claim, Experiment, Outcome, Row
from liftless_papers.experiments.figures import Figure
from liftless_papers.report.experiment import draw
from liftless_papers.report.select import by_table, heads
from liftless_papers.statements import disagreements

#: Verdicts in the order of a reader's interest.
VERDICTS = (FAILS, CHANGED, HOLDS)


@dataclass(frozen=True)
class Run:
    """An experiment, how it was run, and what came out.

    Attributes
    ----------
    experiment : Experiment
    size, seed
        As passed to its ``run``.
    seconds : float
    outcome : Outcome
    """

    experiment: Experiment
    size: str
    seed: int
    seconds: float
    outcome: Outcome

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.experiment.name

    @property
    def command(self) -> str:
        """Command line that repeats the run."""
        return f"liftless reproduce {self.name} --size {self.size} --seed {self.seed}"

    @property
    def against(self) -> list[str]:
        """Where the run speaks against what is written of a statement, a line each."""
        return disagreements(self.name, self.outcome.claims)

    def record(self) -> dict[str, Any]:
        """Return everything but the figures, as one flat record for JSON."""
        return {
            "name": self.name,
            "paper": self.experiment.paper,
            "size": self.size,
            "seed": self.seed,
            "seconds": self.seconds,
            "rows": self.outcome.rows,
            "claims": [asdict(claim) for claim in self.outcome.claims],
            "against": self.against,
        }


def counts(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims have each verdict; reference numbers are no claims."""
    found = [claim.verdict for claim in claims if not claim.reference]
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def references(claims: Iterable[Claim]) -> tuple[int, int]:
    """How many numbers of independent computations are met, and how many there are."""
    found = [claim.verdict == HOLDS for claim in claims if claim.reference]
    return sum(found), len(found)


def write_run(run: Run, folder: str | os.PathLike) -> list[str]:
    """Write a run: ``<table>.csv``, ``<figure>.svg`` and ``.png``, ``claims.json``.

    Parameters
    ----------
    run : Run
    folder : path
        Made if it is missing.  Every file is written whole or not at all; ``claims.json`` comes
        last, so that its presence says that the others are there.

    Returns
    -------
    list of str
        Names of the files, relative to the folder.
    """
    from liftless.io import atomic_write, plain

    folder = Path(folder)
    written = write_tables_and_figures(
        folder, run.experiment.figures, run.outcome.rows, run.outcome.values
    )
    record = {name: value for name, value in run.record().items() if name != "rows"}
    record["command"] = run.command
    with atomic_write(folder / "claims.json") as target:
        target.write_text(json.dumps(plain(record), indent=1, allow_nan=False) + "\n", "utf-8")
    return [*written, "claims.json"]


def write_tables_and_figures(
    folder: Path, figures: Sequence[Figure], rows: Sequence[Row], values: Mapping[str, Any]
) -> list[str]:
    """Write every table as CSV and every figure as SVG and PNG; the folder is made if missing."""
    from liftless.io import atomic_write

    folder.mkdir(exist_ok=True)
    written = []
    for name, part in by_table(rows).items():
        with atomic_write(folder / f"{name}.csv") as target:
            write_csv(target, part)
        written.append(f"{name}.csv")
    for figure in figures:
        drawing = draw(figure, rows, values)
        for suffix in (".svg", ".png"):
            save_figure(drawing, folder / f"{figure.name}{suffix}")
            written.append(f"{figure.name}{suffix}")
    return written


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write one table; a float is written so that it reads back to the last bit."""
    names = heads(rows)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(row.get(name)) for name in names] for row in rows)


def _cell(value: Any) -> Any:
    """Return None as an empty cell, and numbers as Python reads them."""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return "" if value is None else value
