"""Every option with its help, and what a command is given."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

# -- shared ---------------------------------------------------------------------------------------

File = Annotated[
    str, typer.Argument(metavar="FILE", help="The problem: .npz, .mat, or .csv for entries.")
]
Rank = Annotated[
    int | None, typer.Option(metavar="R", help="Rank sought; the file's own if left out.")
]
Noise = Annotated[
    float | None,
    typer.Option(metavar="SIGMA", help="Standard deviation of the noise in each measurement."),
]
TraceBound = Annotated[
    float | None, typer.Option(metavar="TAU", help="A known bound on the trace of the matrix.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on standard error.")]

# -- recover --------------------------------------------------------------------------------------

Start = Annotated[
    str,
    typer.Option(
        metavar="auto|reweighted|over|spectral|random|FILE",
        help="Where descent starts; a file has a factor.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="S", help="Of every random start.")]
EscapeName = Annotated[
    str,
    typer.Option(
        metavar="ladder|single|multi|lifted|jump|none", help="What to try at a spurious point."
    ),
]
Order = Annotated[
    int | None, typer.Option(metavar="L", help="Lifting order of --escape multi, odd.")
]
Size = Annotated[
    float | None, typer.Option(metavar="RHO", help="Escape step of --escape multi, in (0, 1).")
]
Step = Annotated[
    float | None, typer.Option(metavar="ETA", help="Step size of --escape multi, in (0, 1).")
]
Steps = Annotated[
    float | None, typer.Option(metavar="T", help="Number of steps of --escape multi.")
]
Budget = Annotated[
    int | None, typer.Option(metavar="N", help="Applications of A or its adjoint to spend.")
]
Result = Annotated[
    str | None,
    typer.Option(metavar="RESULT.npz", help="Write the factor and the report (.npz or .mat)."),
]
Figure = Annotated[
    str | None, typer.Option(metavar="FIGURE.png", help="Draw the course (.png, .svg or .pdf).")
]


@dataclass(frozen=True)
class RecoverOptions:
    """What was given to ``liftless recover``; None where nothing was."""

    file: str
    rank: int | None
    start: str
    seed: int
    escape: str
    multi: dict[str, Any]
    noise: float | None
    trace_bound: float | None
    budget: int | None
    out: str | None
    plot: str | None
    as_json: bool
    quiet: bool


# -- certify --------------------------------------------------------------------------------------

FactorFile = Annotated[
    str,
    typer.Argument(metavar="FACTOR.npz", help="Has an array 'factor' or 'X', as a result does."),
]
FactorRank = Annotated[
    int | None, typer.Option(metavar="R", help="Rank; the factor's columns if left out.")
]


@dataclass(frozen=True)
class CertifyOptions:
    """What was given to ``liftless certify``."""

    file: str
    factor: str
    rank: int | None
    noise: float | None
    trace_bound: float | None
    as_json: bool


# -- instance -------------------------------------------------------------------------------------

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the instance.")]
Target = Annotated[
    str, typer.Option("--out", metavar="FILE", help="Where to write it (.npz or .mat).")
]
N = Annotated[int | None, typer.Option("--n", help="Order of the matrix.")]
TruthRank = Annotated[int | None, typer.Option(help="Rank of the truth.")]
M = Annotated[int | None, typer.Option("--m", help="Number of measurements.")]
Ratio = Annotated[
    float | None, typer.Option(help="Measurements a degree of freedom, in place of --m.")
]
Probability = Annotated[float | None, typer.Option(help="Chance of an entry to be observed.")]
Sparsity = Annotated[int | None, typer.Option(help="Number of nonzero entries.")]
Eps = Annotated[float | None, typer.Option(help="Weight of the hidden entries.")]
AddedNoise = Annotated[float | None, typer.Option(help="Standard deviation of the added noise.")]
FormName = Annotated[str | None, typer.Option(help="Form of an example: exact or paper.")]
Weight = Annotated[
    float | None, typer.Option(help="Weight of the off-diagonal entries of an example.")
]
InstanceSeed = Annotated[int | None, typer.Option(help="Seed of all randomness.")]
Silent = Annotated[bool, typer.Option("--quiet", help="Print nothing.")]


@dataclass(frozen=True)
class InstanceOptions:
    """What was given to ``liftless instance``; a parameter that was not is None."""

    name: str
    parameters: dict[str, Any]
    out: str
    as_json: bool
    quiet: bool
