"""Which start each round of :func:`liftless.recover` takes, and why.

Chosen on instances just above the sampling limit, apart from those that are reported; the
measurements are in ``docs/global-recovery.md``.  Where message passing is meant for the
measurements it comes first: it succeeds most often and costs least.  What it misses, starts of
another kind find, so that the later rounds are a cycle through unlike ones.
"""

from dataclasses import dataclass

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless.carried import orthogonal
from liftless.cost import CostModel, affordable_width
from liftless.problem import Problem
from liftless.start.base import Start
from liftless.start.belief import BeliefPropagation
from liftless.start.evened import Evened, uneven
from liftless.start.message_passing import MessagePassing, passes_amplitudes, passes_matrices
from liftless.start.plain import OverParameterised, Spectral
from liftless.start.reflections import DouglasRachford
from liftless.start.reweighted import ReweightedTrace
from liftless.start.vector_passing import VectorPassing, passes_vectors

#: Largest n of the course for small problems: at n = 50 the matrix form of the reflections found
#: nothing in 16,000 applications.
SMALL_ORDER = 40
#: An application in a wide factor that costs so many in the problem's own: then the spectral start,
#: a hundredth of the price, is worth a try before it.
DEAR = 3.0


@dataclass(frozen=True)
class Course:
    """Starts by round: some first ones, then a cycle.

    Attributes
    ----------
    first : tuple of Start
        Those of the first rounds.  Those without a Gaussian factor of their own begin the very
        first round at the spectral estimate.
    later : tuple of Start
        The cycle after them; with none the first ones are the cycle.
    patient : bool
        Whether escapes come once a cycle, since another start is the better bet; else after every
        round.
    """

    first: tuple
    later: tuple = ()
    patient: bool = True

    def __post_init__(self) -> None:
        starts = (*self.first, *self.later)
        if not starts or not all(isinstance(start, Start) for start in starts):
            was = ", ".join(describe(start) for start in starts) or "empty"
            raise InvalidInput(
                "Course", was, "made of Start objects", "Write Course((Spectral(),))."
            )

    def start(self, round_: int) -> Start:
        """Return the start of round ``round_``, counted from 0."""
        if round_ < len(self.first):
            return self.first[round_]
        cycle = self.later or self.first
        return cycle[(round_ - len(self.first)) % len(cycle)]

    def cycle_ends(self, rounds: int) -> bool:
        """Whether ``rounds`` rounds are a whole number of cycles after the first ones."""
        over = rounds - len(self.first)
        if not self.later:
            return over >= 0 and over % len(self.first) == 0
        return over > 0 and over % len(self.later) == 0


