"""Starts: the reweighted penalty against its formula, and what recover makes of the rounds."""

import numpy as np
import pytest
from tables import OPERATORS

from liftless import (
    EntriesOperator,
    InputWarning,
    Problem,
    identifiability,
    make_instance,
    random_start,
    recover,
    reweighted_start,
)
from liftless.operators import SensingOperator
from liftless.start import GENERAL, STAGE_COST
from liftless.start.reweighted import ReweightedTrace, _Numbers, _penalties, _run_stages
from liftless.start.simple import wide_start


def wide(problem, width=4):
    return wide_start(problem, width)


@pytest.fixture(scope="module")
def phase():
    return make_instance("phase", n=6, ratio=3.0, seed=1)


@pytest.mark.parametrize("k", [0, 3])
def test_penalties_are_those_of_the_formula(k):
    """P_c = (1 − mix) μ Λ min(((s_c² + ε)/(s_1² + ε))^(q/2 − 1), 10⁴), q linear in the stage."""
    plan = ReweightedTrace(0.03, 2.0, -1.0, 12, 0.25)
    s, epsilon, top = np.array([2.0, 1.0, 1e-3, 0.0]), 1e-5, 7.0
    q = 2.0 - 3.0 * k / 11
    ratio = (s**2 + epsilon) / (4.0 + epsilon)
    expected = 0.75 * 0.03 * 14.0 * np.minimum(ratio ** (q / 2 - 1), 1e4)
    found = _penalties(_Numbers.of(plan, top), np.asarray(float(k)), s, np.asarray(epsilon))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("plan", [GENERAL.start(k) for k in (0, 2, 4)], ids=str)
def test_start_lies_in_the_basin_of_the_truth(phase, plan):
    X, top = wide(phase.problem)
    start, applications, course = reweighted_start(phase.problem, X, plan, top)
    assert start.shape == phase.truth.shape
    assert applications <= 1 + STAGE_COST * plan.stages
    assert 1 <= course.size <= plan.stages
    scale = float(np.sum(phase.truth**2))
    assert phase.distance(start) < 0.3 * scale
    again, *_ = reweighted_start(phase.problem, X, plan, top)
    np.testing.assert_array_equal(start, again)


def test_budget_ends_after_a_stage(phase):
    X, top = wide(phase.problem)
    plan = ReweightedTrace(0.01, 2.0, 0.0, 24)
    _, applications, course = reweighted_start(phase.problem, X, plan, top, budget=70)
    assert applications == 1 + 2 * STAGE_COST
    assert course.size == 2


def test_random_objective_depends_on_its_seed_alone(phase):
    X, top = wide(phase.problem)
    plan = ReweightedTrace(0.1, 1.0, -1.0, 3, 1.0)
    one, two, three = (reweighted_start(phase.problem, X, plan, top, seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - three).max() > 1e-6


def test_another_schedule_or_instance_does_not_compile_anew(phase):
    X, top = wide(phase.problem)
    reweighted_start(phase.problem, X, GENERAL.first[0], top)
    before = _run_stages._cache_size()
    other = make_instance("phase", n=6, ratio=3.0, seed=5).problem
    reweighted_start(other, X, GENERAL.first[1], top)
    assert _run_stages._cache_size() == before


def test_rounds_begin_with_the_first_and_cycle():
    first, later = GENERAL.first, GENERAL.later
    assert [GENERAL.start(k) for k in (0, 1)] == list(first)
    assert GENERAL.start(2 + len(later)) == later[0]
    ends = [k for k in range(1, 30) if GENERAL.cycle_ends(k)]
    assert ends[:2] == [len(first) + len(later), len(first) + 2 * len(later)]


def test_random_start_is_no_multiple_of_the_truth_of_the_same_seed():
    instance = make_instance("phase", n=6, ratio=3.0, seed=1)
    X = random_start(instance.problem, 1, 1)
    cosine = abs(float(np.sum(X * instance.truth)))
    assert cosine < 0.99 * np.linalg.norm(X) * np.linalg.norm(instance.truth)


@pytest.mark.parametrize("case", OPERATORS, ids=lambda case: case.name)
def test_jacobian_at_hand_equals_the_derived_one(case):
    operator, _ = case(seed=2)
    X = np.random.default_rng(3).standard_normal((operator.n, 2))
    mine = np.asarray(operator.jacobian(X))
    derived = np.asarray(SensingOperator.jacobian(operator, X))
    np.testing.assert_allclose(mine, derived, atol=case.tolerance * np.abs(derived).max())
    assert 1 <= operator.jacobian_cost(2) <= 2 * operator.n


def test_an_exact_fit_that_is_not_the_only_one_is_named():
    """Entry (4, 4) alone sees row 4, whose product with the others is free."""
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((5, 2))
    i, j = np.triu_indices(4)
    rows, cols = np.r_[i, 4], np.r_[j, 4]
    problem = Problem(EntriesOperator(rows, cols, 5), np.sum(Z[rows] * Z[cols], axis=1), 2)
    result = recover(problem)
    assert result.certificate.kind == "exact"
    assert result.identifiability is not None
    assert not result.identifiability.identifiable
    assert "Other matrices fit as well" in result.message
    assert 4 in result.identifiability.free_rows
    assert not identifiability(problem, Z).identifiable


def test_rank_above_patakis_bound_warns():
    problem = make_instance("phase", n=6, m=9, seed=0).problem.with_rank(4)
    with pytest.warns(InputWarning, match="degrees of freedom .* Pataki's bound: .* rank 3 does"):
        recover(problem, budget=200)
