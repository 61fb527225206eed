"""Perturbed and scaled descent in the loop of every method, and any method on any objective."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from liftless import (
    EntriesOperator,
    InvalidInput,
    OfProblem,
    Optax,
    Problem,
    Smooth,
    Stop,
    certify,
    descend,
    make_instance,
    solve,
)
from liftless import descent as methods
from liftless.descent import IPGD, IPGDPlus, PerturbedGD, ipgd
from liftless.descent.scaled import ScaledGradientDescent
from liftless.descent.stream import hash_bits, uniform_ball


def kicked(radius=1e-2, *, G=1e-3, seed=0):
    """Perturbed wherever the gradient is small beside h, every 50 steps at most."""
    return PerturbedGD(radius, eta=0.05, G=G, F=None, T_escape=49, relative=True, seed=seed)


@pytest.fixture(scope="module")
def diagonal():
    """All of diag(4, 1, 0), rank 1: (0, ±1, 0) are saddles, (±2, 0, 0) minima with h = ½."""
    i, j = np.triu_indices(3)
    return Problem(EntriesOperator(i, j, 3), np.where(i == j, np.array([4, 1, 0.0])[i], 0.0), 1)


# Descent alone needs 770 steps to leave: e^(100 ln 10) at a growth of 1 + 0.05 · 7 a step.
SADDLES = np.array([[[1e-100], [1.0], [0.0]], [[1e-100], [-1.0], [0.0]], [[1e-100], [1.0], [0.0]]])


def test_perturbations_leave_a_saddle_that_descent_does_not(diagonal):
    stop = Stop(0.0, 0.0, 300)
    still = descend(diagonal, SADDLES, kicked(G=1e-300), stop)
    np.testing.assert_allclose(still.X, SADDLES, atol=1e-50)
    done = descend(diagonal, SADDLES, kicked(seed=1), stop)
    np.testing.assert_allclose(done.objective, 0.5, atol=0.01)
    np.testing.assert_allclose(np.abs(done.X[:, :, 0]), [[2, 0, 0]] * 3, atol=0.02)
    # The lowest iterate is handed back, and measured once more where it is not the last.
    assert np.all(np.isin(done.applications, (2 + 2 * 300, 4 + 2 * 300)))


def test_streams_depend_on_seed_and_start_and_not_on_the_batch(diagonal):
    method, stop = kicked(seed=1), Stop(0.0, 0.0, 60)
    batch = descend(diagonal, SADDLES, method, stop)
    np.testing.assert_array_equal(batch.X[0], batch.X[2])
    assert not np.allclose(np.abs(batch.X[0]), np.abs(batch.X[1]), atol=1e-6)
    for k, start in enumerate(SADDLES):
        single = descend(diagonal, start, method, stop)
        np.testing.assert_allclose(single.X, batch.X[k], atol=1e-9)
    other = descend(diagonal, SADDLES, kicked(seed=2), stop)
    assert not np.allclose(other.X[0], batch.X[0], atol=1e-6)


def test_the_first_step_at_a_saddle_is_the_perturbation_and_padding_is_left_alone(diagonal):
    method, stop = kicked(0.1, seed=5), Stop(0.0, 0.0, 1)

    def moved(X):
        return descend(diagonal, X, method, stop, history="iterates").history["X"][-1]

    narrow = moved(SADDLES[0])
    # Longer than the gradient step, which is below 1e-99.
    assert 1e-6 < np.linalg.norm(narrow - SADDLES[0]) <= 0.1
    wide = moved(np.pad(SADDLES[0], ((0, 0), (0, 2))))
    np.testing.assert_array_equal(wide[:, 1:], 0)
    np.testing.assert_allclose(wide[:, :1], narrow, atol=1e-14)


def test_perturbations_are_uniform_in_the_ball():
    """E‖ξ‖² = d / (d + 2), E ξ = 0, ‖ξ‖ <= 1."""
    keys = jax.random.split(jax.random.key(0), 4000)
    draw = jax.jit(jax.vmap(lambda k: uniform_ball(k, np.ones((3, 1)))))
    draws = np.asarray(draw(keys))[:, :, 0]
    squares = np.sum(draws**2, axis=1)
    assert squares.max() <= 1
    assert squares.mean() == pytest.approx(3 / 5, abs=0.02)
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.03)


def test_the_hash_sees_every_bit_and_no_padding():
    X, hashed = np.random.default_rng(0).standard_normal((4, 2)), jax.jit(hash_bits)
    nudged = X.copy()
    nudged[3, 1] = np.nextafter(nudged[3, 1], 2)
    assert len({int(hashed(Y)) for Y in (X, -X, X[:, ::-1], X[::-1], nudged)}) == 5
    assert int(hashed(np.pad(X, ((0, 0), (0, 3))))) == int(hashed(X))


def test_a_scaled_step_is_the_preconditioned_gradient_and_leaves_zero_columns_zero():
    problem = make_instance("gaussian", n=6, rank=2, ratio=2.5, seed=1).problem
    X = np.random.default_rng(0).standard_normal((6, 2)) * [1.0, 0.05]
    padded = np.pad(X, ((0, 0), (0, 1)))
    done = descend(problem, padded, ScaledGradientDescent(), Stop(max_iterations=1))
    assert done.applications == 2 + 3
    assert np.all(done.X[:, 2:] == 0)
    G = np.asarray(problem.gradient(X))
    move, D = done.X[:, :2] - X, -G @ np.linalg.inv(X.T @ X)
    s = np.sum(move * D) / np.sum(D * D)
    assert s > 0
    np.testing.assert_allclose(move, s * D, atol=1e-6 * np.abs(move).max())
    nearby = [float(problem.objective(X + t * s * D)) for t in (0.999, 1.0, 1.001)]
    assert nearby[1] <= min(nearby)
    end = descend(problem, padded, ScaledGradientDescent(), Stop(gradient=1e-6))
    assert end.success, end.message
    assert np.all(end.X[:, 2:] == 0)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: PerturbedGD(eta=0.0), "eta"),
        (lambda: PerturbedGD(-1.0, eta=0.1), "gamma"),
        (lambda: PerturbedGD(eta=0.1, T_escape=0), "T_escape"),
        (lambda: PerturbedGD(eta=0.1, seed=-1), "seed"),
        (lambda: ScaledGradientDescent(0.0), "damping"),
    ],
)
def test_bad_hyper_parameters_are_named(call, argument):
    with pytest.raises(InvalidInput, match=argument):
        call()


# -- any smooth objective --------------------------------------------------------------------------


def valley(x, a):
    """Rosenbrock's: least value 0 at (1, 1)."""
    x = jnp.ravel(x)
    return a * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


