"""Regions, distances and deviation rates, against dense Hessians and the paper's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liftless import InvalidInput, Problem
from liftless.operators import DenseOperator, DiagonalOperator, measure
from liftless.regularisers import Balance, Ridge
from liftless_papers.ipgd.deviation import (
    Deviation,
    deviation_along,
    deviation_rate,
    residual_growth,
    step_excess,
)
from liftless_papers.ipgd.region import (
    RectangularRegion,
    Region,
    SparseRegion,
    SymmetricRegion,
    procrustes_distance,
    solution_distance,
    split,
)
from liftless_papers.ipgd.spectra import lanczos_spectrum

ROOTS = np.sqrt([10.0, 5.0, 1.0])


def orthonormal(rng, n, r=3):
    return np.linalg.qr(rng.standard_normal((n, r)))[0]


def sensing(operator, truth, columns, scale, regularisers=()):
    b = np.asarray(measure(operator, truth, truth))
    weights = np.full(operator.m, np.sqrt(scale))
    return Problem(operator, b, columns, weights=weights, regularisers=regularisers)


def symmetric(n=20, columns=20, m=1000):
    """Matrix sensing (MS): 1/(4N) Σ (⟨A_i, X Xᵀ⟩ − y_i)²."""
    rng = np.random.default_rng([0, 20260])
    truth = orthonormal(rng, n) * ROOTS
    i, j = np.triu_indices(n)
    packed = rng.standard_normal((m, i.size)) * np.where(i == j, 1.0, np.sqrt(2))
    return sensing(DenseOperator(packed, n), truth, columns, 1 / (2 * m)), truth


def rectangular(n=8, m=400):
    rng = np.random.default_rng([0, 7])
    truth = np.concatenate([orthonormal(rng, n) * ROOTS, orthonormal(rng, n) * ROOTS])
    A, B = np.zeros((m, 2 * n, 2 * n)), rng.standard_normal((m, n, n))
    A[:, :n, n:], A[:, n:, :n] = B / 2, B.transpose(0, 2, 1) / 2
    operator = DenseOperator.from_matrices(A)
    return sensing(operator, truth, n, 1 / (2 * m), (Balance(n, 0.25),)), truth


def sparse(d=150, m=300):
    """(125) with the factor 1/N."""
    rng = np.random.default_rng([0, 20260])
    theta = np.zeros(d)
    theta[:5] = 10.0, -5.0, 3.0, -2.0, 1.0
    x = rng.standard_normal((m, d))
    truth = np.sqrt(np.maximum(np.concatenate([theta, -theta]), 0.0))[:, None]
    return sensing(DiagonalOperator(np.concatenate([x, -x], axis=1)), truth, 1, 2 / m), truth


@jax.jit
def course(problem, X, eta, steps):
    def step(X, _):
        return X - eta * problem.gradient(X), X

    return jax.lax.scan(step, X, steps)[1]


def trajectory(problem, eta, steps, gamma=1e-15):
    noise = np.random.default_rng(1).standard_normal((problem.n, problem.rank))
    start = jnp.asarray(gamma * noise / np.linalg.norm(noise))
    return np.asarray(course(problem, start, eta, jnp.zeros(steps)))


@jax.jit
def dense_hessian(problem, X):
    units = jnp.eye(X.size).reshape(-1, *X.shape)
    return jax.vmap(lambda D: problem.hessian_product(X, D).ravel())(units)


def dense_rates(problem, region, X):
    """Equations (9) and (10) by an eigendecomposition of the whole Hessian."""
    signal, residual = split(region, X)
    H = np.asarray(dense_hessian(problem, jnp.asarray(signal)))
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    part = (vectors.T @ residual.ravel()) ** 2 / np.sum(residual**2)
    return -np.maximum(values, 0) @ part, -np.minimum(values, 0) @ part


# -- the rate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "region", "eta", "tolerance"),
    [
        (symmetric, SymmetricRegion(3), 0.05, 1e-11),
        (rectangular, RectangularRegion(3, 8), 0.05, 1e-11),
        (sparse, None, 0.01, 1e-11),
    ],
    ids=["symmetric", "rectangular", "sparse"],
)
def test_rate_against_dense_hessian(made, region, eta, tolerance):
    problem, truth = made()
    region = SparseRegion.of(truth) if region is None else region
    path = trajectory(problem, eta, 600)[::100]
    found = deviation_along(problem, region, path)
    largest = np.max(np.abs(found.rate))
    for k, X in enumerate(path[1:], 1):
        negative, positive = dense_rates(problem, region, X)
        assert abs(found.negative[k] - negative) <= tolerance * largest
        assert abs(found.positive[k] - positive) <= tolerance * largest
        assert abs(found.rate[k] - negative - 3 * positive) <= 1e-9 * abs(found.rate[k]) + 1e-14


def test_growth_law_of_matrix_sensing():
    """Figure 6, N = 1000: slope .315 to .326, (126) never crossed, distance equal to residual."""
    problem, truth = symmetric()
    eta = 0.05
    path = trajectory(problem, eta, 1500)
    deviation = deviation_along(problem, SymmetricRegion(3), path)
    growth = residual_growth(deviation, eta)
    assert 0.315 <= growth.slope <= 0.326
    assert 0.95 <= growth.first_order_slope <= 1.0
    assert growth.excess <= 1e-9
    assert 5 <= growth.log_growth[-1] <= 20
    distance = procrustes_distance(path[-1], truth)
    assert distance == pytest.approx(deviation.residual[-1], rel=1e-6)
    # Proposition 4 step by step, as long as the residual is clear of the round-off of X.
    assert step_excess(deviation, eta, 0.0) <= 1e-4
    scaled = deviation_along(problem, SymmetricRegion(3), path[:2], scale=3.0)
    np.testing.assert_allclose(scaled.rate, 3 * deviation.rate[:2], rtol=1e-12)


def test_no_residual_no_rate():
    problem, truth = symmetric(6, 4, 40)
    padded = np.pad(truth, ((0, 0), (0, 1)))
    at_zero = deviation_rate(problem, SymmetricRegion(3), 0 * padded)
    assert at_zero.rate == 0
    assert at_zero.residual == 0


def test_lanczos_agrees_where_no_structure_is_known():
    problem, _ = symmetric()
    X = trajectory(problem, 0.05, 150)[-1]
    exact = deviation_rate(problem, SymmetricRegion(3), X)
    near = deviation_rate(problem, SymmetricRegion(3), X, steps=20)
    assert near.rate == pytest.approx(float(exact.rate), rel=1e-2)
    # The quadratic form itself is exact, only the kink is not.
    assert near.first_order == pytest.approx(float(exact.first_order), rel=1e-10)


class RowRegion(Region):
    """A user's region: the first row."""

    def parts(self, X):
        first = jnp.arange(X.shape[0])[:, None] < 1
        return jnp.where(first, X, 0.0), jnp.where(first, 0.0, X)

    def distance(self, X, Z):
        return jnp.linalg.norm(X - Z)


