"""Rectangular matrices U Vᵀ: operators, balance, recovery, certificates."""

import numpy as np
import pytest

from liftless import InvalidInput, certify, recover
from liftless.descent import Stop, descend
from liftless.instances import make_instance
from liftless.losses import Logistic
from liftless.operators import (
    RectangularEntries,
    RectangularOperator,
    balanced,
    dot_test,
    factors,
    matrix,
    measure,
    stacked,
)
from liftless.problem import Problem
from liftless.regularisers import Balance, Ridge, balance_bound
from liftless.space import Rectangular

N1, N2, M = 4, 3, 9


def dense(rng):
    """The operator and its A_i, of shape (m, n1, n2)."""
    A = rng.standard_normal((M, N1, N2))
    return RectangularOperator.from_matrices(A), A


def entries(rng):
    rows, cols, weights = rng.integers(0, N1, M), rng.integers(0, N2, M), rng.standard_normal(M)
    A = np.zeros((M, N1, N2))
    A[np.arange(M), rows, cols] = weights
    return RectangularEntries(rows, cols, N1, N2, weights), A


BUILD = {"dense": dense, "entries": entries}


def gaussian(n1, n2, rank, m, seed):
    """Gaussian sensing of a random matrix, its truth, with the natural balance."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((n1 + n2, rank))
    operator = RectangularOperator(rng.standard_normal((m, n1 * n2)), n1, n2)
    b = measure(operator, truth, truth)
    return Problem(operator, b, rank, regularisers=(Balance.natural(operator),)), truth


class TestOperator:
    @pytest.mark.parametrize("kind", BUILD)
    def test_it_measures_the_product_of_the_factors(self, kind):
        rng = np.random.default_rng(0)
        operator, A = BUILD[kind](rng)
        U, V = rng.standard_normal((N1, 2)), rng.standard_normal((N2, 2))
        X = stacked(U, V)
        expected = np.einsum("mij,ij->m", A, U @ V.T)
        np.testing.assert_allclose(measure(operator, X, X), expected, rtol=1e-13)
        other = rng.standard_normal(X.shape)
        block = (U @ other[N1:].T + other[:N1] @ V.T) / 2
        expected = np.einsum("mij,ij->m", A, block)
        np.testing.assert_allclose(measure(operator, X, other), expected, rtol=1e-12)

    @pytest.mark.parametrize("kind", BUILD)
    def test_it_is_a_sensing_operator_of_order_n1_plus_n2(self, kind):
        rng = np.random.default_rng(1)
        operator, A = BUILD[kind](rng)
        assert dot_test(operator).passed
        y = rng.standard_normal(M)
        G = np.einsum("m,mij->ij", y, A)
        expected = np.block([[np.zeros((N1, N1)), G], [G.T, np.zeros((N2, N2))]]) / 2
        np.testing.assert_allclose(matrix(operator, y), expected, atol=1e-14)
        assert (operator.n, operator.m, operator.split) == (N1 + N2, M, N1)
        # No combination of off-diagonal blocks is positive definite.
        assert operator.positive_combination() is None

    @pytest.mark.parametrize("kind", BUILD)
    def test_subset_and_energy(self, kind):
        operator, A = BUILD[kind](np.random.default_rng(2))
        X = np.random.default_rng(3).standard_normal((N1 + N2, 2))
        some = np.array([4, 0, 4])
        whole = measure(operator, X, X)
        np.testing.assert_array_equal(measure(operator.subset(some), X, X), whole[some])
        omega = np.arange(1.0, M + 1)
        expected = np.sum(omega * np.sum(A**2, axis=(1, 2))) / (N1 * N2)
        assert operator.mean_square(omega) == pytest.approx(expected, rel=1e-13)

    @pytest.mark.parametrize("rank", [1, 2, 3])
    def test_degrees_of_freedom_are_the_rank_of_the_derivative(self, rank):
        X = np.random.default_rng(rank).standard_normal((N1 + N2, rank))
        i, j = np.divmod(np.arange(N1 * N2), N2)
        operator = RectangularEntries(i, j, N1, N2)
        rows = np.asarray(operator.jacobian(X)).reshape(N1 * N2, -1)
        found = np.linalg.matrix_rank(rows)
        assert found == rank * (N1 + N2 - rank)
        assert Problem(operator, np.zeros(N1 * N2), rank).degrees_of_freedom == found

    def test_a_width_beyond_the_sides_adds_no_freedom(self):
        operator, _ = dense(np.random.default_rng(0))
        assert operator.degrees_of_freedom(7) == N1 * N2


class TestFactors:
    def test_there_and_back(self):
        X = np.arange(14.0).reshape(7, 2)
        U, V = factors(X, N1)
        assert U.shape == (4, 2)
        np.testing.assert_array_equal(stacked(U, V), X)

    @pytest.mark.parametrize("width", [2, 5])
    def test_balanced(self, width):
        X = np.random.default_rng(4).standard_normal((N1 + N2, width))
        U, V = factors(X, N1)
        B, C = factors(balanced(X, N1), N1)
        np.testing.assert_allclose(B @ C.T, U @ V.T, atol=1e-13)
        np.testing.assert_allclose(B.T @ B, C.T @ C, atol=1e-13)
        nuclear = np.linalg.svd(U @ V.T, compute_uv=False).sum()
        assert np.sum(B**2) + np.sum(C**2) == pytest.approx(2 * nuclear, rel=1e-13)

    def test_distance_is_that_of_the_products(self):
        X, Z = np.random.default_rng(5).standard_normal((2, N1 + N2, 2))
        expected = np.linalg.norm(X[:N1] @ X[N1:].T - Z[:N1] @ Z[N1:].T)
        assert Rectangular(N1, N2).distance(X, Z) == pytest.approx(expected, rel=1e-13)
        scaled = stacked(3 * X[:N1], X[N1:] / 3)
        assert Rectangular(N1, N2).distance(X, scaled) < 1e-13


class TestBalance:
    def test_natural_weight(self):
        operator, A = dense(np.random.default_rng(6))
        weights = np.linspace(0.5, 2, M)
        energy = np.sum(weights**2 * np.sum(A**2, axis=(1, 2))) / (N1 * N2)
        assert Balance.natural(operator, weights).weight == pytest.approx(energy / 2)
        # The logistic loss bends by a quarter at zero.
        natural = Balance.natural(operator, weights, Logistic())
        assert natural.weight == pytest.approx(energy / 8)
        assert natural.split == N1

    def test_it_curves_as_much_as_data_that_are_an_isometry(self):
        """½‖U Vᵀ − M*‖² and its natural balance: 2σ₁ each, and 16 λ σ₁ of the paper's λ."""
        X = balanced(np.random.default_rng(7).standard_normal((N1 + N2, 2)), N1)
        top = np.linalg.svd(X[:N1] @ X[N1:].T, compute_uv=False)[0]
        i, j = np.divmod(np.arange(N1 * N2), N2)
        operator = RectangularEntries(i, j, N1, N2)
        balance = Balance.natural(operator)
        b = measure(operator, X, X)
        data = certify(Problem(operator, b, 2), X).hessian_largest
        off = np.zeros(operator.m)
        alone = certify(Problem(operator, b, 2, weights=off, regularisers=(balance,)), X)
        assert balance.weight == pytest.approx(0.5)
        assert data == pytest.approx(2 * top, rel=1e-12)
        assert alone.hessian_largest == pytest.approx(2 * top, rel=1e-12)
        assert balance_bound(0.5, top) == pytest.approx(2 * top)
        assert balance_bound(4 * 0.3, top) == pytest.approx(16 * 0.3 * top)


