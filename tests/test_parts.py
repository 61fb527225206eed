"""Sweeps by NumPy and compiled ones, parts of the same entries, and what goes on from another."""

import numpy as np
import pytest

from liftless.space import Rectangular, Symmetric
from liftless.start.belief.going import balance, grown, retold
from liftless.start.belief.observed import Observed
from liftless.start.belief.parts import Parts
from liftless.start.belief.propagate import Beside, Effects, Propagation, graph

N, R = 14, 2


def entries(symmetric, seed=0):
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(N, 1) if symmetric else np.nonzero(np.ones((N, N), bool))
    kept = rng.random(i.size) < 0.9
    i, j = i[kept], j[kept]
    U, V = rng.standard_normal((N, R)), rng.standard_normal((N, R))
    y = np.sum(U[i] * (U if symmetric else V)[j], axis=1) + 0.1 * rng.standard_normal(i.size)
    return (i, j, Symmetric(N)) if symmetric else (i, N + j, Rectangular(N, N)), y, rng


def of(case, y, host, shown=None, beside=None):
    i, j, space = case
    parts = Parts(i, j, np.ones(y.size), space, host=host)
    shown = np.ones(y.size, bool) if shown is None else shown
    return Propagation(parts.graph(y, shown), R, 3, beside=beside)


@pytest.mark.parametrize("symmetric", [False, True])
def test_numpy_sweeps_as_what_is_compiled_does(symmetric):
    case, y, rng = entries(symmetric)
    lines = (rng.standard_normal(N) / 3,) * (1 if symmetric else 2)
    beside = Beside(Effects(lines, (0.1,) * len(lines)), 3.0, R)
    pair = [of(case, y, host, beside=beside) for host in (True, False)]
    for _ in range(3):
        for one in pair:
            one.sweep(learn=True)
    np.testing.assert_allclose(pair[0].factor(), pair[1].factor(), atol=1e-9)
    np.testing.assert_allclose(pair[0].covariances(), pair[1].covariances(), atol=1e-9)
    assert pair[0].noise == pytest.approx(pair[1].noise, rel=1e-9)
    assert pair[0].misfit == pytest.approx(pair[1].misfit, rel=1e-9)


def test_a_part_is_what_its_entries_are_alone():
    case, y, rng = entries(False)
    shown = rng.random(y.size) < 0.7
    part = of(case, y, True, shown, Beside(None, None, R))
    i, j, space = case
    seen = Observed(i[shown], j[shown], y[shown], np.ones(int(shown.sum())))
    alone = Propagation(graph(seen, space), R, 3)
    for _ in range(3):
        part.sweep()
        alone.sweep()
    np.testing.assert_allclose(part.factor(), alone.factor(), atol=1e-9)


def test_balance_changes_no_prediction_and_what_goes_on_arrives_at_the_same():
    case, y, rng = entries(False)
    shown = rng.random(y.size) < 0.8
    beside = Beside(None, None, R)
    begun = of(case, y, True, shown, beside)
    for _ in range(5):
        begun.sweep(learn=True)
    twin = begun.copy()
    balance(twin)
    A, B = (b.prior for b in twin.beliefs)
    np.testing.assert_allclose(A, np.diag(np.diag(A)), atol=1e-9)
    np.testing.assert_allclose(A, B, atol=1e-9)
    for one in (begun, twin):
        one.sweep(learn=True)

    def matrix(one):
        X = one.factor()
        return X[:N] @ X[N:].T

    np.testing.assert_allclose(matrix(twin), matrix(begun), atol=1e-9)
    cold = of(case, y, True, beside=beside)
    warm = retold(twin, cold.graph)
    wide = grown(warm, R + 1, 0, R + 1)
    for one in (cold, warm, wide):
        for _ in range(60):
            one.sweep(learn=True)
    np.testing.assert_allclose(matrix(warm), matrix(cold), atol=1e-3)
    assert wide.components()[-1] < 0.1 * wide.components()[1]


def test_single_precision_is_a_rounding_of_double_and_goes_on_in_it():
    case, y, rng = entries(False)
    lines = (rng.standard_normal(N) / 3,) * 2
    pair = [
        of(case, y, True, beside=Beside(Effects(lines, (0.1, 0.1)), None, R, single))
        for single in (False, True)
    ]
    for _ in range(4):
        for one in pair:
            one.sweep(learn=True)
    double, single = pair
    assert single.single
    np.testing.assert_allclose(single.factor(), double.factor(), atol=1e-4)
    assert single.noise == pytest.approx(double.noise, rel=1e-3)
    single.refine()
    assert not single.single
    balance(single)
    single.sweep(learn=True)
    assert single.beliefs[0].out.dtype == np.float64
