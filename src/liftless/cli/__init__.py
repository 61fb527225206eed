"""The command line: parses here, computes in the ``run_*`` modules.

Importing this module, and printing any help, imports neither JAX nor NumPy nor SciPy: a command
only returns the job to be done, and the job imports what it needs.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from liftless._errors import InvalidInput
from liftless._version import __version__
from liftless.cli.messages import USAGE, complain, warnings_as_lines

#: What a command returns: it does the work and returns the exit code.
Job = Callable[[], int]

#: What Typer makes of a Ctrl-C while it parses.
PARSER_INTERRUPTED = 130

EXIT_CODES = (
    "Exit codes: 0 exact or global optimum, 2 bad usage or input, 3 not converged, "
    "4 stationary but not certified, 75 interrupted."
)

app = typer.Typer(
    name="liftless",
    help="Recover a low-rank matrix from linear measurements, and certify the answer.",
    epilog=EXIT_CODES,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(frozen=True)
class RecoverOptions:
    """What was given to ``liftless recover``; None where nothing was."""

    file: str
    rank: int | None
    start: str
    seed: int
    escape: str
    multi: dict[str, Any] = field(default_factory=dict)
    noise: float | None = None
    trace_bound: float | None = None
    budget: int | None = None
    out: str | None = None
    plot: str | None = None
    as_json: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class CertifyOptions:
    """What was given to ``liftless certify``."""

    file: str
    factor: str
    rank: int | None
    noise: float | None
    trace_bound: float | None
    as_json: bool


@dataclass(frozen=True)
class InstanceOptions:
    """What was given to ``liftless instance``; a parameter that was not is None."""

    name: str
    parameters: dict[str, Any]
    out: str
    as_json: bool
    quiet: bool


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


def _job(module: str, options: Any) -> Job:
    """Defer a command to ``liftless.cli.<module>.run``."""
    return lambda: importlib.import_module(f"liftless.cli.{module}").run(options)


def _version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"liftless {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def top(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options before any command."""
    del version