class TestRecovery:
    @pytest.mark.parametrize("rank", [1, 2])
    def test_gaussian(self, rank):
        for seed in range(3):
            problem, truth = gaussian(8, 6, rank, 48, seed)
            found = recover(problem)
            assert found.success
            distance = found.space.distance(found.x, truth)
            assert distance < 1e-7 * np.linalg.norm(truth[:8] @ truth[8:].T)

    def test_completion(self):
        rng = np.random.default_rng(0)
        truth = rng.standard_normal((35, 2))
        i, j = np.nonzero(rng.random((20, 15)) < 0.6)
        operator = RectangularEntries(i, j, 20, 15)
        b = measure(operator, truth, truth)
        found = recover(Problem(operator, b, 2, regularisers=(Balance.natural(operator),)))
        assert found.success
        assert found.space.distance(found.x, truth) < 1e-7 * np.linalg.norm(b)
        U, V = factors(found.x, 20)
        assert np.linalg.norm(U.T @ U - V.T @ V) < 1e-6 * np.linalg.norm(U.T @ U)


def nuclear_optimum(A, b, mu):
    """Least ½‖A(M) − b‖² + μ‖M‖_* over all M, by proximal gradient steps."""
    rows = A.reshape(len(A), -1)
    step = 1 / np.linalg.norm(rows, 2) ** 2
    M = Y = np.zeros(A.shape[1:])
    t = 1.0
    for _ in range(4000):
        gradient = (rows.T @ (rows @ Y.ravel() - b)).reshape(M.shape)
        P, s, Q = np.linalg.svd(Y - step * gradient, full_matrices=False)
        s = np.maximum(s - step * mu, 0)
        new, after = (P * s) @ Q, (1 + np.sqrt(1 + 4 * t * t)) / 2
        M, Y, t = new, new + (t - 1) / after * (new - M), after
    return np.sum((rows @ M.ravel() - b) ** 2) / 2 + mu * s.sum()


