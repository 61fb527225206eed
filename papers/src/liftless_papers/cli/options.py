"""What the papers' commands take: a dataclass each, as in :mod:`liftless.cli.options`."""

from dataclasses import dataclass

from liftless.cli.command import argument, option, switch
from liftless.cli.options import JSON, QUIET, SEED

#: Where tasks run.
SCHEDULER = "local, processes, dask:FILE or dask:ADDRESS; processes where J is above 1."


@dataclass(frozen=True)
class ReproduceOptions:
    """What was given to ``liftless reproduce``."""

    name: str = argument("NAME|all", "An experiment of 'liftless list', or all.")
    size: str = option("smoke|paper", "Seconds, or the paper's own size.", "smoke")
    seed: int = option("S", SEED, 0)
    jobs: int = option("J", "Processes, each with one compute thread.", 1)
    scheduler: str | None = option("WHERE", SCHEDULER)
    out: str | None = option("DIR", "Write rows, figures, claims and index.html there.")
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch(QUIET)


@dataclass(frozen=True)
class CompareOptions:
    """What was given to ``liftless compare``."""

    families: str | None = option(
        "F,...", "Of gaussian, phase, pmc, completion, noisy, papers; all if left out."
    )
    methods: str | None = option("M,...", "Of those '--list' shows; all if left out.")
    cells: str | None = option(
        "TEXT,...",
        "Cells with one of these in their name, or in a group: smoke, results, peers, beyond, "
        "easy, grid, scaling, completion. In place of --size.",
    )
    n: int = option("N", "Order of the published completion cells, at least 30.", 100)
    size: str = option("smoke|paper", "A few small cells, or all cells.", "smoke")
    trials: int | None = option("N", "Instances a cell; 5 at size smoke, 40 at paper.")
    seed: int = option("S", "Of all instances.", 0)
    jobs: int = option("J", "Processes, each with one compute thread.", 1)
    scheduler: str | None = option("WHERE", SCHEDULER)
    budget: int = option("B", "Applications of A or its adjoint a trial.", 6000)
    out: str | None = option("DIR", "Keep rows there, to go on with; write index.html.")
    export: str | None = option("FILE", "Rows of --out as .parquet, .csv or .jsonl too.")
    listed: bool = switch("Print cells and methods, and run nothing.", "--list")
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch(QUIET)


@dataclass(frozen=True)
class ListOptions:
    """What was given to ``liftless list``."""

    as_json: bool = switch(JSON, "--json")


@dataclass(frozen=True)
class CiteOptions:
    """What was given to ``liftless cite``."""

    name: str | None = argument(
        "[NAME]", "An experiment or a paper; the software if left out.", None
    )


@dataclass(frozen=True)
class StatementsOptions:
    """What was given to ``liftless statements``."""

    name: str | None = argument(
        "[PAPER|NAME]", "A paper (sod, local, ipgd), own, or a statement; all if left out.", None
    )
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch("Leave out the counts.")
