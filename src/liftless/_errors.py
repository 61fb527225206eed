"""Exceptions and warnings: what was wrong, what it must be, the usual cure."""

import contextlib
from collections.abc import Iterator


def one_line(text: str) -> str:
    """Put a text on one line, and show what is not printable in it, from a damaged file, say."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)


class InvalidInput(ValueError):
    """A caller's argument cannot be used.

    Parameters
    ----------
    argument : str
        Name of the argument (or of the array in a file).
    was : object
        What was given, as a short phrase or value.
    must_be : str
        What is accepted.
    cure : str, optional
        The usual way to put it right.
    """

    def __init__(self, argument: str, was: object, must_be: str, cure: str = "") -> None:
        self.argument = argument
        self.was = was
        self.must_be = must_be
        self.cure = cure
        text = f"{argument} was {was}; it must be {must_be}."
        super().__init__(one_line(text if not cure else f"{text} {cure}"))

    def __reduce__(self):
        """Rebuild from the four fields, so that the error survives a process boundary."""
        return type(self), (self.argument, self.was, self.must_be, self.cure)


class InputWarning(UserWarning):
    """The input is usable, but not for all that it says (an asymmetric sensing matrix, say)."""


@contextlib.contextmanager
def needing(package: str, extra: str, use: str, otherwise: str = "") -> Iterator[None]:
    """Say how to get a package that an import inside does not find.

    Parameters
    ----------
    package, extra : str
        What is imported, and the extra of this library that brings it.
    use : str
        What it is installed for, after "it must be".
    otherwise : str
        What to do without it, after the cure.

    Raises
    ------
    InvalidInput
        Where the package is missing; what else is missing is raised as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        cure = f"Install it with: pip install 'liftless[{extra}]'{otherwise}"
        raise InvalidInput(package, "missing", use, cure) from None