class TestCertificate:
    MU = 0.5

    def problem(self, rank, seed, mu=MU):
        """Noise alone, so that the best fit is not exact, with a nuclear norm of weight μ."""
        rng = np.random.default_rng(seed)
        operator, A = dense(rng)
        b = rng.standard_normal(M)
        extra = (Ridge(mu), Balance.natural(operator)) if mu else (Balance.natural(operator),)
        return Problem(operator, b, rank, regularisers=extra), A, b

    @pytest.mark.parametrize("rank", [1, 3])
    def test_sound_against_the_convex_optimum(self, rank):
        kinds = []
        for seed in range(6):
            problem, A, b = self.problem(rank, seed)
            best = nuclear_optimum(A, b, self.MU)
            start = np.random.default_rng(seed).standard_normal((2, N1 + N2, rank))
            ends = descend(problem, start, stop=Stop(gradient=1e-12)).X
            for X in [*start, *ends]:
                found = certify(problem, X, second_order=False)
                assert found.lower_bound <= best * (1 + 1e-9)
                assert found.upper_bound >= best * (1 - 1e-9)
                if found.kind == "global":
                    assert found.objective == pytest.approx(best, rel=1e-6)
                assert found.kind != "exact"
            kinds += [certify(problem, X, second_order=False).kind for X in ends]
        # Of full width every end is the optimum; of rank one some are not, and none is called so.
        assert kinds.count("global") == 12 if rank == 3 else kinds.count("global") < 12

    def test_an_unbalanced_optimum_is_not_stationary(self):
        problem, A, b = self.problem(3, 0)
        best = nuclear_optimum(A, b, self.MU)
        start = np.random.default_rng(0).standard_normal((1, N1 + N2, 3))
        U, V = factors(descend(problem, start, stop=Stop(gradient=1e-12)).X[0], N1)
        found = certify(problem, stacked(2 * U, V / 2), second_order=False)
        assert not found.optimal
        assert found.lower_bound <= best

    def test_without_a_nuclear_norm_nothing_but_an_exact_fit_is_certified(self):
        """The slack [[0, G], [Gᵀ, 0]]/2 is positive semidefinite for G = 0 alone."""
        problem, _, _ = self.problem(1, 3, mu=0.0)
        start = np.random.default_rng(1).standard_normal((2, N1 + N2, 1))
        for X in descend(problem, start, stop=Stop(gradient=1e-12)).X:
            found = certify(problem, X)
            assert found.objective > 1e-3
            assert found.kind in ("stationary", "saddle")
            assert found.lower_bound == 0
            top = np.linalg.norm(np.asarray(problem.slack(X, np.eye(problem.n))), 2)
            assert found.lambda_n == pytest.approx(-top, rel=1e-12)


BAD_CALLS = [
    ("packed", "(m, 12)", lambda: RectangularOperator(np.ones((2, 11)), N1, N2)),
    ("packed", "NaN", lambda: RectangularOperator(np.full((2, 12), np.nan), N1, N2)),
    ("n1", ">= 1", lambda: RectangularOperator(np.ones((2, 12)), 0, N2)),
    ("A", "3-dimensional", lambda: RectangularOperator.from_matrices(np.ones((2, 3)))),
    ("A", "n1, n2 >= 1", lambda: RectangularOperator.from_matrices(np.ones((2, 3, 0)))),
    ("rows", "subtract 1", lambda: RectangularEntries([4], [0], N1, N2)),
    ("cols", "from 0 to 2", lambda: RectangularEntries([0], [3], N1, N2)),
    ("cols", "as long as rows", lambda: RectangularEntries([0, 1], [0], N1, N2)),
    ("weights", "as long as rows", lambda: RectangularEntries([0], [0], N1, N2, [1.0, 1.0])),
    ("n1", "from 1 to 6", lambda: factors(np.ones((7, 1)), 7)),
    ("V", "2 columns", lambda: stacked(np.ones((4, 2)), np.ones((3, 1)))),
    ("weight", ">= 0", lambda: balance_bound(-1.0, 1.0)),
]


@pytest.mark.parametrize(
    ("argument", "says", "call"), BAD_CALLS, ids=[f"{k}-{c[0]}" for k, c in enumerate(BAD_CALLS)]
)
def test_bad_argument(argument, says, call):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.argument == argument
    assert says in str(caught.value)


def test_distance_of_a_named_instance_is_that_of_the_matrix():
    made = make_instance("mc-rect", n=6, rank=2)
    U, V = factors(made.truth, 6)
    assert made.distance(stacked(2 * U, V / 2)) < 1e-13
    assert made.distance(0 * made.truth) == pytest.approx(np.sqrt(10.0**2 + 5.0**2))
