"""What the commands take: a dataclass each, whose fields are the words of the command line."""

from dataclasses import MISSING, dataclass, fields
from typing import Any

from liftless._errors import InvalidInput
from liftless.cli.command import argument, option, switch

FILE = "The problem: .npz, .mat, or .csv for entries."
NOISE = "Standard deviation of the noise in each measurement."
TRACE_BOUND = "A known bound on the trace of the matrix."
TABLE = "A table with holes: .csv, .tsv, .txt, .npy, .mtx, .mat or .parquet."
FIGURE = "Draw it (.png, .svg or .pdf)."
MAT73 = "Write a .mat file as version 7.3 (HDF5)."
SHAPE = "Sides of a matrix given by entries; a table is as large as its positions say."
RECTANGULAR = "The matrix is not symmetric: (i, j) and (j, i) are two entries."
BASE = "Where the positions of entries begin: 0 or 1."
SEED = "Of every random start."
JSON = "Print one JSON object and nothing else."
QUIET = "No progress on standard error."


@dataclass(frozen=True)
class RecoverOptions:
    """What was given to ``liftless recover``; None where nothing was."""

    file: str = argument("FILE", FILE)
    rank: int | None = option("R", "Rank sought; the file's own if left out.")
    shape: str | None = option("N1,N2", SHAPE)
    rectangular: bool = switch(RECTANGULAR)
    index_base: int | None = option("0|1", BASE)
    start: str = option(
        "auto|reweighted|over|spectral|random|FILE",
        "Where descent starts; a file has a factor.",
        "auto",
    )
    seed: int = option("S", SEED, 0)
    escape: str = option(
        "ladder|single|multi|lifted|jump|none", "What to try at a spurious point.", "ladder"
    )
    order: int | None = option("L", "Lifting order of --escape multi, odd.")
    size: float | None = option("RHO", "Escape step of --escape multi, in (0, 1).")
    step: float | None = option("ETA", "Step size of --escape multi, in (0, 1).")
    steps: float | None = option("T", "Number of steps of --escape multi.")
    noise: float | None = option("SIGMA", NOISE)
    trace_bound: float | None = option("TAU", TRACE_BOUND)
    budget: int | None = option("N", "Applications of A or its adjoint to spend.")
    max_seconds: float | None = option("T", "Seconds after which no new step is begun.")
    precision: str = option("float64|mixed", "Mixed searches in float32.", "float64")
    processes: int = option("N", "Processes that share the measurements, by rows.", 1)
    out: str | None = option("RESULT.npz", "Write the factor and the report (.npz or .mat).")
    mat73: bool = switch(MAT73)
    plot: str | None = option("FIGURE.png", "Draw the course (.png, .svg or .pdf).")
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch(QUIET)

    @property
    def multi(self) -> dict[str, Any]:
        """Those options of the multi-step escape that were given."""
        return _given(self, ("order", "size", "step", "steps"))


@dataclass(frozen=True)
class CompleteOptions:
    """What was given to ``liftless complete``; None where nothing was."""

    file: str = argument("FILE", TABLE)
    rank: str = option("auto|R", "Rank of the matrix beside mean and effects.", "auto")
    row: str | None = option("A", "Column of the rows in a long table; its number without heading.")
    col: str | None = option("B", "The same of the columns.")
    value: str | None = option("C", "The same of the values.")
    separator: str | None = option("C", "What stands between cells; found out if left out.")
    decimal: str = option(".|,", "What stands before the decimals.", ".")
    symmetric: bool = switch("(i, j) and (j, i) are one entry.")
    rectangular: bool = switch("They are two, whatever the table looks like.")
    shape: str | None = option("N1,N2", "Sides of a long table whose lines are positions.")
    one_based: bool = switch("These positions count from one.")
    no_effects: bool = switch("No mean and no effects of rows and columns beside the matrix.")
    folds: int = option("K", "Parts held out in turn; 0 for none.", 5)
    max_rank: int = option("R", "Largest rank tried.", 12)
    robust: bool = switch("Gross errors are expected: entries far off lose their weight.")
    seed: int = option("S", SEED, 0)
    out: str | None = option(
        "FILE", "Write the completed table (.csv, .parquet, .npy), or all of it (.npz, .mat)."
    )
    mat73: bool = switch(MAT73)
    plot: str | None = option("FIGURE.png", FIGURE)
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch(QUIET)


@dataclass(frozen=True)
class CompletionOptions:
    """What was given to ``liftless completion``."""

    shell: str = argument("SHELL", "bash, zsh or fish.")


@dataclass(frozen=True)
class ReportOptions:
    """What was given to ``liftless report``."""

    file: str = argument("RESULT", "What recover or complete wrote with --out: .npz or .mat.")
    out: str = option("PAGE.html", "Where to write the page.", MISSING)
    title: str | None = option("TEXT", "Its heading; the result's name if left out.")
    as_json: bool = switch(JSON, "--json")


@dataclass(frozen=True)
class CertifyOptions:
    """What was given to ``liftless certify``."""

    file: str = argument("FILE", FILE)
    factor: str = argument("FACTOR.npz", "Has an array 'factor' or 'X', as a result does.")
    rank: int | None = option("R", "Rank; the factor's columns if left out.")
    shape: str | None = option("N1,N2", SHAPE)
    rectangular: bool = switch(RECTANGULAR)
    index_base: int | None = option("0|1", BASE)
    noise: float | None = option("SIGMA", NOISE)
    trace_bound: float | None = option("TAU", TRACE_BOUND)
    as_json: bool = switch(JSON, "--json")


@dataclass(frozen=True)
class InstanceOptions:
    """What was given to ``liftless instance``; a parameter that was not is None."""

    name: str = argument("NAME", "Name of the instance.")
    out: str = option("FILE", "Where to write it (.npz or .mat).", MISSING)
    n: int | None = option("N", "Order of the matrix.")
    rank: int | None = option("R", "Rank of the truth.")
    m: int | None = option("M", "Number of measurements.")
    ratio: float | None = option("Q", "Measurements a degree of freedom, in place of --m.")
    probability: float | None = option("P", "Chance of an entry to be observed.")
    sparsity: int | None = option("K", "Number of nonzero entries.")
    eps: float | None = option("EPS", "Weight of the hidden entries.")
    noise: float | None = option("SIGMA", "Standard deviation of the added noise.")
    form: str | None = option("FORM", "Form of an example: exact or paper.")
    weight: float | None = option("W", "Weight of the off-diagonal entries of an example.")
    seed: int | None = option("S", "Seed of all randomness.")
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch("Print nothing.")

    @property
    def parameters(self) -> dict[str, Any]:
        """Those parameters of the instance that were given."""
        names = [part.name for part in fields(self)]
        return _given(self, names[names.index("n") : names.index("as_json")])


@dataclass(frozen=True)
class InfoOptions:
    """What was given to ``liftless info``."""

    as_json: bool = switch(JSON, "--json")


def sides(text: str | None) -> tuple[int, int] | None:
    """Return the two numbers of ``--shape``."""
    if text is None:
        return None
    try:
        n1, n2 = (int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise InvalidInput("shape", repr(text), "two whole numbers, such as 60,40") from None
    return n1, n2


def rank_of(text: str) -> int | str:
    """Return the rank that is told, or "auto"."""
    if text != "auto" and not text.isdecimal():
        raise InvalidInput("rank", repr(text), "a whole number or 'auto'")
    return text if text == "auto" else int(text)


def _given(options: Any, names: Any) -> dict[str, Any]:
    """Return those of the named options that were given."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
