"""Families of tiny problems, each with its truth, in every storage that its measurements admit.

A family is a function of a random generator.  It returns a :class:`Case`; shapes are few, so that
the compiled code is shared: short lists of measurements are filled up by repeating some.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg

import liftless as ll

#: Numbers of measurements that lists are filled up to.
SIZES = (4, 12, 16, 24, 40)


@dataclass
class Case:
    """Operators of the same A_i by storage, the truth, and what else the problem has."""

    operators: dict
    Z: np.ndarray
    rank: int
    weights: np.ndarray | None = None
    loss: object = None
    bits: bool = False
    matrices: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1)))

    def problem(self, storage):
        """Problem in one storage."""
        y = np.einsum("mij,ij->m", self.matrices, self.Z @ self.Z.T)
        if self.loss is not None:
            y = (y > 0).astype(float) if self.bits else 1 / (1 + np.exp(-y))
        operator = self.operators[storage]
        return ll.Problem(operator, y, self.rank, weights=self.weights, loss=self.loss)


FAMILIES: dict[str, Callable[[np.random.Generator], Case]] = {}


def family(function):
    """Register a family under its function's name."""
    FAMILIES[function.__name__.replace("_", "-")] = function
    return function


def filled(*arrays):
    """Arrays filled up to the next of the sizes by repeating their first rows."""
    m = len(arrays[0])
    size = next(s for s in SIZES if s >= m)
    take = np.r_[np.arange(m), np.arange(size - m) % m]
    return [np.asarray(a)[take] for a in arrays]


def symmetric(A):
    """Symmetric parts."""
    return (A + A.transpose(0, 2, 1)) / 2


def of_dense(A, Z, rank=None, **more):
    """Case of dense matrices."""
    (A,) = filled(symmetric(np.asarray(A, float)))
    operator = ll.DenseOperator.from_matrices(A)
    return Case({"dense": operator}, Z, rank or Z.shape[1], matrices=A, **more)


def of_vectors(a, Z, rank=None, **more):
    """Case of squares of a_iᵀ Z, as vectors and dense."""
    (a,) = filled(np.asarray(a, float))
    A = np.einsum("mi,mj->mij", a, a)
    stored = {"rank one": ll.RankOneOperator(a), "dense": ll.DenseOperator.from_matrices(A)}
    return Case(stored, Z, rank or Z.shape[1], matrices=A, **more)


def of_entries(pairs, Z, weights=None, rank=None, row_weights=None, **more):
    """Case of observed entries, as entries and dense."""
    i, j = np.array(sorted(pairs)).T
    w = np.ones(i.size) if weights is None else np.asarray(weights, float)
    v = np.ones(i.size) if row_weights is None else np.asarray(row_weights, float)
    i, j, w, v = filled(i, j, w, v)
    n, k = len(Z), np.arange(i.size)
    A = np.zeros((i.size, n, n))
    A[k, i, j] += w / 2
    A[k, j, i] += w / 2
    stored = {
        "entries": ll.EntriesOperator(i, j, n, w),
        "dense": ll.DenseOperator.from_matrices(A),
    }
    more["weights"] = None if row_weights is None else v
    return Case(stored, Z, rank or Z.shape[1], matrices=A, **more)


def of_diagonals(D, Z, rank=None):
    """Case of diagonal matrices, as diagonals and dense."""
    (D,) = filled(np.asarray(D, float))
    A = np.einsum("mi,ij->mij", D, np.eye(D.shape[1]))
    stored = {"diagonal": ll.DiagonalOperator(D), "dense": ll.DenseOperator.from_matrices(A)}
    return Case(stored, Z, rank or Z.shape[1], matrices=A)


def of_table(pairs, U, V, rank=None):
    """Case of entries of U Vᵀ, as entries and dense."""
    i, j = filled(*np.array(sorted(pairs)).T)
    n1, n2 = len(U), len(V)
    G = np.zeros((i.size, n1, n2))
    G[np.arange(i.size), i, j] = 1.0
    stored = {
        "table": ll.RectangularEntries(i, j, n1, n2),
        "dense table": ll.RectangularOperator(G.reshape(i.size, -1), n1, n2),
    }
    A = np.zeros((i.size, n1 + n2, n1 + n2))
    A[:, :n1, n1:] = G / 2
    return Case(
        stored, np.concatenate([U, V]), rank or U.shape[1], matrices=A + A.transpose(0, 2, 1)
    )


