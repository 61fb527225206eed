"""Many recoveries of one problem: seeds, parts held out, and the models that they choose."""

import re

import numpy as np
import pytest

import liftless as ll
from liftless._errors import InvalidInput


def problem(noise=0.0):
    rng = np.random.default_rng(2)
    operator = ll.RankOneOperator(rng.standard_normal((48, 6)))
    X = rng.standard_normal((6, 1))
    b = ll.measure(operator, X, X) + noise * rng.standard_normal(48)
    return ll.Problem(operator, b, 1)


def test_many_starts_are_single_ones():
    told = []
    found = ll.recover_many(problem(), seeds=[3, 1], callback=told.append)
    alone = {seed: ll.recover(problem(), seed=seed) for seed in (3, 1)}
    assert found.seeds == (3, 1)
    assert found.objectives == tuple(alone[seed].fun for seed in (3, 1))
    assert found.best.fun == min(found.objectives)
    assert found.kinds == ("exact", "exact")
    assert [row["seed"] for row in told] == [3, 1]
    assert "seed 3: h " in repr(found)


def test_the_best_factor_is_handed_over_on_the_way():
    kept = []
    found = ll.recover(problem(), checkpoint=kept.append)
    assert kept
    levels = [float(problem().objective(X)) for X in kept]
    assert found.fun <= min(levels)
    assert kept[0].shape == found.x.shape


@pytest.mark.slow
def test_held_out_measurements_choose():
    found = ll.hold_out(problem(0.05), ranks=(1, 2), ridges=(0.0, 50.0), folds=2)
    models = [(row["rank"], row["ridge"]) for row in found.rows]
    assert models == [(1, 0.0), (1, 50.0), (2, 0.0), (2, 50.0)]
    assert (found.rank, found.ridge) == (1, 0.0)
    assert 0.02 < found.rows[0]["error"] < 0.1
    assert found.rows[1]["error"] > 2 * found.rows[0]["error"]
    # Every measurement was held out once.
    assert found.squares.shape == (4, 48)
    assert np.isfinite(found.squares).all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ll.recover_many(problem(), seeds=0), "seeds was 0"),
        (lambda: ll.recover_many(problem(), seeds=[1, 1]), "seeds was"),
        (lambda: ll.recover_many(problem(), jobs=2, scheduler="local"), "jobs was 2"),
        (lambda: ll.hold_out(problem(), ranks=()), "ranks was without a model"),
        (lambda: ll.hold_out(problem(), ranks=(9,)), "ranks was 9"),
        (lambda: ll.hold_out(problem(), ranks=(1,), folds=1), "folds was 1"),
        (lambda: ll.hold_out(problem(), ranks=(1,), ridges=(-1.0,)), "ridges was -1"),
    ],
)
def test_bad_arguments(make, says):
    with pytest.raises(InvalidInput, match=re.escape(says)):
        make()


@pytest.mark.slow
def test_two_processes_find_what_one_does():
    one, two = (ll.recover_many(problem(), seeds=2, jobs=jobs) for jobs in (1, 2))
    assert one.seeds == two.seeds
    np.testing.assert_allclose(one.objectives, two.objectives, atol=1e-20)
