"""Message passing: its formulas against their sources, what it ignores, and what it finds."""

import numpy as np
import pytest
from scipy.special import ive

import liftless.start.message_passing as message_passing
from liftless import (
    DenseOperator,
    EntriesOperator,
    InvalidInput,
    Logistic,
    Problem,
    RankOneOperator,
    Ridge,
    make_instance,
    recover,
)
from liftless.linalg import matrix_distance
from liftless.operators import SensingOperator
from liftless.start import (
    AMPLITUDES,
    COMPLETION,
    ISOTROPIC,
    DouglasRachford,
    MessagePassing,
    can_pass,
    course_of,
    passing_start,
    reflection_start,
)
from liftless.start.passing import Watch
from liftless.start.passing_amplitudes import bessel_ratio
from liftless.start.passing_matrix import _shrink

RNG = np.random.default_rng(8)


def gaussian(n=6, rank=1, ratio=3.0, seed=2):
    return make_instance("gaussian", n=n, rank=rank, ratio=ratio, seed=seed)


def phase(n=6, ratio=4.0, seed=1):
    return make_instance("phase", n=n, ratio=ratio, seed=seed)


# -- formulas --------------------------------------------------------------------------------------


@pytest.mark.parametrize("r", range(1, 7))
def test_bessel_ratio(r):
    kappa = np.array([1e-6, 0.1, 1.0, 3.0, 10.0, 60.0, 500.0])
    expected = ive(r / 2, kappa) / ive(r / 2 - 1, kappa)

    np.testing.assert_allclose(bessel_ratio(kappa, r), expected, rtol=3e-5 if r > 1 else 1e-12)


def noisy_spikes(n, spikes, s, rng):
    """A matrix of given rank plus a Gaussian one whose spectrum fills [−2s, 2s]."""
    U = np.linalg.qr(rng.standard_normal((n, len(spikes))))[0]
    G = rng.standard_normal((n, n)) * s / np.sqrt(2 * n)
    return (U * spikes) @ U.T, G + G.T


def test_shrinkage_is_the_best_and_its_divergence_that_of_the_map():
    """Against the best multiples of the eigenvectors, and a Monte Carlo divergence, n = 200."""
    n, s, spikes = 200, 0.4, np.array([1.3, 0.8])
    truth, noise = noisy_spikes(n, spikes, s, np.random.default_rng(0))
    values, vectors = np.linalg.eigh(truth + noise)
    top, U = values[::-1][:2], vectors[:, ::-1][:, :2]
    f, divergence = (np.asarray(a) for a in _shrink(top, np.asarray(s), n))
    best = np.einsum("ik,ij,jk->k", U, truth, U)
    np.testing.assert_allclose(f, best, rtol=0.1)
    np.testing.assert_allclose(top, spikes + s**2 / spikes, rtol=0.04)

    def denoised(R):
        w, V = np.linalg.eigh(R)
        w, V = w[::-1][:2], V[:, ::-1][:, :2]
        return (V * np.sqrt(w * w - 4 * s * s)) @ V.T

    rng, step, found = np.random.default_rng(1), 1e-5, []
    for _ in range(40):
        H = rng.standard_normal((n, n))
        H = (H + H.T) / 2  # unit variance in every orthonormal coordinate
        change = denoised(truth + noise + step * H) - denoised(truth + noise - step * H)
        found.append(np.sum(H * change) / (2 * step))
    spread = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - divergence) < 4 * spread + 0.06 * divergence


def test_nothing_is_left_of_a_bulk_and_no_column_is_infinite_at_its_edge():
    f, divergence = _shrink(np.array([0.79, 0.5]), np.asarray(0.4), 10)
    assert np.all(np.asarray(f) == 0)
    assert float(divergence) == 0
    _, divergence = _shrink(np.array([0.8 * (1 + 1e-15)]), np.asarray(0.4), 10)
    assert np.isfinite(float(divergence))


