"""What a sparse Jacobian leaves open, and how well it tells the rest: null vectors, variances.

By factorisations of JᵀJ, never by its inverse or its eigenvectors as a whole.
"""

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from liftless.descent.sparse_solve import Direct
from liftless.identify.selected_inverse import selected_inverse

#: ‖J v‖ below this fraction of the largest column norm of J, for a unit v, is zero.
ZERO = 1e-7
#: Ridge of the inverse iteration, relative to the diagonal, and its rounds.
RIDGE, ROUNDS = 1e-13, 4
#: Vectors that the search begins with, columns of a block of solves, and vectors that are no longer
#: looked for: what is left open is then told by entries that no measurement sees at all.
FIRST, BLOCK, MOST = 8, 256, 2000


def null_directions(
    J: Any, gauge: Float[np.ndarray, "N g"] | None = None
) -> Float[np.ndarray, "N d"]:
    """Orthonormal directions that J maps to zero, those of the gauge left out.

    Parameters
    ----------
    J : sparse array of shape (m, N)
    gauge : array of shape (N, g), optional
        Directions, not normalised, that J maps to zero and that do not count.

    Returns
    -------
    array of shape (N, d)

    Notes
    -----
    Inverse iteration on JᵀJ from a random block, seed 0, in units of the columns of J; the block
    grows until one of its vectors is not lost.  Columns of zeros are null without a search.
    """
    N = J.shape[1]
    norms = np.sqrt(np.asarray(J.multiply(J).sum(axis=0)).ravel())
    top = float(norms.max(initial=0.0))
    unseen = norms <= ZERO * top
    out = [np.eye(N)[:, unseen]] if unseen.any() else []
    seen = np.flatnonzero(~unseen)
    if seen.size:
        inner = J[:, seen]
        known = np.zeros((seen.size, 0))
        if gauge is not None:
            known = np.linalg.qr(gauge[seen])[0][:, : gauge.shape[1]]
        lost = _searched(inner, norms[seen], known)
        whole = np.zeros((N, lost.shape[1]))
        whole[seen] = lost
        out.append(whole)
    return np.concatenate(out, axis=1) if out else np.zeros((N, 0))


def _searched(J: Any, norms: np.ndarray, known: np.ndarray) -> Float[np.ndarray, "N d"]:
    from scipy.sparse import csc_array, csr_array, diags_array

    scaled = csr_array(J @ diags_array(1 / norms))
    G = scaled.T @ scaled
    N = G.shape[0]
    solve = Direct().factor(csc_array(G + RIDGE * diags_array(np.ones(N))))
    rng, size = np.random.default_rng(0), FIRST
    while True:
        size = min(size, N)
        block = np.linalg.qr(rng.standard_normal((N, size)))[0]
        for _ in range(ROUNDS):
            block = np.linalg.qr(solve(block))[0]
        pushed = scaled @ block
        _, s, Vt = np.linalg.svd(pushed, full_matrices=False)
        if s.size < block.shape[1]:
            s, Vt = _padded(pushed)
        null = s <= ZERO
        if not null.all() or size in (N, MOST):
            break
        size = min(4 * size, MOST)
    found = (block @ Vt[null].T) / norms[:, None]
    found = found - known @ (known.T @ found)
    U, share, _ = np.linalg.svd(found / np.linalg.norm(found, axis=0), full_matrices=False)
    rest = max(int(null.sum()) - known.shape[1], 0)
    return U[:, :rest] if share.size else np.zeros((N, 0))


