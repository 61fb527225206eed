"""Alternating least squares whose ridge falls from sweep to sweep, for completion."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float, Int

from liftless_papers.compare.peers.base import Effort
from liftless_papers.compare.peers.entries import Data, EntriesPeer, Factor, Values

#: Applications of a sweep: a right-hand side for every line of either part.  Its Gram matrices
#: and their solution are charged as multiply-adds.
SWEEP_COST = 2
LEAST = 10


@final
@dataclass(frozen=True)
class RidgeALS(EntriesPeer):
    """Alternating least squares with ridge continuation, then local descent.

    A sweep replaces every row of U, then every row of V, by the minimiser of
    Σ_e w_e² (y_e − ⟨u_i, v_j⟩)² + λ ‖u_i‖² over the row's entries, λ falling geometrically from
    ``ridge`` to ``last`` in units in which the entries have rms one.  Of a symmetric matrix the
    entries are mirrored, U and V run apart, and the symmetric part of U Vᵀ is truncated at the end.

    Parameters
    ----------
    sweeps : int
    ridge, last : float

    Notes
    -----
    Zhou, Wilkinson, Schreiber and Pan (2008), section 3.1, with one ridge for every row in place of
    one times its entries; Hastie, Mazumder, Lee and Zadeh (2015), section 2, for the problem.  That
    the ridge falls is continuation, so that strong components are found before weak ones.
    """

    name: ClassVar[str] = "als"
    title: ClassVar[str] = "ridge-continuation ALS, then descent"
    compiles: ClassVar[bool] = True

    sweeps: int = 60
    ridge: float = 10.0
    last: float = 1e-4

    def search(self, effort: Effort) -> str:
        """Sweeps, then one local solve."""
        data = Data.of(effort)
        i, j, entry = data.places()
        y, weights = data.y[entry], data.weights[entry]
        X, s = data.start(effort)
        root = np.sqrt(s / data.share)
        U, V = (X[part] * root for part in data.parts)
        work = 2 * data.rank * y.size * (data.rank + 1) + sum(data.shape) * data.rank**3 / 3
        for ridge in np.geomspace(self.ridge, self.last, self.sweeps):
            if effort.account.left < LEAST:
                break
            U = half_sweep(i, j, y, weights, V, float(ridge), data.shape[0])
            V = half_sweep(j, i, y, weights, U, float(ridge), data.shape[1])
            effort.account.charge(SWEEP_COST, work=work)
        data.last_digits(effort, _joined(data, U, V))
        return "" if effort.fitted else "It ended after its sweeps and one local solve."


def half_sweep(
    lines: Int[np.ndarray, " m"],
    others: Int[np.ndarray, " m"],
    y: Values,
    weights: Values,
    V: Float[np.ndarray, "k r"],
    ridge: float,
    n: int,
) -> Factor:
    """Ridge regression of every line on the rows of ``V`` that it shares an entry with."""
    r = V.shape[1]
    Z, square = V[others], weights**2
    grams, right = np.empty((n, r, r)), np.empty((n, r))
    for a in range(r):
        weighted = Z[:, a] * square
        right[:, a] = np.bincount(lines, weighted * y, n)
        for b in range(a + 1):
            grams[:, a, b] = grams[:, b, a] = np.bincount(lines, weighted * Z[:, b], n)
    grams += ridge * np.eye(r)
    return np.linalg.solve(grams, right[:, :, None])[:, :, 0]


def _joined(data: Data, U: Float[np.ndarray, "n1 r"], V: Float[np.ndarray, "n2 r"]) -> Factor:
    """One factor of the two; of a symmetric matrix the truncated symmetric part."""
    if not data.mirrored:
        return np.concatenate([U, V])
    return data.projected(U / 2, V, 0.0)
