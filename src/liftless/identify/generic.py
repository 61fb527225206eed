"""Measurements that look drawn at random, of which a matrix fixed before the draw has no double.

Another matrix Y of the rank of M fits if ⟨A_i, Y − M⟩ = 0 for all i: each is one equation for A_i,
so the draws for which some Y fits are fewer by m dimensions, and more by the dof of the Y.  Where
m > dof, and the A_i, or the a_i of a_i a_iᵀ, are drawn from a continuous law, this has probability
zero (Rong, Wang, Xu, Almost everywhere injectivity conditions for the matrix recovery problem,
Appl. Comput. Harmon. Anal. 50, 2021).  What can be seen of a draw is asked of the A_i here; that it
is one, nobody can prove.
"""

import numpy as np

from liftless.identify.question import Question

#: Measurements looked at.
LOOKED_AT = 64
#: Least share of different sizes among the entries: a discrete law repeats its values.
DIFFERENT = 0.5
#: Least mean size of an entry over its root mean square: .80 for a Gaussian, .64 for a product of
#: two, less where few entries are all of a matrix.
EVEN = 0.4
#: An entry below this size, relative to the root mean square, is a zero of the structure.
ZERO = 1e-12


def looks_generic(q: Question) -> bool:
    """Whether the A_i have no zero, no repeated value, no outlier and no common invariant subspace.

    Parameters
    ----------
    q : Question
        Of the real spaces; over the complex numbers the answer is no.
    """
    if q.space.name == "hermitian" or len(q.A) < 2:
        return False
    few = np.unique(np.linspace(0, len(q.A) - 1, LOOKED_AT).astype(int))
    weight = q.norms[few, None, None] / (q.lengths[:, None] * q.lengths)
    A = q.A[few] * weight
    A /= np.sqrt(np.sum(A * A, axis=(1, 2)))[:, None, None]
    entries = A[:, _places(q)]
    sizes = np.sort(np.abs(entries), axis=None)
    size = float(np.sqrt(np.mean(sizes**2)))
    if sizes[0] <= ZERO * size or sizes.mean() < EVEN * size:
        return False
    different = np.count_nonzero(np.diff(sizes) > 1e-12 * sizes[1:]) + 1
    if different < DIFFERENT * sizes.size:
        return False
    n1 = q.space.shape[0]
    return _mixed(A if q.space.name == "symmetric" else A[:, :n1, n1:])


def _places(q: Question) -> np.ndarray:
    """Entries that a matrix of the space has, each once."""
    n = q.A.shape[1]
    i, j = np.triu_indices(n)
    place = np.zeros((n, n), bool)
    place[i, j] = True
    if q.space.name == "rectangular":
        # U and V meet in one block, and nowhere else.
        n1 = q.space.shape[0]
        place[:n1, :n1] = place[n1:, n1:] = False
    return place


def _mixed(A: np.ndarray) -> bool:
    """Whether no subspace but the whole is invariant under all: two sums have no common block.

    In the singular vectors of one sum a common invariant subspace makes zeros of another.
    """
    w = np.random.default_rng(0).standard_normal((2, len(A)))
    one, other = np.einsum("km,mij->kij", w, A)
    U, _, Vt = np.linalg.svd(one, full_matrices=False)
    turned = np.abs(U.T @ other @ Vt.T)
    return bool(turned.min() > ZERO * turned.max())