def _padded(pushed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values and all right vectors of a matrix with fewer rows than columns."""
    missing = pushed.shape[1] - pushed.shape[0]
    _, s, Vt = np.linalg.svd(np.pad(pushed, ((0, missing), (0, 0))))
    return s, Vt


class Information:
    """JᵀJ of a Jacobian whose only null directions are the gauge's.

    Parameters
    ----------
    J : sparse array of shape (m, N)
        In units of the standard deviations of the readings.
    gauge : array of shape (N, g), optional

    Notes
    -----
    For b orthogonal to the gauge Q the solution of (JᵀJ + P) x = b, with P fixing as many entries
    as Q has columns, has P x = 0: less its part along Q it is the pseudo-inverse's.  Variances need
    few entries of the inverse, which :func:`selected_inverse` finds without the others.
    """

    def __init__(self, J: Any, gauge: Float[np.ndarray, "N g"] | None = None) -> None:
        from scipy.linalg import qr
        from scipy.sparse import csc_array, diags_array

        self.J, N = J, J.shape[1]
        G = J.T @ J
        self.Q = np.zeros((N, 0)) if gauge is None else np.linalg.qr(gauge)[0]
        fixed = np.zeros(N)
        if self.Q.shape[1]:
            order: Any = qr(self.Q.T, mode="r", pivoting=True)
            place = order[1][: self.Q.shape[1]]
            fixed[place] = float(G.diagonal().mean())
        self.G = csc_array(G + diags_array(fixed))

    @cached_property
    def _solve(self) -> Any:
        return Direct().factor(self.G)

    @cached_property
    def _inverse(self) -> Any:
        return selected_inverse(self.G)

    @cached_property
    def _pattern(self) -> Any:
        from scipy.sparse import csc_array

        Z = self._inverse
        return csc_array((np.ones(Z.nnz), Z.indices, Z.indptr), shape=Z.shape)

    def solve(self, b: Float[np.ndarray, "N k"]) -> Float[np.ndarray, "N k"]:
        """Pseudo-inverse of JᵀJ times columns."""
        x = self._solve(np.ascontiguousarray(b - self.Q @ (self.Q.T @ b)))
        return x - self.Q @ (self.Q.T @ x)

    def spread(self, F: Any) -> Float[np.ndarray, " k"]:
        """Diagonal of Fᵀ (JᵀJ)⁺ F: the variances of linear functions, the columns of a sparse F."""
        from scipy.sparse import csc_array

        F = csc_array(F)
        F.sum_duplicates()
        # Columns within the pattern of a row of J, or of one entry, need no solve.
        touch = csc_array((np.ones(F.nnz), F.indices, F.indptr), shape=F.shape)
        pairs = touch.multiply(self._pattern @ touch).sum(axis=0)
        within = np.asarray(pairs).ravel() == np.diff(F.indptr) ** 2
        out = np.zeros(F.shape[1])
        out[within] = self._within(F[:, np.flatnonzero(within)])
        others = np.flatnonzero(~within)
        for start in range(0, others.size, BLOCK):
            at = others[start : start + BLOCK]
            some = F[:, at].toarray()
            out[at] = np.sum(some * self.solve(some), axis=0)
        return np.maximum(out, 0.0)

    def _within(self, F: Any) -> Float[np.ndarray, " k"]:
        """:meth:`spread` for columns whose pairs of entries are all in the selected inverse."""
        out = np.asarray(F.multiply(self._inverse @ F).sum(axis=0)).ravel()
        if not self.Q.shape[1]:
            return out
        along = F.T @ self.Q
        ZQ = self._solve(np.ascontiguousarray(self.Q))
        twice = np.sum((F.T @ ZQ) * along, axis=1)
        return out - 2 * twice + np.sum((along @ (self.Q.T @ ZQ)) * along, axis=1)

    def variances(self, frame: Bool[np.ndarray, " N"] | None = None) -> Float[np.ndarray, " N"]:
        """Variance of each unknown: the diagonal of the pseudo-inverse.

        Parameters
        ----------
        frame : boolean array of shape (N,), optional
            Unknowns whose part along the gauge is taken out of all (by default every one's): what
            is known badly then adds nothing to the others' variances.
        """
        from scipy.sparse import eye_array

        if frame is None or not self.Q.shape[1]:
            return self.spread(eye_array(self.J.shape[1], format="csc"))
        held = np.where(frame[:, None], self.Q, 0.0)
        along = np.linalg.solve((held.T @ self.Q).T, self.Q.T).T
        turned = self._solve(np.ascontiguousarray(held))
        twice = np.sum(along * turned, axis=1)
        shift = np.sum((along @ (held.T @ turned)) * along, axis=1)
        return np.maximum(self._inverse.diagonal() - 2 * twice + shift, 0.0)

    def leverages(self) -> Float[np.ndarray, " m"]:
        """Diagonal of J (JᵀJ)⁺ Jᵀ: the share of each reading that the fit takes from itself."""
        return np.minimum(self.spread(self.J.T), 1.0)
