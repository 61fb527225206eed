"""The spurious points of Table 1's study, and the starts beside them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from liftless import Problem, Stop, certify, descend, make_instance
from liftless.instances import Instance
from liftless.linalg import matrix_distance
from liftless.operators import DenseOperator, matrix
from liftless_papers.experiments.sod.success.completion import dense_problem

Factor = Float[np.ndarray, "n r"]
Starts = Float[np.ndarray, "k n r"]

#: Starts lie this far from X̂, relative to its norm.
OFFSET = 1e-3
#: Random starts of L-BFGS in the search for a spurious minimum of one random instance, and
#: instances searched at most.
SEARCH, INSTANCES = 24, 60
#: A spurious minimum is taken if h there is above this fraction of h(0).
LEAST = 1e-4


@dataclass(frozen=True)
class Spot:
    """A spurious point of a problem whose truth is known."""

    problem: Problem
    X: Factor
    truth: Factor

    @cached_property
    def height(self) -> float:
        """h(X̂)."""
        return float(self.problem.objective(self.X))

    @cached_property
    def full(self) -> float:
        """h(0)."""
        return float(self.problem.objective(np.zeros_like(self.X)))

    @cached_property
    def bend(self) -> float:
        """Largest eigenvalue of the Hessian at X̂: the natural unit of a step size."""
        return certify(self.problem, self.X).hessian_largest

    @cached_property
    def size(self) -> float:
        """‖X̂‖_F."""
        return float(np.linalg.norm(self.X))

    @cached_property
    def entry(self) -> float:
        """Root mean square of the entries of X̂."""
        return self.size / float(np.sqrt(self.X.size))

    @cached_property
    def heat(self) -> float:
        """h(X̂)/(n r): the temperature at which chance alone has the energy h(X̂)."""
        return self.height / self.X.size

    def starts(self, count: int, seed: int) -> Starts:
        """Starts at X̂ + 10⁻³‖X̂‖ in random directions."""
        D = np.random.default_rng([seed, 11]).standard_normal((count, *self.X.shape))
        D /= np.linalg.norm(D, axis=(1, 2), keepdims=True)
        return self.X + OFFSET * self.size * D

    def recovered(self, X: Factor) -> bool:
        """Whether X Xᵀ is the truth, to 1e-3 of its norm."""
        if not np.isfinite(X).all():
            return False
        scale = np.linalg.norm(self.truth @ self.truth.T)
        return matrix_distance(X, self.truth) <= 1e-3 * float(scale)


@dataclass(frozen=True)
class Case:
    """A column of the table: its name, what it is, and its points for the test and for tuning."""

    name: str
    text: str
    test: tuple[Spot, ...]
    tuning: tuple[Spot, ...]


def basic() -> Case:
    """The example (1.1); its point is a degenerate plateau, no minimum."""
    spot = _known(make_instance("basic"))
    return Case("basic", "example (1.1), a degenerate plateau", (spot,), (spot,))


def real_world() -> Case:
    """The example (C.2) at its strict minimum."""
    spot = _known(make_instance("real-world"))
    return Case("C.2", "real-world sensing (C.2)", (spot,), (spot,))


def pmc_small() -> Case:
    """Perturbed completion of order three, with dense matrices, as in (C.2)."""
    instance = make_instance("pmc", n=3, eps=0.3)
    spot = _known(instance, densified(instance.problem))
    return Case("PMC 3", "perturbed completion, n = 3, ε = 0.3", (spot,), (spot,))


def pmc(n: int, eps: float = 0.1) -> Case:
    """Perturbed completion of order n; every known point is a permutation of one."""
    spot = _known(make_instance("pmc", n=n, eps=eps), dense_problem(n, eps))
    return Case(f"PMC {n}", f"perturbed completion, n = {n}, ε = {eps:g}", (spot,), (spot,))


def ensemble(
    name: str, label: str, count: int, seed: int, *, n: int = 8, rank: int = 1, m: int = 12
) -> Case:
    """Random instances near the limit, each at a strict spurious minimum that descent finds.

    The instances for tuning have other seeds than those of the test.
    """
    found = minima(name, n, rank, m, seed)
    test = tuple(next(found) for _ in range(count))
    tuning = tuple(next(found) for _ in range(max(1, count // 2)))
    r = f", r = {rank}" if rank > 1 else ""
    return Case(label, f"{name}, n = {n}{r}, m = {m}, {count} instances", test, tuning)


def minima(name: str, n: int, rank: int, m: int, seed: int) -> Iterator[Spot]:
    """Spurious strict minima, one an instance, of the first seeds that have one."""
    for k in range(INSTANCES):
        made = make_instance(name, n=n, rank=rank, m=m, seed=1000 * (seed + 1) + k)
        truth = made.truth
        assert truth is not None
        problem = densified(made.problem)
        X0 = np.random.default_rng([seed, k]).standard_normal((SEARCH, n, rank))
        done = descend(problem, X0, stop=Stop(gradient=1e-11, max_iterations=600))
        full = float(problem.objective(np.zeros((n, rank))))
        for X, h in zip(done.X, done.objective, strict=True):
            if h > LEAST * full and certify(problem, X).kind == "stationary":
                yield Spot(problem, X, truth)
                break


def densified(problem: Problem) -> Problem:
    """Return the same problem with dense matrices, so that different kinds share a program."""
    A = np.stack([np.asarray(matrix(problem.operator, e)) for e in np.eye(problem.m)])
    return Problem(DenseOperator.from_matrices(A), problem.b, problem.rank)


def _known(instance: Instance, problem: Problem | None = None) -> Spot:
    assert instance.truth is not None
    return Spot(problem or instance.problem, instance.points[0].X, instance.truth)


#: Makers of the columns at either size; each takes the seed.
CASES: dict[str, tuple[Callable[[int], Case], ...]] = {
    # Of one shape, hence one program a method.
    "smoke": (
        lambda _: pmc_small(),
        lambda _: real_world(),
    ),
    "paper": (
        lambda _: basic(),
        lambda _: pmc_small(),
        lambda _: real_world(),
        lambda _: pmc(40),
        lambda _: pmc(80),
        lambda seed: ensemble("gaussian", "Gauss", 4, seed),
        lambda seed: ensemble("phase", "phase", 4, seed),
    ),
}
