"""The certificate is sound: it never calls a wrong matrix optimal, and its bounds hold."""

import dataclasses

import numpy as np
import pytest

from liftless import (
    DenseOperator,
    EntriesOperator,
    Huber,
    InvalidInput,
    Logistic,
    Problem,
    RankOneOperator,
    Ridge,
    Stop,
    certify,
    descend,
    make_instance,
    measure,
)

#: (n, r, m) and number of problems: 1,000 in all, in three compiled shapes.
SHAPES = [(3, 1, 4, 400), (4, 1, 6, 350), (3, 2, 6, 250)]


def gaussian(n, r, m, rng):
    A = rng.standard_normal((m, n, n))
    operator = DenseOperator.from_matrices((A + A.transpose(0, 2, 1)) / np.sqrt(8 * m))
    Z = rng.standard_normal((n, r))
    return Problem(operator, measure(operator, Z, Z), r), Z


@pytest.mark.parametrize(("n", "r", "m", "count"), SHAPES)
def test_no_wrong_verdict_at_spurious_points_saddles_and_truths(n, r, m, count):
    rng = np.random.default_rng([n, r, m])
    seen = dict.fromkeys(("truth", "spurious", "saddle"), 0)
    for _ in range(count):
        problem, Z = gaussian(n, r, m, rng)
        assert certify(problem, Z, second_order=False).kind == "exact"
        seen["truth"] += 1
        ends = descend(problem, rng.standard_normal((2, n, r)), None, Stop(gradient=1e-8))
        full = problem.objective(np.zeros((n, r)))
        for X, h in zip(ends.X, ends.objective, strict=True):
            verdict = certify(problem, X, second_order=False)
            # The least value is 0, so a visible h is a wrong matrix whatever the verdict says.
            if h > 1e-12 * full:
                assert not verdict.optimal, verdict
                assert verdict.lower_bound <= 1e-12 * full
                seen["spurious"] += verdict.kind == "stationary"
        zero = certify(problem, np.zeros((n, r)), second_order=False)
        # Zero is a saddle, or the slack there is PSD and it is optimal: then b would be 0.
        assert zero.kind == "saddle"
        seen["saddle"] += 1
    assert seen["truth"] == seen["saddle"] == count
    assert seen["spurious"] > count // 30


def test_rank_deficient_stationary_point_is_a_saddle():
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(20):
        problem, _ = gaussian(3, 2, 6, rng)
        narrow = Problem(problem.operator, problem.b, 1)
        ends = descend(narrow, rng.standard_normal((4, 3, 1)), None, Stop(gradient=1e-11))
        for X in ends.X[ends.status == 2]:
            verdict = certify(problem, np.pad(X, ((0, 0), (0, 1))))
            assert verdict.kind == "saddle"
            assert verdict.hessian_least < 0
            found += 1
    assert found > 10


@pytest.mark.parametrize(
    ("name", "kind"), [("basic", "spurious"), ("pmc", "spurious"), ("real-world", "spurious")]
)
def test_known_spurious_points_of_the_papers(name, kind):
    instance = make_instance(name)
    for point in instance.points:
        verdict = certify(instance.problem, point.X, other=instance.truth)
        assert verdict.kind == kind == point.kind
        assert verdict.lambda_n < 0
        assert not verdict.optimal
    assert certify(instance.problem, instance.truth).kind == "exact"


def test_real_world_numbers():
    instance = make_instance("real-world")
    verdict = certify(instance.problem, instance.points[0].X)
    assert verdict.lambda_n == pytest.approx(-0.1332394, abs=5e-8)
    assert verdict.objective == pytest.approx(0.0582892, abs=5e-8)
    assert np.linalg.norm(instance.points[0].X) == pytest.approx(0.6454985, abs=1e-7)


def test_padding_columns_are_dropped_and_bad_factors_refused():
    instance = make_instance("real-world")
    X = instance.points[0].X
    padded = certify(instance.problem, np.pad(X, ((0, 0), (1, 2))))
    assert padded.kind == "stationary"
    assert padded.objective == pytest.approx(certify(instance.problem, X).objective, rel=1e-14)
    with pytest.raises(InvalidInput, match="X"):
        certify(instance.problem, X.T)
    with pytest.raises(InvalidInput, match="X"):
        certify(instance.problem, X * np.nan)
    with pytest.raises(InvalidInput, match="trace_bound"):
        certify(instance.problem, X, trace_bound=-1.0)