ANY = {
    "bb": (methods.BarzilaiBorwein(), 400),
    "cubic": (methods.CubicNewton(), 200),
    "lbfgs": (methods.LBFGS(), 100),
    "nesterov": (methods.Nesterov(2e-3, restart=True), 4000),
    "optax": (Optax(optax.lbfgs()), 200),
    "trust region": (methods.TrustRegion(), 200),
}


@pytest.mark.parametrize("name", ANY)
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_every_method_descends_on_any_smooth_function(name, shape):
    method, most = ANY[name]
    x0 = np.array([-1.2, 1.0]).reshape(shape)
    done = descend(Smooth(valley, 10.0, lower=0.0), x0, method, Stop(1e-16, 0.0, most))
    assert done.status == 1, done.message
    np.testing.assert_allclose(done.X, np.ones(shape), atol=1e-6)
    free = descend(Smooth(valley, 10.0), x0, method, Stop(gradient=1e-6, max_iterations=most))
    assert free.status == 2, free.message
    np.testing.assert_allclose(free.X, np.ones(shape), atol=1e-4)


def test_noise_and_annealing_take_vectors():
    f = Smooth(lambda x: jnp.sum((x - 3.0) ** 2), lower=0.0)
    cold = methods.Geometric(1e-2, 0.9)
    for method in (methods.SGD(0.1, None), methods.SGLD(0.1, cold), kicked()):
        done = descend(f, np.zeros(3), method, Stop(1e-8, 0.0, 400))
        assert done.status == 1, (method, done.message)
    warm = descend(f, np.zeros(3), methods.SimulatedAnnealing(0.3, cold, every=20), Stop(1e-2, 0.0))
    assert warm.status == 1


