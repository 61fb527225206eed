"""Peers for completion: their formulas against small dense computations, both kinds of matrix."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from liftless import EntriesOperator, InvalidInput, Problem, RectangularEntries, make_instance
from liftless_papers.compare.peers import GNMR, PEERS, R2RILS
from liftless_papers.compare.peers.alternating import half_sweep
from liftless_papers.compare.peers.base import Effort
from liftless_papers.compare.peers.entries import Data, Jacobian, least_squares
from liftless_papers.compare.peers.gauss_newton import unit_columns
from liftless_papers.compare.peers.scaled import ScaledFixed
from liftless_papers.compare.peers.soft_impute import decompose, residual, thresholded

ENTRIES = [name for name, peer in PEERS.items() if peer.families == ("completion",)]
N1, N2, R = 9, 8, 2


def rectangular(seed=0, share=0.75, weights=None):
    """Entries of a matrix of rank two, its truth [U; V] and its places."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N1 + N2, R))
    i, j = np.nonzero(rng.random((N1, N2)) < share)
    b = np.sum(X[i] * X[N1 + j], axis=1)
    return Problem(RectangularEntries(i, j, N1, N2), b, R, weights=weights), X, (i, j)


def symmetric(seed=0, share=0.75):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N1, R))
    i, j = np.triu_indices(N1)
    seen = rng.random(i.size) < share
    i, j = i[seen], j[seen]
    return Problem(EntriesOperator(i, j, N1), np.sum(X[i] * X[j], axis=1), R), X, (i, j)


KINDS = {"rectangular": rectangular, "symmetric": symmetric}


def effort_of(problem):
    return Effort(problem, 10**6, 0, 1e-20, 0.0, float("inf"))


def dense_jacobian(problem, X):
    """Derivative by A's own bilinear map, one direction at a time."""
    columns = []
    for k in range(X.size):
        D = np.zeros(X.size)
        D[k] = 1.0
        columns.append(2 * np.asarray(problem.operator.measure(X, D.reshape(X.shape))))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ENTRIES)