def sdp_minimum(A, b, mu=0.0):
    """Least ½‖A(M) − b‖² + ½ μ tr M over M ⪰ 0, by an interior-point solver."""
    import cvxpy as cp

    n = A.shape[1]
    M = cp.Variable((n, n), PSD=True)
    rows = cp.hstack([cp.trace(a @ M) for a in A])
    objective = cp.Minimize(cp.sum_squares(rows - b) / 2 + mu / 2 * cp.trace(M))
    return cp.Problem(objective).solve(solver="CLARABEL")


@pytest.mark.filterwarnings("ignore")  # the solver's own deprecation notices
def test_bounds_hold_and_are_tight_against_an_sdp_solver():
    rng = np.random.default_rng(11)
    for mu in (0.0, 0.3):
        n, m = 4, 12
        a = rng.standard_normal((m, n))
        A = np.einsum("mi,mj->mij", a, a)
        b = np.abs(rng.standard_normal(m))
        penalty = (Ridge(mu),) if mu else ()
        problem = Problem(RankOneOperator(a), b, n, regularisers=penalty)
        least = sdp_minimum(A, b, mu)
        best = descend(problem, rng.standard_normal((n, n)), None, Stop(0.0, 1e-11))
        verdict = certify(problem, best.X)
        assert verdict.kind == "global"
        assert verdict.assumption == "none"
        # The solver's own accuracy is about 1e-8.
        assert verdict.lower_bound <= least * (1 + 1e-6)
        assert verdict.upper_bound == pytest.approx(least, rel=1e-6)
        assert verdict.lower_bound == pytest.approx(least, rel=1e-6)
        # Anywhere else the two sides still enclose it.
        for scale in (0.3, 1.0, 2.0):
            X = scale * rng.standard_normal((n, n))
            loose = certify(problem, X, second_order=False)
            assert loose.lower_bound <= least * (1 + 1e-6) <= loose.upper_bound * (1 + 1e-6)


@pytest.mark.filterwarnings("ignore")
def test_trace_bound_states_its_assumption_and_holds():
    rng = np.random.default_rng(3)
    n, m = 3, 5
    A = rng.standard_normal((m, n, n))
    A = (A + A.transpose(0, 2, 1)) / 2
    # Indefinite combinations only: no w with A*(w) ≻ 0 exists when every A_i has zero trace.
    A = A - np.trace(A, axis1=1, axis2=2)[:, None, None] * np.eye(n) / n
    b = rng.standard_normal(m)
    problem = Problem(DenseOperator.from_matrices(A), b, n)
    least = sdp_minimum(A, b)
    X = rng.standard_normal((n, n))
    without = certify(problem, X, second_order=False)
    assert (without.lower_bound, without.assumption) == (0.0, "none")
    bounded = certify(problem, X, second_order=False, trace_bound=50.0)
    assert bounded.lower_bound <= least + 1e-9
    near = descend(problem, X, None, Stop(0.0, 1e-12)).X
    tight = certify(problem, near, second_order=False, trace_bound=50.0)
    assert tight.lower_bound == pytest.approx(least, abs=1e-6)
    if tight.lower_bound > 0:
        assert "trace(M) <= 50" in tight.assumption


def test_dual_bound_when_the_whole_diagonal_is_observed():
    rows, cols = np.triu_indices(4)
    rng = np.random.default_rng(0)
    values = rng.standard_normal(rows.size)
    problem = Problem(EntriesOperator(rows, cols, 4), values, 2)
    # All entries are observed: the optimum is the distance to the PSD cone in the weighted norm,
    # which descent at full width reaches.
    whole = Problem(EntriesOperator(rows, cols, 4), values, 4)
    best = descend(whole, rng.standard_normal((4, 4)), None, Stop(0.0, 1e-11)).objective
    for X in (np.zeros((4, 2)), rng.standard_normal((4, 2))):
        verdict = certify(problem, X, second_order=False)
        assert verdict.assumption == "none"
        assert verdict.lower_bound <= best * (1 + 1e-9)
    assert certify(problem, rng.standard_normal((4, 2))).lower_bound > 0


