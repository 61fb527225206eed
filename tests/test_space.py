"""Spaces: what a factor stands for, against the matrices themselves."""

import numpy as np
import pytest

from liftless import Hermitian, InvalidInput, Rectangular, Symmetric

RNG = np.random.default_rng(3)
SPACES = [Symmetric(6), Rectangular(4, 3), Hermitian(5)]
WAYS = pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)


def draw(space, rank=2):
    return RNG.standard_normal((space.n, rank))


def explicit(space, X):
    """The matrix, by its definition."""
    if space.name == "symmetric":
        return X @ X.T
    if space.name == "rectangular":
        return X[: space.n1] @ X[space.n1 :].T
    Z = X[: space.order] + 1j * X[space.order :]
    return Z @ Z.conj().T


@WAYS
def test_matrix_entries_distance_and_size(space):
    X, Y = draw(space), draw(space, 3)
    M, N = explicit(space, X), explicit(space, Y)
    np.testing.assert_allclose(space.matrix(X), M, atol=1e-14)
    assert space.shape == M.shape
    i, j = np.array([0, 2, 1]), np.array([1, 2, 0])
    np.testing.assert_allclose(space.entries(X, i, j), M[i, j], atol=1e-14)
    assert space.distance(X, Y) == pytest.approx(np.linalg.norm(M - N), rel=1e-12)
    assert space.size(X) == pytest.approx(np.linalg.norm(M), rel=1e-12)


@WAYS
def test_truncation_is_the_nearest_matrix_in_its_own_field(space):
    """Eckart and Young: the distance is what the singular values beyond the rank leave."""
    X = draw(space, 3)
    s = np.linalg.svd(explicit(space, X), compute_uv=False)
    np.testing.assert_allclose(space.spectrum(X)[:3], s[:3], rtol=1e-10)
    cut = space.truncate(X, 2)
    assert cut.shape == (space.n, 2)
    assert space.distance(X, cut) == pytest.approx(np.linalg.norm(s[2:]), rel=1e-8, abs=1e-10)
    wide = space.truncate(X, 5)
    assert wide.shape == (space.n, 5)
    assert space.distance(X, wide) < 1e-12 * s[0]


@WAYS
def test_gauge_changes_nothing_and_is_all_that_changes_nothing(space):
    """The rank of the map X → matrix is the number of degrees of freedom."""
    X = draw(space)
    step = 1e-6
    for D in space.gauge(X):
        change = explicit(space, X + step * D) - explicit(space, X - step * D)
        assert np.abs(change).max() < 1e-14
    units = np.eye(X.size).reshape(-1, *X.shape)
    columns = [(explicit(space, X + D) - explicit(space, X - D)).ravel() / 2 for D in units]
    jacobian = np.array([np.r_[np.real(c), np.imag(c)] for c in columns])
    rank = np.linalg.matrix_rank(jacobian, tol=1e-9)
    assert rank == space.degrees_of_freedom(2)
    assert X.size - rank == len(space.gauge(X))
    orbit = space.orbit(X)
    np.testing.assert_allclose(orbit @ orbit.T, np.eye(len(orbit)), atol=1e-12)


@WAYS
def test_change_of_entries_along_directions(space):
    X, directions = draw(space), RNG.standard_normal((3, space.n, 2))
    i, j = np.array([0, 1, 2]), np.array([1, 1, 0])
    step = 1e-6
    moved = [explicit(space, X + step * D) - explicit(space, X - step * D) for D in directions]
    expected = np.sqrt(sum(np.abs(m[i, j] / (2 * step)) ** 2 for m in moved))
    np.testing.assert_allclose(space.change(directions, X, i, j), expected, rtol=1e-7)
    whole = space.across(directions, X, 1)
    assert whole.shape == (space.lines,)
    every = np.array([np.abs(m / (2 * step)) ** 2 for m in moved]).sum(axis=0)
    if space.name == "rectangular":
        expected = np.r_[np.zeros(space.n1), np.sqrt(every[1])]
    else:
        expected = np.sqrt(every[1])
    np.testing.assert_allclose(whole, expected, rtol=1e-7, atol=1e-9)


@WAYS
def test_rotation_keeps_the_matrix_and_orders_the_columns(space):
    X = draw(space, 3)
    turned, lengths = (np.asarray(a) for a in space.rotated(X))
    assert space.distance(turned, X) < 1e-12 * space.size(X)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=0), lengths, rtol=1e-12)
    assert np.all(np.diff(lengths) <= 0)
    inner = turned.T @ turned
    if space.name != "hermitian":
        np.testing.assert_allclose(inner, np.diag(lengths**2), atol=1e-12 * inner.max())


@WAYS
def test_reduced_has_as_many_columns_as_the_rank(space):
    X = draw(space)
    doubled = np.concatenate([X, X, np.zeros((space.n, 1))], axis=1) / np.sqrt(2)
    reduced = space.reduced(doubled)
    assert reduced.shape == X.shape
    assert space.distance(reduced, X) < 1e-10 * space.size(X)
    with pytest.raises(InvalidInput, match="nonzero"):
        space.reduced(np.zeros((space.n, 2)))


@WAYS
def test_eigenpairs_of_a_dual_matrix_come_once_each(space, monkeypatch):
    """A random A*(y) in its array form, dense and by Lanczos."""
    n = space.shape[0]
    G = RNG.standard_normal((n, n)) + 1j * RNG.standard_normal((n, n))
    H = G + G.conj().T
    if space.name == "hermitian":
        form, values = np.block([[H.real, -H.imag], [H.imag, H.real]]), np.linalg.eigvalsh(H)
    else:
        S = RNG.standard_normal((space.n, space.n))
        form = S + S.T
        values = np.linalg.eigvalsh(form)
    for dense in (True, False):
        monkeypatch.setattr("liftless.linalg.dense_eigen", lambda n, dense=dense: dense)
        found, vectors = space.eigenpairs(lambda W: form @ W, 1, "lowest")
        np.testing.assert_allclose(found, values[:1], rtol=1e-9)
        np.testing.assert_allclose(form @ vectors, vectors * found, atol=1e-7 * abs(values).max())
    top = np.asarray(space.leading(form, 2))
    np.testing.assert_allclose(form @ top, top * values[::-1][:2], atol=1e-10 * abs(values).max())


@WAYS
def test_pack_and_unpack(space):
    X = draw(space)
    np.testing.assert_array_equal(space.pack(space.unpack(X)), X)
    with pytest.raises(InvalidInput):
        space.pack(np.ones((space.n + 1, 2)))
    with pytest.raises(InvalidInput):
        space.pack("nothing")


def test_names_are_those_that_a_user_counts():
    assert Rectangular(4, 3).named(np.array([1, 4, 6])) == "row 1, column 0, column 2"
    assert Symmetric(6).named(np.arange(6), most=2) == "row 0, row 1, ..."
    assert Hermitian(5).line_of(np.array([1, 6])).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("space", "m", "rank"),
    [(Symmetric(9), 6, 3), (Symmetric(9), 5, 2), (Hermitian(9), 9, 3), (Hermitian(9), 8, 2)],
)
def test_patakis_number(space, m, rank):
    """r(r + 1)/2 <= m over the reals, r² <= m over the complex numbers."""
    assert space.pataki(m) == rank


def test_bad_orders():
    for make in (lambda: Symmetric(0), lambda: Rectangular(3, -1), lambda: Hermitian(-2)):
        with pytest.raises(InvalidInput):
            make()
