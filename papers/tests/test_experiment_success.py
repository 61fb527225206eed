"""Fig. 10, the EFS Monte Carlo and Fig. 3: verdicts, reference numbers, exactness of the pieces."""

import jax
import numpy as np
import pytest
from experiment_tools import rows_of, smoke

from liftless import GradientDescent, Stop, descend
from liftless.escape import exact_score, oracle
from liftless.instances import make_instance
from liftless.operators import DenseOperator
from liftless.operators.check import dot_test
from liftless.problem import Problem
from liftless_papers.experiments import CHANGED, FAILS, HOLDS
from liftless_papers.experiments.sod.rates import wilson
from liftless_papers.experiments.sod.success import ensemble, fig10_runs
from liftless_papers.experiments.sod.success.completion import (
    dense_problem,
    reduced_problem,
    support_first,
)
from liftless_papers.experiments.sod.success.fig3 import inner, outer
from liftless_papers.experiments.sod.success.fig10_runs import STABLE, Setting, run_cell
from liftless_papers.experiments.sod.success.strides import STRIDE, Strides

NAMES = ("sod-fig3", "sod-fig10", "sod-efs")
VERDICTS = {
    "sod-fig10": [FAILS, FAILS, HOLDS, FAILS, HOLDS, FAILS, CHANGED, CHANGED, CHANGED],
    "sod-efs": [HOLDS, HOLDS, HOLDS, HOLDS, FAILS, CHANGED, FAILS, HOLDS, HOLDS],
    "sod-fig3": [HOLDS, FAILS, HOLDS],
}


# -- the three experiments -------------------------------------------------------------------------


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name):
    claims = smoke(name).claims
    assert [c.verdict for c in claims] == VERDICTS[name], [(c.text, c.note) for c in claims]


def test_a_cell_repeats_itself():
    one, two = (run_cell(40, 0.10, STABLE, 20, 5) for _ in range(2))
    for method in one.success:
        np.testing.assert_array_equal(one.success[method], two.success[method])
    assert [f.h_at for f in one.failures] == [f.h_at for f in two.failures]


# -- Fig. 10 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("eps", "zeta", "step", "steps", "reference"),
    [
        (0.15, 0.01, 0.02, 2000, 0.88),
        (0.10, 0.01, 0.02, 2000, 0.00),
        (0.15, 0.3, 0.02, 2000, 0.56),
        (0.15, 1.0, 0.01, 2000, 0.44),
        (0.15, 0.01, 4 / 1600, 3000, 0.82),
        (0.15, 1.0, 0.001, 6000, 0.24),
    ],
)
def test_rates_of_gradient_descent_at_40(eps, zeta, step, steps, reference):
    setting = Setting("", zeta, lambda _: step, steps)
    run = run_cell(40, eps, setting, 50, 0, escapes=False, controls=False)
    # Two samples of 50 trials: the difference has a standard deviation of at most 0.1.
    assert abs(run.success["gd"].mean() - reference) <= 0.15


def test_escapes_and_controls_of_fig_10():
    outcome = smoke("sod-fig10")
    for method in ("exact", "auto-3", "auto-5", "auto-11", "spectral", "absolute"):
        assert [r["rate"] for r in rows_of(outcome, "cells", method=method)] == [1.0] * 4
    failures = rows_of(outcome, "failures")
    assert failures
    assert all(r["one_signed"] for r in failures)
    # Just inside U_γ the escape point has the norm of the point that is left.
    assert np.allclose([r["norm_auto-5"] for r in failures], 1.0, atol=1e-4)
    share = np.mean([r["ratio_auto-5"] < 1 for r in failures])
    assert 0.3 < share < 0.85


def test_the_fixed_amplitude_grows_with_the_eigenvalue():
    run = run_cell(40, 0.15, STABLE, 20, 0, controls=False)
    # About 20 times in amplitude at |λ| = 0.766, which the start of the growth at ‖X̂‖ divides.
    found = {round(f.lambda_n, 3): f for f in run.failures}
    f = found[-0.766]
    assert np.linalg.norm(f.points["fixed"]) == pytest.approx(17.70, abs=0.01)
    assert f.leads


@pytest.mark.parametrize("n", [7, 8])
def test_reduced_and_dense_forms_are_the_library_objective(n):
    eps, order = 0.3, support_first(n)
    problem, dense = make_instance("pmc", n=n, eps=eps).problem, dense_problem(n, eps)
    reduced = reduced_problem(n, eps)
    x, d = np.random.default_rng(n).standard_normal((2, n, 1))
    same = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)  # noqa: E731
    for other, at in ((dense, slice(None)), (reduced, order)):
        same(other.objective(x[at]), problem.objective(x))
        same(other.gradient(x[at]), problem.gradient(x)[at])
        same(other.hessian_product(x[at], d[at]), problem.hessian_product(x, d)[at])
        same(other.along(x[at], d[at]), problem.along(x, d))
    same(dense.slack(x, np.eye(n)), problem.slack(x, np.eye(n)))
    same(dense.measurements(x), problem.measurements(x))
    assert dot_test(dense.operator).passed
    assert dot_test(reduced.operator, rank=1).passed


def test_the_reduced_rest_is_consistent_with_autodiff():
    rest = reduced_problem(7, 0.3).regularisers[0]
    x, d = np.random.default_rng(0).standard_normal((2, 7, 1))
    np.testing.assert_allclose(rest.gradient(x), jax.grad(rest.value)(x), atol=1e-12)
    product = jax.jvp(jax.grad(rest.value), (x,), (d,))[1]
    np.testing.assert_allclose(rest.hessian_product(x, d), product, atol=1e-12)