def test_a_searched_step_lowers_a_function_and_counts_its_trials():
    """From (−1.2, 1) the slope is steep: the first trial, a whole gradient, is far too long."""
    f, x0 = Smooth(valley, 100.0, lower=0.0), np.array([-1.2, 1.0])
    done = descend(f, x0, None, Stop(max_iterations=1))
    assert done.objective < f.value(x0)
    slope = -np.sum(f.gradient(x0) ** 2)
    s = np.linalg.norm(done.X - x0) / np.linalg.norm(f.gradient(x0))
    assert done.objective <= f.value(x0) + 1e-4 * s * slope
    assert f.gradient(done.X) @ -f.gradient(x0) >= 0.9 * slope
    # s is a power of two down from 1: so many trials at least, of two passes each.
    assert done.applications >= 2 + 2 * np.log2(1 / s)


def test_a_multiple_of_a_problem_descends_as_the_problem():
    instance = make_instance("gaussian", n=4, rank=1, m=12, seed=0)
    X = instance.truth + 0.3 * np.random.default_rng(0).standard_normal((4, 1))
    plain = descend(instance.problem, X)
    scaled = descend(OfProblem(instance.problem, 0.25), X)
    np.testing.assert_allclose(scaled.X, plain.X, atol=1e-9)
    assert scaled.applications == plain.applications
    assert scaled.objective == pytest.approx(0.25 * plain.objective, abs=1e-20)


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (methods.LevenbergMarquardt(), "no operator"),
        (methods.Alternating(), "no operator"),
        (methods.SGD(0.1, 2), "batch=None"),
    ],
)
def test_what_needs_the_structure_of_a_problem_says_so(method, says):
    with pytest.raises(InvalidInput, match=says):
        descend(Smooth(valley, 1.0), np.zeros((2, 1)), method)


def test_derivative_of_a_minimiser_of_any_function():
    """The minimiser of ½ cosh-like Σ (x − t)⁴/4 + (x − t)²/2 is t, whatever t is."""

    def bowl(x, t):
        return jnp.sum((x - t) ** 4 / 4 + (x - t) ** 2 / 2)

    t = np.array([0.5, -1.0])
    J = jax.jacobian(lambda t: solve(Smooth(bowl, t, lower=0.0), jnp.zeros(2)))(t)
    np.testing.assert_allclose(J, np.eye(2), atol=1e-6)


def test_bad_objectives_are_named():
    for bad in (np.sin, 3.0, Smooth(jnp.sin)):
        with pytest.raises(InvalidInput) as caught:
            descend(bad, np.zeros(3))
        assert caught.value.argument == "objective"


# -- IPGD in the same loop -------------------------------------------------------------------------

H = np.diag([-2.0, -0.5, 0.3, 1.0])


def well(x, H):
    square = jnp.sum(x * x)
    return x @ H @ x / 2 + square * square / 4


def test_ipgd_in_the_loop_is_ipgd_with_a_record():
    f, zero = Smooth(well, H), np.zeros(4)
    kept = ipgd(f, zero, seed=3)
    done = descend(f, zero, IPGDPlus(seed=3), Stop(max_iterations=5000))
    assert done.status == 5, done.message
    assert done.success
    np.testing.assert_allclose(done.X, kept.x, atol=1e-12)
    # Steps, refused ones, perturbations, and the look that returns.
    looks = len(kept.checkpoints)
    assert done.iterations == kept.iterations + kept.backtracks + looks
    # Lanczos takes a value and 4 products of two passes, at the start and at every look.
    assert done.applications == 2 + 2 * done.iterations + 9 * (1 + looks)
    printed = IPGD(eta=0.1, T_escape=190, seed=3)
    literal = descend(f, zero, printed, Stop(max_iterations=5000))
    assert literal.status == 6, literal.message
    np.testing.assert_allclose(literal.X, ipgd(f, zero, printed).x, atol=1e-12)
    assert descend(f, zero, printed, Stop(max_iterations=20)).status == 0
    assert descend(f, zero + 9.0, IPGD(eta=2.5)).status == 3


def test_ipgd_recovers_from_zero_and_runs_several_starts():
    instance = make_instance("gaussian", n=4, rank=1, m=12, seed=0)
    wide = instance.problem.with_rank(3)
    starts = np.stack([np.zeros((4, 3)), 1e-3 * np.ones((4, 3))])
    stop = Stop(1e-16, max_iterations=20000)
    done = descend(wide, starts, IPGDPlus(), stop)
    assert np.all(done.success), done.message
    for k, X in enumerate(done.X):
        assert instance.distance(X) < 1e-6
        np.testing.assert_array_equal(X, descend(wide, starts[k], IPGDPlus(), stop).X)
    assert certify(wide, done.X[0]).kind in ("exact", "unfinished")
