"""Every option of the papers' commands with its help, and what a command is given."""

from dataclasses import dataclass
from typing import Annotated

import typer

# -- reproduce, list, cite ------------------------------------------------------------------------

ExperimentName = Annotated[
    str, typer.Argument(metavar="NAME|all", help="An experiment of 'liftless list', or all.")
]
SizeName = Annotated[
    str, typer.Option("--size", metavar="smoke|paper", help="Seconds, or the paper's own size.")
]
ReportFolder = Annotated[
    str | None,
    typer.Option("--out", metavar="DIR", help="Write rows, figures, claims and index.html there."),
]
CitedName = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="An experiment or a paper; the software if left out."),
]


@dataclass(frozen=True)
class ReproduceOptions:
    """What was given to ``liftless reproduce``."""

    name: str
    size: str
    seed: int
    out: str | None
    as_json: bool
    quiet: bool


# -- compare --------------------------------------------------------------------------------------

Families = Annotated[
    str | None,
    typer.Option(
        metavar="F,...", help="Of gaussian, phase, pmc, completion, noisy, papers; all if left out."
    ),
]
Methods = Annotated[
    str | None,
    typer.Option(metavar="M,...", help="Of those '--list' shows; all if left out."),
]
Cells = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT,...",
        help="Cells with one of these in their name, or in a group: smoke, results, peers, beyond, "
        "easy, grid, scaling. In place of --size.",
    ),
]
Trials = Annotated[
    int | None, typer.Option(metavar="N", help="Instances a cell; 5 at size smoke, 40 at paper.")
]
CompareSeed = Annotated[int, typer.Option("--seed", metavar="S", help="Of all instances.")]
Jobs = Annotated[int, typer.Option(metavar="J", help="Processes, each with one compute thread.")]
TrialBudget = Annotated[
    int, typer.Option("--budget", metavar="B", help="Applications of A or its adjoint a trial.")
]
CompareSize = Annotated[
    str, typer.Option("--size", metavar="smoke|paper", help="A few small cells, or all cells.")
]
CompareFolder = Annotated[
    str | None,
    typer.Option("--out", metavar="DIR", help="Keep rows there, to go on with; write index.html."),
]
Listed = Annotated[bool, typer.Option("--list", help="Print cells and methods, and run nothing.")]


@dataclass(frozen=True)
class CompareOptions:
    """What was given to ``liftless compare``."""

    families: str | None
    methods: str | None
    cells: str | None
    trials: int | None
    seed: int
    jobs: int
    budget: int
    size: str
    out: str | None
    listed: bool
    as_json: bool
    quiet: bool
