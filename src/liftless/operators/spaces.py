"""The space of an operator that a user describes: checked against the size that came with it."""

from typing import Any

from liftless._checks import describe, positive_int
from liftless._errors import InvalidInput
from liftless.space import Space, Symmetric


def resolved(n: Any, space: Any) -> Space:
    """Space of a factor of ``n`` rows, symmetric if none is given.

    Raises
    ------
    InvalidInput
        If neither is given, or the two do not agree.
    """
    if space is None:
        return Symmetric(positive_int("n", n))
    if not isinstance(space, Space):
        cure = "Pass Symmetric(n), Rectangular(n1, n2) or Hermitian(n) of liftless.space."
        raise InvalidInput("space", describe(space), "a Space", cure)
    if n is not None and positive_int("n", n) != space.n:
        must = f"{space.n}, the rows of the array X that stands for {space.formula} in {space}"
        raise InvalidInput("n", n, must, "Leave it out, or pass None.")
    return space