#: Where no reweighted start is to be had: plain over-parameterised rounds, each with its escapes.
PLAIN = Course((OverParameterised(),), patient=False)
#: For any measurements.
GENERAL = Course(
    first=(ReweightedTrace(0.03, 2.0, -1.0, 12), ReweightedTrace(0.01, 2.0, 0.0, 16)),
    later=(
        ReweightedTrace(0.01, 0.0, 0.0, 8),
        OverParameterised(square=True),
        ReweightedTrace(0.1, 1.0, -1.0, 12, 1.0),
        ReweightedTrace(0.01, 1.0, 0.0, 12),
        OverParameterised(square=True),
        ReweightedTrace(0.003, 0.0, 0.0, 8),
    ),
)
#: Isotropic measurements: a denoiser for .7–.8 of the noise level succeeds more often than for all
#: of it, the more so the smaller n; Levenberg–Marquardt takes over at an error of .3.
_AGAIN = MessagePassing(0.7, 0.9, fresh=1.0, ready=0.3, patience=15)
_FARTHER = MessagePassing(0.7, 0.9, fresh=3.0, ready=0.3, patience=15)
_FIRST = (MessagePassing(0.8, 0.9, ready=0.3, patience=15), _AGAIN)
ISOTROPIC_LARGE = Course(
    _FIRST,
    (
        _FARTHER,
        OverParameterised(square=True),
        _AGAIN,
        ReweightedTrace(0.06, 2.0, -1.0, 12, 0.5),
        _FARTHER,
        OverParameterised(square=True),
        _AGAIN,
        ReweightedTrace(0.01, 0.0, 0.0, 8),
        _FARTHER,
        OverParameterised(square=True),
        _AGAIN,
        ReweightedTrace(0.03, 2.0, -1.0, 12, 0.5),
    ),
)
#: The same for small n, where plain rounds find more, and reflections anything at all.
ISOTROPIC = Course(
    _FIRST,
    (
        OverParameterised(square=True),
        _FARTHER,
        OverParameterised(square=True),
        _AGAIN,
        OverParameterised(square=True),
        ReweightedTrace(0.06, 2.0, -1.0, 12, 0.5),
        OverParameterised(square=True),
        _FARTHER,
        OverParameterised(square=True),
        _AGAIN,
        OverParameterised(square=True),
        ReweightedTrace(0.01, 0.0, 0.0, 8),
        OverParameterised(square=True),
        _FARTHER,
        OverParameterised(square=True),
        _AGAIN,
        OverParameterised(square=True),
        ReweightedTrace(0.03, 2.0, -1.0, 12, 0.5),
        DouglasRachford(1.5, 1000),
    ),
)
#: Amplitudes: here the full noise level is best at first, and stalls last longer.
_AMPLITUDES_AGAIN = MessagePassing(0.85, 0.9, fresh=0.5, ready=0.05, patience=40)
AMPLITUDES = Course(
    first=(MessagePassing(1.0, 0.9, ready=0.15, patience=40), _AMPLITUDES_AGAIN),
    later=(
        MessagePassing(1.2, 0.9, fresh=0.5, ready=0.05, patience=40),
        _AMPLITUDES_AGAIN,
        ReweightedTrace(0.01, 0.0, 0.0, 8),
        MessagePassing(0.6, 0.9, fresh=0.5, ready=0.05, patience=60),
        _AMPLITUDES_AGAIN,
        ReweightedTrace(0.01, 2.0, 0.0, 16),
        DouglasRachford(1.25, 2000),
    ),
)


#: Amplitudes of a map with orthogonal columns: other random images, and now and then reflections.
VECTORS = Course((VectorPassing(), VectorPassing()), (VectorPassing(), DouglasRachford(1.0, 2000)))
#: The same of a map that mixes too evenly for message passing, as a plain transform on a support.
REFLECTED = Course((DouglasRachford(1.0, 4000), DouglasRachford(1.0, 4000)))
#: Observed entries: belief propagation twice, then whatever finds the rest on small instances.
COMPLETION = Course((BeliefPropagation(), *GENERAL.first), GENERAL.later)
#: The same where a wide factor is dear: only the first messages differ from round to round.
COMPLETION_LARGE = Course((BeliefPropagation(), BeliefPropagation(), Spectral()))


def course_of(problem: Problem, budget: float | int = float("inf")) -> Course:
    """Return the course that suits a problem's measurements, and a budget."""
    course = _course_of(problem, budget)
    if problem.loss.quadratic and not problem.regularisers and uneven(problem):
        # The weights matter only where no exact fit is found.
        first, later = (tuple(map(Evened, part)) for part in (course.first, course.later))
        return Course(first, later, course.patient)
    return course


def _course_of(problem: Problem, budget: float | int) -> Course:
    quadratic = problem.loss.quadratic and float(problem.trace_weight) == 0
    if quadratic and COMPLETION.first[0].suits(problem):
        model = CostModel(problem.operator, problem.rank)
        small = model.ratio(affordable_width(problem, budget)) <= DEAR
        return COMPLETION if small else COMPLETION_LARGE
    if quadratic and orthogonal(problem.operator) is not None:
        return VECTORS if passes_vectors(problem) else REFLECTED
    if not quadratic or affordable_width(problem, budget) <= problem.rank:
        return PLAIN
    if passes_amplitudes(problem):
        return AMPLITUDES
    if not passes_matrices(problem):
        return general_course(problem, budget)
    return ISOTROPIC if problem.n <= SMALL_ORDER else ISOTROPIC_LARGE


def general_course(problem: Problem, budget: float | int = float("inf")) -> Course:
    """Return the course for any measurements: the spectral start first where a wide one is dear."""
    model = CostModel(problem.operator, problem.rank)
    if model.ratio(affordable_width(problem, budget, model=model)) <= DEAR:
        return GENERAL
    return Course((Spectral(), *GENERAL.first), GENERAL.later)
