"""Linear operators of other libraries, SciPy's and PyLops' among them, as sensing operators."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator
from liftless.operators.blackbox import BlackBoxOperator
from liftless.operators.host import Kept, Sizes, adjoint_p, bind, called, forward_p, lengths, rows
from liftless.operators.probe import HOLDS, check_adjoint, difference
from liftless.operators.spaces import resolved
from liftless.space import Hermitian, Rectangular, Space


class AmplitudeOperator(SensingOperator):
    """A(X Xᵀ)_i = ‖row i of F X‖² for a real linear map F given by NumPy functions.

    Parameters
    ----------
    forward, adjoint : callable
        From arrays of shape (n, c) to (m, parts · c) and back, for any c.  The first c columns
        belong to the first part of the columns given, the next to the second: the real and the
        imaginary part of a complex map.
    n, m : int
    parts : int
    cost : float, optional
        Multiply-adds of ``forward`` of one column; m n by default.
    space : Space, optional
        What the factor stands for: symmetric matrices X Xᵀ by default.

    Raises
    ------
    InvalidInput
        A wrong shape or type, a map that is not linear, or an ``adjoint`` that is none.
    """

    number: UInt[AnyArray, ""]
    kept: Kept = eqx.field(static=True)
    sizes: Sizes = eqx.field(static=True)
    work: Float[AnyArray, ""]
    form: Space = eqx.field(static=True)

    def __init__(
        self,
        forward: Callable[[np.ndarray], Any],
        adjoint: Callable[[np.ndarray], Any],
        n: int | None,
        m: int,
        *,
        parts: int = 1,
        cost: float | None = None,
        space: Space | None = None,
    ) -> None:
        self.form = resolved(n, space)
        n, m, parts = self.form.n, positive_int("m", m), positive_int("parts", parts)
        self.sizes = Sizes(n, m, parts)
        self.kept = Kept(self.sizes, forward, adjoint)
        self.number = self.kept.number
        work = m * n if cost is None else real_number("cost", cost, above=0.0)
        self.work = np.asarray(work, np.float64)
        X = np.random.default_rng(0).standard_normal((n, 2))
        push = partial(called, "forward", forward, (m, 2 * parts))
        one = called("forward", forward, (m, parts), X[:, :1] - 2 * X[:, 1:])
        both = push(X).reshape(m, parts, 2)
        error = difference(one, both[:, :, 0] - 2 * both[:, :, 1])
        if not error <= HOLDS:
            must = "linear, column by column"
            raise InvalidInput("forward", f"not linear (relative error {error:.1e})", must)
        back = partial(called, "adjoint", adjoint, (n, 2))
        check_adjoint("adjoint", push, back, X)

    @property
    def space(self) -> Space:
        """See :meth:`SensingOperator.space`."""
        return self.form

    @property
    def n(self) -> int:
        """Rows of a factor."""
        return self.form.n

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.sizes.m

    def amplitudes(self) -> "AmplitudeOperator":
        """Return the map F itself."""
        return self

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """F X; for complex amplitudes real and imaginary parts side by side."""
        return bind(forward_p, self.number, self.sizes, X)

    def adjoint(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        return bind(adjoint_p, self.number, self.sizes, G)

    def lengths(self) -> Float[AnyArray, " m"]:
        """Mean squared length of a row of F over its parts; computed once, n columns."""
        return lengths(self.number, self.sizes)

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`; a call for each factor."""
        left = self.forward(U)
        return jnp.sum(left * (left if U is V else self.forward(V)), axis=1)

    def measure_pair(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> tuple[Float[AnyArray, " m"], Float[AnyArray, " m"]]:
        """See :meth:`SensingOperator.measure_pair`; two calls."""
        left, right = self.forward(U), self.forward(V)
        return jnp.sum(left * right, axis=1), jnp.sum(right * right, axis=1)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`; two calls."""
        return self.adjoint(jnp.asarray(y)[:, None] * self.forward(V))

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`; the rows of F are computed once, n columns."""
        X = jnp.asarray(X)
        F = rows(self.number, self.sizes, X.dtype).reshape(self.m, self.sizes.parts, self.n)
        return 2 * jnp.einsum("mpi,mpr->mir", F, jnp.einsum("mpi,ir->mpr", F, X))

    def jacobian_cost(self, rank: int) -> int:
        """Return 2 parts: the products with the rows of F, which are at hand."""
        del rank
        return 2 * self.sizes.parts

    def cost(self, columns: int) -> float:
        """See :meth:`SensingOperator.cost`; of both factors."""
        return 2 * float(self.work) * columns


def from_linear_operator(
    op: Any,
    *,
    n: int | None = None,
    space: Space | None = None,
    order: Literal["C", "F"] = "C",
    amplitudes: bool = False,
    cost: float | None = None,
) -> SensingOperator:
    """Make a sensing operator of a linear operator of SciPy, PyLops or another library.

    Parameters
    ----------
    op : object
        With ``shape``, ``matvec`` and ``rmatvec`` (and ``matmat``, ``rmatmat`` if it has them):
        a ``scipy.sparse.linalg.LinearOperator``, a ``pylops.LinearOperator``.
    n : int, optional
        Rows of a factor; by default what ``op.shape`` says of symmetric matrices or real signals.
    space : Space, optional
        What the factor stands for: symmetric matrices X Xᵀ by default.
    order : {"C", "F"}
        How a matrix is flattened for ``op``, by rows or by columns; without meaning for
        amplitudes.
    amplitudes : bool
        If false, ``op`` acts on vec(M): A(M) = op vec(M), and its shape is (m, n1 n2).  If true,
        it acts on signals x, its shape is (m, n), and A(X Xᵀ)_i is the sum of abs(op x)²_i over
        the columns x of X; ``op`` may be complex, and so may be x (with ``space=Hermitian(n)``).
    cost : float, optional
        Multiply-adds of one application of ``op``; as those of a dense matrix by default.

    Returns
    -------
    SensingOperator

    Raises
    ------
    InvalidInput
        An object without these methods, a shape that the space does not have, complex values of
        A(M), or an ``rmatvec`` that is not the adjoint, by the number of the dot test.

    Notes
    -----
    On vec(M) every application forms one matrix M.  For an FFT pass its ``cost``, about n log₂ n:
    a search spends its budget by it.
    """
    if isinstance(op, np.ndarray) or not all(
        hasattr(op, name) for name in ("shape", "matvec", "rmatvec")
    ):
        cure = "Wrap a matrix with scipy.sparse.linalg.aslinearoperator, or use SparseOperator."
        raise InvalidInput("op", describe(op), "an object with shape, matvec and rmatvec", cure)
    if order not in ("C", "F"):
        raise InvalidInput("order", repr(order), "'C' (by rows) or 'F' (by columns)")
    m, size = (int(k) for k in op.shape)
    if n is None and space is None:
        n = size if amplitudes else math.isqrt(size)
    form = resolved(n, space)
    rows, columns = form.shape
    wanted = rows if amplitudes else rows * columns
    if amplitudes and isinstance(form, Rectangular):
        raise InvalidInput("space", repr(form), "Symmetric or Hermitian where amplitudes are")
    if size != wanted:
        must = f"of shape (m, {wanted}) for {'signals' if amplitudes else 'matrices'} of {form}"
        cure = "Pass amplitudes=True if it acts on the signal, not on the matrix."
        raise InvalidInput("op", f"of shape ({m}, {size})", must, "" if amplitudes else cure)
    if amplitudes:
        return _of_signals(op, form, m, cost)
    return _of_matrices(op, form, m, order, cost)


def _columns(op: Any, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """``matvec`` or ``rmatvec`` for each column of an array."""
    whole = getattr(op, name.replace("vec", "mat"), None)
    if whole is not None:
        return lambda W: np.asarray(whole(W))
    single = getattr(op, name)
    return lambda W: np.stack([np.asarray(single(w)).ravel() for w in W.T.copy()], axis=1)


def _of_signals(op: Any, form: Space, m: int, cost: float | None) -> SensingOperator:
    push, pull = _columns(op, "matvec"), _columns(op, "rmatvec")

    def signals(X: np.ndarray) -> np.ndarray:
        return form.complex(X) if isinstance(form, Hermitian) else X

    trial = push(signals(np.random.default_rng(0).standard_normal((form.n, 1))))
    parts = 2 if np.iscomplexobj(trial) else 1

    def forward(X: np.ndarray) -> np.ndarray:
        W = push(signals(X))
        return np.concatenate([np.real(W), np.imag(W)], axis=1) if parts == 2 else W

    def adjoint(G: np.ndarray) -> np.ndarray:
        c = G.shape[1] // parts
        Z = pull(G[:, :c] + 1j * G[:, c:] if parts == 2 else G)
        return form.real(Z + 0j) if isinstance(form, Hermitian) else np.real(Z)

    return _named(
        "op",
        lambda: AmplitudeOperator(forward, adjoint, None, m, parts=parts, cost=cost, space=form),
    )


def _of_matrices(
    op: Any, form: Space, m: int, order: Literal["C", "F"], cost: float | None
) -> SensingOperator:
    push, pull = op.matvec, op.rmatvec
    n1 = form.n1 if isinstance(form, Rectangular) else 0

    def matrix(U: np.ndarray, V: np.ndarray) -> np.ndarray:
        if isinstance(form, Rectangular):
            return (U[:n1] @ V[n1:].T + V[:n1] @ U[n1:].T) / 2
        if isinstance(form, Hermitian):
            U, V = form.complex(U), form.complex(V)
        product = U @ V.conj().T
        return (product + product.conj().T) / 2

    def measure(U: np.ndarray, V: np.ndarray) -> np.ndarray:
        y = np.asarray(push(matrix(U, V).ravel(order))).ravel()
        whole = np.all(np.abs(np.imag(y)) <= HOLDS * np.abs(y).max(initial=0.0))
        return np.real(y) if whole else y

    def backproject(y: np.ndarray, V: np.ndarray) -> np.ndarray:
        G = np.asarray(pull(y)).reshape(form.shape, order=order)
        if isinstance(form, Rectangular):
            G = np.real(G)
            return np.concatenate([G @ V[n1:], G.T @ V[:n1]]) / 2
        H = (G + G.conj().T) / 2
        if isinstance(form, Hermitian):
            return form.real(H @ form.complex(V))
        return np.real(H) @ V

    # Forming M is work too.
    size = math.prod(form.shape)
    work = float(m) * size if cost is None else real_number("cost", cost, above=0.0) + size
    return _named(
        "op", lambda: BlackBoxOperator(measure, backproject, None, m, cost=work, space=form)
    )


def _named(argument: str, make: Callable[[], SensingOperator]) -> SensingOperator:
    """Say of a failed check that the operator given is at fault, and with which of its methods."""
    methods = {"measure": "matvec", "forward": "matvec"}
    try:
        return make()
    except InvalidInput as error:
        if error.argument not in ("measure", "forward", "backproject", "adjoint"):
            raise
        method = methods.get(error.argument, "rmatvec")
        where = f"{argument}.{method}"
        raise InvalidInput(where, error.was, error.must_be, error.cure) from None
