"""Random methods: exact unbiasedness, the laws of their noise, schedules, costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import OPERATORS

from liftless import Problem, Stop, descend, make_instance
from liftless.descent import (
    SGD,
    SGLD,
    Constant,
    Geometric,
    Logarithmic,
    NoisyProjected,
    SimulatedAnnealing,
)
from liftless.descent.projected import project
from liftless.descent.sampling import sampled_gradient

N, R = 4, 2


@pytest.fixture(scope="module")
def easy():
    return make_instance("gaussian", n=N, rank=R, m=16, seed=3)


@pytest.fixture(scope="module")
def starts():
    return np.random.default_rng(0).standard_normal((2, N, R))


@pytest.mark.parametrize("case", OPERATORS, ids=[c.name for c in OPERATORS])
def test_the_sampled_gradient_is_unbiased_exactly(case):
    """The mean over all single rows is the gradient; each is m·2(⟨A_i, XXᵀ⟩ − b_i)A_i X."""
    operator, A = case()
    m, n, _ = A.shape
    rng = np.random.default_rng(1)
    X, b, w = rng.standard_normal((n, R)), rng.standard_normal(m), rng.uniform(0.5, 2, m)
    problem = Problem(operator, b, R, weights=w)
    sample = jax.jit(lambda i: sampled_gradient(problem, jnp.asarray(X), i))
    each = np.stack([sample(np.array([i])) for i in range(m)])
    residual = w**2 * (np.einsum("mij,ij->m", A, X @ X.T) - b)
    expected = 2 * m * np.einsum("m,mij,jr->mir", residual, A, X)
    tolerance = max(1e-10, 100 * case.tolerance)
    np.testing.assert_allclose(each, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        each.mean(axis=0), problem.gradient(X), rtol=tolerance, atol=tolerance
    )
    # A row drawn twice counts twice.
    pair = np.asarray(sampled_gradient(problem, jnp.asarray(X), np.array([1, 1])))
    np.testing.assert_allclose(pair, each[1], rtol=tolerance, atol=tolerance)


def test_cost_of_sampled_steps(easy, starts):
    stop = Stop(0.0, 0.0, 3)
    cheap = descend(easy.problem, starts[0], SGD(1e-3, 2, every=8), stop)
    # Two at the start; an iteration has 8 steps of 2·2/16 applications, and the look of two.
    assert cheap.applications == 2 + 3 * (8 * 0.25 + 2)
    whole = descend(easy.problem, starts[0], SGD(1e-3, None, every=8), stop)
    assert whole.applications == 2 + 3 * 8 * 2


def test_sgd_in_full_is_gradient_descent(easy, starts):
    X = starts[0]
    done = descend(easy.problem, X, SGD(0.01, None, decay=0.5, every=4), Stop(0.0, 0.0, 2))
    for k in range(8):
        X = X - 0.01 / (1 + 0.5 * k) * easy.problem.gradient(X)
    np.testing.assert_allclose(done.X, X, rtol=1e-10)


def test_the_noise_of_langevin_has_its_variance():
    """With a step so small that h does nothing, the law of X_k is N(X_0, 2·step·ΣT_k)."""
    problem = make_instance("basic").problem
    X = np.random.default_rng(0).standard_normal((4000, 2, 1))
    step, schedule = 1e-8, Geometric(3.0, 0.5)
    method = SGLD(step, schedule, every=4)
    done = descend(problem, X, method, Stop(0.0, 0.0, 1), history="iterates")
    moved = (done.history["X"][:, -1] - X) / np.sqrt(2 * step * 3.0 * (1 + 0.5 + 0.25 + 0.125))
    assert abs(moved.mean()) < 0.05
    assert moved.var() == pytest.approx(1.0, abs=0.06)
    assert abs(np.mean(moved[:, 0] * moved[:, 1])) < 0.06


def test_metropolis_samples_the_gibbs_law():
    """⟨X, ∇h⟩ has the mean nT under exp(−h/T), by parts."""
    problem = make_instance("basic").problem
    T = 0.3
    X = np.random.default_rng(0).standard_normal((2000, 2, 1))
    method = SimulatedAnnealing(0.5, T, every=400)
    done = descend(problem, X, method, Stop(0.0, 0.0, 1), history="iterates")
    last = done.history["X"][:, -1]
    g = jax.vmap(problem.gradient)(jnp.asarray(last))
    values = np.sum(np.asarray(g) * last, axis=(1, 2))
    assert values.mean() == pytest.approx(2 * T, abs=4 * values.std() / np.sqrt(2000))
    cold = descend(problem, X[:50], SimulatedAnnealing(0.5, 0.0), Stop(0.0, 0.0, 1))
    before = [problem.objective(x) for x in X[:50]]
    assert np.all(cold.objective <= before)


def test_an_iteration_without_an_accepted_proposal_does_not_end_the_run():
    problem = make_instance("basic").problem
    start = np.array([[0.99], [0.0]])
    done = descend(problem, start, SimulatedAnnealing(50.0, 0.0, every=1), Stop(0.0, 0.0, 5))
    assert (done.status, done.iterations) == (0, 5)


def test_temperatures():
    assert [float(Constant(2.0)(k)) for k in (0.0, 9.0)] == [2.0, 2.0]
    np.testing.assert_allclose([Geometric(2.0, 0.5)(float(k)) for k in range(3)], [2.0, 1.0, 0.5])
    expected = [2.0, 2 / np.log(np.e + 10)]
    np.testing.assert_allclose([Logarithmic(2.0)(0.0), Logarithmic(2.0)(10.0)], expected)


def test_noisy_projection_reaches_and_keeps_its_floor():
    """Eq. (4) at n = 20, r = 3, m = 400, κ = ¼: 61-100 iterations to 1e-2, floor 3e-4 to 4e-4."""
    instance = make_instance("gaussian-unsymmetrised", n=20, rank=3, m=400, seed=0)
    rng = np.random.default_rng(0)
    truth = np.linalg.qr(rng.standard_normal((20, 3)))[0] * np.sqrt([2.0, 1.5, 1.0])
    b = instance.problem.operator.measure(truth, truth)
    problem = Problem(instance.problem.operator, np.asarray(b), 3)
    radius = 1.2 * np.linalg.norm(truth)
    X = rng.standard_normal((3, 20, 3))
    X *= radius / np.linalg.norm(X, axis=(1, 2), keepdims=True)
    method = NoisyProjected(0.25 / (400 * 2), radius)
    path = descend(problem, X, method, Stop(0.0, 0.0, 512), history="iterates").history["X"]
    error = np.linalg.norm(path @ np.swapaxes(path, -1, -2) - truth @ truth.T, axis=(2, 3))
    error /= np.linalg.norm(truth @ truth.T)
    first = np.argmax(error < 1e-2, axis=1)
    assert np.all((first > 61 / 1.5) & (first < 100 * 1.5)), first
    floor = np.median(error[:, -200:], axis=1)
    assert np.all((floor > 3e-4 / 1.5) & (floor < 4e-4 * 1.5)), floor
    assert np.all(np.linalg.norm(path, axis=(2, 3)) <= radius * (1 + 1e-12))
    np.testing.assert_allclose(project(np.array([[3.0], [4.0]]), 1.0), [[0.6], [0.8]])
