"""What completion by belief propagation hands back."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless.space import Space

Factor = Float[np.ndarray, "n r"]

#: How a completion can end, in words.
ENDS = {
    "exact": "the entries are fitted to round-off",
    "noise": "the misfit is noise: two estimates of its level agree",
    "stuck": "the misfit stays above round-off and does not look like noise",
    "budget": "the work allowed ended first",
}
#: Share of the largest component below which one is noise: the gap the rank is read off at.
GAP = 0.1
#: Components below this share of the largest are all the same: zero.
ROUNDOFF = 1e-12


@dataclass(frozen=True)
class Completion:
    """A factor of the completed matrix, what is determined of it, and how sure its entries are.

    Attributes
    ----------
    X : array of shape (n, r)
        [U; V] of a rectangular matrix.
    end : str
        One of :data:`ENDS`.
    misfit : float
        Root mean square of what X leaves of the entries, relative to that of the entries.
    sigma : float
        Estimated standard deviation of the noise in an entry, 0 for an exact fit; NaN if stuck.
    known : boolean array of shape (n,)
        Lines of X that the positions of the entries determine, for a matrix in general position.
    cov : array of shape (n, r, r) or None
        Posterior covariance of every line; None for an exact fit.
    components : array of shape (r,)
        Root mean square of the entries of each component by the learned prior, largest first.
    sweeps, swept : int
        Sweeps of belief propagation behind X, and all sweeps that were made.
    applications : float
        Applications of A or A* to a factor of the rank; a sweep counts as 2r.
    failed : int
        Sweeps in which a line's numbers left the finite range, and were restored.
    space : Space
    history : tuple of dict
        One row a stage: sweeps so far, misfit of the means, misfit after local descent.
    """

    X: Factor = field(repr=False)
    end: str
    misfit: float
    sigma: float
    known: Bool[np.ndarray, " n"] = field(repr=False)
    cov: Float[np.ndarray, "n r r"] | None = field(repr=False)
    components: Float[np.ndarray, " r"]
    sweeps: int
    swept: int
    applications: float
    failed: int
    space: Space
    history: tuple[dict, ...] = field(repr=False)

    @property
    def unknown(self) -> Int[np.ndarray, " k"]:
        """Lines that the positions of the entries do not determine."""
        return np.flatnonzero(~self.known)

    @property
    def message(self) -> str:
        """The end in a sentence, and the lines that are not determined by name."""
        text = f"{self.end}: {ENDS[self.end]} (misfit {self.misfit:.1e}, {self.sweeps} sweeps)."
        if self.unknown.size:
            text += f" Not determined: {self.space.named(self.unknown)}"
            text += f" ({self.unknown.size} of {self.space.lines} lines)."
        return text

    @property
    def rank(self) -> int:
        """Components above the widest gap of the learned prior, if it is a factor of ten wide."""
        rms = self.components
        if rms.size < 2 or rms[0] <= 0:
            return int(rms.size)
        # Components that are nothing but round-off have no gap between them.
        sizes = np.maximum(rms, ROUNDOFF * rms[0])
        ratio = sizes[1:] / sizes[:-1]
        k = int(np.argmin(ratio))
        return k + 1 if ratio[k] <= GAP and rms[k + 1] <= GAP * rms[0] else int(rms.size)

    def entries(self, i: Any, j: Any) -> Float[np.ndarray, "..."]:
        """Entries (i, j) of the completed matrix, for index arrays of one shape."""
        i, j = self.space.positions(i, j)
        return self.space.entries(self.X, i, j)

    def determined(self, i: Any, j: Any) -> Bool[np.ndarray, "..."]:
        """Whether entries (i, j) are determined by the positions of the others.

        By peeling alone, hence for a matrix in general position; the factor's own null directions
        (:func:`liftless.identify.flexible`) see what zeros and whole numbers in it leave open.
        """
        a, b = self.space.positions(i, j)
        b = b + self.space.sides[-1].start
        return self.known[a] & self.known[b]

    def deviation(self, i: Any, j: Any) -> Float[np.ndarray, "..."]:
        """Standard deviation of the error of entries (i, j) as the posterior has it.

        √(uᵀ D u + vᵀ C v + tr C D) for means u, v and covariances C, D; without the noise of a
        new observation, whose variance is :attr:`sigma` squared more.  Zero after an exact fit
        where the entry is determined, and infinite where it is not.
        """
        a, b = self.space.positions(i, j)
        b = b + self.space.sides[-1].start
        if self.cov is None:
            return np.where(self.known[a] & self.known[b], 0.0, np.inf)
        u, v, C, D = self.X[a], self.X[b], self.cov[a], self.cov[b]
        square = np.einsum("...a,...ab,...b->...", u, D, u)
        square += np.einsum("...a,...ab,...b->...", v, C, v)
        square += np.einsum("...ab,...ab->...", C, D)
        return np.sqrt(np.maximum(square, 0.0))
