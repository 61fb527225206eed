"""Small completions on the host: the compiled descent's answer, its budget, no compilation."""

import logging

import jax
import numpy as np
import pytest

import liftless as ll
from liftless._precision import double
from liftless.start.belief import local, observed
from liftless.start.belief.local import Core, least_polish, local_descent
from liftless.start.belief.local_sparse import SparseCore


def drawn(both, noise=0.0, seed=0, n1=14, n2=11, r=2):
    rng = np.random.default_rng(seed)
    U = rng.standard_normal((n1, r))
    V = U if both else rng.standard_normal((n2, r))
    i, j = np.nonzero(np.triu(rng.random((n1, len(V))) < 0.8) if both else
                      rng.random((n1, n2)) < 0.8)  # fmt: skip
    y = np.einsum("ek,ek->e", U[i], V[j]) + noise * rng.standard_normal(i.size)
    operator = ll.EntriesOperator(i, j, n1) if both else ll.RectangularEntries(i, j, n1, n2)
    X = U if both else np.concatenate([U, V])
    weights = rng.uniform(0.5, 2, y.size)
    return ll.Problem(operator, y, r, weights=weights), X + 0.05 * rng.standard_normal(X.shape)


@double
def ends(problem, X, left=np.inf):
    seen, rms = observed(problem)
    start = X / np.sqrt(rms)
    kinds = (Core, SparseCore)
    return [kind(seen, problem.space, problem.rank).polish(start, left) for kind in kinds]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("noise", "within"), [(0.0, 1e-12), (0.01, 1e-6)])
def test_both_descents_end_at_one_matrix(both, noise, within):
    problem, X = drawn(both, noise)
    (A, misfit, _), (B, same, _) = ends(problem, X)
    size = np.linalg.norm(problem.space.matrix(A))
    gap = problem.space.matrix(A) - problem.space.matrix(B)
    assert np.linalg.norm(gap) < within * size
    assert same == pytest.approx(misfit, rel=1e-6, abs=1e-13)


def test_the_budget_holds_and_one_step_is_always_made():
    problem, X = drawn(False, 0.01)
    least = least_polish(problem.rank)
    full = ends(problem, X)[1]
    for left in (0.0, least, 30.0, 60.0):
        _, misfit, spent = ends(problem, X, left)[1]
        assert least <= spent <= max(left, least)
        assert misfit >= full[1] * (1 - 1e-12)


def test_a_small_completion_compiles_no_sweep_and_no_descent(caplog):
    problem, _ = drawn(False)
    jax.clear_caches()
    with caplog.at_level(logging.DEBUG), jax.log_compiles():
        done = ll.complete_entries(problem)
    assert done.end == "exact"
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "half_sweep" not in said
    assert "solve_all" not in said


def test_many_entries_are_compiled(monkeypatch):
    problem, _ = drawn(False, seed=3)
    seen, _ = observed(problem)
    small = ll.complete_entries(problem)
    assert isinstance(local_descent(seen, problem.space, 2), SparseCore)
    monkeypatch.setattr(local, "HOST", 0)
    large = ll.complete_entries(problem)
    assert small.end == large.end == "exact"
    np.testing.assert_array_equal(small.known, large.known)
    sure = np.ix_(small.known[:14], small.known[14:])
    M, N = (problem.space.matrix(one.X)[sure] for one in (small, large))
    np.testing.assert_allclose(M, N, atol=1e-9)
