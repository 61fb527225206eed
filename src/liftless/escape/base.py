"""What an escape is: a rule that turns a certified point into candidates, without chance."""

import abc
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless.certificate import Certificate
from liftless.problem import Problem


@dataclass(frozen=True)
class Candidate:
    """A point to try, with everything needed to explain and to repeat it.

    Attributes
    ----------
    kind : str
        Name of the move, such as "gamma".
    base, direction : arrays of shape (n, k)
        The candidate is base + amplitude · direction.
    amplitude : float
    objective_before, objective_at : float
        h at the point that is left, and at the candidate; the latter is usually higher.
    objective_after : float or None
        h after the local solve; None until it was run.
    settle : float or None
        For a candidate wider than the rank: fraction of ``objective_before`` at which the descent
        in the wide factor stops and the factor is truncated to the rank.
    note : str
        Parameters of the move.
    """

    kind: str
    base: Float[np.ndarray, "n k"]
    direction: Float[np.ndarray, "n k"]
    amplitude: float
    objective_before: float
    objective_at: float
    objective_after: float | None = None
    settle: float | None = None
    note: str = ""

    @property
    def point(self) -> Float[np.ndarray, "n k"]:
        """The factor to start from."""
        return self.base + self.amplitude * self.direction

    def summary(self) -> dict:
        """Return the scalars, for reports."""
        return {
            "kind": self.kind,
            "amplitude": self.amplitude,
            "objective_before": self.objective_before,
            "objective_at": self.objective_at,
            "objective_after": self.objective_after,
            "note": self.note,
        }


class Escape(abc.ABC):
    """A deterministic rule for leaving a spurious point.

    There is no key in the signature: the same point gives the same candidates.  A subclass is
    final, a frozen dataclass whose fields are its hyper-parameters.
    """

    @abc.abstractmethod
    def candidates(
        self, problem: Problem, X: Float[np.ndarray, "n r"], certificate: Certificate
    ) -> Iterable[Candidate]:
        """Candidates in the order in which to try them, perhaps lazily; none if the rule has none.

        Parameters
        ----------
        problem : Problem
        X : array of shape (n, r)
            A first-order point.
        certificate : Certificate
            Of ``X``; its (λ_n, u_n) is the input of every move.
        """
