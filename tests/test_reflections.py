"""Reflections: where they rest, what they find, and the books."""

import jax.numpy as jnp
import numpy as np
import pytest

from liftless import DenseOperator, Problem, RankOneOperator, make_instance
from liftless.linalg import matrix_distance
from liftless.start import DouglasRachford, reflection_start
from liftless.start.amplitudes import Used
from liftless.start.reflections import READY, _amplitude_step, _low_rank, _State, reflection_cost

PHASE = make_instance("phase", n=6, ratio=4.0, seed=1)
DENSE = make_instance("gaussian", n=5, rank=2, ratio=1.4, seed=3)


@pytest.mark.parametrize("instance", [PHASE, DENSE], ids=["rank one", "dense"])
def test_search_ends_near_an_exact_fit(instance):
    problem, plan = instance.problem, DouglasRachford(1.25, 3000)
    X, applications, gap = reflection_start(problem, plan, 1)
    assert gap <= READY
    first = reflection_cost(problem)
    assert first < applications <= first + 2 * plan.steps
    residual = np.linalg.norm(problem.operator.measure(X, X) - problem.b)
    assert residual < 0.1 * np.linalg.norm(problem.b)
    assert instance.distance(X) < 0.3 * np.sum(instance.truth**2)
    np.testing.assert_array_equal(reflection_start(problem, plan, 1)[0], X)


def test_truth_is_a_fixed_point_and_nothing_else_rests():
    """From W = a Z both projections are W; from another W the step is that of the formula."""
    a, Z = PHASE.problem.operator.a, PHASE.truth
    rows = Used(PHASE.problem.operator, None)
    gram = np.linalg.cholesky(a.T @ a).T
    root, beta = np.sqrt(PHASE.problem.b), 1.25
    zero = jnp.zeros(())
    rest = _amplitude_step(rows, gram, root, jnp.asarray(beta), _State(zero, a @ Z, Z, zero))
    np.testing.assert_allclose(rest.at, a @ Z, atol=1e-10)
    np.testing.assert_allclose(rest.X, a @ Z, atol=1e-10)
    W = np.random.default_rng(0).standard_normal((a.shape[0], 1))
    moved = _amplitude_step(rows, gram, root, jnp.asarray(beta), _State(zero, W, Z, zero))
    P = a @ np.linalg.pinv(a)
    near = np.sign(W) * root[:, None]
    np.testing.assert_allclose(moved.at, W + beta * (P @ (2 * near - W) - near), atol=1e-10)


def test_low_rank_projection():
    V = np.diag([3.0, -2.0, 1.0, 0.5])
    X = np.asarray(_low_rank(V, 2))
    np.testing.assert_allclose(X @ X.T, np.diag([3.0, 0, 1.0, 0]), atol=1e-12)
    X = np.asarray(_low_rank(-np.eye(3), 2))
    np.testing.assert_array_equal(X, 0)


def test_budget_rows_of_weight_zero_and_repeated_rows():
    problem, plan = PHASE.problem, DouglasRachford(1.0, 50)
    assert reflection_start(problem, plan, 0, budget=20)[1] <= 20
    weights = np.ones(problem.m)
    weights[0] = 0
    spoilt = problem.b.copy()
    spoilt[0] = 99.0
    one, two = (Problem(problem.operator, b, 1, weights=weights) for b in (problem.b, spoilt))
    np.testing.assert_array_equal(reflection_start(one, plan)[0], reflection_start(two, plan)[0])
    # Two equal measurements make A A* singular.
    packed = np.r_[DENSE.problem.operator.packed, DENSE.problem.operator.packed[:1]]
    twice = Problem(DenseOperator(packed, 5), np.r_[DENSE.problem.b, DENSE.problem.b[:1]], 2)
    X, _, gap = reflection_start(twice, DouglasRachford(1.25, 3000), 1)
    assert gap <= READY
    assert matrix_distance(X, DENSE.truth) < 0.3 * np.sum(DENSE.truth**2)


def test_rank_deficient_vectors_give_a_finite_start():
    a = np.random.default_rng(0).standard_normal((9, 4))
    a[:, 3] = 0
    problem = Problem(RankOneOperator(a), np.ones(9), 1)
    assert np.all(np.isfinite(reflection_start(problem, DouglasRachford(1.0, 20))[0]))
