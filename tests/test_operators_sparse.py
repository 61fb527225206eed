"""Sparse sensing matrices: never made dense, and the same as the dense ones."""

import jax
import numpy as np
import pytest
from own_tools import THIN, VECTORS, M, N, R, black_box, outer, product, thin
from scipy.sparse import csr_array, vstack
from tables import symmetric

import liftless as ll
from liftless._errors import InputWarning
from liftless.space import Hermitian


def test_sparse_jacobian_is_the_dense_one():
    op = thin()
    X = np.random.default_rng(0).standard_normal((N, R))
    J = op.sparse_jacobian(X)
    assert J.shape == (M, N * R)
    np.testing.assert_allclose(J.toarray(), np.asarray(op.jacobian(X)).reshape(M, -1), rtol=1e-13)
    # No more is stored than rows of A_i that are not zero.
    assert J.nnz == R * np.count_nonzero(np.any(THIN != 0, axis=2))


def test_rows_of_one_matrix_are_the_list():
    rows = csr_array(vstack([csr_array(a.reshape(1, -1)) for a in THIN]))
    one, other = thin(), ll.SparseOperator.from_rows(rows)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_entries_at_one_place_add_up():
    """(i, j) and (j, i) are one place of a symmetric matrix, and repeated entries are summed."""
    op = ll.SparseOperator([0, 0, 0, 1], [0, 1, 1, 2], [1, 0, 1, 2], [1.0, 2.0, 4.0, 0.5], 3)
    X = np.random.default_rng(0).standard_normal((3, R))
    S = X @ X.T
    np.testing.assert_allclose(
        ll.measure(op, X, X), [3 * S[0, 1] + 4 * S[1, 1], S[2, 2] / 2], rtol=1e-13
    )


def test_an_asymmetric_matrix_is_reported_and_only_its_symmetric_part_seen():
    B = np.random.default_rng(0).standard_normal((M, N, N))
    with pytest.warns(InputWarning, match="not symmetric"):
        op = ll.SparseOperator.from_matrices([csr_array(b) for b in B])
    X = np.random.default_rng(1).standard_normal((N, R))
    np.testing.assert_allclose(ll.measure(op, X, X), np.einsum("mij,ir,jr->m", B, X, X), rtol=1e-11)
    with pytest.warns(InputWarning, match="not Hermitian"):
        ll.SparseOperator.from_matrices([csr_array(1j * B[0])], space=Hermitian(N))


def test_structure_of_sparse_matrices():
    op, dense = thin(), ll.DenseOperator.from_matrices(THIN)
    np.testing.assert_allclose(op.squares(), np.sum(THIN**2, axis=(1, 2)), rtol=1e-12)
    w = op.positive_combination()
    assert np.linalg.eigvalsh(np.einsum("m,mij->ij", w, THIN))[0] > 1e-8
    off = THIN * (1 - np.eye(N))
    assert (
        ll.SparseOperator.from_matrices([csr_array(a) for a in off]).positive_combination() is None
    )
    live, used = np.arange(N) != 2, np.arange(M) < 5
    i, j = op.links(live, used)
    seen = {(int(p), int(q)) for p, q in zip(i, j, strict=True)}
    support = np.any(THIN[:5] != 0, axis=0)
    wanted = {(p, q) for p in range(N) for q in range(p, N) if support[p, q] and 2 not in (p, q)}
    assert seen == wanted
    assert op.amplitudes() is None
    assert not op.isotropic()
    assert dense.isotropic() == op.isotropic()


def test_full_matrices_are_isotropic_however_they_are_stored():
    full = symmetric(N, 60, np.random.default_rng(0))
    assert ll.DenseOperator.from_matrices(full).isotropic()
    assert ll.SparseOperator.from_matrices([csr_array(a) for a in full]).isotropic()
    assert black_box(full).isotropic()
    assert ll.operator(jax.tree_util.Partial(product, full), N).isotropic()
    assert not black_box(outer(VECTORS.real)).isotropic()
    assert not ll.BlackBoxOperator(*black_box(full).kept.functions, N, 60, cost=1e9).isotropic()


def test_sparse_outer_products_have_amplitudes():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((M, N)) * (rng.random((M, N)) < 0.5)
    matrices = np.einsum("mi,mj->mij", a, a)
    found = ll.SparseOperator.from_matrices([csr_array(one) for one in matrices]).amplitudes()
    rows = np.asarray(found.forward(np.eye(N)))
    np.testing.assert_allclose(np.einsum("mi,mj->mij", rows, rows), matrices, atol=1e-12)
    np.testing.assert_allclose(found.lengths(), np.sum(a * a, axis=1), rtol=1e-12)
    X, G = rng.standard_normal((N, R)), rng.standard_normal((M, R))
    rows, back = np.asarray(found.forward(X)), np.asarray(found.adjoint(G))
    assert np.sum(G * rows) == pytest.approx(np.sum(back * X), rel=1e-12)
    for spoil in (lambda B: -B, lambda B: B + np.eye(N), lambda B: B - np.diag(np.diag(B))):
        spoiled = matrices.copy()
        spoiled[3] = spoil(spoiled[3])
        op = ll.SparseOperator.from_matrices([csr_array(one) for one in spoiled])
        assert op.amplitudes() is None


def test_a_wide_factor_is_measured_in_rounds():
    op = thin()
    U, V = np.random.default_rng(0).standard_normal((2, N, 37))
    np.testing.assert_allclose(
        ll.measure(op, U, V), np.einsum("mij,ir,jr->m", THIN, U, V), rtol=1e-11, atol=1e-11
    )
    np.testing.assert_allclose(
        ll.measure(op, U[:, :32], U[:, :32]),
        np.einsum("mij,ir,jr->m", THIN, U[:, :32], U[:, :32]),
        rtol=1e-11,
    )
