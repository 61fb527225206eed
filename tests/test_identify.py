"""Rank of the Jacobian against the degrees of freedom, and the rows that stay open."""

import jax
import numpy as np
import pytest

from liftless._errors import InvalidInput
from liftless.cost import dense_jacobian
from liftless.identify import identifiability
from liftless.instances import make_instance
from liftless.losses import Logistic
from liftless.operators import EntriesOperator, RankOneOperator, RectangularEntries
from liftless.problem import Problem

RNG = np.random.default_rng(3)
N, R = 8, 2
TRUTH = RNG.standard_normal((N, R))
DOF = 15


def observed(pairs, n=N, rank=R, weights=None):
    """Problem that sees the entries ``pairs``."""
    i, j = np.array(sorted(pairs)).T
    return Problem(EntriesOperator(i, j, n), np.zeros(i.size), rank, weights=weights)


def pairs_without(*dropped):
    """The upper triangle less some entries."""
    return {(i, j) for i in range(N) for j in range(i, N)} - set(dropped)


def autodiff_singular(problem, X):
    """Singular values of the Jacobian by automatic differentiation, n r of them."""
    J = jax.jacfwd(lambda Y: problem.weights * problem.operator.measure(Y, Y))(X)
    s = np.linalg.svd(np.asarray(J).reshape(problem.m, -1), compute_uv=False)
    return np.pad(s, (0, X.size - s.size)) if s.size < X.size else s


def gaussian(extra):
    made = make_instance("gaussian", n=N, rank=R, m=DOF + extra, seed=5)
    return made.problem, made.truth


def phase(extra):
    made = make_instance("phase", n=N, rank=1, m=N + extra, seed=5)
    return made.problem, made.truth


# A row that is not seen; one seen once where a column of two numbers needs two; two blocks that
# are seen in themselves but not against each other; and all seen.
UNSEEN = pairs_without(*[(min(3, k), max(3, k)) for k in range(N)])
ONCE = UNSEEN | {(1, 3)}
BLOCKS = {(i, j) for i, j in pairs_without() if (i < 3) == (j < 3)}

CASES = {
    "all seen": (observed(pairs_without()), TRUTH, DOF, []),
    "row unseen": (observed(UNSEEN), TRUTH, DOF - 2, [3]),
    "row seen once": (observed(ONCE), TRUTH, DOF - 1, [3]),
    "two blocks": (observed(BLOCKS), TRUTH, DOF - 1, [0, 1, 2]),
    "gaussian, one short": (*gaussian(-1), DOF - 1, list(range(N))),
    "gaussian, five more": (*gaussian(5), DOF, []),
    "phase, one short": (*phase(-1), N - 1, list(range(N))),
    "phase, five more": (*phase(5), N, []),
}


@pytest.mark.parametrize("name", CASES)
def test_both_methods_find_rank_rows_and_gap(name):
    problem, X, rank, rows = CASES[name]
    s = autodiff_singular(problem, X)
    assert np.sum(s > 1e-10 * s[0]) == rank
    for method in ("dense", "matrix-free"):
        found = identifiability(problem, X, method=method)
        assert (found.rank, found.method) == (rank, method)
        assert found.identifiable == (rank == found.dof) == (not rows)
        # A Ritz value comes from above.
        exact = s[rank - 1] / s[0]
        assert exact * (1 - 1e-9) <= found.gap <= exact * (1 + 1e-9 if method == "dense" else 1.01)
        assert found.free_rows.tolist() == rows
        assert found.null.shape[0] == found.dof - rank
        assert ("not identifiable" in found.message) == bool(rows)


def test_null_directions_change_the_matrix_and_no_measurement():
    problem, X, *_ = CASES["row seen once"]
    for method in ("dense", "matrix-free"):
        (D,) = identifiability(problem, X, method=method).null
        step = 1e-5
        moved = problem.measurements(X + step * D) - problem.measurements(X - step * D)
        assert np.linalg.norm(moved) / (2 * step) < 1e-9
        assert np.linalg.norm(X @ D.T + D @ X.T) > 0.1


