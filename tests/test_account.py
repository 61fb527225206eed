"""The books and the model of cost: what is charged, what is left, what is decided from it."""

import math

import numpy as np
import pytest

import liftless as ll
from liftless.account import Account
from liftless.cost import (
    OVERHEAD,
    CostModel,
    affordable_width,
    dense_eigen,
    normal_matrix,
    normal_work,
)
from liftless.operators.base import traced_cost

PHASE = ll.make_instance("phase", n=6, ratio=4.0, seed=1)


class Priced:
    """An operator of a million multiply-adds a column."""

    def cost(self, columns):
        return 1e6 * columns


def test_a_wide_application_is_charged_by_the_model():
    account = Account(CostModel(Priced(), 2), 100)
    account.charge(3)
    assert (account.spent, account.applications, account.left) == (3.0, 3, 97.0)
    account.charge(1, columns=8)
    ratio = (OVERHEAD + 8e6) / (OVERHEAD + 2e6)
    assert account.spent == pytest.approx(3 + ratio)
    account.charge(0, work=OVERHEAD + 2e6)
    assert account.spent == pytest.approx(4 + ratio)
    assert account.applications == 4
    assert account.steps(3, 8) == int(account.left / (3 * ratio))


def test_limits_nest_and_come_back():
    account = Account(CostModel(Priced(), 2), 100)
    with account.within(10):
        account.charge(4)
        assert account.left == 6
        with account.within(50):
            assert account.left == 6
        with account.beyond(20):
            assert account.left == 20
        assert account.left == 6
    assert account.left == 96
    with pytest.raises(ZeroDivisionError), account.within(1):
        _ = 1 / 0
    assert account.left == 96
    assert Account(CostModel(Priced(), 2), 100, seconds=1e-9).left == 0


def test_widths_follow_from_the_budget():
    model = CostModel(Priced(), 2)
    assert model.columns(math.inf, 50) == 50
    assert model.columns(1.0, 50) == 2
    for most in (1.5, 4.0, 11.0):
        width = model.columns(most, 50)
        assert model.ratio(width) <= most < model.ratio(width + 1)
    problem = PHASE.problem
    assert affordable_width(problem) == min(6, (math.isqrt(8 * 24 + 1) - 1) // 2 + 1)
    assert affordable_width(problem, square=True) == 6


def test_sizes_that_are_decided():
    assert dense_eigen(500)
    assert not dense_eigen(600)
    assert normal_matrix(20_000, 1000)
    assert not normal_matrix(20_000, 1200)
    assert not normal_matrix(200_000, 1000)
    assert normal_work(100, 30) == pytest.approx(100 * 900 / 2 + 27000 / 3)


@pytest.mark.parametrize("columns", [1, 3])
def test_the_compilers_count_agrees_with_the_operators_own(columns):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((40, 12))
    for operator in (ll.RankOneOperator(a), ll.DenseOperator(rng.standard_normal((40, 78)), 12)):
        counted = traced_cost(operator, columns)
        assert 0.5 <= operator.cost(columns) / counted <= 2


def test_the_budget_is_the_work_and_is_told():
    result = ll.recover(PHASE.problem)
    assert result.nfev <= result.work
    assert result.work < 1.5 * result.nfev + 20


def small_problems():
    """One of each storage, in shapes that other tests have as well."""
    rng = np.random.default_rng(3)
    i, j = np.nonzero(rng.random((5, 4)) < 0.9)
    M = np.outer(rng.standard_normal(5), rng.standard_normal(4))
    k = np.repeat(np.arange(12), 2)
    rows, cols = rng.integers(5, size=(2, 24))
    sparse = ll.SparseOperator(k, rows, cols, rng.standard_normal(24), 5)
    z = rng.standard_normal((5, 1))
    return {
        "phase": PHASE.problem,
        "gaussian": ll.make_instance("gaussian", n=6, rank=2, ratio=1.0, seed=6).problem,
        "entries": ll.make_instance("pmc", n=5, eps=0.1).problem,
        "rectangular": ll.Problem(ll.RectangularEntries(i, j, 5, 4), M[i, j], 1),
        "sparse": ll.Problem(sparse, np.asarray(sparse.measure(z, z)), 1),
    }


@pytest.mark.filterwarnings("ignore::liftless.InputWarning")
@pytest.mark.parametrize("name", small_problems())
def test_a_budget_binds_to_a_tenth(name):
    problem = small_problems()[name]
    for budget in (10, 13, 21, 34, 55, 144):
        result = ll.recover(problem, budget=budget)
        assert result.work <= 1.1 * budget, (budget, result.work)
        assert np.any(result.x)
        assert result.certificate.kind != "unfinished" or result.certificate.reason


def test_a_time_limit_ends_the_search_with_the_best_so_far():
    problem = ll.make_instance("gaussian", n=6, rank=2, ratio=1.0, seed=6).problem
    result = ll.recover(problem, max_seconds=1e-6)
    assert result.status in (0, 3, 4)
    assert np.all(np.isfinite(result.x))
    with pytest.raises(ll.InvalidInput, match="max_seconds"):
        ll.recover(problem, max_seconds=0)
