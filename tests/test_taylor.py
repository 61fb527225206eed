"""Derivatives by the slope of the Taylor error, and the exact course along a line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import LOSSES, REGULARISERS, M, N, R, make_problem, named

from liftless import quartic
from liftless._errors import InvalidInput

# operator, loss, regulariser, weighted: every kind of row of the tables at least once
COMBINATIONS = [
    ("dense", "squared", "none", False),
    ("dense", "logistic", "balance", True),
    ("entries", "squared", "ridge", True),
    ("weighted entries", "logistic", "none", False),
    ("weighted entries", "squared", "ridge by column", False),
    ("rank one", "squared", "balance", True),
    ("rank one", "logistic", "ridge by entry", True),
    ("diagonal", "squared", "ridge by entry", True),
    ("user's own", "squared", "ridge and balance", True),
    ("user's own", "logistic", "ridge", False),
    ("Fourier", "squared", "ridge and balance", True),
    ("quadratic function", "squared", "none", True),
    ("black box", "logistic", "ridge", False),
    ("SciPy amplitudes", "squared", "balance", False),
    ("sparse", "squared", "none", True),
    ("together", "logistic", "ridge by column", True),
]


def points(n, count):
    return np.random.default_rng(7).standard_normal((count, n, R))


def label(row):
    return ", ".join(row[:3])


@pytest.fixture(params=COMBINATIONS, ids=label, scope="module")
def case(request):
    return make_problem(*request.param)


def fitted_slope(steps, errors):
    return np.polyfit(np.log(steps), np.log(np.abs(errors)), 1)[0]


def test_taylor_error_has_the_right_order(case):
    X, D = points(case.problem.n, 2)
    problem = case.problem
    steps = np.logspace(-3.5, -2.5, 5)
    first = np.sum(problem.gradient(X) * D)
    second = np.sum(problem.hessian_product(X, D) * D)
    change = np.array([problem.objective(X + s * D) for s in steps]) - problem.objective(X)
    assert fitted_slope(steps, change - steps * first) == pytest.approx(2, abs=0.1)
    third = change - steps * first - steps**2 / 2 * second
    assert fitted_slope(steps, third) == pytest.approx(3, abs=0.1)


def test_derivatives_are_those_of_the_reference(case):
    X, D, W = points(case.problem.n, 3)
    problem = case.problem
    assert problem.objective(X) == pytest.approx(float(case.objective(X)), rel=1e-12)
    gradient = jax.grad(case.objective)
    np.testing.assert_allclose(problem.gradient(X), gradient(X), rtol=1e-11, atol=1e-11)
    wanted = jax.jvp(gradient, (jnp.asarray(X),), (jnp.asarray(D),))[1]
    np.testing.assert_allclose(problem.hessian_product(X, D), wanted, rtol=1e-11, atol=1e-11)
    one, other = (
        np.sum(problem.hessian_product(X, D) * W),
        np.sum(problem.hessian_product(X, W) * D),
    )
    assert one == pytest.approx(other, rel=1e-12)


def test_slack_is_the_gradient_in_the_matrix(case):
    X = points(case.problem.n, 1)[0]
    W = np.random.default_rng(8).standard_normal((len(X), 3))
    wanted = jax.grad(case.of_matrix)(X @ X.T) @ W
    np.testing.assert_allclose(case.problem.slack(X, W), wanted, rtol=1e-11, atol=1e-11)


def test_line_is_the_objective_along_it(case):
    X, D = points(case.problem.n, 2)
    line = case.problem.line(X, D)
    for s in (-1.3, 0.0, 0.02, 2.5):
        assert line.value(s) == pytest.approx(case.problem.objective(X + s * D), rel=1e-12)
        wanted = np.sum(case.problem.gradient(X + s * D) * D)
        assert line.slope(s) == pytest.approx(wanted, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("row", [row for row in COMBINATIONS if row[1] == "squared"], ids=label)
def test_quartic_coefficients_are_exact(row):
    problem = make_problem(*row).problem
    X, D = points(problem.n, 2)
    c = problem.along(X, D)
    assert c.shape == (5,)
    assert c[0] == pytest.approx(problem.objective(X), rel=1e-13)
    assert c[1] == pytest.approx(np.sum(problem.gradient(X) * D), rel=1e-12)
    for s in (-10.0, -1.1, 0.3, 4.0):
        scale = quartic.evaluate(np.abs(c), abs(s))
        assert abs(quartic.evaluate(c, s) - problem.objective(X + s * D)) <= 1e-12 * scale


def test_no_quartic_for_another_loss():
    X, D = points(N, 2)
    with pytest.raises(InvalidInput, match="loss"):
        make_problem("dense", "logistic").problem.along(X, D)


def test_line_search_of_the_logistic_loss_finds_the_first_minimiser():
    problem = make_problem("dense", "logistic", "ridge", weighted=True).problem
    for X, D in points(N, 10).reshape(5, 2, N, R):
        direction = D * -np.sign(np.sum(problem.gradient(X) * D))
        line = problem.line(X, direction)
        s = line.first_minimiser()
        assert s > 0
        assert abs(line.slope(s)) <= 1e-10 * abs(line.slope(0.0))
        assert line.value(s) < line.value(0.0)
        before = [line.slope(t * s) for t in (0.1, 0.5, 0.9, 0.999)]
        assert max(before) < 0
        assert problem.line(X, -direction).first_minimiser() == 0.0


@pytest.mark.parametrize("row", LOSSES, ids=lambda row: row.name)
def test_loss_identities(row):
    rng = np.random.default_rng(0)
    y, other, b = 5 * rng.standard_normal(M), rng.standard_normal(M), row.data(M, rng)
    loss = row.loss
    np.testing.assert_allclose(loss.value(y, b), row.reference(y, b), rtol=1e-13)
    slope = np.asarray(loss.derivative(y, b))
    np.testing.assert_allclose(
        slope, jax.grad(lambda y: row.reference(y, b).sum())(y), rtol=1e-11, atol=1e-14
    )
    np.testing.assert_allclose(
        loss.second(y, b),
        jax.jvp(lambda y: loss.derivative(y, b), (y,), (np.ones(M),))[1],
        rtol=1e-11,
    )
    # Fenchel and Young: equal where v is the derivative, below everywhere else.
    np.testing.assert_allclose(loss.conjugate(slope, b), slope * y - loss.value(y, b), atol=1e-12)
    above = loss.conjugate(slope, b) - slope * other + np.asarray(loss.value(other, b))
    # On a linear piece every point has the same slope.
    assert np.all(above > (-1e-12 if row.name == "huber" else 0))
    assert np.all(np.isposinf(loss.conjugate(np.full(M, 9.0), b))) == (row.name != "squared")


@pytest.mark.parametrize("row", LOSSES, ids=lambda row: row.name)
def test_excess_is_the_value_above_the_least(row):
    rng = np.random.default_rng(0)
    y, b = 3 * rng.standard_normal(M), row.data(M, rng)
    least = b if row.name != "logistic" else np.log(b / (1 - b))
    wanted = np.asarray(row.reference(y, b) - row.reference(least, b))
    np.testing.assert_allclose(row.loss.excess(y, b), wanted, rtol=1e-11)
    assert np.all(np.asarray(row.loss.excess(least, b)) <= row.loss.roundoff)


def test_excess_and_conjugate_of_the_logistic_loss_at_certain_data():
    loss = named(LOSSES, "logistic").loss
    y, b = np.array([800.0, 800.0, -800.0, 0.0]), np.array([1.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(loss.excess(y, b), [0, 800, 0, np.log(2)], rtol=1e-15)
    outside = loss.conjugate(np.array([0.1, -0.1, 1.1, -1.0]), b)
    np.testing.assert_array_equal(outside, [np.inf, np.inf, np.inf, 0.0])


@pytest.mark.parametrize("row", REGULARISERS, ids=lambda row: row.name)
def test_trace_weight_bounds_the_regulariser_from_below(row):
    regularisers, reference, trace = row.build(N, R, np.random.default_rng(0))
    X, tight = points(N, 2)
    assert sum(float(g.trace_weight()) for g in regularisers) == pytest.approx(trace)
    assert float(reference(X)) >= trace / 2 * np.sum(X**2)
    equal = float(reference(tight)) == pytest.approx(trace / 2 * np.sum(tight**2), rel=1e-12)
    assert all(g.of_matrix() for g in regularisers) == equal