def test_determined_entries():
    seen_once = identifiability(CASES["row seen once"][0], TRUTH)
    i, j = np.indices((N, N))
    known = seen_once.determined(i, j)
    pair = ((i == 1) & (j == 3)) | ((i == 3) & (j == 1))
    np.testing.assert_array_equal(known, ((i != 3) & (j != 3)) | pair)
    blocks = identifiability(CASES["two blocks"][0], TRUTH)
    np.testing.assert_array_equal(blocks.determined(i, j), (i < 3) == (j < 3))
    assert bool(blocks.determined(0, 1))


def test_fewer_measurements_than_freedom_needs_no_computation():
    problem, X, *_ = CASES["gaussian, one short"]
    found = identifiability(problem, X)
    assert (found.method, found.rank, found.dof) == ("count", DOF - 1, DOF)
    assert not found.identifiable
    assert found.free_rows is None
    with pytest.raises(InvalidInput, match="method"):
        found.determined(0, 0)
    # Rows of weight zero measure nothing.
    problem, X, *_ = CASES["gaussian, five more"]
    weights = np.r_[np.zeros(6), np.ones(DOF - 1)]
    muted = Problem(problem.operator, problem.b, R, weights=weights)
    assert identifiability(muted, X).method == "count"
    assert identifiability(muted, X, method="dense").rank == DOF - 1


def test_padding_and_lower_rank_are_judged_at_their_own_rank():
    problem = CASES["all seen"][0]
    padded = identifiability(problem, np.c_[TRUTH, np.zeros((N, 2))])
    assert (padded.rank, padded.dof) == (DOF, DOF)
    lower = identifiability(problem, TRUTH[:, :1] @ np.array([[0.6, 0.8]]))
    assert (lower.rank, lower.dof, lower.factor.shape) == (N, N, (N, 1))
    assert "rank 1 < 2" in lower.message
    zero_row = TRUTH.copy()
    zero_row[2] = 0.0
    assert identifiability(problem, zero_row).identifiable


def test_rectangular_freedom():
    n1, n2 = 5, 4
    i, j = (a.ravel() for a in np.indices((n1, n2)))
    X = RNG.standard_normal((n1 + n2, R))
    for keep, rank, rows in ((j >= 0, 14, []), (j != 2, 12, [n1 + 2])):
        operator = RectangularEntries(i[keep], j[keep], n1, n2)
        problem = Problem(operator, np.zeros(operator.m), R)
        for method in ("dense", "matrix-free"):
            found = identifiability(problem, X, method=method)
            assert (found.rank, found.dof, found.free_rows.tolist()) == (rank, 14, rows)


def explicit_rank(operator, X):
    """Rank of the Jacobian of observed entries, written out."""
    k = np.arange(operator.m)
    J = np.zeros((operator.m, *X.shape))
    J[k, operator.rows] += X[operator.cols]
    J[k, operator.cols] += X[operator.rows]
    s = np.linalg.svd(J.reshape(operator.m, -1), compute_uv=False)
    return int(np.sum(s > 1e-10 * s[0]))


def test_completion_that_cannot_be_known_is_told_apart():
    made = [make_instance("completion", n=30, rank=2, probability=0.25, seed=s) for s in range(60)]
    short = [explicit_rank(i.problem.operator, i.truth) < 59 for i in made]
    # About one in ten: within three standard deviations of 60 draws.
    assert 1 <= sum(short) <= 13
    chosen = [*np.flatnonzero(short), 0]
    for seed in chosen:
        found = identifiability(made[seed].problem, made[seed].truth)
        assert found.rank == explicit_rank(made[seed].problem.operator, made[seed].truth)
        assert found.identifiable == (not short[seed])
        # Its cause: a row with fewer observations than columns of the factor.
        operator = made[seed].problem.operator
        for row in found.free_rows:
            assert np.sum((operator.rows == row) | (operator.cols == row)) < 2


def test_large_problems_are_judged_without_a_jacobian():
    n = next(k for k in range(900, 2000) if not dense_jacobian(2 * k, k))
    rng = np.random.default_rng(0)
    i, j = rng.integers(0, n - 1, (2, 20 * n))
    problem = Problem(EntriesOperator(i, j, n), np.zeros(i.size), 1)
    found = identifiability(problem, rng.standard_normal((n, 1)))
    assert (found.method, found.rank, found.free_rows.tolist()) == ("matrix-free", n - 1, [n - 1])


