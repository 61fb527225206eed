"""Belief propagation on entries: the sweep, peeling and local descent, against dense."""

import numpy as np
import pytest

from liftless import recover
from liftless._errors import InvalidInput
from liftless.descent import LevenbergMarquardt, Stop, WhitenedLM, descend
from liftless.identify.flexible import flexible
from liftless.operators import DenseOperator, EntriesOperator, RectangularEntries
from liftless.problem import Problem
from liftless.regularisers import Balance
from liftless.start import COMPLETION, COMPLETION_LARGE, BeliefPropagation, course_of
from liftless.start.belief import (
    Peeled,
    Propagation,
    complete_entries,
    extend,
    graph,
    observed,
    peel,
)
from liftless.start.belief.observed import evened
from liftless.start.belief.sweep import Told, half_sweep
from liftless.start.evened import Evened

N1, N2, R = 14, 11, 2


def rectangular(seed=0, share=0.6, n1=N1, n2=N2, r=R, noise=0.0):
    rng = np.random.default_rng(seed)
    U, V = rng.standard_normal((n1, r)), rng.standard_normal((n2, r))
    i, j = np.nonzero(rng.random((n1, n2)) < share)
    y = (U @ V.T)[i, j] + noise * rng.standard_normal(i.size)
    return Problem(RectangularEntries(i, j, n1, n2), y, r), U @ V.T


def symmetric(seed=0, share=0.6, n=16, r=R):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, r))
    i, j = np.triu_indices(n)
    seen = rng.random(i.size) < share
    i, j = i[seen], j[seen]
    return Problem(EntriesOperator(i, j, n), (X @ X.T)[i, j], r), X @ X.T


# -- a sweep against the posterior computed entry by entry -----------------------------------------


def cavity(x, y, s, prior, skip=None):
    """Posterior mean and covariance of u from y ≈ x u, without the entry ``skip``."""
    keep = np.arange(y.size) != (-1 if skip is None else skip)
    C = np.linalg.inv(np.linalg.inv(prior) + (x[keep].T / s[keep]) @ x[keep])
    return C @ (x[keep].T @ (y[keep] / s[keep])), C


def test_half_a_sweep_is_the_posterior_of_each_line_without_each_entry():
    problem, _ = rectangular()
    seen, _ = observed(problem)
    of = graph(seen, problem.space)
    beliefs = Propagation(of, R, 0)
    beliefs.sweep()
    top, bottom = beliefs.beliefs
    A, D, Cbar, Dbar = (np.asarray(x) for x in (top.prior, bottom.cov, top.average, bottom.average))
    place, slot = of.plans[1].place, of.plans[1].slot
    C_old = np.asarray(top.cov)[of.plans[0].place]
    sent = np.asarray(bottom.out)[slot]
    told = Told(np.array(0.01), np.array(0.0), np.array(False), np.array(False))
    new, bad = half_sweep(of.sides[0], top, bottom, told)
    assert float(bad) == 0
    mean, cov = np.asarray(new.mean)[of.plans[0].place], np.asarray(new.cov)[of.plans[0].place]
    out = np.asarray(new.out)[of.plans[0].slot]
    D = D[place]
    for i in range(N1):
        e = np.flatnonzero(seen.rows == i)
        x, y = sent[e, :R], seen.y[e]
        own = np.sum(C_old[i] * Dbar)
        theirs = np.einsum("kab,ab->k", D[seen.cols[e] - N1], Cbar)
        s = 0.01 * seen.spread[e] + sent[e, R] + own * theirs / np.sum(Cbar * Dbar)
        u, C = cavity(x, y, s, A)
        np.testing.assert_allclose(mean[i], u, rtol=1e-9, atol=1e-10)
        chi = 0.0
        for k in range(e.size):
            without, left = cavity(x, y, s, A, k)
            np.testing.assert_allclose(out[e[k], :R], without, rtol=1e-7, atol=1e-8)
            chi += (y[k] - x[k] @ u) ** 2 / (s[k] - x[k] @ C @ x[k]) / e.size
            spread = out[e[k], R]
            ratio = spread / (x[k] @ left @ x[k])
            assert ratio >= 1 - 1e-7
        raised = max(chi, 1.0) ** 0.5
        np.testing.assert_allclose(ratio, raised, rtol=1e-6)
        np.testing.assert_allclose(cov[i], raised * C, rtol=1e-8)


def test_a_line_whose_numbers_are_not_finite_keeps_what_it_had():
    problem, _ = rectangular(1)
    seen, _ = observed(problem)
    y = seen.y.copy()
    y[seen.rows == 3] = np.inf
    beliefs = Propagation(graph(seen._replace(y=y), problem.space), R, 0)
    beliefs.sweep()
    assert beliefs.failed == 1
    assert np.isfinite(beliefs.factor()).all()
    assert np.isfinite(beliefs.covariances()).all()