def test_users_region_uses_lanczos():
    problem, truth = symmetric(6, 3, 40)
    found = deviation_rate(problem, RowRegion(), truth)
    negative, positive = dense_rates(problem, RowRegion(), truth)
    # 6 · 3 = 18 variables: 18 steps exhaust the space.
    assert found.negative == pytest.approx(negative, rel=1e-9)
    assert found.positive == pytest.approx(positive, rel=1e-9, abs=1e-12)


def test_lanczos_breaks_down_cleanly():
    H = np.diag([3.0, -2.0, 5.0, 7.0])
    values, weights = lanczos_spectrum(lambda x: H @ x, np.array([1.0, 1.0, 0.0, 0.0]))
    assert float(weights @ values) == pytest.approx(0.5, rel=1e-12)
    assert float(weights @ np.maximum(values, 0)) == pytest.approx(1.5, rel=1e-12)


# -- split and distance ---------------------------------------------------------------------------


def test_split_into_signal_and_residual():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 5))
    signal, residual = split(SymmetricRegion(3), X)
    sizes = np.linalg.svd(X, compute_uv=False)
    np.testing.assert_allclose(signal + residual, X, atol=1e-14)
    assert np.linalg.norm(residual) == pytest.approx(np.hypot(*sizes[3:]), rel=1e-12)
    np.testing.assert_allclose(residual @ signal.T, np.zeros((8, 8)), atol=1e-13)
    signal, residual = split(RectangularRegion(2, 3), X)
    for block in (X[:3], X[3:]):
        sizes = np.linalg.svd(block, compute_uv=False)
        assert np.linalg.matrix_rank(signal[:3]) == 2
        residual_block = residual[:3] if block.shape[0] == 3 else residual[3:]
        assert np.linalg.norm(residual_block) == pytest.approx(np.linalg.norm(sizes[2:]))
    truth = np.array([[1.0], [0.0], [2.0]])
    signal, residual = split(SparseRegion.of(truth), np.array([[3.0], [4.0], [5.0]]))
    np.testing.assert_array_equal(signal[:, 0], [3, 0, 5])
    np.testing.assert_array_equal(residual[:, 0], [0, 4, 0])


