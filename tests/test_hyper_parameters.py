"""Hyper-parameters are plain fields: they print, compare, may be traced; what names a method."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import liftless
from liftless import Balance, InvalidInput, Ridge, Stop, descend, make_instance
from liftless import descent as methods
from liftless._fields import traced_fields
from liftless.descent import LBFGS, GradientDescent, Method, Optax, as_method
from liftless.descent.loop import solve_starts
from liftless.descent.scaled import ScaledGradientDescent

PLAIN = [
    methods.ALTO(0.02, cooling=0.1),
    methods.Adam(0.1, 0.01),
    methods.Alternating(0.2, 7),
    methods.BarzilaiBorwein("short", 3),
    methods.CubicNewton(2.0, 5),
    GradientDescent(0.1),
    LBFGS(4),
    methods.LevenbergMarquardt(0.01),
    methods.Nesterov(0.1),
    methods.Nesterov(0.1, 0.5, restart=True),
    methods.NoisyProjected(0.1, 2.0, 0.5, 3, every=2, seed=5),
    methods.SGD(0.1, 2, decay=0.1, noise=0.2, every=3, seed=2**32 - 1),
    methods.SGLD(0.1, methods.Geometric(0.2, 0.9), every=2),
    methods.SimulatedAnnealing(0.1, methods.Logarithmic(0.3), seed=1),
    methods.TrustRegion(0.5, 9),
    methods.PerturbedGD(0.1, eta=0.2, F=None, relative=True),
    methods.PerturbedGD(0.1, eta=0.2, seed=2**40),
    methods.IPGD(eta=0.1, T_escape="curvature", returned="x"),
    methods.IPGDPlus(1e-20, local_steps=7),
    methods.IPGDPlus(mode="paper", eta=0.1, T_escape=9),
    methods.IPGDPlus(mode="paper", eta=0.1, T_escape="curvature"),
    methods.WhitenedLM(1e-3, 50),
    ScaledGradientDescent(1e-6),
    Stop(),
    Stop(1e-9, max_iterations=7),
    Ridge(0.1),
    Balance(3, 0.2),
    methods.Constant(0.5),
]


@pytest.mark.parametrize("made", PLAIN, ids=lambda made: repr(made)[:30])
def test_repr_shows_the_values_and_makes_the_same_again(made):
    names = {**vars(methods), "Stop": Stop, "Ridge": Ridge, "Balance": Balance}
    names["ScaledGradientDescent"] = ScaledGradientDescent
    assert eval(repr(made), names) == made  # the words of this file, not of a user
    assert "f64" not in repr(made)
    # What compiled code is given holds the same values, and arrays alone.
    arrays = jax.tree.leaves(traced_fields(made))
    assert all(isinstance(array, np.ndarray) for array in arrays)
    numbers = [leaf for leaf in jax.tree.leaves(made) if not isinstance(leaf, str)]
    assert [a.item() for a in arrays if np.isfinite(a)] == numbers


def test_the_field_is_the_argument():
    assert repr(GradientDescent(step=0.1)) == "GradientDescent(step=0.1)"
    assert GradientDescent(0.1).step == GradientDescent(0.1).step_size == 0.1
    assert GradientDescent(0.1) != GradientDescent(0.2)


def test_a_run_for_every_step_size():
    """A map over a traced step, built inside or outside of it, is the loop over plain ones."""
    problem = make_instance("basic").problem
    X = np.array([[[0.3], [0.2]]])
    steps, stop = np.array([0.01, 0.03]), Stop(0.0, 0.0, 20)
    inside = jax.vmap(lambda s: solve_starts(problem, GradientDescent(s), stop, X).point.X[0])
    outside = jax.vmap(lambda m: solve_starts(problem, m, stop, X).point.X[0])
    stacked = jax.tree.map(lambda _: steps, GradientDescent(0.1))
    for k, step in enumerate(steps):
        alone = descend(problem, X[0], GradientDescent(float(step)), stop).X
        np.testing.assert_allclose(inside(jnp.asarray(steps))[k], alone, rtol=1e-13)
        np.testing.assert_allclose(outside(stacked)[k], alone, rtol=1e-13)


class Half(Method[None]):
    """A method from outside: no argument."""

    def init(self, problem, point):
        """No state."""

    def advance(self, problem, point, state):
        return methods.Point.at(problem, point.X / 2, applications=point.applications), None


class Part(Half):
    """One that needs an argument."""

    part: float


def test_what_stands_for_a_method():
    assert as_method(None) == as_method("LBFGS") == as_method("l-bfgs") == LBFGS()
    assert as_method(LBFGS) == LBFGS()
    assert as_method("levenberg-marquardt") == liftless.LevenbergMarquardt()
    assert as_method(Half) == Half()
    assert as_method(LBFGS(3)) == LBFGS(3)
    adam = optax.adam(1e-2)
    assert as_method(adam) == Optax(adam)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("newton-raphson", "one of ALTO"),
        (optax.adam, "one of ALTO"),
        (3.0, "one of ALTO"),
        (Part, r"Part\(part\)"),
        (methods.NoisyProjected, r"NoisyProjected\(step, radius\)"),
        (Method, "Method"),
    ],
)
def test_what_is_no_method_is_said_in_a_line(value, says):
    with pytest.raises(InvalidInput, match=says):
        as_method(value)


def test_descend_takes_what_stands_for_a_method():
    instance = make_instance("basic")
    X = np.array([[0.3], [0.2]])
    stop = Stop(max_iterations=30)
    wanted = descend(instance.problem, X, LBFGS(), stop)
    for same in ("LBFGS", LBFGS, None):
        np.testing.assert_array_equal(descend(instance.problem, X, same, stop).X, wanted.X)
    transformation = optax.sgd(0.01)
    np.testing.assert_allclose(
        descend(instance.problem, X, transformation, stop).X,
        descend(instance.problem, X, GradientDescent(0.01), stop).X,
        rtol=1e-12,
    )
    with pytest.raises(InvalidInput, match="stop"):
        descend(instance.problem, X, None, 200)