# -- peeling ---------------------------------------------------------------------------------------


def jacobian_rank(i, j, X, n1):
    """Rank of the derivative of the entries, by the dense matrix."""
    n, r = X.shape
    J = np.zeros((i.size, n, r))
    J[np.arange(i.size), i] += X[j]
    J[np.arange(i.size), j] += X[i]
    s = np.linalg.svd(J.reshape(i.size, -1), compute_uv=False)
    return int(np.sum(s > 1e-9 * s[0]))


@pytest.mark.parametrize("seed", range(6))
def test_peeling_knows_what_the_jacobian_says_of_a_generic_factor(seed):
    rng = np.random.default_rng(seed)
    problem, _ = rectangular(seed, 0.55)
    i, j, _ = problem.operator.entries()
    X = rng.standard_normal((N1 + N2, R))
    core, order = peel(i, j, N1 + N2, R)
    y = np.sum(X[i] * X[j], axis=1)
    eye = np.eye(R)
    back, known, _ = extend(X * core[:, None], core, order, y, (eye, eye), N1)
    # With the determined lines alone the degrees of freedom are all met.
    inside = known[i] & known[j]
    a, b = int(known[:N1].sum()), int(known[N1:].sum())
    assert jacobian_rank(i[inside], j[inside], X, N1) == R * (a + b - R)
    np.testing.assert_allclose(back[known], X[known], rtol=1e-7, atol=1e-9)
    # A line that is not known can be moved without any entry noticing.
    missing = R * (N1 + N2 - R) - jacobian_rank(i, j, X, N1)
    assert (missing > 0) == (not known.all())


def test_a_singular_extension_is_not_determined():
    # Two neighbours that are multiples of each other say one thing twice.
    X = np.array([[1.0, 0.0], [2.0, 0.0], [0.3, 0.7]])
    order = [Peeled(2, np.array([0, 1]), np.array([0, 1]))]
    known, eye = np.array([True, True, False]), np.eye(2)
    _, after, _ = extend(X, known, order, np.array([0.3, 0.6]), (eye, eye), 2)
    assert not after[2]
    X[1] = [2.0, 1.0]
    back, after, _ = extend(X, known, order, np.array([0.3, 1.3]), (eye, eye), 2)
    assert after[2]
    np.testing.assert_allclose(back[2], [0.3, 0.7])


# -- local descent ---------------------------------------------------------------------------------


@pytest.mark.parametrize("balance", [False, True])
def test_whitened_steps_end_where_dense_ones_do(balance):
    problem, M = rectangular(2, 0.7)
    if balance:
        g = (Balance(N1, 0.3),)
        problem = Problem(problem.operator, problem.b, R, regularisers=g)
    U, s, Vt = np.linalg.svd(M)
    X = np.concatenate([U[:, :R] * np.sqrt(s[:R]), Vt[:R].T * np.sqrt(s[:R])])
    X = X + 0.05 * np.random.default_rng(0).standard_normal(X.shape)
    for method in (WhitenedLM(), LevenbergMarquardt()):
        done = descend(problem, X, method, Stop(max_iterations=60))
        assert float(problem.operator.space.distance(done.X, X)) < 3.0
        np.testing.assert_allclose(problem.space.matrix(done.X), M, atol=1e-8)


# -- completion ------------------------------------------------------------------------------------


def test_duplicates_and_weights_are_one_entry_of_their_precision():
    operator = RectangularEntries([0, 0, 1], [1, 1, 0], 2, 2, [2.0, 1.0, 1.0])
    problem = Problem(operator, [4.0, 5.0, 1.0], 1, weights=[1.0, 3.0, 1.0])
    seen, rms = observed(problem)
    # The first says 2 with precision 4, the second 5 with precision 9.
    mean = (4 * 2 + 9 * 5) / 13
    np.testing.assert_allclose(seen.y * rms, [mean, 1.0])
    np.testing.assert_allclose(seen.spread[1] / seen.spread[0], 13.0)


@pytest.mark.parametrize("seed", range(3))
def test_completion_of_both_kinds_is_exact(seed):
    for make in (rectangular, symmetric):
        problem, M = make(seed, 0.8)
        done = complete_entries(problem, seed)
        assert done.end == "exact"
        i, j = np.indices(M.shape)
        sure = done.determined(i, j)
        assert sure.mean() > 0.7
        np.testing.assert_allclose(done.entries(i, j)[sure], M[sure], atol=1e-7)
        again = complete_entries(problem, seed)
        np.testing.assert_array_equal(again.X, done.X)


