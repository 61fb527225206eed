"""The start by message passing, for the operators that it is meant for."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.cost import dense_eigen, spectral_work
from liftless.descent.watched import Pace
from liftless.operators import Amplitudes
from liftless.problem import Problem
from liftless.start.amplitudes import Used, used_amplitudes
from liftless.start.base import HOPELESS_NEAR, Allowance, Begun, Start
from liftless.start.passing import Numbers, Watch
from liftless.start.passing_amplitudes import pass_amplitudes, spectral_product
from liftless.start.passing_matrix import pass_matrix
from liftless.start.simple import handed_over, steps_within

#: Applications of a step, and of the beginning.
STEP_COST, FIRST_COST = 2, 2
#: Steps that it is begun for at the least.
FEW = 2
#: Second word of the seed of the Gaussian factors.
STREAM = 13
#: Relative accuracy of the spectral estimate's eigenvalues where Lanczos finds them.
ROUGH = 1e-2


@dataclass(frozen=True)
class MessagePassing(Start):
    """Approximate message passing (AMP), for isotropic and for amplitude measurements.

    Attributes
    ----------
    noise : float
        Factor on the noise level that the denoiser assumes: 1 is right for large problems.
    damping : float
        Weight in (0, 1] of a step's result against the one before.
    fresh : float
        Size of the Gaussian factor it begins with, relative to the truth; 0 begins at nothing, or
        at the spectral estimate.
    ready : float
        Estimated relative error at which a local solve takes over.
    patience : int
        Steps without a fall of the estimated error after which it has stalled.
    steps : int
        Most steps.
    """

    noise: float = 1.0
    damping: float = 0.9
    fresh: float = 0.0
    ready: float = 0.2
    patience: int = 25
    steps: int = 160
    hopeless = HOPELESS_NEAR

    def __str__(self) -> str:
        return (
            f"passing noise={self.noise:g} damping={self.damping:g} fresh={self.fresh:g} "
            f"ready={self.ready:g} patience={self.patience}"
        )

    def suits(self, problem: Problem) -> bool:
        """See :func:`can_pass`."""
        return can_pass(problem)

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Run until the estimated error is small, or stalls."""
        extra = allowance.account.model.of(spectral_work(problem.n))
        left, before = allowance.left - extra, allowance.account.spent
        X, first, steps, error = _pass(problem, self, seed, left, allowance.amplitudes, allowance)
        # The products of Lanczos' method may have been booked one by one.
        booked = allowance.account.spent > before
        spent = FIRST_COST + steps if booked else first + steps
        return Begun(X, spent + extra, spent, error)

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """The eigenproblem that it begins with, and some steps."""
        del problem
        return allowance.eigen + FIRST_COST + FEW * STEP_COST


def can_pass(problem: Problem) -> bool:
    """Whether message passing is meant for a problem: its measurements, loss and size."""
    return passes_amplitudes(problem) or passes_matrices(problem)


def passes_amplitudes(problem: Problem) -> bool:
    """Whether it is meant for the problem as one of amplitudes."""
    return _plain(problem) and problem.operator.amplitudes() is not None


def passes_matrices(problem: Problem) -> bool:
    """Whether it is meant for the problem as one of isotropic matrices."""
    return _plain(problem) and dense_eigen(problem.n) and problem.operator.isotropic()


def _plain(problem: Problem) -> bool:
    plain = problem.loss.name == "squared" and not problem.regularisers
    return plain and problem.rank < problem.n


def numbers_of(plan: MessagePassing, steps: int) -> Numbers:
    """Scalars of a plan, for at most ``steps`` steps."""
    p = plan
    values = (p.noise, p.damping, p.fresh, p.ready, p.patience, min(p.steps, steps))
    return Numbers(*(np.asarray(float(v)) for v in values))


@functools.partial(jax.jit, static_argnames=("rank", "whole"))
def _run(
    problem: Problem,
    amplitudes: Used | None,
    numbers: Numbers,
    G: AnyArray,
    U: AnyArray | None,
    rank: int,
    whole: bool,
    at: Any = None,
) -> tuple[AnyArray, Any]:
    """Factor and state after at most ``numbers.steps`` steps; of the state its watch, if whole."""
    if amplitudes is not None:
        space = problem.operator.space
        X, end = pass_amplitudes(amplitudes, space, problem.b, numbers, G, U, rank, at)
    else:
        X, end = pass_matrix(problem, problem.operator.squares(), numbers, G, rank, at)
    return X, end.watch if whole else end


