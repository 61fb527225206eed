"""Explicit lifted tensors, for cases small enough to form them.

Nothing in a recovery uses this module: it is the yardstick that the closed form is measured by, in
tests, in experiments and in the comparison of cost.  A lifted variable has (n r)^l entries; the
tensor M(w) of (5.4), which every evaluation goes through, has n^{2l}.
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._precision import double
from liftless._types import AnyArray
from liftless.escape import Oracle
from liftless.operators.base import matrix
from liftless.problem import Problem

#: Largest number (n r)^l of entries of a lifted variable.
LIMIT = 1_000_000
#: Largest number of entries of a tensor on the way to the objective: max(n², m)^l.
WORK_LIMIT = 50_000_000
#: Largest dimension for which the full Hessian is formed.
HESSIAN_LIMIT = 300
#: Singular values of a basis of unit tensors below this fraction of the largest count as zero.
PARALLEL = 1e-4

Tensor = Float[np.ndarray, "..."]


@dataclass(frozen=True)
class ExplicitLift:
    """Problem (P2) with its tensors formed.

    Parameters
    ----------
    A : array of shape (m, n, n)
        Sensing matrices, symmetric, with the problem's row weights.
    b : array of shape (m,)
        Measurements, weighted.
    rank, order : int
        Columns r of the factor, and l.

    Notes
    -----
    ``vec`` runs through the rows of X, here and in :meth:`lift`; any fixed order gives the same
    h^l, since (2.1) only has to undo it.
    """

    A: Float[np.ndarray, "m n n"]
    b: Float[np.ndarray, " m"]
    rank: int
    order: int

    @classmethod
    def at(cls, problem: Problem, order: int) -> "ExplicitLift":
        """Lift a problem with the squared loss and no regulariser.

        Raises
        ------
        InvalidInput
            For another loss, a regulariser, or an order whose tensors exceed the limits.
        """
        order = positive_int("order", order)
        check_size(problem.n, problem.m, problem.rank, order)
        if problem.loss.name != "squared":
            raise InvalidInput("loss", problem.loss.name, "squared: (P2) is defined for it alone")
        if problem.regularisers:
            raise InvalidInput("regularisers", "given", "left out: (P2) has none")
        weights = np.asarray(problem.weights, np.float64)
        units = np.diag(weights)
        A = np.stack([np.asarray(matrix(problem.operator, y)) for y in units])
        return cls(A, weights * np.asarray(problem.b), problem.rank, order)

    @property
    def n(self) -> int:
        """Order of the matrix."""
        return self.A.shape[1]

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.A.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (n r,) * l of a lifted variable."""
        return (self.n * self.rank,) * self.order

    @property
    def size(self) -> int:
        """Number (n r)^l of entries of a lifted variable."""
        return (self.n * self.rank) ** self.order

    @property
    def bytes(self) -> int:
        """Bytes of the tensors of one gradient step: w, its gradient, M(w), residual, and A*.

        Counted from the shapes: two variables, the n^{2l} entries of M(w) and again of the
        back-projected residual, and m^l of the residual.
        """
        return 8 * (2 * self.size + 2 * self.n ** (2 * self.order) + self.m**self.order)

    def lift(self, X: Any) -> Tensor:
        """vec(X)^{(x) l}, of shape (n r,) * l."""
        x = factor("X", X, self.n)
        if x.shape[1] != self.rank:
            raise InvalidInput("X", describe(x), f"of shape ({self.n}, {self.rank})")
        return _power(x.ravel(), self.order).reshape(self.shape)

    def residual(self, w: Any) -> Tensor:
        """<A^{(x)l}, M(w)> - b^{(x)l}, of shape (m,) * l."""
        return _residual_entry(self.A, self.b, self._tensor(w)).reshape((self.m,) * self.order)

    def objective(self, w: Any) -> float:
        """h^l(w) = ||<A^{(x)l}, M(w)> - b^{(x)l}||_F^2, problem (P2): no factor 1/2."""
        return float(_objective_entry(self.A, self.b, self._tensor(w)))

    def printed_gradient(self, w: Any) -> Tensor:
        """Gradient as Lemma A.1 prints it: a quarter of the gradient of h^l."""
        return _printed_entry(self.A, self.b, self._tensor(w))

    def gradient(self, w: Any) -> Tensor:
        """Gradient of h^l by automatic differentiation."""
        return _gradient_entry(self.A, self.b, self._tensor(w))

    def hessian(self, w: Any) -> Float[np.ndarray, "d d"]:
        """Full Hessian of h^l by automatic differentiation, for dimensions up to 300."""
        if self.size > HESSIAN_LIMIT:
            was = f"{self.order}, which gives (n r)^l = {self.size} dimensions"
            raise InvalidInput("order", was, f"such that (n r)^l <= {HESSIAN_LIMIT}")
        return _hessian_entry(self.A, self.b, self._tensor(w)).reshape(self.size, self.size)

    def pairing(self, s: Any, M: Any) -> Tensor:
        """<<A_r^{(x)l}, s>, <A^{(x)l}, M>>: a sub-term of the printed gradient (Table 3).

        Parameters
        ----------
        s : array of shape (n r,) * l
        M : array of shape (n^l, n^l)
            Its row index runs over the first index of each mode, its column index over the second.
        """
        return _pairing_entry(self.A, self._tensor(s), real_array("M", M, 2))

    def project(self, w: Any, basis: Any) -> Tensor:
        """Pi_S(w) of (5.3), with a pseudo-inverse: the basis may be dependent.

        Parameters
        ----------
        w : array of shape (n r,) * l
        basis : array of shape (k, n r, ..., n r)
        """
        return (self._unit(basis)[0] @ self.weights(w, basis)).reshape(self.shape)

    def weights(self, w: Any, basis: Any) -> Float[np.ndarray, " k"]:
        """Coefficients of Pi_S(w) in the unit basis tensors, of least norm where dependent."""
        C, _ = self._unit(basis)
        return np.linalg.pinv(C, rcond=PARALLEL) @ self._tensor(w).ravel()

    def basis(self, X: Any, o: Oracle) -> Tensor:
        """a, b, c of (5.1), as an array of shape (3, n r, ..., n r)."""
        return np.stack([self.lift(D) for D in (X, o.beta_direction, o.gamma_direction)])

    def _tensor(self, w: Any) -> Tensor:
        array = real_array("w", w, self.order)
        if array.shape != self.shape:
            raise InvalidInput("w", describe(array), f"of shape {self.shape}")
        return array

    def _unit(self, basis: Any) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """Unit basis tensors as columns, and the norms; a zero tensor stays zero."""
        stacked = real_array("basis", basis, self.order + 1)
        if stacked.shape[1:] != self.shape:
            raise InvalidInput("basis", describe(stacked), f"of shape (k, *{self.shape})")
        C = stacked.reshape(stacked.shape[0], -1).T
        norms = np.linalg.norm(C, axis=0)
        return C / np.where(norms > 0, norms, 1.0), norms


