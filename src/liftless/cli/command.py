"""A command as data: what it takes is a dataclass, what it does is the ``run`` of a module.

A field made by :func:`argument`, :func:`option` or :func:`switch` is a word on the command line.
"""

import argparse
import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field
from typing import Any, NoReturn, get_args

from liftless.cli.names import nearest

#: A word that is a number below zero, and no option.
NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
#: Column at which the help of an option begins.
INDENT = 26


class Usage(Exception):
    """A command line that cannot be understood: why, and whose help says more."""

    def __init__(self, why: str, program: str) -> None:
        text = " ".join(why.split()).rstrip(".")
        super().__init__(f"{text}; see '{program} --help'")


@dataclass(frozen=True)
class Command:
    """A command of the program.

    Attributes
    ----------
    name : str
    options : type
        Dataclass of the options; a field is a word on the command line.
    home : str
        Module whose ``run(options)`` does the work and returns the exit code; imported only then.
    help, short, epilog : str
        What it does, the same in a few words, and what ends its help.
    """

    name: str
    options: type
    home: str
    help: str
    short: str
    epilog: str


def argument(metavar: str, text: str, default: Any = MISSING) -> Any:
    """Field of a word without a name; required unless it has a default."""
    return field(default=default, metadata={"metavar": metavar, "help": text, "flag": None})


def option(metavar: str, text: str, default: Any = None, flag: str | None = None) -> Any:
    """Field of ``--name VALUE``; required where the default is ``dataclasses.MISSING``."""
    return field(default=default, metadata={"metavar": metavar, "help": text, "flag": flag or ""})


def switch(text: str, flag: str | None = None) -> Any:
    """Field of ``--name``, which is False if it is not given."""
    return field(default=False, metadata={"help": text, "flag": flag or ""})


def parse(command: Command, words: Sequence[str]) -> Any:
    """Return the options of a command line, or raise :class:`Usage`.

    Parameters
    ----------
    command : Command
    words : sequence of str
        What follows the name of the command.

    Returns
    -------
    object
        An instance of ``command.options``; None where help was printed.
    """
    parser, program = _parser(command), f"liftless {command.name}"
    try:
        found, left = parser.parse_known_args(_joined(words))
    except SystemExit:  # -h has been answered
        return None
    if left:
        word = left[0].partition("=")[0]
        if not word.startswith("-"):
            raise Usage(f"one word too many: {word!r}", program)
        flags = [flag_of(part) for part in dataclasses.fields(command.options)]
        raise Usage(f"no such option: {word}. {nearest(word, filter(None, flags))}", program)
    return command.options(**vars(found))


def overview(about: str, commands: Sequence[Command], epilog: str) -> str:
    """Help of the program itself."""
    parser = _Parser("liftless", "[OPTIONS] COMMAND [ARGS]...", about, epilog)
    parser.named.add_argument("--version", action="store_true", help="Print the version and exit.")
    group = parser.add_argument_group("commands")
    for command in commands:
        group.add_argument(command.name, help=_literal(command.short))
    return parser.format_help()


class _Parser(argparse.ArgumentParser):
    """One that raises where argparse prints and ends the process."""

    def __init__(self, program: str, words: str, about: str, epilog: str) -> None:
        super().__init__(
            prog=program,
            usage=f"{program} {words}",
            description=_literal(about),
            epilog=_literal(epilog),
            allow_abbrev=False,
            add_help=False,
            formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=INDENT),
        )
        self.words = self.add_argument_group("arguments")
        self.named = self.add_argument_group("options")
        self.named.add_argument("-h", "--help", action="help", help="Show this message and exit.")

    def error(self, message: str) -> NoReturn:
        raise Usage(message.removeprefix("argument "), self.prog)


def _parser(command: Command) -> _Parser:
    fields = dataclasses.fields(command.options)
    words = [part.metadata["metavar"] for part in fields if flag_of(part) is None]
    usage = " ".join(["[OPTIONS]", *words])
    parser = _Parser(f"liftless {command.name}", usage, command.help, command.epilog)
    for part in fields:
        _add(parser, part)
    return parser


def _add(parser: _Parser, part: "Field[Any]") -> None:
    flag, text, default = flag_of(part), _literal(part.metadata["help"]), part.default
    if part.type is bool:
        parser.named.add_argument(flag or "", dest=part.name, action="store_true", help=text)
        return
    needed = default is MISSING
    given: dict[str, Any] = {"metavar": part.metadata["metavar"], "type": _reader(part)}
    if flag is None:
        count = {} if needed else {"nargs": "?", "default": default}
        parser.words.add_argument(part.name, help=text, **given, **count)
        return
    if needed:
        text += " [required]"
    elif default is not None:
        text += f" [default: {default}]"
    given |= {"required": needed, "default": None if needed else default, "help": text}
    parser.named.add_argument(flag, dest=part.name, **given)


def flag_of(part: "Field[Any]") -> str | None:
    """Return the option of a field, or None for a word without a name."""
    flag = part.metadata["flag"]
    return f"--{part.name.replace('_', '-')}" if flag == "" else flag


def _reader(part: "Field[Any]") -> Callable[[str], Any]:
    """How the text of a field is read, from its type."""
    kinds = get_args(part.type) or (part.type,)
    if int in kinds:
        return _integer
    return _real if float in kinds else str


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _literal(text: str) -> str:
    """Text that argparse shows as it is."""
    return text.replace("%", "%%")


def _joined(words: Sequence[str]) -> list[str]:
    """Write ``--option -1e-3`` as one word, since argparse would take -1e-3 for an option."""
    joined: list[str] = []
    for word in words:
        if joined and NEGATIVE.fullmatch(word) and re.fullmatch(r"--[^=]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