def test_every_peer_completes_and_counts(name, kind):
    # A fixed step, and factors of a symmetric matrix that run apart, need most of the entries.
    weak = name == "scaled-gd-fixed" or (name, kind) == ("als", "symmetric")
    problem, X, _ = KINDS[kind](share=0.97 if weak else 0.75)
    one, two = (PEERS[name]().solve(problem, budget=10**5, seed=1) for _ in range(2))
    assert one.success, one.message
    assert problem.space.distance(one.X, X) < 1e-7 * problem.space.size(X)
    assert 0 < one.applications <= 10**5
    assert (one.lsqr > 0) == (name in ("gnmr", "r2rils"))
    assert one.applications > 2 * one.lsqr
    np.testing.assert_array_equal(one.X, two.X)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_tiny_budget_is_kept(name):
    done = PEERS[name]().solve(rectangular()[0], budget=10, seed=1)
    assert not done.success
    assert done.applications <= 10
    assert "end" in done.message


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_least_norm_solution(kind):
    """GNMR's and R2RILS's iteration against NumPy's pseudo-inverse of the operator's own map."""
    problem, _, _ = KINDS[kind]()
    effort = effort_of(problem)
    data = Data.of(effort)
    X = np.random.default_rng(5).standard_normal((problem.n, R))
    J, y = dense_jacobian(problem, X), problem.b / data.unit
    assert np.linalg.matrix_rank(J) < X.size
    measured = np.asarray(problem.operator.measure(X, X))
    for alpha in (1.0, 0.0, -1.0):
        found, left = GNMR(alpha=alpha).step(
            effort, data, Jacobian(data), X, data.y + alpha * data.measure(X), 1.0
        )
        expected = np.linalg.lstsq(J, y + alpha * measured, rcond=1e-12)[0].reshape(X.shape)
        np.testing.assert_allclose(found, (1 - alpha) / 2 * X + expected, atol=1e-8)
        assert left == pytest.approx(
            np.linalg.norm(J @ expected.ravel() - y - alpha * measured), abs=1e-8
        )
    # Setting and updating variant differ by the part of X in the null space alone.
    x, _ = least_squares(effort, data, Jacobian(data).at(X), data.y, 1e-15, 1000)
    np.testing.assert_allclose(x.ravel(), np.linalg.pinv(J, rcond=1e-12) @ y, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_is_the_best_of_its_rank(kind):
    problem, _, _ = KINDS[kind]()
    data = Data.of(effort_of(problem))
    X, Y = np.random.default_rng(6).standard_normal((2, problem.n, R))
    a, b = data.parts
    matrix = X[a] @ Y[b].T + Y[a] @ X[b].T - X[a] @ X[b].T
    got = problem.space.matrix(data.projected(X, Y, -1.0))
    if kind == "symmetric":
        s, Q = np.linalg.eigh(matrix)
        s, Q = np.maximum(s[-R:], 0), Q[:, -R:]
        best = (Q * s) @ Q.T
    else:
        U, s, Vt = np.linalg.svd(matrix)
        best = (U[:, :R] * s[:R]) @ Vt[:R]
    np.testing.assert_allclose(got, best, atol=1e-12)


def test_columns_have_length_one_in_each_part():
    data = Data.of(effort_of(rectangular()[0]))
    X = unit_columns(data, np.random.default_rng(7).standard_normal((N1 + N2, R)))
    for part in data.parts:
        np.testing.assert_allclose(np.linalg.norm(X[part], axis=0), 1.0)


def test_a_half_sweep_is_ridge_regression_row_by_row():
    rng = np.random.default_rng(8)
    problem, _, (i, j) = rectangular()
    V, w = rng.standard_normal((N2, R)), rng.uniform(0.5, 2.0, i.size)
    got = half_sweep(i, j, problem.b, w, V, 0.3, N1)
    for row in range(N1):
        here = i == row
        A = np.vstack([w[here, None] * V[j[here]], np.sqrt(0.3) * np.eye(R)])
        goal = np.r_[w[here] * problem.b[here], np.zeros(R)]
        np.testing.assert_allclose(got[row], np.linalg.lstsq(A, goal, rcond=None)[0], atol=1e-12)


def test_soft_impute_ends_at_the_convex_optimum():
    """Optimal iff P(Y − Z) = λ(U Vᵀ + W) with W of spectral norm ≤ 1 off both spans."""
    data = Data.of(effort_of(rectangular()[0]))
    level = 0.3 * np.linalg.norm(data.matrix(data.y).toarray(), 2)
    Z = thresholded(decompose(data.matrix(data.y), None, N2), level)
    for _ in range(400):
        Z = thresholded(decompose(data.matrix(residual(data, Z)), Z, N2), level)
    assert 0 < Z.s.size < N2
    left = data.matrix(residual(data, Z)).toarray() / level
    np.testing.assert_allclose(left @ Z.V, Z.U, atol=1e-8)
    np.testing.assert_allclose(left.T @ Z.U, Z.V, atol=1e-8)
    assert np.linalg.norm(left, 2) <= 1 + 1e-8


def test_the_leading_part_of_a_large_matrix_is_that_of_the_dense_one(monkeypatch):
    rng = np.random.default_rng(9)
    M = csr_array(rng.standard_normal((40, 30)) * (rng.random((40, 30)) < 0.3))
    low = thresholded(decompose(M, None, 4), 1.0)
    dense = decompose(M, low, 4)
    monkeypatch.setattr("liftless_papers.compare.peers.soft_impute.DENSE", 0)
    np.testing.assert_allclose(decompose(M, low, 4).s, dense.s, rtol=1e-5)


def test_a_scaled_step_by_its_formula():
    problem, _, (i, j) = rectangular()
    data = Data.of(effort_of(problem))
    X = np.random.default_rng(10).standard_normal((N1 + N2, R))
    U, V = X[:N1], X[N1:]
    E = np.zeros((N1, N2))
    E[i, j] = (U @ V.T)[i, j] - problem.b / data.unit
    step = 0.5 / (i.size / (N1 * N2))
    new = ScaledFixed().moved(data, X, data.measure(X) - data.y)
    np.testing.assert_allclose(new[:N1], U - step * E @ V @ np.linalg.inv(V.T @ V))
    np.testing.assert_allclose(new[N1:], V - step * E.T @ U @ np.linalg.inv(U.T @ U))


def test_other_data_are_refused():
    gaussian = make_instance("gaussian", n=6, rank=1, ratio=3.0, seed=3).problem
    for peer in (GNMR, R2RILS):
        with pytest.raises(InvalidInput, match="of single entries"):
            peer().solve(gaussian, budget=100, seed=0)
