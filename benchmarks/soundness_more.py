"""Further families: structured matrices, scales, readings of zero, tables, other losses."""

import numpy as np
import scipy.linalg
from soundness_families import (
    FAMILIES,
    Case,
    cliques,
    family,
    gaussian,
    of_dense,
    of_diagonals,
    of_entries,
    of_table,
    of_vectors,
    off,
    some,
    symmetric,
    whole,
)

import liftless as ll

# -- structured ----------------------------------------------------------------------------------


@family
def toeplitz(g):
    """Random symmetric Toeplitz matrices."""
    return of_dense(
        [scipy.linalg.toeplitz(g.standard_normal(6)) for _ in range(12)], gaussian(g, 6, 1)
    )


@family
def toeplitz_and_more(g):
    """The same, and two Gaussian ones."""
    A = [scipy.linalg.toeplitz(g.standard_normal(6)) for _ in range(14)]
    return of_dense([*A, *g.standard_normal((2, 6, 6))], gaussian(g, 6, 1))


@family
def hankel(g):
    """Random Hankel matrices."""
    A = [scipy.linalg.hankel(g.standard_normal(6), g.standard_normal(6)) for _ in range(16)]
    return of_dense(A, gaussian(g, 6, 1))


@family
def circulant(g):
    """Random symmetric circulant matrices."""
    A = symmetric(np.array([scipy.linalg.circulant(g.standard_normal(6)) for _ in range(12)]))
    return of_dense(A, gaussian(g, 6, 1))


def _fourier(n, m):
    f = np.exp(-2j * np.pi * np.outer(np.arange(m), np.arange(n)) / m)
    return np.real(np.einsum("mi,mj->mij", f.conj(), f))


@family
def fourier(g):
    """Magnitudes of a Fourier transform of twice the length."""
    return of_dense(_fourier(6, 12), gaussian(g, 6, 1))


@family
def fourier_and_one(g):
    """The same, and one square of a Gaussian functional."""
    a = g.standard_normal(6)
    return of_dense([*_fourier(6, 11), np.outer(a, a)], gaussian(g, 6, 1))


@family
def fourier_support(g):
    """Fourier magnitudes of a signal whose end is known to be zero."""
    Z = gaussian(g, 6, 1)
    Z[4:] = 0
    zeros = [np.diag(np.eye(6)[k]) for k in (4, 5)]
    return of_dense([*_fourier(6, 12), *zeros], Z)


@family
def fourier_two_dimensions(g):
    """Magnitudes of a Fourier transform in two dimensions, oversampled."""
    (p, q), m = (3, 2), (6, 4)
    u, v = (a.ravel() for a in np.indices(m))
    i, j = (a.ravel() for a in np.indices((p, q)))
    f = np.exp(-2j * np.pi * (np.outer(u, i) / m[0] + np.outer(v, j) / m[1]))
    return of_dense(np.real(np.einsum("mi,mj->mij", f.conj(), f)), gaussian(g, 6, 1))


@family
def few_dimensions(g):
    """Sixteen matrices that span eight dimensions."""
    basis = g.standard_normal((8, 6, 6))
    return of_dense(np.einsum("mk,kij->mij", g.standard_normal((16, 8)), basis), gaussian(g, 6, 1))


@family
def permutation_symmetric(g):
    """Matrices that do not notice an exchange of rows 0 and 1."""
    A, P = symmetric(g.standard_normal((12, 6, 6))), np.eye(6)[[1, 0, 2, 3, 4, 5]]
    return of_dense(A + P @ A @ P, gaussian(g, 6, 1))


@family
def sign_symmetric(g):
    """Matrices that do not notice a change of some signs."""
    s = np.array([1.0, 1, 1, -1, -1, 1])
    A = symmetric(g.standard_normal((16, 6, 6)))
    return of_dense(A * (1 + np.outer(s, s)), gaussian(g, 6, 1))


@family
def rotation_symmetric(g):
    """The same for an orthogonal matrix of order two that is no permutation."""
    v = g.standard_normal(6)
    Q = np.eye(6) - 2 * np.outer(v, v) / (v @ v)
    A = symmetric(g.standard_normal((16, 6, 6)))
    return of_dense(A + Q @ A @ Q, gaussian(g, 6, 1))


# -- diagonals, distances ------------------------------------------------------------------------


@family
def diagonal_unit(g):
    """Every diagonal entry."""
    return of_diagonals(np.eye(4), gaussian(g, 4, 1))


@family
def diagonal_random(g):
    """Random diagonals."""
    return of_diagonals(g.standard_normal((12, 6)), gaussian(g, 6, 1))


@family
def diagonal_one_live(g):
    """Random diagonals, one row of Z that is not zero: the other squares must be seen to be."""
    Z = np.zeros((4, 1))
    Z[g.integers(4)] = 1 + g.random()
    return of_diagonals(np.eye(4), Z)


def _distances(n, pairs):
    E = np.eye(n)
    return [np.outer(E[i] - E[j], E[i] - E[j]) for i, j in pairs]


@family
def distances(g):
    """Squared distances: a shift is open."""
    return of_dense(_distances(6, off(6)), gaussian(g, 6, 2))


