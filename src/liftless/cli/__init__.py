"""The command line: parses here, computes in the ``run_*`` modules.

Importing this module, and printing any help, imports neither JAX nor NumPy nor SciPy: a command
only returns the job to be done, and the job imports what it needs.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from liftless._errors import InvalidInput
from liftless._version import __version__
from liftless.cli import options as given
from liftless.cli.messages import USAGE, complain, note, warnings_as_lines

#: What a command returns: it does the work and returns the exit code.
Job = Callable[[], int]

#: Group of entry points by which other distributions add commands: each names a Typer app.
COMMANDS = "liftless.commands"
#: Commands that come with the distribution liftless-papers.
OF_PAPERS = ("reproduce", "compare", "list", "cite")

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


def _job(module: str, options: Any) -> Job:
    """Defer a command to ``liftless.cli.<module>.run``."""
    return lambda: importlib.import_module(f"liftless.cli.{module}").run(options)


def _given(**values: Any) -> dict[str, Any]:
    """Return those values that were given."""
    return {name: value for name, value in values.items() if value is not None}


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
    file: given.File,
    rank: given.Rank = None,
    start: given.Start = "auto",
    seed: given.Seed = 0,
    escape: given.EscapeName = "ladder",
    order: given.Order = None,
    size: given.Size = None,
    step: given.Step = None,
    steps: given.Steps = None,
    noise: given.Noise = None,
    trace_bound: given.TraceBound = None,
    budget: given.Budget = None,
    out: given.Result = None,
    plot: given.Figure = None,
    as_json: given.Json = False,
    quiet: given.Quiet = False,
) -> Job:
    """``liftless recover``."""
    multi = _given(order=order, size=size, step=step, steps=steps)
    options = given.RecoverOptions(
        file=file,
        rank=rank,
        start=start,
        seed=seed,
        escape=escape,
        multi=multi,
        noise=noise,
        trace_bound=trace_bound,
        budget=budget,
        out=out,
        plot=plot,
        as_json=as_json,
        quiet=quiet,
    )
    return _job("run_recover", options)


@app.command(
    help="Say what kind of point a factor is, and bound the optimum from both sides.",
    short_help="Say what kind of point a factor is.",
    epilog=EXIT_CODES,
)
def certify(
    file: given.File,
    factor: given.FactorFile,
    rank: given.FactorRank = None,
    noise: given.Noise = None,
    trace_bound: given.TraceBound = None,
    as_json: given.Json = False,
) -> Job:
    """``liftless certify``."""
    options = given.CertifyOptions(file, factor, rank, noise, trace_bound, as_json)
    return _job("run_certify", options)


@app.command(
    help="Print versions, devices, and every name and format that a command takes.",
    short_help="Print versions, devices, names and formats.",
)
def info(as_json: given.Json = False) -> Job:
    """``liftless info``."""
    return _job("run_info", as_json)


@app.command(
    help="Write a named problem with known truth: basic, pmc, real-world, gaussian, phase, "
    "completion, ... 'liftless info' lists all of them with the parameters that each takes.",
    short_help="Write a named problem with known truth.",
)
def instance(
    name: given.Name,
    out: given.Target,
    n: given.N = None,
    rank: given.TruthRank = None,
    m: given.M = None,
    ratio: given.Ratio = None,
    probability: given.Probability = None,
    sparsity: given.Sparsity = None,
    eps: given.Eps = None,
    noise: given.AddedNoise = None,
    form: given.FormName = None,
    weight: given.Weight = None,
    seed: given.InstanceSeed = None,
    as_json: given.Json = False,
    quiet: given.Silent = False,
) -> Job:
    """``liftless instance``."""
    parameters = _given(
        n=n,
        rank=rank,
        m=m,
        ratio=ratio,
        probability=probability,
        sparsity=sparsity,
        eps=eps,
        noise=noise,
        form=form,
        weight=weight,
        seed=seed,
    )
    return _job("run_instance", given.InstanceOptions(name, parameters, out, as_json, quiet))


@functools.cache
def _extend() -> None:
    """Add the commands of other distributions; they are looked for only when they are needed."""
    from importlib.metadata import entry_points

    for found in entry_points(group=COMMANDS):
        try:
            commands = found.load()
        except ImportError as error:
            note(f"warning: the commands of {found.value} cannot be loaded: {error}")
        else:
            app.add_typer(commands)


def _names() -> set[str]:
    """Names of the commands so far."""
    own = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    for group in app.registered_groups:
        more = group.typer_instance
        if more is not None:
            own |= {c.name or c.callback.__name__ for c in more.registered_commands if c.callback}
    return own


def _parse(argv: Sequence[str] | None) -> Job | int:
    """Return the job that a command line asks for, or the exit code where there is none."""
    words = sys.argv[1:] if argv is None else argv
    command = next((word for word in words if not word.startswith("-")), None)
    if command not in _names():
        _extend()
        if command in OF_PAPERS and command not in _names():
            cure = "pip install liftless-papers"
            complain(f"the command {command!r} is in the package liftless-papers; {cure}")
            return USAGE
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