def test_logistic_bound_and_verdict():
    rng = np.random.default_rng(2)
    rows, cols = np.triu_indices(4)
    operator = EntriesOperator(rows, cols, 4)
    b = rng.uniform(0.05, 0.95, rows.size)
    problem = Problem(operator, b, 4, loss=Logistic())
    X0 = 0.5 * rng.standard_normal((4, 4))
    # Half converged, λ_n is about −1e-9: too close to zero to be called spurious.
    early = certify(problem, descend(problem, X0, None, Stop(0.0, 1e-6)).X)
    assert early.kind == "unfinished"
    done = descend(problem, X0, None, Stop(0.0, 1e-11))
    verdict = certify(problem, done.X)
    assert verdict.kind == "global"
    assert verdict.lower_bound == pytest.approx(verdict.objective, rel=1e-6)
    away = certify(problem, rng.standard_normal((4, 4)))
    assert away.kind == "unfinished"
    assert away.lower_bound <= verdict.objective


@pytest.mark.slow
def test_bound_of_huber_s_loss_is_that_of_the_convex_programme():
    import cvxpy as cp

    rng = np.random.default_rng(3)
    rows, cols = np.triu_indices(4)
    Z = rng.standard_normal((4, 4))
    b = (Z @ Z.T)[rows, cols] + 0.1 * rng.standard_normal(rows.size)
    b[[1, 6]] += [9.0, -7.0]
    problem = Problem(EntriesOperator(rows, cols, 4), b, 4, loss=Huber(0.3))
    M = cp.Variable((4, 4), PSD=True)
    misfit = cp.hstack([M[i, j] for i, j in zip(rows, cols, strict=True)]) - b
    # Their function is twice the loss.
    least = cp.Problem(cp.Minimize(cp.sum(cp.huber(misfit, 0.3)) / 2)).solve(solver="CLARABEL")
    values, Q = np.linalg.eigh(M.value)
    best = Q * np.sqrt(np.maximum(values, 0.0))
    verdict = certify(problem, best, second_order=False)
    assert verdict.objective == pytest.approx(least, rel=1e-6)
    assert verdict.lower_bound == pytest.approx(least, rel=1e-4)
    assert verdict.lower_bound <= least * (1 + 1e-7)
    assert certify(problem, Z, second_order=False).lower_bound <= least * (1 + 1e-7)


def test_noise_level_accepts_what_noise_explains_and_no_more():
    clean = make_instance("gaussian", n=4, rank=1, ratio=4.0, seed=1)
    sigma = 0.01
    rng = np.random.default_rng(0)
    b = np.asarray(clean.problem.b) + sigma * rng.standard_normal(clean.problem.m)
    noisy = Problem(clean.problem.operator, b, 1)
    assert certify(noisy, clean.truth, noise=sigma).kind == "fitted"
    assert not certify(noisy, clean.truth).success
    assert certify(noisy, 2 * clean.truth, noise=sigma).kind == "unfinished"


def test_invariant_under_scaling_of_the_data():
    instance = make_instance("real-world")
    X = instance.points[0].X
    base = certify(instance.problem, X)
    for scale in (1e-6, 1e6):
        problem = Problem(instance.problem.operator, scale * np.asarray(instance.problem.b), 1)
        scaled = certify(problem, np.sqrt(scale) * X)
        assert scaled.kind == base.kind
        assert scaled.lambda_n == pytest.approx(scale * base.lambda_n, rel=1e-9)


def test_certificate_is_frozen():
    instance = make_instance("basic")
    verdict = certify(instance.problem, instance.truth)
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.kind = "global"


@pytest.mark.parametrize("n", [520])
def test_matrix_free_certificate_agrees_with_dense(n, monkeypatch):
    import liftless.cost as cost
    import liftless.linalg as linalg

    instance = make_instance("phase", n=n, m=700, seed=3)
    problem = instance.problem
    X = instance.truth + 0.1 * np.random.default_rng(0).standard_normal((n, 1))
    free = certify(problem, X, second_order=False)
    for module in (linalg, cost):
        monkeypatch.setattr(module, "dense_eigen", lambda n: n <= 1000)
    dense = certify(problem, X, second_order=False)
    assert free.lambda_n == pytest.approx(dense.lambda_n, rel=1e-9)
    assert abs(free.u_n @ dense.u_n) == pytest.approx(1.0, abs=1e-6)
    assert free.lower_bound <= dense.lower_bound + 1e-9