def whole(n):
    """Pairs of the upper triangle."""
    return list(itertools.combinations_with_replacement(range(n), 2))


def off(n):
    """Pairs above the diagonal."""
    return list(itertools.combinations(range(n), 2))


def cliques(*blocks):
    """Pairs inside of blocks."""
    return {(i, j) for block in blocks for i in block for j in block if i <= j}


def some(g, pairs, m):
    """Return m of the pairs."""
    pairs = sorted(pairs)
    return [pairs[k] for k in g.choice(len(pairs), m, replace=False)]


def gaussian(g, n, r):
    """Gaussian factor."""
    return g.standard_normal((n, r))


# -- generic -------------------------------------------------------------------------------------


def _generic(name, n, r, m):
    def made(g):
        return of_dense(g.standard_normal((m, n, n)), gaussian(g, n, r))

    FAMILIES[name] = made


_generic("gaussian-r1-one-over", 6, 1, 7)
_generic("gaussian-r1-twice", 6, 1, 12)
_generic("gaussian-r1-equal", 6, 1, 6)
_generic("gaussian-r1-short", 6, 1, 4)
_generic("gaussian-r2-one-over", 6, 2, 12)
_generic("gaussian-r2-more", 6, 2, 16)
_generic("gaussian-r3", 6, 3, 16)
_generic("gaussian-square", 4, 4, 12)


def _vectors(name, n, r, m, draw):
    def made(g):
        return of_vectors(draw(g, m, n), gaussian(g, n, r))

    FAMILIES[name] = made


def _normal(g, m, n):
    return g.standard_normal((m, n))


def _sparse(g, m, n):
    a = np.zeros((m, n))
    for row in a:
        row[g.choice(n, 2, replace=False)] = g.standard_normal(2)
    return a


def _parallel(g, m, n):
    return np.ones(n) + 1e-2 * g.standard_normal((m, n))


def _hadamard(g, m, n):
    return scipy.linalg.hadamard(n)[:m] * g.random((m, 1))


_vectors("phase-few", 6, 1, 8, _normal)
_vectors("phase-generic", 6, 1, 12, _normal)
_vectors("phase-equal", 6, 1, 6, _normal)
_vectors("phase-signs", 6, 1, 12, lambda g, m, n: g.choice([-1.0, 1.0], (m, n)))
_vectors("phase-sparse", 6, 1, 16, _sparse)
_vectors("phase-parallel", 6, 1, 12, _parallel)
_vectors("phase-r2", 6, 2, 16, _normal)
_vectors("phase-hadamard", 4, 1, 4, _hadamard)


@family
def phase_blocks(g):
    """Vectors inside of two blocks of rows."""
    a = np.zeros((12, 6))
    a[:5, :2], a[5:, 2:] = g.standard_normal((5, 2)), g.standard_normal((7, 4))
    return of_vectors(a, gaussian(g, 6, 1))


@family
def phase_blocks_linked(g):
    """The same and one vector across."""
    case = phase_blocks(g)
    a = np.array(case.operators["rank one"].a)
    a[0] = g.standard_normal(6)
    return of_vectors(a, case.Z)


# -- entries -------------------------------------------------------------------------------------


def _entries(name, n, r, m, pairs=None, change=None):
    def made(g):
        Z = gaussian(g, n, r)
        if change is not None:
            change(g, Z)
        chosen = whole(n) if pairs is None else pairs
        return of_entries(some(g, chosen, m) if m else chosen, Z)

    FAMILIES[name] = made


def _zero_row(g, Z):
    Z[g.integers(len(Z))] = 0.0


def _parallel_rows(g, Z):
    Z[4] = g.standard_normal() * Z[3]


