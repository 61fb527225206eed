"""The commands of the papers, which ``liftless`` finds by the entry points of this package.

Importing this module imports neither JAX nor NumPy nor SciPy, as in :mod:`liftless.cli`.
"""

from liftless.cli.command import Command
from liftless_papers.cli.options import (
    CiteOptions,
    CompareOptions,
    ListOptions,
    ReproduceOptions,
    StatementsOptions,
)

REPRODUCE = Command(
    "reproduce",
    ReproduceOptions,
    "liftless_papers.cli.run_reproduce",
    help="Run an experiment of a paper, or all of them, and judge the paper's claims by what was "
    "measured. A claim that fails is a result, not an error.",
    short="Run the papers' experiments and judge their claims.",
    epilog="Exit codes: 0 ran, 1 an experiment ended with an error, 2 bad usage or input, "
    "3 a run speaks against what is written of a statement, "
    "75 interrupted.",
)
COMPARE = Command(
    "compare",
    CompareOptions,
    "liftless_papers.cli.run_compare",
    help="Run liftless and its peers on the same instances, with the same budget, and say who wins "
    "where. Stopped with Ctrl-C, the same command with the same --out goes on.",
    short="Compare with other methods on the same instances.",
    epilog="Exit codes: 0 ran, 1 stopped by a lost process or a full disk, 2 bad usage or input, "
    "75 interrupted.",
)
LIST = Command(
    "list",
    ListOptions,
    "liftless_papers.cli.run_list",
    help="List the experiments that 'liftless reproduce' runs.",
    short="List the experiments.",
    epilog="",
)
CITE = Command(
    "cite",
    CiteOptions,
    "liftless_papers.cli.run_cite",
    help="Print how to cite the paper behind an experiment, or this software: BibTeX and a line.",
    short="Print how to cite a paper or this software.",
    epilog="",
)
STATEMENTS = Command(
    "statements",
    StatementsOptions,
    "liftless_papers.cli.run_statements",
    help="Say of every statement of the papers whether it holds, with what change, and what shows "
    "it: the experiments, and the smallest counterexample. Nothing is run.",
    short="Say of each statement of the papers whether it holds.",
    epilog="Exit codes: 0 printed, 2 bad usage or input.",
)