@app.command(
    help="Recover the matrix of a problem file and say whether it is the global optimum.",
    short_help="Recover a matrix, and say whether it is the optimum.",
    epilog=EXIT_CODES,
)
def recover(
    file: File,
    rank: Rank = None,
    start: Annotated[
        str,
        typer.Option(
            metavar="over|spectral|random|FILE", help="Where descent starts; a file has a factor."
        ),
    ] = "over",
    seed: Annotated[int, typer.Option(metavar="S", help="Of every random start.")] = 0,
    escape: Annotated[
        str,
        typer.Option(
            metavar="ladder|single|multi|jump|none", help="What to try at a spurious point."
        ),
    ] = "ladder",
    order: Annotated[
        int | None, typer.Option(metavar="L", help="Lifting order of --escape multi, odd.")
    ] = None,
    size: Annotated[
        float | None, typer.Option(metavar="RHO", help="Escape step of --escape multi, in (0, 1).")
    ] = None,
    step: Annotated[
        float | None, typer.Option(metavar="ETA", help="Step size of --escape multi, in (0, 1).")
    ] = None,
    steps: Annotated[
        float | None, typer.Option(metavar="T", help="Number of steps of --escape multi.")
    ] = None,
    noise: Noise = None,
    trace_bound: TraceBound = None,
    budget: Annotated[
        int | None, typer.Option(metavar="N", help="Applications of A or its adjoint to spend.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="RESULT.npz", help="Write the factor and the report (.npz or .mat)."),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FIGURE.png", help="Draw the course (.png, .svg or .pdf)."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Job:
    """``liftless recover``."""
    multi = {"order": order, "size": size, "step": step, "steps": steps}
    return _job(
        "run_recover",
        RecoverOptions(
            file=file,
            rank=rank,
            start=start,
            seed=seed,
            escape=escape,
            multi={name: value for name, value in multi.items() if value is not None},
            noise=noise,
            trace_bound=trace_bound,
            budget=budget,
            out=out,
            plot=plot,
            as_json=as_json,
            quiet=quiet,
        ),
    )


@app.command(
    help="Say what kind of point a factor is, and bound the optimum from both sides.",
    short_help="Say what kind of point a factor is.",
    epilog=EXIT_CODES,
)
def certify(
    file: File,
    factor: Annotated[
        str,
        typer.Argument(metavar="FACTOR.npz", help="Has an array 'factor' or 'X': a result does."),
    ],
    rank: Annotated[
        int | None, typer.Option(metavar="R", help="Rank; the factor's columns if left out.")
    ] = None,
    noise: Noise = None,
    trace_bound: TraceBound = None,
    as_json: Json = False,
) -> Job:
    """``liftless certify``."""
    return _job("run_certify", CertifyOptions(file, factor, rank, noise, trace_bound, as_json))


@app.command(
    help="Print versions, devices, and every name and format that a command takes.",
    short_help="Print versions, devices, names and formats.",
)
def info(as_json: Json = False) -> Job:
    """``liftless info``."""
    return _job("run_info", as_json)


@app.command(
    help="Write a named problem with known truth: basic, pmc, real-world, gaussian, phase, "
    "completion, ... 'liftless info' lists all of them with the parameters that each takes.",
    short_help="Write a named problem with known truth.",
)
def instance(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the instance.")],
    out: Annotated[str, typer.Option(metavar="FILE", help="Where to write it (.npz or .mat).")],
    n: Annotated[int | None, typer.Option("--n", help="Order of the matrix.")] = None,
    rank: Annotated[int | None, typer.Option(help="Rank of the truth.")] = None,
    m: Annotated[int | None, typer.Option("--m", help="Number of measurements.")] = None,
    ratio: Annotated[
        float | None, typer.Option(help="Measurements a degree of freedom, in place of --m.")
    ] = None,
    probability: Annotated[
        float | None, typer.Option(help="Chance of an entry to be observed.")
    ] = None,
    sparsity: Annotated[int | None, typer.Option(help="Number of nonzero entries.")] = None,
    eps: Annotated[float | None, typer.Option(help="Weight of the hidden entries.")] = None,
    noise: Annotated[
        float | None, typer.Option(help="Standard deviation of the added noise.")
    ] = None,
    form: Annotated[str | None, typer.Option(help="Form of an example: exact or paper.")] = None,
    weight: Annotated[
        float | None, typer.Option(help="Weight of the off-diagonal entries of an example.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness.")] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> Job:
    """``liftless instance``."""
    given = {
        "n": n,
        "rank": rank,
        "m": m,
        "ratio": ratio,
        "probability": probability,
        "sparsity": sparsity,
        "eps": eps,
        "noise": noise,
        "form": form,
        "weight": weight,
        "seed": seed,
    }
    return _job("run_instance", InstanceOptions(name, given, out, as_json, quiet))


def _parse(argv: Sequence[str] | None) -> Job | int:
    """Return the job that a command line asks for, or the exit code where there is none."""
    try:
        job: Any = app(args=argv, standalone_mode=False, prog_name="liftless")
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # Typer has its own copy of Click's exceptions, or Click's: they share this method.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "liftless"
        text = " ".join(message().split()).rstrip(".")
        complain(f"{text}; see '{command} --help'")
        return USAGE
    if job == PARSER_INTERRUPTED:
        raise KeyboardInterrupt
    return 0 if job is None else job  # None or an int: help or version was printed


def invoke(argv: Sequence[str] | None = None) -> int:
    """Parse a command line, run it, and return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; the process's own if left out.

    Returns
    -------
    int
        See :data:`EXIT_CODES`.
    """
    job = _parse(argv)
    if isinstance(job, int):
        return job
    with warnings_as_lines():
        try:
            return job()
        except InvalidInput as error:
            complain(str(error))
        except BrokenPipeError:
            raise
        except OSError as error:
            complain(f"{error.filename or 'file'}: {error.strerror or error}")
    return USAGE