@family
def distances_centred(g):
    """Squared distances of centred points, and the reading that says so."""
    Z = gaussian(g, 6, 2)
    return of_dense([*_distances(6, off(6)), np.ones((6, 6))], Z - Z.mean(axis=0))


@family
def distances_some(g):
    """Twelve of fifteen distances, centred."""
    Z = gaussian(g, 6, 2)
    chosen = some(g, off(6), 12)
    return of_dense([*_distances(6, chosen), np.ones((6, 6))], Z - Z.mean(axis=0))


# -- scales --------------------------------------------------------------------------------------


def _scaled(name, change, weights=None):
    def made(g):
        Z = gaussian(g, 6, 2)
        change(g, Z)
        pairs = some(g, whole(6), 16)
        return of_entries(pairs, Z, row_weights=None if weights is None else weights(g, 16))

    FAMILIES[name] = made


def _one_row(factor):
    def change(g, Z):
        Z[g.integers(len(Z))] *= factor

    return change


def _nothing(g, Z):
    del g, Z


_scaled("row-1e2", _one_row(1e2))
_scaled("row-1e4", _one_row(1e4))
_scaled("row-1e6", _one_row(1e6))
_scaled("row-1e-4", _one_row(1e-4))
_scaled("weights-wide", _nothing, lambda g, m: 10.0 ** g.uniform(-3, 3, m))
_scaled("weight-1e7", _nothing, lambda g, m: np.where(np.arange(m) == g.integers(m), 1e7, 1.0))


@family
def factor_1e9(g):
    """Entries of rank one, the first of which is multiplied by 1e9."""
    pairs = some(g, whole(4), 7) if g.random() < 0.5 else [(0, 0), *some(g, whole(4)[1:], 6)]
    return of_entries(pairs, gaussian(g, 4, 1), weights=np.r_[1e9, np.ones(6)])


@family
def tiny_matrices(g):
    """Gaussian matrices of very different sizes."""
    A = g.standard_normal((12, 6, 6)) * 10.0 ** g.uniform(-4, 4, (12, 1, 1))
    return of_dense(A, gaussian(g, 6, 1))


# -- readings of zero ----------------------------------------------------------------------------


@family
def zero_diagonal(g):
    """A block, and zeros on the diagonal of the rest."""
    Z = gaussian(g, 6, 1)
    Z[3:] = 0
    return of_entries([*cliques(range(3)), (3, 3), (4, 4), (5, 5)], Z)


@family
def zero_diagonal_some(g):
    """Random entries and the whole diagonal, half of it zero, rank two."""
    Z = gaussian(g, 6, 2)
    Z[4:] = 0
    pairs = {*some(g, off(6), 10), *((k, k) for k in range(6))}
    return of_entries(pairs, Z)


@family
def zero_counts(g):
    """Squares of which three are zero."""
    a, Z = g.standard_normal((12, 6)), gaussian(g, 6, 1)
    a[:3] -= np.outer((a[:3] @ Z)[:, 0], Z[:, 0]) / float(np.sum(Z * Z))
    return of_vectors(a, Z)


@family
def zero_counts_few(g):
    """Seven squares, three of them zero."""
    case = zero_counts(g)
    return of_vectors(np.asarray(case.operators["rank one"].a)[:7], case.Z)


@family
def zero_dense(g):
    """A positive semidefinite matrix of rank two whose reading is zero, and Gaussian ones."""
    Z = gaussian(g, 6, 1)
    B = g.standard_normal((2, 6))
    B -= (B @ Z) @ Z.T / float(np.sum(Z * Z))
    return of_dense([B.T @ B, *g.standard_normal((11, 6, 6))], Z)


@family
def zero_dead(g):
    """Squares of single rows that are zero, and other squares."""
    Z = gaussian(g, 6, 1)
    Z[4:] = 0
    return of_vectors([*np.eye(6)[4:], *g.standard_normal((10, 6))], Z)


# -- tables --------------------------------------------------------------------------------------


def _table(name, r, pairs):
    def made(g):
        chosen = some(g, _places(), pairs) if isinstance(pairs, int) else pairs
        return of_table(chosen, gaussian(g, 5, r), gaussian(g, 4, r))

    FAMILIES[name] = made


def _places():
    return [(i, j) for i in range(5) for j in range(4)]


_table("table-r1", 1, 12)
_table("table-r1-few", 1, 8)
_table("table-r2", 2, 16)
_table("table-all", 2, _places())
_table("table-blocks", 1, [(i, j) for i, j in _places() if (i < 3) == (j < 2)])
_table("table-column-unseen", 2, [(i, j) for i, j in _places() if j != 2])


# -- losses --------------------------------------------------------------------------------------


@family
def bits(g):
    """One-bit measurements that the truth separates."""
    case = of_dense(g.standard_normal((12, 6, 6)), gaussian(g, 6, 1))
    return Case(case.operators, case.Z, 1, loss=ll.Logistic(), bits=True, matrices=case.matrices)


@family
def frequencies(g):
    """Exact frequencies of one-bit measurements."""
    case = of_dense(g.standard_normal((12, 6, 6)), 0.7 * gaussian(g, 6, 1))
    return Case(case.operators, case.Z, 1, loss=ll.Logistic(), matrices=case.matrices)