def check_size(n: int, m: int, rank: int, order: int) -> None:
    """Refuse an order whose tensors would not fit.

    Raises
    ------
    InvalidInput
        Naming the order, the size it gives, the limit, and the largest order that fits.
    """
    base, work = n * rank, max(n * n, m)
    most = [
        int(math.log(limit) / math.log(k) + 1e-12) if k > 1 else order
        for k, limit in ((base, LIMIT), (work, WORK_LIMIT))
    ]
    cure = f"The largest that fits is {min(most)}; LiftedSubspace takes any order."
    if base**order > LIMIT:
        was = f"{order}, which gives a tensor of (n r)^l = {base**order:.3g} entries"
        raise InvalidInput("order", was, f"such that (n r)^l <= {LIMIT}", cure)
    if work**order > WORK_LIMIT:
        was = f"{order}, which needs tensors of max(n^2, m)^l = {work**order:.3g} entries"
        raise InvalidInput("order", was, f"such that max(n^2, m)^l <= {WORK_LIMIT}", cure)


# -- contractions; A (m, n, n) is symmetric in its last two modes, w has l modes of n r -----------


def _power(x: Any, order: int) -> Any:
    """x^{(x) l} as a vector."""
    return reduce(lambda t, _: (t[:, None] * x[None, :]).ravel(), range(order - 1), x)


def _matrix_form(w: AnyArray, n: int) -> AnyArray:
    """P(w) as a matrix: rows j_1 ... j_l, columns p_1 ... p_l, from modes (j p)."""
    order, r = w.ndim, w.shape[0] // n
    modes = w.reshape((n, r) * order)
    return modes.transpose(*range(0, 2 * order, 2), *range(1, 2 * order, 2)).reshape(n**order, -1)


def _vector_form(W: AnyArray, n: int, order: int) -> AnyArray:
    """Undo :func:`_matrix_form`."""
    r = round(W.shape[1] ** (1 / order))
    modes = W.reshape((n,) * order + (r,) * order)
    paired = [k for j in range(order) for k in (j, order + j)]
    return modes.transpose(*paired).reshape((n * r,) * order)


def _measure(A: AnyArray, M: AnyArray, order: int) -> AnyArray:
    """<A^{(x)l}, M>, of length m^l, one mode after the other, from M of shape (n^l, n^l)."""
    m, n, _ = A.shape
    T = M
    for done in range(order):
        rest = n ** (order - 1 - done)
        T = jnp.einsum("djJkK,ijk->diJK", T.reshape(m**done, n, rest, n, rest), A)
    return T.reshape(-1)


def _backproject(A: AnyArray, y: AnyArray, order: int) -> AnyArray:
    """The adjoint of :func:`_measure`, of shape (n^l, n^l)."""
    m, n, _ = A.shape
    T = y
    for done in reversed(range(order)):
        rest = n ** (order - 1 - done)
        T = jnp.einsum("diJK,ijk->djJkK", T.reshape(m**done, m, rest, rest), A)
    return T.reshape(n**order, n**order)


def _residual(A: AnyArray, b: AnyArray, w: AnyArray) -> AnyArray:
    P = _matrix_form(w, A.shape[1])
    return _measure(A, P @ P.T, w.ndim) - _power(b, w.ndim)


def _objective(A: AnyArray, b: AnyArray, w: AnyArray) -> AnyArray:
    return jnp.sum(_residual(A, b, w) ** 2)


def _pairing(A: AnyArray, s: AnyArray, y: AnyArray) -> AnyArray:
    n, order = A.shape[1], s.ndim
    return _vector_form(_backproject(A, y, order) @ _matrix_form(s, n), n, order)


def _printed(A: AnyArray, b: AnyArray, w: AnyArray) -> AnyArray:
    return _pairing(A, w, _residual(A, b, w))


def _pairing_of(A: AnyArray, s: AnyArray, M: AnyArray) -> AnyArray:
    return _pairing(A, s, _measure(A, M, s.ndim))


_residual_entry = double(jax.jit(_residual))
_objective_entry = double(jax.jit(_objective))
_printed_entry = double(jax.jit(_printed))
_gradient_entry = double(jax.jit(jax.grad(_objective, argnums=2)))
_hessian_entry = double(jax.jit(jax.hessian(_objective, argnums=2)))
_pairing_entry = double(jax.jit(_pairing_of))