def _watched(
    problem: Problem,
    used: Used | None,
    numbers: Numbers,
    G: AnyArray,
    U: AnyArray | None,
    going: Callable[[dict | None], bool],
) -> tuple[AnyArray, Watch]:
    """:func:`_run` looked after on its way."""
    some = lambda k: eqx.tree_at(lambda n: n.steps, numbers, np.minimum(k, numbers.steps))  # noqa: E731
    X, at = _run(problem, used, some(0.0), G, U, problem.rank, False)
    end, pace = 0.0, Pace()
    while bool(at.watch.going(numbers)) and going({"error": float(at.watch.error)}):
        end += pace.steps
        X, at = _run(problem, used, some(end), G, None, problem.rank, False, at)
        at.watch.k.block_until_ready()
        pace.taken()
    return X, at.watch


def _leading(problem: Problem, used: Used | None) -> tuple[Float[np.ndarray, "n r"] | None, int]:
    """Spectral estimate by Lanczos where n is large, with the applications that it took."""
    if used is None or dense_eigen(problem.n):
        return None, 0
    products, space = 0, problem.operator.space

    def product(W: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return np.asarray(spectral_product(used, problem.b, W, problem.rank))

    _, vectors = space.eigenpairs(product, problem.rank, "highest", ROUGH)
    return vectors, 2 * products


def passing_start(
    problem: Problem, plan: MessagePassing, seed: int = 0, budget: float | int | None = None
) -> tuple[Float[np.ndarray, "n r"], int, float]:
    """Run message passing until it knows the matrix well enough for a local solve, or stalls.

    Parameters
    ----------
    problem : Problem
        One for which :func:`can_pass` holds.  Row weights decide only which rows are used.
    plan : MessagePassing
    seed : int
        Of the Gaussian factor that a plan with ``fresh`` > 0 begins with.
    budget : float, optional
        Applications after which no further step is taken.

    Returns
    -------
    start : array of shape (n, r)
    applications : int
        Of A or A* to one matrix: two a step, two at the beginning, and two a product of Lanczos'
        method, which finds the spectral estimate where n is large.
    error : float
        Its own estimate of the relative error of the matrix; at most ``plan.ready``
        where it converged.

    Raises
    ------
    InvalidInput
        For a problem that it is not meant for.
    """
    if not can_pass(problem):
        was = f"{type(problem.operator).__name__} with {problem.loss.name} loss"
        must = "with isotropic or amplitude measurements, squared loss, no regulariser, rank < n"
        raise InvalidInput("problem", was, must, "Use ReweightedTrace.")
    X, first, steps, error = _pass(problem, plan, seed, budget, problem.operator.amplitudes())
    return X, first + steps, error


@double
def _pass(
    problem: Problem,
    plan: MessagePassing,
    seed: int,
    budget: float | int | None,
    amplitudes: Amplitudes | None,
    allowance: Allowance | None = None,
) -> tuple[Float[np.ndarray, "n r"], int, int, float]:
    """Factor, applications before the first step and of the steps, and the error."""
    rng = np.random.default_rng([seed, STREAM])
    G = rng.standard_normal((problem.n, problem.rank))
    used = None if amplitudes is None else on_device(used_amplitudes(amplitudes, problem))
    problem = on_device(problem)
    U, extra = _leading(problem, used)
    first = FIRST_COST + extra
    steps = steps_within(plan.steps, budget, first, STEP_COST)
    numbers = numbers_of(plan, steps)
    work = STEP_COST * steps * (0.0 if allowance is None else allowance.account.model.one)
    if allowance is not None and allowance.going is not None and allowance.watching(work):
        X, watch = _watched(problem, used, numbers, G, U, allowance.going)
    else:
        X, watch = _run(problem, used, numbers, G, U, problem.rank, True)
    X, spent, error = handed_over(X, STEP_COST * int(watch.k), watch.error)
    return X, first, spent, error