def test_bad_arguments():
    problem = Problem(RankOneOperator(np.eye(3)), np.ones(3), 1)
    with pytest.raises(InvalidInput, match="X was zero"):
        identifiability(problem, np.zeros((3, 1)))
    with pytest.raises(InvalidInput, match="method"):
        identifiability(problem, np.ones((3, 1)), method="guess")
    with pytest.raises(InvalidInput, match="from 0 to 2"):
        identifiability(problem, np.ones((3, 1))).determined(0, 3)


def test_signs_of_unlinked_groups_are_open_at_rank_one():
    """Two blocks, each seen whole: the entries between them are ± the truth's."""
    rows, cols = np.array([0, 0, 1, 2, 2, 3]), np.array([0, 1, 1, 2, 3, 3])
    z = np.array([[1.0], [2.0], [-1.0], [0.5]])
    problem = Problem(EntriesOperator(rows, cols, 4), (z[rows] * z[cols])[:, 0], 1)
    found = identifiability(problem, z)
    flipped = z * np.array([[1.0], [1.0], [-1.0], [-1.0]])
    assert float(problem.objective(flipped)) == 0
    assert found.rank == found.dof
    assert not found.identifiable
    assert "2 groups" in found.message
    # One linking entry closes the question; a group of zero rows asks none.
    linked = Problem(EntriesOperator([*rows, 1], [*cols, 2], 4), np.r_[problem.b, -2.0], 1)
    assert identifiability(linked, z).identifiable


def test_mirror_image_of_a_row_is_another_fit():
    """A row seen by itself and against one other: its mirror image in that one fits as well."""
    seen = {p for p in pairs_without() if 3 not in p} | {(3, 3), (1, 3)}
    problem = observed(seen)
    found = identifiability(problem, TRUTH)
    assert found.rank == found.dof
    assert not found.identifiable
    assert "row 3" in found.message
    assert found.other is not None
    gap = problem.operator.measure(found.other, found.other)
    np.testing.assert_allclose(gap, problem.operator.measure(TRUTH, TRUTH), atol=1e-9)
    change = np.abs(found.other @ found.other.T - TRUTH @ TRUTH.T)
    assert change[3, 0] > 0.1
    np.testing.assert_array_equal(found.determined([0, 3, 3], [1, 1, 0]), [True, True, False])
    # The loss plays no part, nor do the data.
    binary = Problem(problem.operator, np.full(problem.m, 0.5), R, loss=Logistic())
    other = identifiability(binary, TRUTH).other
    np.testing.assert_allclose(other, found.other, atol=1e-12)
    # A second row closes the question.
    assert identifiability(observed(seen | {(3, 5)}), TRUTH).other is None


def test_mirror_image_that_another_row_follows():
    """Row 3 seen by itself, against row 1 and row 4; row 4 seen against 3 and 0 alone."""
    seen = {p for p in pairs_without() if 3 not in p and 4 not in p}
    problem = observed(seen | {(3, 3), (1, 3), (3, 4), (0, 4)})
    found = identifiability(problem, TRUTH)
    assert found.rank == found.dof
    assert found.other is not None
    here, there = (problem.operator.measure(Y, Y) for Y in (TRUTH, found.other))
    np.testing.assert_allclose(there, here, atol=1e-8)
    changed = np.abs(found.other @ found.other.T - TRUTH @ TRUTH.T).max(axis=1) > 1e-3
    assert changed[[3, 4]].all()


def test_open_entries_are_put_down_to_few_lines():
    from liftless.identify.flexible import _causes

    # Row 3 is open against two columns of six, column 4 against all rows of five.
    opened = np.zeros((5, 6), bool)
    opened[3, [0, 2]] = opened[:, 4] = True
    found = _causes([opened.copy(), opened.T.copy()], [np.arange(6), np.arange(5)])
    assert found.tolist() == [3, 5 + 4]
    alone = np.zeros((6, 6), bool)
    alone[2, [0, 5]] = alone[[0, 5], 2] = True
    assert _causes([alone], [np.arange(6)]).tolist() == [2]