def test_undetermined_lines_are_named():
    problem, _ = rectangular(4, 0.9)
    i, j, _ = problem.operator.entries()
    keep = (i != 5) | (np.cumsum(i == 5) <= 1)
    operator = RectangularEntries(i[keep], j[keep] - N1, N1, N2)
    done = complete_entries(Problem(operator, problem.b[keep], R))
    assert done.unknown.tolist() == [5]
    assert "row 5" in done.message
    assert np.isinf(done.deviation(5, 0))
    assert done.deviation(4, 0) == 0


def test_noise_is_told_from_a_bad_fit_and_its_level_estimated():
    problem, M = rectangular(0, 0.5, 80, 60, noise=0.1)
    done = complete_entries(problem)
    assert done.end == "noise"
    assert 0.08 < done.sigma < 0.12
    i, j = np.indices(M.shape)
    z = (done.entries(i, j) - M) / done.deviation(i, j)
    assert 0.6 < np.mean(z**2) < 1.6


def test_a_large_noisy_completion_is_agreed_upon_and_with_a_known_level_its_means_are_kept():
    # A step on the normal matrix costs more than one by conjugate gradients.
    problem, M = rectangular(0, 0.25, 90, 70, noise=0.05)
    result = recover(problem, seed=3)
    assert result.certificate.kind == "agreed"
    assert result.rounds == result.agreeing == 3
    assert result.certificate.relative_gradient < 1e-6
    assert result.sigma == pytest.approx(0.05, rel=0.1)
    given = recover(problem, noise=0.05, seed=3)
    assert given.certificate.kind == "fitted"
    i, j = np.indices(M.shape)
    means = given.completion.entries(i, j)
    assert np.linalg.norm(given.matrix - means) < 0.02 * np.linalg.norm(M)
    errors = [np.linalg.norm(one.matrix - M) for one in (given, result)]
    assert errors[0] < 1.02 * errors[1]


@pytest.mark.parametrize("seed", range(2))
def test_a_weight_many_times_the_others_does_not_hide_an_exact_fit(seed):
    problem, M = symmetric(seed, 0.8)
    weights = np.ones(problem.m)
    weights[seed] = 1e7
    uneven = Problem(problem.operator, problem.b, R, weights=weights)
    assert isinstance(course_of(uneven).start(0), Evened)
    result = recover(uneven, seed=seed)
    assert result.certificate.kind == "exact"
    sure = result.determined(*np.indices(M.shape))
    np.testing.assert_allclose(result.matrix[sure], M[sure], atol=1e-6)


def test_a_rank_told_too_high_is_read_off():
    problem, _ = rectangular(0, 0.5, 80, 60)
    done = complete_entries(problem.with_rank(4))
    assert done.rank == R


def test_a_budget_ends_it():
    problem, _ = rectangular(0, 0.5)
    assert complete_entries(problem, budget=5.0, noise=True).swept <= 2


def test_positions_are_checked():
    problem, _ = rectangular(0, 0.8)
    done = complete_entries(problem)
    with pytest.raises(InvalidInput):
        done.entries(N1, 0)
    dense = DenseOperator.from_matrices(np.eye(3)[None])
    with pytest.raises(InvalidInput, match="single entries"):
        complete_entries(Problem(dense, [1.0], 1))


def test_the_course_of_entries_begins_with_belief_propagation():
    problem, _ = symmetric(0, 0.8)
    assert course_of(problem) is COMPLETION
    assert isinstance(COMPLETION_LARGE.start(0), BeliefPropagation)
    result = recover(problem, seed=1)
    assert result.success
    assert result.history[0]["event"] == "start belief propagation"
    assert result.rounds == 1


def test_a_recovery_says_what_the_completion_found():
    problem, M = rectangular(4, 0.9)
    i, j, _ = problem.operator.entries()
    keep = (i != 5) | (np.cumsum(i == 5) <= 1)
    operator = RectangularEntries(i[keep], j[keep] - N1, N1, N2)
    told = []
    result = recover(Problem(operator, problem.b[keep], R), callback=told.append)
    assert result.success
    assert result.undetermined.tolist() == [5]
    at = np.indices(M.shape)
    sure = result.determined(*at)
    # The one entry of row 5 that is given is known, and no other.
    assert sure[5].sum() == 1
    np.testing.assert_allclose(result.matrix[sure], M[sure], atol=1e-9)
    assert result.completion.sigma == 0
    assert result.deviation(4, 0) == 0
    assert {"event", "objective", "applications"} <= set(told[0])
    assert "row 5" in result.message


