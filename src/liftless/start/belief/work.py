"""A completion under way: the beliefs, the local descent, and never both where they are large."""

import gc
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from liftless.space import Space
from liftless.start.belief import propagate
from liftless.start.belief.local import Core, few, left_of, local_descent
from liftless.start.belief.local_sparse import SparseCore
from liftless.start.belief.observed import Observed
from liftless.start.belief.propagate import Propagation, graph

Factor = Float[np.ndarray, "n r"]


@dataclass
class Run:
    """What one completion has spent, in applications, and may spend."""

    price: float
    limit: float
    progress: Callable[[dict], None] | None
    #: Of a step of local descent, which follows the sweeps.
    least: float | int = 0.0
    ended: Callable[[], bool] | None = None
    spent: float = 0.0
    sweeps: int = 0
    history: list[dict] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether another sweep, and the step of descent after it, are more than may be spent."""
        most = self.limit - self.price - self.least
        return self.spent > most or (self.ended is not None and self.ended())

    def swept(self, beliefs: Propagation, *, noise: bool = False) -> None:
        """Enter a sweep."""
        self.spent += self.price
        self.sweeps += 1
        if self.progress is not None:
            row = {"event": "sweep", "sweeps": beliefs.sweeps, "misfit": beliefs.misfit}
            self.progress({**row, "noise": beliefs.noise} if noise else row)

    def polished(self, misfit: float, applications: float, sweeps: int) -> None:
        """Enter a local descent."""
        self.spent += applications
        row = {"event": "polish", "sweeps": sweeps, "misfit": misfit}
        self.history.append(row)
        if self.progress is not None:
            self.progress(row)


@dataclass(frozen=True)
class Standing:
    """What is read off the beliefs when a stage is over."""

    misfit: float
    components: Float[np.ndarray, " r"]
    sweeps: int
    failed: int

    @property
    def weakest(self) -> float:
        """Root mean square of the entries of the weakest component."""
        return float(self.components[-1])


class Work:
    """The beliefs about a core and its local descent, of which the memory is shared.

    Where messages are in single precision (:data:`propagate.SINGLE`), they and the layout of the
    entries are given back before a descent.  It nearly always ends the completion; where it does
    not, the sweeps are made again, which leads to the same messages.

    Parameters
    ----------
    seen : Observed
    space : Space
    rank, seed : int
    run : Run
    """

    def __init__(self, seen: Observed, space: Space, rank: int, seed: int, run: Run) -> None:
        self.seen, self.space, self.rank, self.seed, self.run = seen, space, rank, seed, run
        self.heavy = seen.y.size >= propagate.SINGLE
        #: Share of the noise that a least-squares fit leaves, in standard deviations.
        self.left = left_of(seen, space, rank)
        self._beliefs: Propagation | None = self._begun()
        self._core: Core | SparseCore | None = None
        self._swept = 0

    @property
    def beliefs(self) -> Propagation:
        """The beliefs, swept again where they were given back."""
        if self._beliefs is None:
            beliefs = self._begun()
            while beliefs.sweeps < self._swept and not self.run.over:
                beliefs.sweep()
                self.run.swept(beliefs)
            self._beliefs = beliefs
        return self._beliefs

    def standing(self) -> Standing:
        """Read off what decides how it goes on."""
        of = self.beliefs
        return Standing(of.misfit, of.components(), of.sweeps, of.failed)

    def branch(self) -> Propagation:
        """Return beliefs of the same state, to be swept on their own."""
        twin = self.beliefs
        if self.heavy:
            self._put_away()
            return twin
        return twin.copy()

    def polish(self, X: Factor, sweeps: int) -> tuple[Factor, float]:
        """Local descent from the means; the factor and its relative misfit."""
        if self.heavy:
            self._put_away()
        core = self._core or local_descent(self.seen, self.space, self.rank)
        self._core = None if self.heavy else core
        X, misfit, applications = core.polish(X, self.run.limit - self.run.spent)
        self.run.polished(misfit, applications, sweeps)
        return X, misfit

    def _begun(self) -> Propagation:
        host = few(self.seen, self.rank)
        return Propagation(graph(self.seen, self.space, host=host), self.rank, self.seed)

    def _put_away(self) -> None:
        if self._beliefs is not None:
            self._swept = self._beliefs.sweeps
        self._beliefs = None
        # A few references may go round in circles; what they hold is gigabytes.
        gc.collect()