def _zero_third(g, Z):
    del g
    Z[3] = 0.0


def _integers(g, Z):
    Z[:] = g.choice([-1.0, 1.0], Z.shape)


_entries("entries-r1", 6, 1, 10)
_entries("entries-r1-few", 6, 1, 7)
_entries("entries-r1-zero-row", 6, 1, 12, change=_zero_row)
_entries("entries-r1-signs", 6, 1, 10, change=_integers)
_entries("entries-r1-off-diagonal", 6, 1, 9, off(6))
_entries("entries-r2-13", 6, 2, 13)
_entries("entries-r2-16", 6, 2, 16)
_entries("entries-r2-signs", 6, 2, 16, change=_integers)
_entries("entries-r2-off-diagonal", 6, 2, 14, off(6))
_entries("entries-r3", 7, 3, 24)
_entries("entries-all", 6, 2, None)
_entries("cliques-zero-row", 7, 1, None, cliques(range(4), range(3, 7)), _zero_third)
_entries("cliques-one-row-r1", 7, 1, None, cliques(range(4), range(3, 7)))
_entries("cliques-one-row-r2", 7, 2, None, cliques(range(4), range(3, 7)))
_entries("cliques-two-rows-r2", 7, 2, None, cliques(range(5), range(3, 7)))
_entries("cliques-parallel-r2", 7, 2, None, cliques(range(5), range(3, 7)), _parallel_rows)
_entries("cliques-two-rows-r3", 7, 3, None, cliques(range(5), range(3, 7)))
_entries("cliques-three-r2", 7, 2, None, cliques(range(3), range(2, 5), range(4, 7)))
_entries("blocks", 7, 1, None, cliques(range(3), range(3, 7)))
_entries("banded-r1", 7, 1, None, [(i, j) for i, j in whole(7) if j - i <= 1])
_entries("banded-r2", 7, 2, None, [(i, j) for i, j in whole(7) if j - i <= 2])
_entries("banded-thin-r2", 7, 2, None, [(i, j) for i, j in whole(7) if j - i <= 1])
_entries("arrow", 7, 1, None, [(0, j) for j in range(7)])
_entries("bipartite", 6, 1, None, [(i, j) for i in range(3) for j in range(3, 6)])
_entries("ring", 7, 1, None, [tuple(sorted((i, (i + 1) % 7))) for i in range(7)])


@family
def weight_zero_link(g):
    """Two blocks whose only link has weight zero."""
    pairs = sorted(cliques(range(3), range(3, 7)) | {(1, 4)})
    weights = [0.0 if pair == (1, 4) else 1.0 for pair in pairs]
    return of_entries(pairs, gaussian(g, 7, 1), row_weights=weights)


@family
def entry_factor_zero(g):
    """The same, the zero being the factor of the entry."""
    pairs = sorted(cliques(range(3), range(3, 7)) | {(1, 4)})
    weights = [0.0 if pair == (1, 4) else 1.0 for pair in pairs]
    return of_entries(pairs, gaussian(g, 7, 1), weights=weights)


@family
def mixed_entries(g):
    """Random sums of entries of two cliques: the same information."""
    case = FAMILIES["cliques-one-row-r2"](g)
    kept = case.matrices[: len(cliques(range(4), range(3, 7)))]
    return of_dense(np.einsum("km,mij->kij", g.standard_normal((len(kept),) * 2), kept), case.Z)


@family
def block_matrices(g):
    """Dense matrices inside of two cliques that share a row, rank two."""
    A = np.zeros((24, 7, 7))
    A[:12, :4, :4], A[12:, 3:, 3:] = g.standard_normal((2, 12, 4, 4))
    return of_dense(A, gaussian(g, 7, 2))


@family
def lower_rank(g):
    """Rank one where two is asked."""
    return of_entries(some(g, whole(6), 16), gaussian(g, 6, 1), rank=2)


@family
def one_number(g):
    """n = 1."""
    return of_dense(np.ones((4, 1, 1)) * g.random((4, 1, 1)), gaussian(g, 1, 1))
