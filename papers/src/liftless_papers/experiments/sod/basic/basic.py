"""What figures 1, 2, 4 and 6 share: an example with its oracle, and the jump from its point."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from liftless.descent import Descent, GradientDescent, Stop, descend
from liftless.escape import MultiStep, MultiStepEscape, Oracle, oracle
from liftless.instances import Instance, make_instance
from liftless.linalg import matrix_distance
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Distance ‖X Xᵀ − M*‖_F below which the paper counts a run as a success (section 6.2).
SUCCESS = 0.02


@dataclass(frozen=True)
class Example:
    """One of the paper's examples at the point to be left.

    Parameters
    ----------
    instance : Instance
        With a known truth.
    X : array of shape (n, r)
        X̂: the instance's known point, or one that descent has reached.
    turned : bool
        Take u_n with the other sign than the rule of the library (largest entry positive).  The
        sign is free and turns the b- and the c-term together, but not the a-term.
    """

    instance: Instance
    X: Factor
    turned: bool = False

    @classmethod
    def named(cls, name: str, *, turned: bool = False, **given: int | float) -> "Example":
        """Return the example at the first point its instance lists."""
        instance = make_instance(name, **given)
        return cls(instance, instance.points[0].X, turned)

    @property
    def problem(self) -> Problem:
        """The recovery problem."""
        return self.instance.problem

    @property
    def truth(self) -> Factor:
        """Z with M* = Z Zᵀ."""
        if self.instance.truth is None:
            raise ValueError(f"the truth of {self.instance.name} is unknown")
        return self.instance.truth

    @cached_property
    def oracle(self) -> Oracle:
        """(λ_n, u_n), (σ, v, q) and E X̂ at the point."""
        o = oracle(self.problem, self.X)
        return replace(o, u_n=-o.u_n, A_P=-o.A_P, EX=-o.EX) if self.turned else o

    def form(self, order: int, rho: float, eta: float) -> MultiStep:
        """Closed form (5.8) at the point."""
        return MultiStepEscape(order, rho, eta).closed_form(self.X, self.oracle)

    def beta_point(self, form: MultiStep, t: float) -> Factor:
        """β-type escape point (5.15)."""
        return form.beta(t) * self.oracle.beta_direction

    def gamma_point(self, form: MultiStep, t: float) -> Factor:
        """γ-type escape point (5.16)."""
        return form.gamma(t) * self.oracle.gamma_direction

    def objective(self, X: Factor) -> float:
        """h(X)."""
        return float(self.problem.objective(X))

    def distance(self, X: Factor) -> float:
        """‖X Xᵀ − M*‖_F."""
        return matrix_distance(X, self.truth)

    def distances(self, path: Float[np.ndarray, "k n r"]) -> Float[np.ndarray, " k"]:
        """‖X Xᵀ − M*‖_F of many points."""
        M = self.truth @ self.truth.T
        return np.linalg.norm(path @ path.transpose(0, 2, 1) - M, axis=(1, 2))


def plain_descent(
    problem: Problem, X0: Float[np.ndarray, "..."], step: float, steps: int, *, path: bool = False
) -> Descent:
    """Gradient descent for exactly ``steps`` steps, unless it hits round-off or diverges."""
    stop = Stop(objective=0.0, gradient=0.0, max_iterations=steps)
    keep = "iterates" if path else "none"
    return descend(problem, X0, GradientDescent(step), stop, history=keep)


def padded(path: Float[np.ndarray, "k n r"], steps: int) -> Float[np.ndarray, "p n r"]:
    """Return the path with its last point repeated to ``steps`` + 1 points.

    A run that ends at round-off stands still from there.
    """
    missing = steps + 1 - path.shape[0]
    return np.concatenate([path, np.repeat(path[-1:], missing, axis=0)]) if missing > 0 else path


def plain_path(problem: Problem, X0: Factor, step: float, steps: int) -> Float[np.ndarray, "p n r"]:
    """Every iterate of gradient descent, the start included: ``steps`` + 1 points."""
    return padded(plain_descent(problem, X0, step, steps, path=True).history["X"], steps)


def first_below(values: Float[np.ndarray, " k"], level: float) -> int:
    """Index of the first value below a level, −1 if there is none."""
    below = np.flatnonzero(values < level)
    return int(below[0]) if below.size else -1


@dataclass(frozen=True)
class Jump:
    """An escape point and the descent from it.

    Attributes
    ----------
    kind : str
        "beta" or "gamma".
    X : array of shape (n, r)
        The escape point X̌.
    before, at : float
        h(X̂) and h(X̌).
    distance_before, distance_at, distance_after : float
        ‖X Xᵀ − M*‖_F at X̂, at X̌ and after the descent.
    ratio : float
        ‖X̌X̌ᵀ − X̂X̂ᵀ‖_F / ‖X̌X̌ᵀ − M*‖_F, (C.3).
    success : int
        First step of the descent at a distance below :data:`SUCCESS`; −1 if none.
    path : array of shape (steps + 1, n, r)
        Iterates of the descent.
    """

    kind: str
    X: Factor
    before: float
    at: float
    distance_before: float
    distance_at: float
    distance_after: float
    ratio: float
    success: int
    path: Float[np.ndarray, "p n r"]

    def row(self) -> dict[str, float | int | str]:
        """Return the scalars, with the coordinates of the point as x1, x2 and so on."""
        kept = ("kind", "before", "at", "distance_before", "distance_at", "distance_after")
        row = {name: getattr(self, name) for name in (*kept, "ratio", "success")}
        row.update({f"x{i + 1}": float(x) for i, x in enumerate(self.X.ravel())})
        return row


def jump(example: Example, kind: str, X: Factor, step: float, steps: int) -> Jump:
    """Descend from the escape point ``X`` of one kind and measure what the paper reports."""
    path = plain_path(example.problem, X, step, steps)
    distances = example.distances(path)
    return Jump(
        kind=kind,
        X=X,
        before=example.objective(example.X),
        at=example.objective(X),
        distance_before=example.distance(example.X),
        distance_at=float(distances[0]),
        distance_after=float(distances[-1]),
        ratio=matrix_distance(X, example.X) / float(distances[0]),
        success=first_below(distances, SUCCESS),
        path=path,
    )


def landscape(
    example: Example,
    first: Float[np.ndarray, "n r"],
    second: Float[np.ndarray, "n r"],
    x: Float[np.ndarray, " p"],
    y: Float[np.ndarray, " q"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return h on the slice {s·first + t·second} of the factors: columns s, t, h, x fastest."""
    s, t = (grid.ravel() for grid in np.meshgrid(x, y))
    # Measurements of a slice are quadratic in (s, t), so three evaluations of A serve all of it.
    measure = example.problem.measurements
    y11, y22 = np.asarray(measure(first)), np.asarray(measure(second))
    y12 = np.asarray(measure(first + second)) - y11 - y22
    fit = np.outer(s * s, y11) + np.outer(s * t, y12) + np.outer(t * t, y22)
    weight = np.asarray(example.problem.weights)
    h = 0.5 * np.sum((weight * (fit - np.asarray(example.problem.b))) ** 2, axis=1)
    return s, t, h
