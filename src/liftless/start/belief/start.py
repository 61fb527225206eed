"""Belief propagation as the start of a recovery."""

from dataclasses import dataclass

from liftless.problem import Problem
from liftless.start.base import HOPELESS_NEAR, Allowance, Begun, Start
from liftless.start.belief.complete import Schedule, complete_entries
from liftless.start.belief.local import least_polish
from liftless.start.belief.observed import tells

#: The schedule that was measured.
USUAL = Schedule()


@dataclass(frozen=True)
class BeliefPropagation(Start):
    """Cavity belief propagation on observed entries, then local descent on the core.

    See :func:`liftless.start.belief.complete_entries`.  A sweep is charged as r iterations of
    conjugate gradients, which is what its products cost.

    Parameters
    ----------
    schedule : Schedule
        When a stage ends, and the whole.
    noise : bool, optional
        Whether the entries have noise; by default an exact fit is tried first, which takes ten
        times as long where there is none.
    """

    schedule: Schedule = USUAL
    noise: bool | None = None
    hopeless = HOPELESS_NEAR

    def __str__(self) -> str:
        return "belief propagation"

    def suits(self, problem: Problem) -> bool:
        """Whether single entries are observed, with a quadratic loss and no trace penalty."""
        plain = problem.loss.quadratic and float(problem.trace_weight) == 0
        return plain and tells(problem)

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """One sweep, and one step of local descent."""
        del allowance
        return 2 * problem.rank + least_polish(problem.rank)

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Complete the matrix within the allowance."""
        done = complete_entries(
            problem,
            seed,
            schedule=self.schedule,
            budget=allowance.left,
            progress=allowance.progress,
            ended=lambda: allowance.over,
            noise=self.noise,
        )
        # Balanced, so that a penalty on the balance has nothing left to do.
        X = problem.space.truncate(done.X, problem.rank)
        spent = done.applications
        return Begun(X, spent, round(spent), done.misfit, completion=done)
