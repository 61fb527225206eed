"""Descent: every method solves, batches equal loops, nothing retraces, history and callback."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from liftless import (
    LBFGS,
    Balance,
    GradientDescent,
    InvalidInput,
    LevenbergMarquardt,
    Logistic,
    Optax,
    Problem,
    Ridge,
    SensingOperator,
    Smooth,
    Stop,
    WhitenedLM,
    certify,
    descend,
    make_instance,
    recover,
)
from liftless.descent import loop

#: Method, and the iterations it may take on the easy problem below.
METHODS = {
    "lbfgs": (LBFGS(), 80),
    "levenberg-marquardt": (LevenbergMarquardt(), 20),
    "whitened": (WhitenedLM(), 20),
    "gradient": (GradientDescent(0.01), 4000),
    "adam": (Optax(optax.adam(0.05)), 4000),
    "optax-lbfgs": (Optax(optax.lbfgs()), 200),
}


@pytest.fixture(scope="module")
def easy():
    return make_instance("gaussian", n=6, rank=2, ratio=2.5, seed=1)


@pytest.fixture(scope="module")
def starts():
    return np.random.default_rng(0).standard_normal((3, 6, 2))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_fits_the_data_and_batches_equal_loops(easy, starts, name):
    method, most = METHODS[name]
    stop = Stop(max_iterations=most)
    batch = descend(easy.problem, starts, method, stop)
    assert np.all(batch.success), batch.message
    assert np.all(batch.objective <= 1e-20 * easy.problem.objective(np.zeros((6, 2))))
    for k, start in enumerate(starts):
        single = descend(easy.problem, start, method, stop)
        assert single.iterations == batch.iterations[k]
        assert single.applications == batch.applications[k]
        np.testing.assert_allclose(single.X @ single.X.T, batch.X[k] @ batch.X[k].T, atol=1e-9)
        assert easy.distance(single.X) < 1e-8


@pytest.mark.parametrize("name", METHODS)
def test_zero_columns_stay_zero(easy, starts, name):
    method, _ = METHODS[name]
    if name == "levenberg-marquardt":
        pytest.skip("used at the problem's own width only")
    padded = np.pad(starts[0], ((0, 0), (0, 2)))
    done = descend(easy.problem, padded, method, Stop(max_iterations=50))
    assert np.all(done.X[:, 2:] == 0)
    narrow = descend(easy.problem, starts[0], method, Stop(max_iterations=50))
    np.testing.assert_allclose(done.objective, narrow.objective, rtol=1e-6, atol=1e-22)


def test_gradient_descent_is_the_papers_iteration():
    """X ← X − η ∇h(X) against a plain NumPy loop, eq. (1.2)."""
    instance = make_instance("real-world")
    A = np.stack([instance.problem.operator.matrix(e) for e in np.eye(6)])
    x = np.array([[0.3], [0.2], [0.5]])
    done = descend(
        instance.problem, x, GradientDescent(0.1), Stop(0.0, 0.0, 25), history="iterates"
    )
    for k in range(25):
        np.testing.assert_allclose(done.history["X"][k], x, rtol=1e-12)
        residual = np.einsum("mij,ij->m", A, x @ x.T) - instance.problem.b
        assert done.history["objective"][k] == pytest.approx(residual @ residual / 2, rel=1e-12)
        x = x - 0.1 * 2 * np.einsum("m,mij->ij", residual, A) @ x
    np.testing.assert_allclose(done.X, x, rtol=1e-12)


def test_history_does_not_change_the_run_and_ends_with_it(easy, starts):
    plain = descend(easy.problem, starts)
    kept = descend(easy.problem, starts, history="iterates")
    np.testing.assert_array_equal(plain.iterations, kept.iterations)
    np.testing.assert_allclose(plain.X, kept.X, atol=1e-9)
    length = kept.iterations.max() + 1
    assert kept.history["X"].shape == (3, length, 6, 2)
    assert kept.history["objective"].shape == (3, length)
    for k, last in enumerate(kept.iterations):
        values = kept.history["objective"][k]
        assert np.all(np.diff(values[: last + 1]) <= 1e-12 * values[0])
        np.testing.assert_array_equal(kept.history["X"][k, last], kept.X[k])


def test_callback_sees_every_iteration_and_can_stop(easy, starts):
    seen = []

    def watch(state):
        seen.append((state["iteration"], state["objective"]))
        if state["iteration"] == 7:
            raise StopIteration

    done = descend(easy.problem, starts[0], callback=watch)
    assert [i for i, _ in seen] == list(range(1, 8))
    assert done.iterations == 7
    assert done.objective == pytest.approx(seen[-1][1])
    assert not done.history


def test_mixed_precision_ends_where_float64_does(easy, starts):
    """With its history; of data that float32 cannot hold it begins in float64."""
    plain = descend(easy.problem, starts[0])
    mixed = descend(easy.problem, starts[0], precision="mixed", history="values")
    assert mixed.status == plain.status
    assert 0 < mixed.rough < mixed.applications <= plain.applications + 8
    assert easy.distance(mixed.X) < 1e-9
    assert len(mixed.history["objective"]) == mixed.iterations + 1
    assert mixed.history["objective"][-1] == mixed.objective
    again = descend(easy.problem, starts[0], precision="mixed", history="values")
    np.testing.assert_array_equal(mixed.X, again.X)
    huge = Problem(easy.problem.operator, 1e24 * easy.problem.b, 2)
    done = descend(huge, 1e12 * starts[0], precision="mixed", history="values")
    assert done.status == plain.status
    assert easy.distance(done.X / 1e12) < 1e-8


def test_what_a_start_carries_is_not_computed_again(easy, starts):
    plain = descend(easy.problem, starts[0])
    spared = descend(easy.problem, starts[0], data=easy.problem.measurements(starts[0]))
    assert spared.applications == plain.applications - 1
    np.testing.assert_allclose(spared.X, plain.X, atol=1e-12)


def test_large_factors_take_the_steps_of_small_ones():
    """Every coordinate 512 times over: all inner products are multiplied alike, no more."""
    pull = np.linspace(1, 40, 33)

    def f(x, d):
        return jnp.sum(d * x * x) / 2 + jnp.sum(x**4) / 4

    start = np.random.default_rng(3).standard_normal(33)
    stop = Stop(max_iterations=14)
    small = descend(Smooth(f, pull, lower=0.0), start, LBFGS(4), stop)
    large = Smooth(f, np.tile(pull, 512), lower=0.0)
    done = descend(large, np.tile(start, 512), LBFGS(4), stop)
    assert done.iterations == small.iterations == 14
    np.testing.assert_allclose(done.X.reshape(512, -1), np.tile(small.X, (512, 1)), atol=1e-9)


def test_no_retrace_for_new_data_starts_or_hyper_parameters(easy, starts):
    traces = []

    class Counting(SensingOperator):
        a: np.ndarray

        @property
        def m(self):
            return self.a.shape[0]

        @property
        def n(self):
            return self.a.shape[1]

        def measure(self, U, V):
            traces.append(1)
            return jax.numpy.sum((self.a @ U) * (self.a @ V), axis=1)

    rng = np.random.default_rng(0)

    def run(step):
        a = rng.standard_normal((9, 4))
        problem = Problem(Counting(a), rng.standard_normal(9) ** 2, 1)
        descend(problem, rng.standard_normal((4, 1)), GradientDescent(step), Stop(1e-9, 1e-5, 40))

    run(0.01)
    first = len(traces)
    assert first > 0
    run(0.002)
    assert len(traces) == first


def test_an_operator_whose_sizes_would_be_traced_is_refused(easy):
    class Careless(SensingOperator):
        n: int = 4
        m: int = 1

        def measure(self, U, V):
            return jax.numpy.sum(U * V)[None]

    with pytest.raises(InvalidInput, match="static"):
        Problem(Careless(), np.ones(1), 1)


def test_statuses_say_what_happened_and_the_cure(easy, starts):
    limited = descend(easy.problem, starts[0], None, Stop(max_iterations=2))
    assert (limited.status, limited.iterations) == (0, 2)
    assert "max_iterations" in limited.message
    fitted = descend(easy.problem, easy.truth)
    assert (fitted.status, fitted.iterations) == (1, 0)
    diverged = descend(easy.problem, starts[0], GradientDescent(10.0))
    assert diverged.status == 3
    assert "smaller step" in diverged.message
    stuck = make_instance("real-world")
    still = descend(stuck.problem, stuck.points[0].X, None, Stop(gradient=1e-6))
    assert (still.status, still.iterations) == (2, 0)


def test_exact_line_search_finds_the_first_minimiser_downhill(easy, starts):
    """One L-BFGS step from scratch is steepest descent to the first minimiser: dense search."""
    X = starts[0]
    g = easy.problem.gradient(X)
    c = easy.problem.along(X, -g)
    grid = np.linspace(0, 2.0, 400001)
    h = np.polyval(c[::-1], grid)
    first = grid[np.flatnonzero(np.diff(h) > 0)[0]]
    done = descend(easy.problem, X, None, Stop(max_iterations=1))
    np.testing.assert_allclose(done.X, X - first * g, atol=2e-5 * np.abs(g).max())


@pytest.mark.parametrize(
    ("loss", "regularisers"),
    [(Logistic(), ()), (None, (Ridge(0.1),)), (None, (Balance(2, 0.3), Ridge(0.05)))],
    ids=["logistic", "ridge", "balance"],
)
def test_other_objectives_reach_stationary_points(loss, regularisers):
    instance = make_instance("completion", n=4, rank=1, probability=0.99, seed=2)
    operator = instance.problem.operator
    b = np.random.default_rng(1).uniform(0.1, 0.9, operator.m)
    problem = Problem(operator, b, 2, loss=loss, regularisers=regularisers)
    X0 = np.random.default_rng(3).standard_normal((4, 2))
    done = descend(problem, X0, None, Stop(gradient=1e-9))
    assert done.status == 2, done.message
    assert np.linalg.norm(problem.gradient(done.X)) < 1e-8
    assert certify(problem, done.X).kind in ("global", "stationary", "saddle")


def test_the_exact_step_lowers_h_in_a_batch_as_alone():
    """Compiled for a batch, round-off of zero was once taken for positive and for zero at once."""
    instance = make_instance("gaussian", n=4, rank=2, m=14, seed=1)
    rng = np.random.default_rng(0)
    b = instance.problem.b + 0.05 * rng.standard_normal(14)
    start = instance.truth + 0.1 * rng.standard_normal((4, 2))
    rng = np.random.default_rng(1)
    rng.standard_normal((3, 14))
    starts = start + 0.1 * rng.standard_normal((3, 4, 2))
    problem, stop = Problem(instance.problem.operator, b, 2), Stop(max_iterations=4)
    batch = descend(problem, starts, None, stop)
    alone = [descend(problem, x, None, stop).objective for x in starts]
    np.testing.assert_allclose(batch.objective, alone, rtol=1e-9)


def test_deterministic(easy, starts):
    one, two = (descend(easy.problem, starts) for _ in range(2))
    np.testing.assert_array_equal(one.X, two.X)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda p, s: descend(p, s[:, :5]), "X0"),
        (lambda p, s: descend(p, s * np.nan), "X0"),
        (lambda p, s: descend(p, s[0, :, 0]), "X0"),
        (lambda p, s: descend(p, s, history="all"), "history"),
        (lambda p, s: descend(p, s, precision="half"), "precision was 'half'"),
        (lambda p, s: descend(p, s, precision="mixed", history="values"), "history"),
        (lambda p, s: recover(p, precision="single"), "precision was 'single'"),
        (lambda p, s: Stop(max_iterations=-1), "max_iterations"),
        (lambda p, s: Stop(gradient=np.nan), "gradient"),
        (lambda p, s: GradientDescent(0.0), "step"),
        (lambda p, s: LBFGS(0), "memory"),
        (lambda p, s: LevenbergMarquardt(-1.0), "damping"),
        (lambda p, s: Optax(0.1), "transformation"),
    ],
)
def test_bad_arguments_are_named(easy, starts, call, argument):
    with pytest.raises(InvalidInput, match=argument):
        call(easy.problem, starts)


def test_status_table_is_complete():
    assert sorted(loop.STATUS) == [0, 1, 2, 3, 4, 5, 6, 7]