def test_two_detectors_say_of_a_large_completion_what_is_determined(monkeypatch):
    from liftless.recovery import known as module

    # A line of zeros determines nothing about the lines it alone meets, which counting misses.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N1 + N2, R))
    X[:2] = 0
    i, j = np.nonzero(rng.random((N1, N2)) < 0.8)
    keep = (j != 4) | (i <= 3)
    i, j = i[keep], j[keep]
    problem = Problem(RectangularEntries(i, j, N1, N2), np.sum(X[i] * X[N1 + j], axis=1), R)
    done = complete_entries(problem)
    both = module.known(problem, X, done)
    assert done.known[N1 + 4] == (np.sum(j == 4) >= R)
    seen = set(i[j == 4])
    rows = sorted(seen - {0, 1})
    truth = np.linalg.matrix_rank(X[rows]) == R if rows else False
    assert both.determined([5], [4]).tolist() == [truth]
    assert both.answer.startswith("NO" if both.lines.size else "yes")
    # The zeros of the two lines are alike; of ten entries in other lines, given twice, none are.
    assert both.discrete
    assert "discrete data" in both.answer
    i, j = np.repeat(np.arange(2, 12), 2), np.repeat(np.arange(10) % N2, 2)
    twice = Problem(RectangularEntries(i, j, N1, N2), np.sum(X[i] * X[N1 + j], axis=1), R)
    assert module._alike(twice) == 0
    monkeypatch.setattr(module, "WORK", 0.0)
    assert module.known(problem, X, done).flexible is None


def test_lines_are_brought_to_one_size():
    problem, _ = rectangular(2)
    seen, _ = observed(problem)
    size = np.exp(np.random.default_rng(0).standard_normal(N1 + N2))
    rough = seen._replace(y=seen.y * size[seen.rows] * size[seen.cols])
    even, factors = evened(rough, N1 + N2)
    np.testing.assert_allclose(even.y, rough.y * factors[seen.rows] * factors[seen.cols])
    for k in range(N1 + N2):
        on = (seen.rows == k) | (seen.cols == k)
        np.testing.assert_allclose(np.mean(even.y[on] ** 2), 1, rtol=0.05)


def test_a_start_ends_when_it_is_told():
    problem, _ = rectangular(0, 0.5)
    assert complete_entries(problem, ended=lambda: True, noise=True).swept == 1


def test_messages_in_single_precision_resolve_the_components(monkeypatch):
    from liftless.start.belief import propagate

    monkeypatch.setattr(propagate, "SINGLE", 1)
    problem, M = rectangular(0, 0.8)
    done = complete_entries(problem)
    assert done.end == "exact"
    np.testing.assert_allclose(problem.space.matrix(done.X), M, atol=1e-8)
    # What was given back before the descent is swept again where the misfit was noise.
    noisy = Problem(
        problem.operator, problem.b + 0.1 * np.random.default_rng(1).standard_normal(problem.m), R
    )
    again = complete_entries(noisy)
    assert again.end == "noise"
    monkeypatch.undo()
    plain = complete_entries(noisy)
    assert again.swept >= plain.swept
    np.testing.assert_allclose(again.sigma, plain.sigma, rtol=1e-3)


def test_nothing_off_the_diagonal_is_left_to_other_starts():
    problem = Problem(EntriesOperator([0, 1, 2], [0, 1, 2], 3), np.ones(3), 1)
    assert not BeliefPropagation().suits(problem)
    with pytest.raises(InvalidInput, match="off the diagonal"):
        complete_entries(problem)


# -- what is determined, entry by entry ------------------------------------------------------------


@pytest.mark.parametrize("zeros", [False, True])
def test_one_direction_says_which_entries_are_determined(zeros):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((N1 + N2, R))
    if zeros:
        X = X * (rng.random(X.shape) < 0.6)
    i, j = np.nonzero(rng.random((N1, N2)) < 0.28)
    problem = Problem(RectangularEntries(i, j, N1, N2), np.sum(X[i] * X[N1 + j], axis=1), R)
    J = np.zeros((i.size, N1 + N2, R))
    J[np.arange(i.size), i] += X[N1 + j]
    J[np.arange(i.size), N1 + j] += X[i]
    _, s, Vt = np.linalg.svd(J.reshape(i.size, -1))
    null = Vt[np.sum(s > 1e-9 * s[0]) :].reshape(-1, N1 + N2, R)
    change = np.einsum("dar,br->dab", null[:, :N1], X[N1:])
    change += np.einsum("ar,dbr->dab", X[:N1], null[:, N1:])
    sure = np.sqrt(np.sum(change**2, axis=0)) < 1e-8
    found = flexible(problem, X)
    np.testing.assert_array_equal(found.determined(*np.indices((N1, N2))), sure)
    assert not sure.all()
