"""Changes of the matrix that many kinds of measurement do not notice, each tried on X itself.

Intensities of a Fourier transform do not tell a signal from its reversal or its shifts, real
sensing matrices not a complex factor from its conjugate, and so on.  One application each.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from liftless.identify.fit import Fit
from liftless.identify.question import Question, live_rows
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
            yield from _exchanges(fit, fit.q)


def _exchanges(fit: Fit, q: Question) -> Iterator[tuple[str, Factor]]:
    """Exchanges of two rows that may fit: all at once, since nearly all do not."""
    pairs = np.array(list(itertools.combinations(range(len(fit.X)), 2)), int).reshape(-1, 2)
    orders = np.tile(np.arange(len(fit.X)), (len(pairs), 1))
    np.put_along_axis(orders, pairs, pairs[:, ::-1], axis=1)
    name = fit.problem.operator.space.line_name
    for k in np.flatnonzero(q.may_fit(fit.X[orders] / q.lengths[:, None])):
        i, j = pairs[k].tolist()
        yield f"exchange of {name(i)} and {name(j)}", fit.X[orders[k]]


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