def test_strides_are_gradient_descent():
    problem = reduced_problem(8, 0.2)
    X0 = np.random.default_rng(0).standard_normal((3, 8, 1))
    stop = lambda k: Stop(objective=0.0, gradient=0.0, max_iterations=k)  # noqa: E731
    one = descend(problem, X0, GradientDescent(0.01), stop(4 * STRIDE))
    many = descend(problem, X0, Strides(0.01), stop(4))
    np.testing.assert_allclose(many.X, one.X, rtol=1e-12, atol=1e-14)
    assert list(many.applications) == list(one.applications)


def test_distances_of_rank_one():
    z, X = fig10_runs.truth(6), np.random.default_rng(0).standard_normal((4, 6, 1))
    for x, d in zip(X, fig10_runs.distances(X, z), strict=True):
        assert d == pytest.approx(np.linalg.norm(x @ x.T - np.outer(z, z)), rel=1e-12)


# -- the ensemble ----------------------------------------------------------------------------------


def test_moments_and_tails_of_the_ensemble():
    outcome = smoke("sod-efs")
    reference = {5: (0.4, 0.672), 100: (0.02, 0.001224), 400: (0.005, 7.5e-5)}
    for m, (second, fourth) in reference.items():
        (row,) = rows_of(outcome, "moments", m=m)
        assert row["second_moment"] == pytest.approx(second, rel=0.02)
        assert row["fourth_moment"] == pytest.approx(fourth, rel=0.06)
    assert all(0.27 < r["rate"] < 0.32 for r in rows_of(outcome, "tails", times=1))
    assert all(0.04 < r["rate"] < 0.06 for r in rows_of(outcome, "tails", times=4))
    assert all(0.41 < r["rate"] < 0.49 for r in rows_of(outcome, "paley", theta=0.5))


def test_scores_at_minima():
    outcome = smoke("sod-efs")
    assert sum(r["mismatches"] for r in rows_of(outcome, "check")) == 0
    assert sum(r["falling"] for r in rows_of(outcome, "check", kind="critical points")) > 10
    single = rows_of(outcome, "minima", r=1)
    # Means .356 and .411, shares .015 and .051 of the reference; few distinct minima here.
    assert all(0.2 < r["mean_score"] < 0.55 for r in single)
    assert max(r["max_score"] for r in single) > 1
    assert all(r["count"] == 0 for r in rows_of(outcome, "minima", r=2))
    assert all(r["efs_sampled_max"] < 0.6 for r in rows_of(outcome, "minima"))
    (example,) = rows_of(outcome, "example")
    assert example["h_step"] < example["h_before"]
    assert example["least"] > 0
    assert example["h_after"] < 1e-15
    assert example["error"] < 1e-6


@pytest.fixture(scope="module")
def found():
    return ensemble.survey((3, 1, 4), 60, 1).distinct()


def test_the_survey_agrees_with_the_library(found):
    """Objective, Hessian, oracle and score of the batch against the library's own, one by one."""
    for k in range(3):
        i = found.minima.instance[k]
        operator = DenseOperator.from_matrices(found.batch.A[i])
        problem, X = Problem(operator, found.batch.b[i], 1), found.minima.X[k]
        assert problem.objective(X) == pytest.approx(found.minima.h[k], rel=1e-10)
        assert np.linalg.norm(problem.gradient(X)) < 1e-10
        columns = [problem.hessian_product(X, e[:, None])[:, 0] for e in np.eye(3)]
        values = np.linalg.eigvalsh(np.array(columns))
        assert values[0] / values[-1] == pytest.approx(found.minima.least[k], rel=1e-6)
        assert exact_score(oracle(problem, X)).score == pytest.approx(
            found.minima.exact[k], rel=1e-8
        )


def test_blocks_and_padding_change_nothing(found):
    batch = found.batch
    X0 = np.random.default_rng(0).standard_normal((len(batch.A), 2, 3, 1))
    ends = ensemble.descend_all(batch, X0)
    problem = Problem(DenseOperator.from_matrices(batch.A[7]), batch.b[7], 1)
    alone = descend(problem, X0[7], stop=Stop(gradient=1e-7, max_iterations=200))
    h = [float(problem.objective(x)) for x in (*ends[7], *alone.X)]
    np.testing.assert_allclose(h[:2], h[2:], rtol=1e-6, atol=1e-12)


def test_variances_of_the_ensemble():
    A = ensemble.matrices(np.random.default_rng(0), 4000, 5, 3)
    np.testing.assert_allclose(A, A.swapaxes(-1, -2))
    assert A[..., 1, 1].var() == pytest.approx(1 / 5, rel=0.05)
    assert A[..., 0, 2].var() == pytest.approx(1 / 10, rel=0.05)


def test_radii():
    delta = np.array([0.0, 0.5, 1.2])
    np.testing.assert_allclose(outer(delta), [2.0, 6.0, np.inf])
    np.testing.assert_allclose(inner(delta, 4), [1.5, 6 * (1 - 1 / 9), np.inf])


def test_regions_with_delta_zero():
    points = rows_of(smoke("sod-fig3"), "points")
    assert not [p for p in points if p["region_sampled"] == "beyond r_2"]
    assert [p for p in points if p["region"] == "beyond r_2" and not p["escapes"]]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 50, 0.0, 0.0713), (50, 50, 0.9287, 1.0), (22, 50, 0.3116, 0.5769), (0, 0, 0.0, 1.0)],
)
def test_wilson_intervals(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)
