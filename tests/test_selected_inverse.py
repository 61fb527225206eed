"""Variances from a few entries of an inverse, against the whole inverse."""

import numpy as np
import pytest
from scipy import sparse

from liftless.descent.sparse_solve import Direct, Iterative, solver_for
from liftless.identify.selected_inverse import selected_inverse
from liftless.identify.sparse_null import Information
from liftless.operators import SparseOperator
from liftless.operators.sparse_rows import SparseRows
from liftless.space import Symmetric


@pytest.fixture(params=range(3))
def drawn(request):
    """A sparse Jacobian of full rank, and some sparse linear functions."""
    rng = np.random.default_rng(request.param)
    more = sparse.random_array((40, 25), density=0.1, rng=rng, format="csr")
    J = sparse.csr_array(sparse.vstack([sparse.eye_array(25), more]))
    return J, sparse.random_array((25, 12), density=0.2, rng=rng, format="csc")


def test_entries_are_those_of_the_inverse(drawn):
    J, _ = drawn
    G = J.T @ J
    Z, whole = selected_inverse(G), np.linalg.inv(G.toarray())
    stored = Z.toarray() != 0
    assert np.all(stored[G.toarray() != 0])
    np.testing.assert_allclose(Z.toarray()[stored], whole[stored], atol=1e-12)


def test_variances_are_those_of_the_inverse(drawn):
    J, F = drawn
    told, C = Information(J), np.linalg.inv((J.T @ J).toarray())
    np.testing.assert_allclose(told.spread(F), np.diag(F.T @ C @ F), atol=1e-12)
    np.testing.assert_allclose(told.leverages(), np.diag(J @ C @ J.T), atol=1e-12)


def test_variances_up_to_a_gauge_are_those_of_the_pseudo_inverse(drawn):
    _, F = drawn
    rng = np.random.default_rng(3)
    ends = np.concatenate(
        [np.stack([np.arange(24), np.arange(1, 25)], 1), rng.integers(25, size=(20, 2))]
    )
    ends = ends[ends[:, 0] != ends[:, 1]]
    k = np.repeat(np.arange(len(ends)), 2)
    D = sparse.csr_array((np.tile([1.0, -1.0], len(ends)), (k, ends.ravel())))
    told, C = Information(D, np.ones((25, 1))), np.linalg.pinv((D.T @ D).toarray())
    np.testing.assert_allclose(told.variances(), np.diag(C), atol=1e-12)
    np.testing.assert_allclose(told.spread(F), np.diag(F.T @ C @ F), atol=1e-12)


def test_a_solver_is_chosen_by_what_elimination_takes():
    # A star has a wide band and no fill; a random graph of many edges has both.
    star = np.stack([np.zeros(1499, int), np.arange(1, 1500)])
    dense = np.random.default_rng(0).integers(1500, size=(2, 7500))
    for (i, j), kind in ((star, Direct), (dense, Iterative)):
        k = np.arange(i.size)
        operator = SparseOperator(k, i, j, np.ones(i.size), m=i.size, space=Symmetric(1500))
        assert isinstance(solver_for(SparseRows(operator), 1), kind)


def test_variances_in_the_frame_of_some_unknowns():
    rng = np.random.default_rng(2)
    null = np.linalg.qr(rng.standard_normal((20, 3)))[0]
    J = rng.standard_normal((40, 20)) @ (np.eye(20) - null @ null.T)
    frame = np.arange(20) < 8
    C, held = np.linalg.pinv(J.T @ J, rcond=1e-10), np.where(frame[:, None], null, 0.0)
    P = np.eye(20) - null @ np.linalg.inv(held.T @ null) @ held.T
    told = Information(sparse.csr_array(J), null)
    np.testing.assert_allclose(told.variances(frame), np.diag(P @ C @ P.T), rtol=1e-9)
    np.testing.assert_allclose(told.variances(frame | True), np.diag(C), rtol=1e-9)
