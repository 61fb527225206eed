"""What Figs 8 and 9 and Table 5 share: one escape, and the descent before and after it."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from liftless.descent import Descent, GradientDescent, Stop, descend
from liftless.escape import MultiStep, Oracle, line_minimisers, oracle
from liftless.instances import Instance
from liftless.lifted import LiftedSubspace, truncated_path
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]
Values = Float[np.ndarray, " t"]

#: The paper's success: ‖X Xᵀ − M*‖_F below this (section 6.2).
SUCCESS = 0.02
#: A descent that ends within this of ±X̂ has found the spurious point.
NEAR = 0.05


@dataclass(frozen=True)
class Simulation:
    """Hyper-parameters of a simulated lifted descent: order l, ρ, η and number of steps t."""

    order: int
    rho: float
    eta: float
    steps: float


@dataclass(frozen=True)
class Budget:
    """Gradient descent around it: step size, size ζ of the start, steps before and after."""

    rate: float
    size: float
    before: int
    after: int


def truth_of(instance: Instance) -> Factor:
    """Z of an instance of the paper; each has one."""
    if instance.truth is None:
        raise ValueError(f"{instance.name} has no known truth")
    return instance.truth


def both_ways(o: Oracle, X: Factor, truth: Factor) -> tuple[Oracle, Oracle]:
    """Return the oracle with either sign of u_n, the one of the printed results first.

    The sign of an eigenvector is free.  It turns the b- and the c-term of (5.8) together and
    leaves the a-term, so that h^l of their sum depends on it.  The paper does not fix it; its
    printed limits (c-term to +Z, b-term to −Z, for a minimum on the side of +Z) and its Fig. 9
    belong to the sign for which the γ point is on the same side of Z as X̂.
    """
    other = dataclasses.replace(o, u_n=-o.u_n, A_P=-o.A_P, EX=-o.EX)
    overlap = float(np.vdot(X, truth))
    # An X̂ orthogonal to Z, as in completion, has no side: +Z then.
    side = 1.0 if abs(overlap) < 0.01 * np.linalg.norm(X) * np.linalg.norm(truth) else overlap
    # The γ point is a negative multiple of E X̂.
    return (o, other) if side * float(np.vdot(o.EX, truth)) <= 0 else (other, o)


@dataclass(frozen=True)
class Jump:
    """One escape by the closed form (5.8): from where, along what, and what it does to h and h^l.

    Attributes
    ----------
    problem : Problem
    X : array of shape (n, r)
        The point that is left.
    o : Oracle
        With the sign of u_n chosen.
    form : MultiStep
    subspace : LiftedSubspace
        Span of the three terms.
    """

    problem: Problem
    X: Factor
    o: Oracle
    form: MultiStep
    subspace: LiftedSubspace

    @classmethod
    def at(
        cls, instance: Instance, X: Factor, simulation: Simulation, *, turned: bool = False
    ) -> "Jump":
        """Prepare the escape from ``X``; ``turned`` takes the other sign of u_n."""
        problem = instance.problem
        o = both_ways(oracle(problem, X), X, truth_of(instance))[int(turned)]
        size = float(np.linalg.norm(X))
        pull = float(np.linalg.norm(o.EX))
        s = simulation
        form = MultiStep(o.lambda_n, o.sigma, size, pull, s.order, s.rho, s.eta)
        return cls(problem, X, o, form, LiftedSubspace.at(problem, X, s.order, o=o))

    def beta(self, t: float) -> Factor:
        """β-type point (5.15)."""
        return self.form.beta(t) * self.o.beta_direction

    def gamma(self, t: float) -> Factor:
        """γ-type point (5.16)."""
        return self.form.gamma(t) * self.o.gamma_direction

    def leading(self, t: float) -> str:
        """Return the letter of the term with the largest norm at step ``t``."""
        return "abc"[int(np.argmax(self.form.log_terms(t)))]

    def norms(self, t: Values) -> dict[str, Values]:
        """Norms of the three terms of (5.8), each of shape (t,)."""
        names = ("a_term", "b_term", "c_term")
        return dict(zip(names, map(np.exp, self.form.log_terms(t)), strict=True))

    def lifted_ratio(self, t: Values) -> Values:
        """h^l(w̃(t)) / h^l(vec(X̂)^{⊗l}), exact, of shape (t,)."""
        return np.asarray(truncated_path(self.form, self.subspace, t).relative)

    def diagonal_ratio(self, t: Values) -> Values:
        """Return the same ratio of the surrogate that keeps the m residuals i_1 = … = i_l alone."""
        weights = truncated_path(self.form, self.subspace, t).W
        start = self.subspace.diagonal(self.subspace.start())
        # Overflow is an answer here: the path has left the finite numbers.
        with np.errstate(over="ignore", invalid="ignore"):
            ratio = np.array([self.subspace.diagonal(W) for W in weights]) / start
        return np.where(np.isfinite(ratio), ratio, np.inf)

    def matrix_ratio(self, kind: str, t: Values) -> Values:
        """h(X̌) / h(X̂) of the "beta" or the "gamma" point, of shape (t,)."""
        D = getattr(self.o, f"{kind}_direction")
        quartic = np.asarray(self.problem.along(np.zeros_like(D), D))
        s = getattr(self.form, kind)(t)
        before = float(self.problem.objective(self.X))
        with np.errstate(over="ignore"):
            return np.polynomial.polynomial.polyval(s, quartic) / before

    def best_ratio(self, kind: str) -> float:
        """Least h(s D) / h(X̂) over every amplitude s of the "beta" or the "gamma" direction."""
        D = getattr(self.o, f"{kind}_direction")
        (s,) = line_minimisers(self.problem, np.zeros_like(D), D)
        return float(self.problem.objective(float(s) * D) / self.problem.objective(self.X))

    def steps_where_gamma_lowers(self) -> tuple[float, float]:
        """Interval of t in which h(X̌) < h(X̂) for the γ point; NaN where there is none.

        h along s·E X̂ is a quartic in s without odd powers; where it crosses h(X̂), (5.16) is solved
        for t.
        """
        D = self.o.gamma_direction
        c = np.asarray(self.problem.along(np.zeros_like(D), D))
        level = c[0] - float(self.problem.objective(self.X))
        inside = c[2] * c[2] - 4 * c[4] * level
        if inside <= 0:
            return math.nan, math.nan
        squares = (-c[2] + np.array([-1.0, 1.0]) * math.sqrt(inside)) / (2 * c[4])
        low, high = (self.steps_to_gamma(math.sqrt(s)) for s in squares)
        return low, high

    def steps_to_gamma(self, amplitude: float) -> float:
        """Solve |γ(t)| = ``amplitude`` for t: the sum in (5.16) is ((1 + g)^t − 1) / g."""
        f = self.form
        total = (2 * amplitude / f.sigma) ** f.order / (2 * f.eta * f.rho)
        return math.log1p(math.expm1(f.log_rate) * total) / f.log_rate

    def steps_to_beta(self, amplitude: float) -> float:
        """Solve β(t) = ``amplitude`` for t, from (5.15)."""
        f = self.form
        return (f.order * math.log(amplitude) - math.log(f.rho)) / f.log_rate


def least_ratio(jump: Jump, low: float, high: float) -> tuple[float, float]:
    """Least exact h^l ratio over t in [low, high], low > 0, and where, by ever finer grids."""
    best = math.inf, low
    for _ in range(3):
        t = np.geomspace(low, high, 121)
        ratio = jump.lifted_ratio(t)
        k = int(np.argmin(ratio))
        best = min(best, (float(ratio[k]), float(t[k])))
        low, high = float(t[max(k - 1, 0)]), float(t[min(k + 1, t.size - 1)])
    return best


def crossing(ratio: Callable[[Values], Values], below: float, above: float) -> float:
    """Step count at which a ratio passes 1, between one with ratio < 1 and one without."""
    for _ in range(60):
        middle = (below + above) / 2
        if ratio(np.array([middle]))[0] < 1:
            below = middle
        else:
            above = middle
    return (below + above) / 2


def window_below(ratio: Callable[[Values], Values], low: float, high: float) -> tuple[float, float]:
    """First and last t in [low, high] with a ratio below 1; NaN where there is none."""
    t = np.geomspace(low, high, 241)
    hits = np.flatnonzero(ratio(t) < 1)
    if hits.size == 0:
        return math.nan, math.nan
    first, last = int(hits[0]), int(hits[-1])
    start = float(t[first]) if first == 0 else crossing(ratio, float(t[first]), float(t[first - 1]))
    end = (
        float(t[last])
        if last == t.size - 1
        else crossing(ratio, float(t[last]), float(t[last + 1]))
    )
    return start, end


# -- descent before and after ----------------------------------------------------------------------


def distances(X: Float[np.ndarray, "t n r"], truth: Factor) -> Values:
    """‖X Xᵀ − Z Zᵀ‖_F of many factors."""
    gap = X @ np.swapaxes(X, -1, -2) - truth @ truth.T
    # Divergent runs overflow; their distance is infinite.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(np.sum(gap * gap, axis=(-2, -1)))


def distance(X: Factor, truth: Factor) -> float:
    """‖X Xᵀ − Z Zᵀ‖_F of one factor; infinite where it overflows."""
    return float(distances(X[None], truth)[0])


def run_descent(
    problem: Problem, X: np.ndarray, rate: float, steps: int, history: str = "iterates"
) -> Descent:
    """Run ``steps`` fixed steps from one start or many; only round-off ends a run earlier."""
    stop = Stop(objective=0.0, gradient=0.0, max_iterations=steps)
    return descend(problem, X, GradientDescent(rate), stop, history=history)


@dataclass(frozen=True)
class Ends:
    """Where descent ends from random starts ζ·N(0, 1) of consecutive seeds.

    ``first`` is the first seed; ``at_truth`` and ``at_spurious`` have shape (k,).  The rest ends
    elsewhere or diverges.
    """

    first: int
    at_truth: Bool[np.ndarray, " k"]
    at_spurious: Bool[np.ndarray, " k"]

    @property
    def seed(self) -> int | None:
        """The first seed whose run ends near the spurious point."""
        hits = np.flatnonzero(self.at_spurious)
        return self.first + int(hits[0]) if hits.size else None


def start(instance: Instance, budget: Budget, seed: int) -> Factor:
    """ζ times a standard normal factor."""
    shape = (instance.problem.n, instance.problem.rank)
    return budget.size * np.random.default_rng(seed).standard_normal(shape)


def basins(instance: Instance, budget: Budget, first: int, count: int, steps: int) -> Ends:
    """Descend from ``count`` random starts for ``steps`` steps and see where each ends."""
    X0 = np.stack([start(instance, budget, first + k) for k in range(count)])
    X = run_descent(instance.problem, X0, budget.rate, steps, "none").X
    # Divergent runs may be as large as the largest float; they are cut before they are squared.
    X = np.clip(np.nan_to_num(X, nan=1e6), -1e6, 1e6)
    away = [np.linalg.norm(X - s * instance.points[0].X, axis=(1, 2)) for s in (-1, 1)]
    return Ends(first, distances(X, truth_of(instance)) < SUCCESS, np.minimum(*away) < NEAR)


def spurious_seed(instance: Instance, budget: Budget, ends: Ends) -> int:
    """First seed that descends to the spurious point, looking further than ``ends`` if need be."""
    count = ends.at_truth.size
    while ends.seed is None:
        ends = basins(instance, budget, ends.first + count, count, budget.before)
    return ends.seed


@dataclass(frozen=True)
class Course:
    """A whole run: descent to the spurious point, jumps from it, descent from each.

    Attributes
    ----------
    instance : Instance
    budget : Budget
    seed : int
        Of the start.
    before : Descent
        With its iterates.
    minimum : array of shape (n, r)
        The local minimum to round-off, with the sign of the descent's end.
    jumps : dict
        Named points descended from; the first is the figure's.
    after : Descent
        From all of them at once, with their iterates.
    """

    instance: Instance
    budget: Budget
    seed: int
    before: Descent
    minimum: Factor
    jumps: dict[str, Factor]
    after: Descent

    def errors(self, name: str) -> Values:
        """‖X Xᵀ − M*‖_F over the descent from a jump, of shape (steps + 1,)."""
        k = list(self.jumps).index(name)
        return distances(self.after.history["X"][k], truth_of(self.instance))

    def success_step(self, name: str) -> float:
        """First step after a jump with an error below .02; infinite if there is none."""
        hits = np.flatnonzero(self.errors(name) < SUCCESS)
        return float(hits[0]) if hits.size else math.inf


def descend_to_minimum(instance: Instance, budget: Budget, seed: int) -> tuple[Descent, Factor]:
    """Descend from the start of ``seed``; also return the known local minimum of the same sign."""
    before = run_descent(
        instance.problem, start(instance, budget, seed), budget.rate, budget.before
    )
    X = instance.points[0].X
    return before, X if np.vdot(before.X, X) >= 0 else -X


def run_course(
    instance: Instance,
    budget: Budget,
    seed: int,
    before: Descent,
    minimum: Factor,
    jumps: dict[str, Factor],
) -> Course:
    """Descend from every jump and put the legs together."""
    X0 = np.stack(list(jumps.values()))
    after = run_descent(instance.problem, X0, budget.rate, budget.after)
    return Course(instance, budget, seed, before, minimum, jumps, after)
