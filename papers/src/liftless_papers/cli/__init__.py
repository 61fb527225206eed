"""The commands of the papers, which ``liftless`` finds by the entry point of this package.

Importing this module imports neither JAX nor NumPy nor SciPy, as in :mod:`liftless.cli`.
"""

import importlib
from typing import Any

import typer

from liftless.cli import Job
from liftless.cli import options as shared
from liftless_papers.cli import options as given

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


def _job(module: str, options: Any) -> Job:
    """Defer a command to ``liftless_papers.cli.<module>.run``."""
    return lambda: importlib.import_module(f"liftless_papers.cli.{module}").run(options)


@app.command(
    help="Run an experiment of a paper, or all of them, and judge the paper's claims by what was "
    "measured. A claim that fails is a result, not an error.",
    short_help="Run the papers' experiments and judge their claims.",
    epilog="Exit codes: 0 ran, 1 an experiment ended with an error, 2 bad usage or input, "
    "75 interrupted.",
)
def reproduce(
    name: given.ExperimentName,
    size: given.SizeName = "smoke",
    seed: shared.Seed = 0,
    out: given.ReportFolder = None,
    as_json: shared.Json = False,
    quiet: shared.Quiet = False,
) -> Job:
    """``liftless reproduce``."""
    options = given.ReproduceOptions(name, size, seed, out, as_json, quiet)
    return _job("run_reproduce", options)


@app.command(
    help="Run liftless and its peers on the same instances, with the same budget, and say who wins "
    "where. Stopped with Ctrl-C, the same command with the same --out goes on.",
    short_help="Compare with other methods on the same instances.",
    epilog="Exit codes: 0 ran, 2 bad usage or input, 75 interrupted.",
)
def compare(
    families: given.Families = None,
    methods: given.Methods = None,
    cells: given.Cells = None,
    size: given.CompareSize = "smoke",
    trials: given.Trials = None,
    seed: given.CompareSeed = 0,
    jobs: given.Jobs = 1,
    budget: given.TrialBudget = 6000,
    out: given.CompareFolder = None,
    listed: given.Listed = False,
    as_json: shared.Json = False,
    quiet: shared.Quiet = False,
) -> Job:
    """``liftless compare``."""
    options = given.CompareOptions(
        families=families,
        methods=methods,
        cells=cells,
        trials=trials,
        seed=seed,
        jobs=jobs,
        budget=budget,
        size=size,
        out=out,
        listed=listed,
        as_json=as_json,
        quiet=quiet,
    )
    return _job("run_compare", options)


@app.command(
    name="list",
    help="List the experiments that 'liftless reproduce' runs.",
    short_help="List the experiments.",
)
def list_experiments(as_json: shared.Json = False) -> Job:
    """``liftless list``."""
    return _job("run_list", as_json)


@app.command(
    help="Print how to cite the paper behind an experiment, or this software: BibTeX and a line.",
    short_help="Print how to cite a paper or this software.",
)
def cite(name: given.CitedName = None) -> Job:
    """``liftless cite``."""
    return _job("run_cite", name)