def test_distance_is_sharp_below_half_the_digits():
    """The trace formula cannot see 1e-12; the explicit difference can."""
    rng = np.random.default_rng(0)
    Z = orthonormal(rng, 20) * ROOTS
    right = orthonormal(rng, 20)
    across = rng.standard_normal((20, 20))
    across = across - Z @ np.linalg.pinv(Z) @ across
    across = across - across @ right @ right.T
    across *= 1e-12 / np.linalg.norm(across)
    found = procrustes_distance(Z @ right.T + across, Z)
    assert found == pytest.approx(1e-12, rel=1e-2)
    assert solution_distance(RectangularRegion(3, 10), Z @ right.T, Z) < 1e-14


def test_sparse_distance_frees_the_signs():
    Z = np.array([[2.0], [0.0], [1.0]])
    X = np.array([[-2.0], [3e-9], [1.0]])
    assert solution_distance(SparseRegion.of(Z), X, Z) == pytest.approx(3e-9)


# -- misuse ---------------------------------------------------------------------------------------


def test_regions_refuse_what_they_cannot_do():
    dense, truth = symmetric(6, 4, 40)
    X = np.ones((6, 4))
    with pytest.raises(InvalidInput, match="DiagonalOperator"):
        deviation_rate(dense, SparseRegion.of(truth), X)
    with pytest.raises(InvalidInput, match="support"):
        deviation_rate(sparse(5, 6)[0], SparseRegion.of(truth), np.ones((10, 1)))
    with pytest.raises(InvalidInput, match="split"):
        deviation_rate(dense, RectangularRegion(2, 6), X)
    uneven = Problem(dense.operator, dense.b, 4, regularisers=(Ridge(np.arange(1.0, 5.0)),))
    with pytest.raises(InvalidInput, match="Ridge"):
        deviation_rate(uneven, SymmetricRegion(2), X)
    with pytest.raises(InvalidInput, match="path"):
        deviation_along(dense, SymmetricRegion(2), np.ones((2, 5, 4)))
    with pytest.raises(InvalidInput, match="scale"):
        deviation_rate(dense, SymmetricRegion(2), X, scale=-1.0)
    with pytest.raises(InvalidInput, match="Z was"):
        procrustes_distance(truth[:, :2], truth)
    none = Deviation(*np.zeros((4, 5)))
    with pytest.raises(InvalidInput, match="perturbation"):
        residual_growth(none, 0.1)
