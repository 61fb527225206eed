"""The command line: parses here, computes in the ``run_*`` modules.

Importing this module, and printing any help, imports neither JAX nor NumPy nor SciPy: a command
names the module that does its work, which is imported when the command line has been understood.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from liftless._errors import InvalidInput
from liftless._version import __version__
from liftless.cli.command import Command, Usage, overview, parse
from liftless.cli.imaging_options import PhaseOptions, TomographyOptions
from liftless.cli.messages import USAGE, complain, emit, note, warnings_as_lines
from liftless.cli.names import nearest
from liftless.cli.network_options import GridOptions, LocateOptions
from liftless.cli.options import (
    CertifyOptions,
    CompleteOptions,
    CompletionOptions,
    InfoOptions,
    InstanceOptions,
    RecoverOptions,
    ReportOptions,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

EXIT_CODES = (
    "Exit codes: 0 exact or global optimum, 2 bad usage or input, 3 not converged, "
    "4 stationary but not certified, 75 interrupted."
)
ABOUT = "Recover a low-rank matrix from linear measurements, and certify the answer."

#: Group of entry points by which another distribution adds a command: its name, and a Command.
GROUP = "liftless.commands"
#: Commands of a distribution that may be missing, and that distribution.
ELSEWHERE = dict.fromkeys(("reproduce", "compare", "list", "cite", "statements"), "liftless-papers")

#: The commands of this package by name.
COMMANDS = {
    command.name: command
    for command in (
        Command(
            "recover",
            RecoverOptions,
            "liftless.cli.run_recover",
            help="Recover the matrix of a problem file and say whether it is the global optimum.",
            short="Recover a matrix, and say whether it is the optimum.",
            epilog=EXIT_CODES,
        ),
        Command(
            "complete",
            CompleteOptions,
            "liftless.cli.run_complete",
            help="Fill the holes of a table, and say which rank it has, how much of it is noise, "
            "and what its entries leave open.",
            short="Fill the holes of a table.",
            epilog="",
        ),
        Command(
            "phase",
            PhaseOptions,
            "liftless.cli.run_phase",
            help="Retrieve an image from the squared moduli of its transforms: coded by masks, or "
            "of itself with a known support.",
            short="Retrieve an image from intensities.",
            epilog=EXIT_CODES,
        ),
        Command(
            "tomography",
            TomographyOptions,
            "liftless.cli.run_tomography",
            help="Fit a quantum state of low rank to counts of outcomes in product bases, and say "
            "its rank, its white noise, and whether the counts tell it from others.",
            short="Fit a quantum state to counts.",
            epilog=EXIT_CODES,
        ),
        Command(
            "locate",
            LocateOptions,
            "liftless.cli.run_locate",
            help="Find the places of points from distances between some of them, and say which "
            "places the distances determine.",
            short="Find places from distances.",
            epilog=EXIT_CODES,
        ),
        Command(
            "grid",
            GridOptions,
            "liftless.cli.run_grid",
            help="Estimate the state of a power grid from readings of voltages, injections, flows "
            "and phasors, and say what they leave open and which of them are gross errors.",
            short="Estimate the state of a power grid.",
            epilog=EXIT_CODES,
        ),
        Command(
            "certify",
            CertifyOptions,
            "liftless.cli.run_certify",
            help="Say what kind of point a factor is, and bound the optimum from both sides.",
            short="Say what kind of point a factor is.",
            epilog=EXIT_CODES,
        ),
        Command(
            "report",
            ReportOptions,
            "liftless.cli.run_report",
            help="Make one page of a result, with a picture, for a person who was not there.",
            short="Make a page of a result.",
            epilog="",
        ),
        Command(
            "info",
            InfoOptions,
            "liftless.cli.run_info",
            help="Print versions, devices, and every name and format that a command takes.",
            short="Print versions, devices, names and formats.",
            epilog="",
        ),
        Command(
            "completion",
            CompletionOptions,
            "liftless.cli.run_completion",
            help="Print what completes the words of a command line, for bash, zsh or fish: put "
            'eval "$(liftless completion bash)" into ~/.bashrc, and the same into ~/.zshrc.',
            short="Print the completion of a shell.",
            epilog="",
        ),
        Command(
            "instance",
            InstanceOptions,
            "liftless.cli.run_instance",
            help="Write a named problem with known truth: basic, pmc, real-world, gaussian, phase, "
            "completion, ... 'liftless info' lists all of them with the parameters of each.",
            short="Write a named problem with known truth.",
            epilog="",
        ),
    )
}


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
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if not words or words[0].startswith("-"):
            return _top(words)
        command = _command(words[0])
        options = parse(command, words[1:])
        if options is None:  # its help was printed
            return 0
        with warnings_as_lines():
            return importlib.import_module(command.home).run(options)
    except (InvalidInput, Usage) as error:
        complain(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(f"{error.filename or 'file'}: {error.strerror or error}")
    return USAGE


def _top(words: list[str]) -> int:
    """Answer a command line without a command: help, or the version."""
    if words and words[0] == "--version":
        emit(f"liftless {__version__}")
    elif not words or words[0] in ("-h", "--help"):
        commands = [*COMMANDS.values(), *others()]
        sys.stdout.write(overview(ABOUT, commands, EXIT_CODES))
    else:
        cure = nearest(words[0], ["--help", "--version"])
        raise Usage(f"no such option: {words[0]}. {cure}", "liftless")
    return 0


def _command(name: str) -> Command:
    """Return the command of that name, of this package or of another."""
    if name in COMMANDS:
        return COMMANDS[name]
    found = _entry_points()
    if name in found:
        try:
            return found[name].load()
        except ImportError as error:
            must = f"one whose package {found[name].module} can be imported"
            raise InvalidInput("command", repr(name), must, f"({error})") from error
    if name in ELSEWHERE:
        cure = f"Install it with: pip install {ELSEWHERE[name]}"
        raise InvalidInput("command", repr(name), "one that is installed", cure)
    cure = nearest(name, [*COMMANDS, *found, *ELSEWHERE])
    raise Usage(f"no such command: {name!r}. {cure}", "liftless")


def others() -> list[Command]:
    """Load the commands of other distributions; one that fails to load is named and left out."""
    commands = []
    for name, found in _entry_points().items():
        try:
            commands.append(found.load())
        except ImportError as error:
            note(f"warning: the command {name!r} cannot be loaded: {error}")
    return commands


def _entry_points() -> "dict[str, EntryPoint]":
    """Look for the commands of other distributions, which takes as long as importing all this."""
    from importlib.metadata import entry_points

    return {found.name: found for found in entry_points(group=GROUP)}
