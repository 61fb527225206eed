"""Changes of the matrix that many kinds of measurement do not notice, each tried on X itself.

Intensities of a Fourier transform do not tell a signal from its reversal or its shifts, real
sensing matrices not a complex factor from its conjugate, and so on.  One application each.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from liftless.identify.fit import Fit
from liftless.identify.question import live_rows
from liftless.space import Hermitian

Factor = Float[np.ndarray, "n r"]

#: Most rows of which every two are exchanged.
EXCHANGED = 32


def images(fit: Fit) -> Iterator[tuple[str, Factor]]:
    """Names and images of X."""
    space = fit.problem.operator.space
    if isinstance(space, Hermitian):
        Z = space.complex(fit.X)
        yield "complex conjugate", space.real(np.conj(Z))
        for name, image in _orders(Z, np.abs(Z).max(axis=1) > 0):
            yield name, space.real(image)
            yield f"{name}, conjugate", space.real(np.conj(image))
    elif space.name == "symmetric":
        yield from _orders(fit.X, live_rows(space, fit.X))
        if fit.q is not None and len(fit.X) <= EXCHANGED:
            for i, j in itertools.combinations(range(len(fit.X)), 2):
                image = fit.X.copy()
                image[[i, j]] = fit.X[[j, i]]
                yield f"exchange of {space.line_name(i)} and {space.line_name(j)}", image


def _orders(Z: np.ndarray, live: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Reversals and the first shift of the rows."""
    yield "reversal", Z[::-1]
    there = np.flatnonzero(live)
    first, last = int(there[0]), int(there[-1])
    if first or last < len(Z) - 1:
        turned = Z.copy()
        turned[first : last + 1] = Z[first : last + 1][::-1]
        yield "reversal of its support", turned
    yield "circular shift", np.roll(Z, 1, axis=0)
    yield "circular reversal", np.roll(Z[::-1], 1, axis=0)


def symmetric_fit(fit: Fit) -> tuple[str, Factor] | None:
    """Return the first image of X that fits as well and is another matrix, with its name."""
    return next(((name, Y) for name, Y in images(fit) if fit.same(Y)), None)
