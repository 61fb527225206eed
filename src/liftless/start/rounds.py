"""Which start each round of :func:`liftless.recover` takes, and why.

Chosen on instances just above the sampling limit, apart from those that are reported; the
measurements are in ``docs/global-recovery.md``.  Where message passing is meant for the
measurements it comes first: it succeeds most often and costs least.  What it misses, starts of
another kind find, so that the later rounds are a cycle through unlike ones.
"""

from dataclasses import dataclass

from liftless.operators import RankOneOperator
from liftless.problem import Problem
from liftless.start.message_passing import can_pass
from liftless.start.passing import Passing
from liftless.start.reflections import Reflection
from liftless.start.reweighted import Reweighting

#: Largest n of the course for small problems: at n = 50 the matrix form of the reflections found
#: nothing in 16,000 applications.
SMALL_ORDER = 40


@dataclass(frozen=True)
class Plain:
    """A plain over-parameterised descent from a Gaussian factor, truncated.

    The factor has n columns where memory allows, else Pataki's number.
    """

    def __str__(self) -> str:
        return "plain"


Plan = Passing | Reweighting | Plain | Reflection


@dataclass(frozen=True)
class Course:
    """Starts by round: some first ones, then a cycle.

    Of the first ones those without a Gaussian factor of their own begin at the spectral estimate.
    """

    first: tuple[Plan, ...]
    later: tuple[Plan, ...]

    def plan(self, round_: int) -> Plan:
        """Return the start of round ``round_``, counted from 0."""
        if round_ < len(self.first):
            return self.first[round_]
        return self.later[(round_ - len(self.first)) % len(self.later)]

    def cycle_ends(self, rounds: int) -> bool:
        """Whether ``rounds`` rounds are a whole number of cycles after the first ones."""
        over = rounds - len(self.first)
        return over > 0 and over % len(self.later) == 0


#: For any measurements.
GENERAL = Course(
    first=(Reweighting(0.03, 2.0, -1.0, 12), Reweighting(0.01, 2.0, 0.0, 16)),
    later=(
        Reweighting(0.01, 0.0, 0.0, 8),
        Plain(),
        Reweighting(0.1, 1.0, -1.0, 12, 1.0),
        Reweighting(0.01, 1.0, 0.0, 12),
        Plain(),
        Reweighting(0.003, 0.0, 0.0, 8),
    ),
)
#: Isotropic measurements: a denoiser for .7–.8 of the noise level succeeds more often than for all
#: of it, the more so the smaller n; Levenberg–Marquardt takes over at an error of .3.
_AGAIN = Passing(0.7, 0.9, fresh=1.0, ready=0.3, patience=15)
_FARTHER = Passing(0.7, 0.9, fresh=3.0, ready=0.3, patience=15)
_FIRST = (Passing(0.8, 0.9, ready=0.3, patience=15), _AGAIN)
ISOTROPIC_LARGE = Course(
    _FIRST,
    (
        _FARTHER,
        Plain(),
        _AGAIN,
        Reweighting(0.06, 2.0, -1.0, 12, 0.5),
        _FARTHER,
        Plain(),
        _AGAIN,
        Reweighting(0.01, 0.0, 0.0, 8),
        _FARTHER,
        Plain(),
        _AGAIN,
        Reweighting(0.03, 2.0, -1.0, 12, 0.5),
    ),
)
#: The same for small n, where plain rounds find more, and reflections anything at all.
ISOTROPIC = Course(
    _FIRST,
    (
        Plain(),
        _FARTHER,
        Plain(),
        _AGAIN,
        Plain(),
        Reweighting(0.06, 2.0, -1.0, 12, 0.5),
        Plain(),
        _FARTHER,
        Plain(),
        _AGAIN,
        Plain(),
        Reweighting(0.01, 0.0, 0.0, 8),
        Plain(),
        _FARTHER,
        Plain(),
        _AGAIN,
        Plain(),
        Reweighting(0.03, 2.0, -1.0, 12, 0.5),
        Reflection(1.5, 1000),
    ),
)
#: Rank-one measurements: here the full noise level is best at first, and stalls last longer.
_RANK_ONE_AGAIN = Passing(0.85, 0.9, fresh=0.5, ready=0.05, patience=40)
RANK_ONE = Course(
    first=(Passing(1.0, 0.9, ready=0.15, patience=40), _RANK_ONE_AGAIN),
    later=(
        Passing(1.2, 0.9, fresh=0.5, ready=0.05, patience=40),
        _RANK_ONE_AGAIN,
        Reweighting(0.01, 0.0, 0.0, 8),
        Passing(0.6, 0.9, fresh=0.5, ready=0.05, patience=60),
        _RANK_ONE_AGAIN,
        Reweighting(0.01, 2.0, 0.0, 16),
        Reflection(1.25, 2000),
    ),
)


def course_of(problem: Problem) -> Course:
    """Return the course that suits a problem's measurements."""
    if not can_pass(problem):
        return GENERAL
    if isinstance(problem.operator, RankOneOperator):
        return RANK_ONE
    return ISOTROPIC if problem.n <= SMALL_ORDER else ISOTROPIC_LARGE
