"""Under a caller's jit, vmap and grad: the same answers, and the derivative of a solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import make_problem

import liftless as ll
from liftless import (
    Balance,
    EntriesOperator,
    InvalidInput,
    Logistic,
    Problem,
    RankOneOperator,
    RectangularOperator,
    Ridge,
    Stop,
    certify,
    descend,
    make_instance,
    solve,
)

N, R = 4, 2
TIGHT = Stop(gradient=1e-13)


@pytest.fixture(scope="module")
def data():
    """An operator, noisy measurements, and a start near the solution."""
    instance = make_instance("gaussian", n=N, rank=R, m=14, seed=1)
    rng = np.random.default_rng(0)
    b = instance.problem.b + 0.05 * rng.standard_normal(14)
    return instance.problem.operator, b, instance.truth + 0.1 * rng.standard_normal((N, R))


def fields(done):
    return {k: np.asarray(getattr(done, k)) for k in ("X", "objective", "gradient_norm")}


# -- descend ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["LBFGS", "LevenbergMarquardt", "Nesterov", "TrustRegion"])
def test_jit_is_eager_to_the_last_bit(data, method):
    operator, b, X0 = data
    stop = Stop(max_iterations=40)
    eager = descend(Problem(operator, b, R), X0, method, stop)
    done = jax.jit(lambda b, X0: descend(Problem(operator, b, R), X0, method, stop))(b, X0)
    for name, value in fields(eager).items():
        np.testing.assert_array_equal(fields(done)[name], value)
    counts = ("iterations", "status", "applications")
    assert [int(getattr(done, k)) for k in counts] == [getattr(eager, k) for k in counts]
    assert done.message == eager.message
    assert bool(done.success) == eager.success


def test_vmap_is_the_loop(data):
    operator, b, X0 = data
    rng = np.random.default_rng(1)
    many = b + 0.01 * rng.standard_normal((3, 14))
    starts = X0 + 0.1 * rng.standard_normal((3, N, R))
    # An end well above round-off, which would decide when to stop, and turn the factor.
    stop = Stop(gradient=1e-6)
    over_b = jax.vmap(lambda b: descend(Problem(operator, b, R), X0, None, stop))(many)
    over_X = jax.vmap(lambda X: descend(Problem(operator, b, R), X, None, stop))(starts)
    assert over_b.message.shape == over_X.success.shape == (3,)
    for k in range(3):
        one = descend(Problem(operator, many[k], R), X0, None, stop)
        other = descend(Problem(operator, b, R), starts[k], None, stop)
        np.testing.assert_allclose(over_b.X[k], one.X, rtol=0, atol=1e-12)
        np.testing.assert_allclose(over_X.X[k], other.X, rtol=0, atol=1e-12)
        assert over_b.message[k] == one.message
        assert over_b.applications[k] == one.applications


def test_a_batch_of_starts_inside_jit(data):
    operator, b, X0 = data
    starts = np.stack([X0, 2 * X0])
    stop = Stop(gradient=1e-6)
    done = jax.jit(lambda X: descend(Problem(operator, b, R), X, None, stop))(starts)
    wanted = descend(Problem(operator, b, R), starts, None, stop)
    np.testing.assert_allclose(done.X, wanted.X, rtol=0, atol=1e-12)


def test_single_precision_stays_single(data):
    operator, b, X0 = data
    with jax.enable_x64(False):
        found = jax.jit(
            lambda b, X: descend(Problem(operator, b, R), X, "LBFGS", Stop(gradient=1e-3))
        )(np.float32(b), np.float32(X0))
        assert found.X.dtype == np.float32
    exact = descend(Problem(operator, b, R), X0)
    np.testing.assert_allclose(found.X @ found.X.T, exact.X @ exact.X.T, atol=1e-2)


def test_words_of_a_traced_result_are_refused_in_a_line(data):
    operator, b, X0 = data

    def ask(b):
        return descend(Problem(operator, b, R), X0).message

    def watch(b):
        return descend(Problem(operator, b, R), X0, history="values").X

    with pytest.raises(InvalidInput, match="outside of jit"):
        jax.jit(ask)(b)
    with pytest.raises(InvalidInput, match="history"):
        jax.jit(watch)(b)
    with pytest.raises(InvalidInput, match="b was an array of shape"):
        jax.jit(lambda b: Problem(operator, b, R).b)(b[:-1])
    with pytest.raises(InvalidInput, match="X0"):
        jax.jit(lambda X: descend(Problem(operator, b, R), X).X)(X0.T)


def test_values_are_not_asked_for_where_there_are_none(data):
    """A frequency outside [0, 1], a negative weight: checked where it can be."""
    operator, b, X0 = data
    h = jax.jit(lambda b, w: Problem(operator, b, R, weights=w, loss=Logistic()).objective(X0))
    share = np.linspace(0.1, 0.9, 14)
    wanted = Problem(operator, share, R, weights=b**2, loss=Logistic()).objective(X0)
    np.testing.assert_allclose(h(share, b**2), wanted, rtol=1e-13)


# -- the derivative of a solution ------------------------------------------------------------------


def differences(function, at, step=1e-5):
    """Central differences in every entry."""
    at = np.asarray(at, float)
    units = np.eye(at.size).reshape(-1, *at.shape)
    each = [(function(at + step * e) - function(at - step * e)) / (2 * step) for e in units]
    return np.stack([np.asarray(d) for d in each], -1).reshape((*np.shape(each[0]), *at.shape))


def assert_close(found, wanted, tolerance=1e-6):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted)


def test_derivative_of_the_matrix_in_b_and_in_the_weights(data):
    operator, b, X0 = data
    at = np.stack([b, np.linspace(0.5, 1.5, 14)])

    @jax.jit
    def matrix(at):
        X = solve(Problem(operator, at[0], R, weights=at[1]), X0, None, TIGHT)
        return X @ X.T

    wanted = differences(matrix, at)
    assert_close(jax.jit(jax.jacrev(matrix))(at), wanted)
    assert_close(jax.jit(jax.jacfwd(matrix))(at), wanted)


def test_gradient_of_a_scalar_of_the_matrix_under_jit_and_vmap(data):
    operator, b, X0 = data

    def scalar(b):
        X = solve(Problem(operator, b, R), X0, "LevenbergMarquardt", TIGHT)
        return jnp.sum((X @ X.T) ** 2)

    many = np.stack([b, 1.01 * b])
    each = jax.jit(jax.vmap(jax.grad(scalar)))(many)
    for k in range(2):
        assert_close(each[k], differences(scalar, many[k]))
    # In a direction twice: the Hessian of the scalar is symmetric and that of its gradient.
    d = np.random.default_rng(0).standard_normal(14)
    twice = jax.grad(lambda b: jnp.vdot(jax.grad(scalar)(b), d))(b)
    assert_close(twice, differences(lambda b: jax.grad(scalar)(b) @ d, b), 1e-5)


def test_derivative_of_a_rectangular_solution_with_a_balance():
    rng = np.random.default_rng(3)
    n1, n2, m = 3, 4, 20
    operator = RectangularOperator.from_matrices(rng.standard_normal((m, n1, n2)))
    U, V = rng.standard_normal((n1, R)), rng.standard_normal((n2, R))
    Z = np.concatenate([U, V])
    b = ll.measure(operator, Z, Z) + 0.02 * rng.standard_normal(m)
    X0 = Z + 0.05 * rng.standard_normal(Z.shape)

    def matrix(b, weight):
        problem = Problem(operator, b, R, regularisers=(Balance(n1, weight), Ridge(0.1 * weight)))
        X = solve(problem, X0, "LevenbergMarquardt", TIGHT)
        return X[:n1] @ X[n1:].T

    assert_close(jax.jacrev(matrix)(b, 0.7), differences(lambda b: matrix(b, 0.7), b))
    assert_close(
        jax.grad(lambda w: matrix(b, w)[0, 1])(0.7), differences(lambda w: matrix(b, w)[0, 1], 0.7)
    )


def test_derivative_in_the_arrays_of_the_operator_and_of_the_objective():
    rng = np.random.default_rng(5)
    a, z = rng.standard_normal((12, 3)), rng.standard_normal((3, 1))
    b = (a @ z)[:, 0] ** 2 + 0.05 * rng.standard_normal(12)

    def height(a):
        problem = Problem(RankOneOperator(a), b, 1)
        return descend(problem, z, None, TIGHT).objective

    def corner(a):
        return solve(Problem(RankOneOperator(a), b, 1), z, None, TIGHT)[0, 0] ** 2

    for function in (height, corner):
        assert_close(jax.grad(function)(a), differences(function, a))


def test_matrix_free_derivative_is_the_dense_one(data, monkeypatch):
    operator, b, X0 = data

    def matrix(b):
        X = solve(Problem(operator, b, R), X0, None, TIGHT)
        return X @ X.T

    dense = jax.jacrev(matrix)(b)
    monkeypatch.setattr("liftless.descent.implicit.DENSE", 0)
    assert_close(jax.jacrev(matrix)(b), dense, 1e-7)


def test_no_derivative_where_descent_ended_short(data):
    operator, b, X0 = data
    short = Stop(max_iterations=2)
    g = jax.grad(lambda b: jnp.sum(solve(Problem(operator, b, R), X0, None, short)))(b)
    assert np.all(np.isnan(g))


# -- certify ---------------------------------------------------------------------------------------


def real_points():
    """Points of every kind of a problem of the papers."""
    real = make_instance("real-world")
    return real.problem, np.stack([p.X for p in real.points] + [real.truth, 0 * real.truth])


def noisy_points():
    """A minimum of noisy data under a ridge, with a bound that assumes nothing."""
    rng = np.random.default_rng(2)
    operator = RankOneOperator(rng.standard_normal((9, 3)))
    noisy = Problem(operator, np.abs(rng.standard_normal(9)), 2, regularisers=(Ridge(0.2),))
    low = descend(noisy, rng.standard_normal((3, 2)), None, Stop(gradient=1e-11)).X
    return noisy, np.stack([low, 0 * low, rng.standard_normal((3, 2))])


def rated_points():
    """Frequencies, under the logistic loss."""
    rng = np.random.default_rng(2)
    square = EntriesOperator(*np.triu_indices(3), 3)
    rated = Problem(square, np.linspace(0.2, 0.8, 6), 2, loss=Logistic())
    best = descend(rated, rng.standard_normal((3, 2)), None, Stop(gradient=1e-11)).X
    return rated, np.stack([best, 0 * best, best + 1e-2])


@pytest.mark.parametrize("points", [real_points, noisy_points, rated_points])
def test_certify_under_vmap_is_the_loop(points):
    problem, X = points()
    many = jax.vmap(lambda x: certify(problem, x, trace_bound=5.0))(X)
    loop = [certify(problem, x, trace_bound=5.0) for x in X]
    assert list(many.kind) == [one.kind for one in loop]
    assert list(many.assumption) == [one.assumption for one in loop]
    # The same words; a number that is round-off may have other digits.
    words = [
        [str(text).split(";")[0] for text in texts]
        for texts in (many.message, [one.message for one in loop])
    ]
    assert words[0] == words[1]
    assert list(many.optimal) == [one.optimal for one in loop]
    # Relative to h at the point: the bound is a difference.
    for k, one in enumerate(loop):
        scale = max(one.objective, 1e-12)
        for name in ("objective", "lambda_n", "hessian_least", "hessian_largest"):
            assert abs(getattr(many, name)[k] - getattr(one, name)) <= 1e-9 * max(scale, 1.0)
        assert abs(many.lower_bound[k] - one.lower_bound) <= 1e-7 * scale
        np.testing.assert_allclose(np.abs(many.u_n[k] @ one.u_n), 1.0, atol=1e-6)


def test_certify_over_data_under_jit():
    rng = np.random.default_rng(4)
    case = make_problem("dense")
    operator, m = case.problem.operator, case.problem.m
    Z = rng.standard_normal((3, case.problem.n, 2))
    b = np.stack([ll.measure(operator, z, z) for z in Z]) + 1e-3 * rng.standard_normal((3, m))

    @jax.jit
    @jax.vmap
    def both(b):
        problem = Problem(operator, b, 2)
        done = descend(problem, Z[0], None, Stop(gradient=1e-10))
        return done, certify(problem, done.X, noise=1e-3, second_order=False)

    done, verdict = both(b)
    for k in range(3):
        one = certify(Problem(operator, b[k], 2), done.X[k], noise=1e-3, second_order=False)
        assert verdict.kind[k] == one.kind
        assert verdict.noise_level[k] == pytest.approx(one.noise_level, rel=1e-12)
    assert repr(jax.tree.map(lambda a: a[0], verdict)).startswith("Certificate(kind='")


def test_what_certify_cannot_do_inside_is_refused():
    real = make_instance("real-world")
    wide = np.pad(real.truth, ((0, 0), (0, 1)))
    with pytest.raises(InvalidInput, match="at most 1 columns"):
        jax.jit(lambda X: certify(real.problem, X).code)(wide)
    with pytest.raises(InvalidInput, match="words"):
        jax.jit(lambda X: certify(real.problem, X).kind)(real.truth)