def test_watch_stops_where_the_error_stalls():
    plan = MessagePassing(1.0, 1.0, ready=0.2, patience=3)
    numbers = message_passing.numbers_of(plan, 100)
    watch = Watch.begin(np.zeros(1))
    for error in (0.9, 0.7, 0.69, 0.68):
        watch = watch.seen(np.asarray(error))
        assert bool(watch.going(numbers))
    assert not bool(watch.seen(np.asarray(0.67)).going(numbers))
    assert not bool(watch.seen(np.asarray(0.19)).going(numbers))
    assert float(watch.seen(np.asarray(np.nan)).error) == np.inf


# -- what it finds ---------------------------------------------------------------------------------

STARTS = {
    "gaussian": (gaussian(12, 1, 3.0), MessagePassing(0.8, 0.9, ready=0.2)),
    "gaussian r=2": (gaussian(12, 2, 3.0), MessagePassing(0.8, 0.9, ready=0.2)),
    "phase": (phase(12, 5.0), MessagePassing(1.0, 0.9, ready=0.1)),
}


@pytest.mark.parametrize("name", STARTS)
def test_start_is_near_the_truth_and_knows_how_near(name):
    instance, plan = STARTS[name]
    problem, truth = instance.problem, instance.truth
    X, applications, error = passing_start(problem, plan)
    assert X.shape == truth.shape
    assert error <= plan.ready
    assert applications == 2 + 2 * ((applications - 2) // 2) <= 2 + 2 * plan.steps
    relative = matrix_distance(X, truth) / np.linalg.norm(truth.T @ truth)
    assert relative < 4 * plan.ready
    again = passing_start(problem, plan)
    np.testing.assert_array_equal(X, again[0])
    fewer = passing_start(problem, plan, budget=9)
    assert fewer[1] <= 9


def test_rank_one_measurements_of_rank_two():
    rng = np.random.default_rng(5)
    Z, a = rng.standard_normal((12, 2)), rng.standard_normal((60, 12))
    problem = Problem(RankOneOperator(a), np.sum((a @ Z) ** 2, axis=1), 2)
    X, _, error = passing_start(problem, MessagePassing(1.0, 0.9, ready=0.1))
    assert error <= 0.1
    assert matrix_distance(X, Z) < 0.4 * np.linalg.norm(Z.T @ Z)


def scaled(problem, factors):
    """Every measurement multiplied by a factor."""
    operator, b = problem.operator, problem.b
    if isinstance(operator, RankOneOperator):
        made = RankOneOperator(operator.a * np.sqrt(factors)[:, None])
    else:
        made = DenseOperator(operator.packed * factors[:, None], operator.n)
    return Problem(made, b * factors, problem.rank)


@pytest.mark.parametrize("instance", [gaussian(6, 2), phase()], ids=["dense", "rank one"])
def test_units_of_the_measurements_do_not_matter(instance):
    problem, plan = instance.problem, MessagePassing(0.9, 0.9, fresh=0.5, steps=6)
    X = passing_start(problem, plan, 3)[0]
    factors = np.random.default_rng(4).uniform(0.2, 5.0, problem.m)
    Y = passing_start(scaled(problem, factors), plan, 3)[0]
    if isinstance(problem.operator, RankOneOperator):
        # There only a common factor drops out: longer vectors weigh more in a Gaussian model.
        Y = passing_start(scaled(problem, np.full(problem.m, 3.0)), plan, 3)[0]
    np.testing.assert_allclose(Y @ Y.T, X @ X.T, atol=1e-6 * np.sum(X * X))


@pytest.mark.parametrize("instance", [gaussian(6, 2), phase()], ids=["dense", "rank one"])
def test_rows_of_weight_zero_are_not_seen(instance):
    problem, plan = instance.problem, MessagePassing(0.9, 0.9, fresh=0.5, steps=6)
    weights = np.ones(problem.m)
    weights[[0, 3]] = 0
    spoilt = problem.b.copy()
    spoilt[[0, 3]] = 1e3
    one = Problem(problem.operator, problem.b, problem.rank, weights=weights)
    two = Problem(problem.operator, spoilt, problem.rank, weights=weights)
    np.testing.assert_array_equal(passing_start(one, plan)[0], passing_start(two, plan)[0])


@pytest.mark.parametrize("instance", [gaussian(), phase()], ids=["dense", "rank one"])
def test_no_data_and_bad_data_give_a_finite_start(instance):
    problem = instance.problem
    for b in (np.zeros(problem.m), -np.abs(problem.b)):
        X, _, _ = passing_start(Problem(problem.operator, b, 1), MessagePassing(1.0, 0.9))
        assert np.all(np.isfinite(X))
        assert recover(Problem(problem.operator, b, 1), budget=300).certificate.kind in (
            "exact",
            "global",
            "agreed",
            "stationary",
            "unfinished",
        )


def test_spectral_estimate_by_lanczos(monkeypatch):
    problem, plan = phase().problem, MessagePassing(1.0, 0.9, steps=8)
    X, few, _ = passing_start(problem, plan)
    monkeypatch.setattr(message_passing, "dense_eigen", lambda n: n <= 5)
    monkeypatch.setattr("liftless.linalg.dense_eigen", lambda n: n <= 5)
    Y, many, _ = passing_start(problem, plan)
    np.testing.assert_allclose(Y @ Y.T, X @ X.T, atol=1e-3 * np.sum(X * X))
    assert many > few


def test_single_precision_storage_passes_too():
    instance = gaussian(6, 1, 3.0)
    packed = instance.problem.operator.packed
    operator = DenseOperator(packed, 6, np.float32)
    b = operator.measure(instance.truth, instance.truth)
    X, _, error = passing_start(
        Problem(operator, np.asarray(b, float), 1), MessagePassing(0.8, 0.9)
    )
    assert X.dtype == np.float64
    assert error <= 0.2


# -- where it is meant -----------------------------------------------------------------------------


def test_course_by_measurements():
    dense, rank_one = gaussian().problem, phase().problem
    seen = Problem(EntriesOperator([0, 1, 1], [0, 0, 1], 2), np.ones(3), 1)
    courses = [course_of(p) for p in (dense, rank_one, seen)]
    assert courses == [ISOTROPIC, AMPLITUDES, COMPLETION]
    penalised = Problem(dense.operator, dense.b, 1, regularisers=(Ridge(0.1),))
    binary = Problem(rank_one.operator, np.ones(rank_one.m), 1, loss=Logistic())
    for other in (penalised, binary, dense.with_rank(6)):
        assert not can_pass(other)
        with pytest.raises(InvalidInput, match="problem"):
            passing_start(other, MessagePassing(1.0, 0.9))
    with pytest.raises(InvalidInput, match="squared loss alone"):
        reflection_start(penalised, DouglasRachford(1.0, 10))


def test_a_users_operator_may_ask_for_it():
    class Mine(SensingOperator):
        A: np.ndarray

        def isotropic(self):
            return True

        @property
        def n(self):
            return self.A.shape[1]

        @property
        def m(self):
            return self.A.shape[0]

        def measure(self, U, V):
            import jax.numpy as jnp

            return jnp.einsum("mij,ir,jr->m", self.A, U, V)

    A = RNG.standard_normal((18, 6, 6))
    A = (A + A.transpose(0, 2, 1)) / 2
    mine, theirs = Mine(A), DenseOperator.from_matrices(A)
    expected = np.sum(A * A, axis=(1, 2))
    np.testing.assert_allclose(np.asarray(mine.squares()), expected, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(theirs.squares()), expected, rtol=1e-12)
    Z = RNG.standard_normal((6, 1))
    b = np.einsum("mij,ir,jr->m", A, Z, Z)
    plan = MessagePassing(0.8, 0.9, steps=5)
    X, Y = (passing_start(Problem(o, b, 1), plan)[0] for o in (mine, theirs))
    np.testing.assert_allclose(X @ X.T, Y @ Y.T, atol=1e-9 * np.sum(X * X))
