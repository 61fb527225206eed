"""Sparse least squares on the host: Jacobians, the two solvers, null vectors, variances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array

import liftless as ll
from liftless.descent.sparse_levenberg import SparseFit, sparse_levenberg
from liftless.descent.sparse_solve import Direct, Iterative, solver_for
from liftless.identify.sparse_null import Information, null_directions
from liftless.operators.sparse_rows import SparseRows


def drawn(space, m=60, seed=0, entries=3):
    rng = np.random.default_rng(seed)
    n1, n2 = space.shape
    k = np.repeat(np.arange(m), entries)
    values = rng.standard_normal(k.size) + 0j
    if isinstance(space, ll.Hermitian):
        values = values + 1j * rng.standard_normal(k.size)
    else:
        values = values.real
    i, j = rng.integers(n1, size=k.size), rng.integers(n2, size=k.size)
    return ll.SparseOperator(k, i, j, values, m=m, space=space), rng


@pytest.mark.parametrize("space", [ll.Symmetric(7), ll.Hermitian(4), ll.Rectangular(4, 3)])
def test_values_and_jacobian_are_the_operators(space):
    operator, rng = drawn(space)
    rows, X = SparseRows(operator), rng.standard_normal((operator.n, 2))
    np.testing.assert_allclose(rows.values(X), ll.measure(operator, X, X), atol=1e-12)
    expected = jax.jacobian(lambda Y: operator.measure(Y, Y))(jnp.asarray(X))
    got = rows.jacobian(X).toarray()
    np.testing.assert_allclose(got, np.asarray(expected).reshape(operator.m, -1), atol=1e-12)


@pytest.mark.parametrize("roots", [False, True])
def test_the_residuals_derivative_and_ridge(roots):
    rng = np.random.default_rng(0)
    k = np.arange(40)
    i, j = rng.integers(7, size=(2, 40))
    # Squared norms of sums of two rows: none is negative.
    every = (np.r_[k, k, k], np.r_[i, j, i], np.r_[i, j, j], np.r_[np.ones(80), 2 * np.ones(40)])
    operator = ll.SparseOperator(*every, n=7)
    rows, X = SparseRows(operator), rng.standard_normal((7, 2))
    b = np.abs(rows.values(X)) + 1
    free = np.arange(7) != 2
    which = np.arange(40) % 3 > 0 if roots else None
    fit = SparseFit(rows, b, rng.uniform(1, 2, b.size), free, np.array([0.5, 2.0]), which)
    J = fit.jacobian(X).toarray()
    step = 1e-6
    for column, (i, c) in enumerate((i, c) for i in np.flatnonzero(free) for c in range(2)):
        E = np.zeros_like(X)
        E[i, c] = step
        ends = [fit.residual(rows.values(X + sign * E)) for sign in (1, -1)]
        np.testing.assert_allclose(J[:, column], (ends[0] - ends[1]) / (2 * step), atol=1e-6)
    size = fit.residual(rows.values(X))
    ridge = 0.5 * np.sum(np.array([0.5, 2.0]) * np.sum(X[free] ** 2, axis=0))
    assert fit.objective(X) == pytest.approx(0.5 * size @ size + ridge)
    end = sparse_levenberg(fit, X, steps=100, tolerance=1e-14)
    np.testing.assert_array_equal(end.X[2], X[2])
    assert end.objective < fit.objective(X)
    slope = fit.jacobian(end.X).T @ fit.residual(rows.values(end.X))
    slope = slope + (np.array([0.5, 2.0]) * end.X)[free].ravel()
    assert np.linalg.norm(slope) < 1e-4 * np.linalg.norm(fit.jacobian(X).T @ size)


def test_both_solvers_take_the_same_step_and_the_cheaper_one_is_chosen():
    operator, rng = drawn(ll.Symmetric(12), m=80)
    rows, X = SparseRows(operator), rng.standard_normal((12, 2))
    fit = SparseFit(rows, rows.values(rng.standard_normal((12, 2))), np.ones(80))
    J, residual = fit.jacobian(X), fit.residual(rows.values(X))
    zero = np.zeros(24)
    ends = [one.step(J, residual, zero, zero, 1e-9) for one in (Direct(), Iterative(2))]
    # X is determined up to a rotation, along which the damping decides.
    np.testing.assert_allclose(J @ ends[0], J @ ends[1], atol=1e-5)
    chain = np.arange(2000)
    band = ll.SparseOperator(chain[:-1], chain[:-1], chain[1:], np.ones(1999), n=2000)
    assert solver_for(SparseRows(band), 2).name == "direct"
    i, j = rng.integers(2000, size=(2, 20000))
    mixed = ll.SparseOperator(np.arange(20000), i, j, np.ones(20000), n=2000)
    assert solver_for(SparseRows(mixed), 3).name == "LSMR"


@pytest.mark.parametrize("space", [ll.Symmetric(12), ll.Rectangular(9, 8)])
def test_a_planted_factor_is_found_by_both(space):
    operator, rng = drawn(space, m=150, entries=2)
    rows, Z = SparseRows(operator), rng.standard_normal((operator.n, 2))
    fit = SparseFit(rows, rows.values(Z), np.ones(150))
    start = Z + 0.1 * rng.standard_normal(Z.shape)
    for solver in (Direct(), Iterative(2)):
        end = sparse_levenberg(fit, start, solver=solver)
        assert end.status == "exact"
        assert space.distance(end.X, Z) < 1e-9


def test_null_vectors_and_variances_are_the_dense_ones():
    rng = np.random.default_rng(3)
    J = rng.standard_normal((20, 9))
    null = np.linalg.qr(rng.standard_normal((9, 3)))[0]
    J = J - J @ null @ null.T
    J[:, 4] *= 100  # columns of unlike size
    null[4] /= 100
    found = null_directions(csr_array(J))
    assert found.shape == (9, 3)
    assert np.linalg.norm(J @ found) < 1e-6
    part = null_directions(csr_array(J), null[:, :1])
    assert part.shape == (9, 2)
    told = Information(csr_array(J), null)
    inverse = np.linalg.pinv(J.T @ J, rcond=1e-10)
    np.testing.assert_allclose(told.variances(), np.diag(inverse), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(told.leverages(), np.diag(J @ inverse @ J.T), atol=1e-8)
    assert null_directions(csr_array(rng.standard_normal((20, 9)))).shape == (9, 0)
