"""What the kernels form on the way, and the one pass over large dense data."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import coo_array

from liftless.operators import (
    DenseOperator,
    EntriesOperator,
    RankOneOperator,
    SparseOperator,
    dense,
    products,
)
from liftless.problem import Problem

RNG = np.random.default_rng(11)
LARGE, M, R = 3000, 40, 2


def problem_of(operator):
    return Problem(operator, np.zeros(operator.m), R)


def entries(n, m):
    return problem_of(EntriesOperator(*RNG.integers(0, n, (2, m)), n))


def sparse(n, m):
    """Three entries a measurement, some of them shared."""
    k, places = np.repeat(np.arange(m), 3), RNG.integers(0, n, (2, 3 * m))
    places[:, :m] = places[:, m : 2 * m]
    return SparseOperator(k, *places, RNG.standard_normal(3 * m), n, m)


CALLS = {
    "measure": lambda p, X, D, y: p.operator.measure(X, D),
    "backproject": lambda p, X, D, y: p.operator.backproject(y, X),
    "gradient": lambda p, X, D, y: p.gradient(X),
    "along": lambda p, X, D, y: p.along(X, D),
    "hessian product": lambda p, X, D, y: p.hessian_product(X, D),
    "slack": lambda p, X, D, y: p.slack(X, D),
}
OPERATORS = {
    "entries": lambda n: entries(n, M),
    "sparse": lambda n: problem_of(sparse(n, M)),
    "rank one": lambda n: problem_of(RankOneOperator(RNG.standard_normal((M, n)))),
    "dense": lambda n: problem_of(DenseOperator(RNG.standard_normal((M, n * (n + 1) // 2)), n)),
}


def largest_array(problem, call):
    """Numbers in the largest array that the compiled call writes or reads."""
    n = problem.n
    X, D, y = np.ones((n, R)), np.ones((n, R)), np.ones(problem.m)
    text = jax.jit(call).lower(problem, X, D, y).compile().as_text()
    shapes = re.findall(r"[a-z]+\d*\[([\d,]*)\]", text)
    return max(int(np.prod([int(k) for k in s.split(",") if k])) for s in shapes)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["entries", "rank one", "sparse"])
def test_nothing_of_order_n_squared_is_formed(kind, name):
    assert largest_array(OPERATORS[kind](LARGE), CALLS[name]) <= M * LARGE


def test_the_search_sees_what_a_dense_operator_forms():
    assert largest_array(OPERATORS["dense"](100), CALLS["gradient"]) >= 100 * 100


def test_gradient_of_order_20000():
    n = 20_000
    problem = entries(n, 4000)
    X = RNG.standard_normal((n, R))
    i, j = problem.operator.rows, problem.operator.cols
    r = np.sum(X[i] * X[j], axis=1)
    S = coo_array((r, (i, j)), shape=(n, n)).tocsr()
    np.testing.assert_allclose(problem.gradient(X), (S + S.T) @ X, rtol=1e-12, atol=1e-12)


# -- one pass over large dense data: the width at which it starts is lowered, so that it is cheap --

N, ROWS = 6, 9


@pytest.fixture
def one_pass(monkeypatch):
    monkeypatch.setattr(dense, "ONE_PASS", 1)


def operator(dtype=np.float64):
    return DenseOperator(RNG.standard_normal((ROWS, N * (N + 1) // 2)), N, dtype)


def two_measures(op, U, V):
    return np.stack([op.measure(U, V), op.measure(V, V)])


def pair(op, U, V):
    return jnp.stack(op.measure_pair(U, V))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_one_pass_is_two_measures(one_pass, dtype, tolerance):
    op = operator(dtype)
    U, V = RNG.standard_normal((2, N, R))
    expected = two_measures(op, U, V)
    for found in (pair(op, U, V), jax.jit(pair)(op, U, V)):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_one_pass_over_starts_and_over_problems(one_pass):
    ops = [operator() for _ in range(3)]
    stacked = jax.tree.map(lambda *a: np.stack(a), *ops)
    U, V = RNG.standard_normal((2, 3, N, R))
    starts = jax.vmap(lambda u, v: pair(ops[0], u, v))(U, V)
    problems = jax.vmap(pair)(stacked, U, V)
    shared = jax.vmap(lambda op: pair(op, U[0], V[0]))(stacked)
    nested = jax.vmap(jax.vmap(lambda u, v: pair(ops[0], u, v)))(U[None], V[None])[0]
    for k in range(3):
        same = {"rtol": 1e-12, "atol": 1e-12}
        np.testing.assert_allclose(starts[k], two_measures(ops[0], U[k], V[k]), **same)
        np.testing.assert_allclose(nested[k], starts[k], **same)
        np.testing.assert_allclose(problems[k], two_measures(ops[k], U[k], V[k]), **same)
        np.testing.assert_allclose(shared[k], two_measures(ops[k], U[0], V[0]), **same)


def test_one_pass_reads_the_data_once(one_pass):
    op = operator()
    U = np.ones((N, R))
    text = jax.jit(pair).lower(op, U, U).compile().as_text()
    p = N * (N + 1) // 2
    products = [s for s in text.splitlines() if " dot(" in s and f"[{ROWS}," in s.split(" dot(")[0]]
    assert len(products) == 1
    assert f"[{ROWS},{p}]" in text


def test_derivatives_of_one_pass_are_the_adjoint(one_pass):
    op = operator()
    U, V = RNG.standard_normal((2, N, R))
    y = RNG.standard_normal(ROWS)
    cross = jax.grad(lambda u: jnp.vdot(y, op.measure_pair(u, V)[0]))(U)
    square = jax.grad(lambda v: jnp.vdot(y, op.measure_pair(U, v)[1]))(V)
    many = jax.grad(lambda u: jnp.sum(jax.vmap(lambda w: op.measure_pair(w, V)[0] @ y)(u)))(U[None])
    np.testing.assert_allclose(cross, op.backproject(y, V), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(square, 2 * op.backproject(y, V), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(many[0], cross, rtol=1e-12, atol=1e-12)


# -- sums over many rows, by blocks; the blocks are made small ------------------------------------


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(products, "TALL", 12)
    monkeypatch.setattr(products, "BLOCK", 4)


def test_blocks_are_divisors_near_the_best_size():
    assert products.block_of(4000, 5050) == 100
    assert products.block_of(2002, 5050) == 91
    # Too few rows, too long ones, no divisor.
    assert products.block_of(1900, 5050) is None
    assert products.block_of(4000, 20100) is None
    assert products.block_of(2003, 5050) is None


def test_sum_by_blocks_is_the_product(small_blocks):
    m = 20
    A = RNG.standard_normal((3, m, 5))
    Y = RNG.standard_normal((3, m))
    assert products.block_of(m, 5) == 4
    same = {"rtol": 1e-13, "atol": 1e-13}
    expected = np.einsum("km,kmp->kp", Y, A)
    np.testing.assert_allclose(products.sum_of_rows(Y[0], A[0]), expected[0], **same)
    np.testing.assert_allclose(jax.jit(products.sum_of_rows)(Y[0], A[0]), expected[0], **same)
    np.testing.assert_allclose(jax.vmap(products.sum_of_rows)(Y, A), expected, **same)
    shared = jax.vmap(products.sum_of_rows, in_axes=(0, None))(Y, A[0])
    np.testing.assert_allclose(shared, Y @ A[0], **same)
    x = RNG.standard_normal(5)
    found = jax.grad(lambda y: products.sum_of_rows(y, jnp.asarray(A[0])) @ x)(Y[0])
    np.testing.assert_allclose(found, A[0] @ x, **same)


def test_backprojection_by_blocks_is_the_adjoint(small_blocks):
    op = DenseOperator(RNG.standard_normal((16, N * (N + 1) // 2)), N)
    U, V = RNG.standard_normal((2, N, R))
    y = RNG.standard_normal(16)
    assert products.block_of(*op.packed.shape) == 4
    assert np.sum(op.backproject(y, V) * U) == pytest.approx(float(y @ op.measure(U, V)), rel=1e-12)
