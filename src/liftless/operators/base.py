"""The abstract sensing operator: one bilinear, symmetric, real map."""

import abc
import functools
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Inexact, Int

from liftless._precision import entry, traced
from liftless._types import AnyArray
from liftless.space import Space, Symmetric

#: An entry of A*(y) below this fraction of its largest is round-off.
NOTHING = 1e-14
#: Columns of a derived Jacobian that are computed at once.
COLUMNS = 64


#: Most numbers of an A*(y) that are looked at for its zeros.
LOOKED_AT = 4e6


@runtime_checkable
class Amplitudes(Protocol):
    """The trait of measurements that are squared lengths: A(X Xᵀ)_i = ‖row i of forward(X)‖².

    Message passing and reflections ask for no more.
    """

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """Linear map of X; for complex amplitudes real and imaginary parts side by side."""
        ...

    def adjoint(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        ...

    def lengths(self) -> Float[AnyArray, " m"]:
        """Variance of an entry of row i of forward(X) for X of independent entries of variance 1.

        ‖a_i‖² for a real a_iᵀ X or a complex a_i* Z; half of that for a complex a_i* X of a real X.
        """
        ...


@runtime_checkable
class Orthogonal(Amplitudes, Protocol):
    """The trait of amplitudes of a map with orthogonal columns: A* A of it is diagonal.

    Vector message passing and reflections need no more; local methods carry the amplitudes along,
    which saves half of the applications.
    """

    @property
    def share(self) -> float:
        """Unknown real numbers over the real numbers that the amplitudes have, below 1."""
        ...

    def scrambled(self) -> bool:
        """Whether the map mixes the unknowns as a random one does; message passing assumes it."""
        ...

    def rows(self, X: Float[AnyArray, "n r"]) -> Inexact[AnyArray, "m q"]:
        """:meth:`forward`, complex where it is."""
        ...

    def back(self, P: Inexact[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows` over the real numbers."""
        ...

    def gram(self) -> Float[AnyArray, " n"]:
        """Diagonal of back ∘ rows, positive."""
        ...

    def multiplicity(self) -> Float[AnyArray, " m"] | None:
        """Readings of equal length that a row stands for, scaled by its root; None for one each."""
        ...


class Entries(NamedTuple):
    """The trait of measurements that are single entries: A(M)_k = weights_k (X Xᵀ)[rows_k, cols_k].

    Attributes
    ----------
    rows, cols : integer arrays of shape (m,)
        Lines of the array X, so that a column of a rectangular matrix counts from n1 on.
    weights : array of shape (m,)
    """

    rows: Int[np.ndarray, " m"]
    cols: Int[np.ndarray, " m"]
    weights: Float[np.ndarray, " m"]


class SensingOperator(eqx.Module):
    """A linear map A from the matrices of a space to ℝᵐ, given by its action on factors.

    A subclass is final.  It has fields or properties ``n`` and ``m`` (or ``space`` and ``m``), and
    defines :meth:`measure`; everything else follows by transposition and is overridden only for
    speed.  What an algorithm wants to know of an operator it asks by one of the methods below
    :meth:`space`, never by its class.

    Notes
    -----
    ``A(M)_i = ⟨A_i, M⟩`` with symmetric A_i, as in problem (P1) of the SOD escape paper.
    Arrays are kept as NumPy arrays, so that an operator can be built outside any precision
    context; inside compiled code they are traced arguments, never constants.
    """

    n: eqx.AbstractVar[int]
    m: eqx.AbstractVar[int]

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Take n from the space of a subclass that has one of its own."""
        super().__init_subclass__(**keywords)
        own = cls.__dict__
        if "space" in own and "n" not in own and "n" not in own.get("__annotations__", {}):
            whole = property(lambda self: self.space.n, doc="Rows of the array X.")
            type.__setattr__(cls, "n", whole)

    #: NumPy leaves ``array * operator`` to the operator, and an operator is no sequence.
    __array_ufunc__ = None
    __iter__ = None

    def __getitem__(self, rows: Any) -> "SensingOperator":
        """Operator of some measurements (:func:`liftless.operators.compose.chosen`)."""
        from liftless.operators.compose import chosen

        return chosen(self, rows)

    def __mul__(self, w: Any) -> "SensingOperator":
        """Operator of the measurements times w (:func:`liftless.operators.compose.weighted`)."""
        from liftless.operators.compose import weighted

        return weighted(self, w)

    __rmul__ = __mul__

    @property
    def space(self) -> Space:
        """What X stands for: real symmetric matrices X Xᵀ of order n."""
        return Symmetric(self.n)

    @abc.abstractmethod
    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """A(½(U Vᵀ + V Uᵀ)): bilinear and symmetric in the factors.

        Parameters
        ----------
        U, V : arrays of shape (n, r)

        Returns
        -------
        array of shape (m,)
        """

    def measure_pair(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> tuple[Float[AnyArray, " m"], Float[AnyArray, " m"]]:
        """``measure(U, V)`` and ``measure(V, V)``: what the course along U + s V needs.

        Overridden where one pass over the data serves both.
        """
        return self.measure(U, V), self.measure(V, V)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """A*(y) V = Σ_i y_i A_i V, derived from :meth:`measure` by transposition.

        Parameters
        ----------
        y : array of shape (m,)
        V : array of shape (n, r)

        Returns
        -------
        array of shape (n, r)
        """
        (out,) = jax.linear_transpose(lambda U: self.measure(U, V), jnp.asarray(V))(jnp.asarray(y))
        return out

    def matrix(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
        """A*(y) as a dense n × n matrix, for small n."""
        return self.backproject(y, jnp.eye(self.n, dtype=jnp.asarray(y).dtype))

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """Derivative of ``measure(X, X)``: row i is 2 A_i X.  For small n r.

        Overridden, with :meth:`jacobian_cost`, where the A_i are at hand.
        """
        X = jnp.asarray(X)
        units = jnp.eye(X.size, dtype=X.dtype).reshape(-1, *X.shape)
        # Some columns at a time: each may need an n × n product on its way.
        columns = jax.lax.map(lambda D: 2 * self.measure(X, D), units, batch_size=COLUMNS)
        return columns.T.reshape(-1, *X.shape)

    def jacobian_cost(self, rank: int) -> int:
        """Work of :meth:`jacobian` in applications of A to one matrix: n r if derived."""
        return self.n * rank

    def cost(self, columns: int) -> float:
        """Multiply-adds of one application to so many columns; counted by the compiler if derived.

        Every budget and every decision on size follows from it (:mod:`liftless.cost`).
        """
        return traced_cost(self, columns)

    def amplitudes(self) -> Amplitudes | None:
        """Return the map whose squared row lengths are the measurements, if they are such."""
        return None

    def entries(self) -> Entries | None:
        """Return where the measurements are single entries of the matrix, if they are such."""
        return None

    def row_grams(
        self, omega: Float[AnyArray, " m"], X: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r r"] | None:
        """Blocks of JᵀJ/c that belong to one row of X each, where they are cheaply had; traceable.

        J is the derivative of √ω ⊙ A(X Xᵀ), and c a number that is the same for all blocks.  What a
        local method whitens its unknowns by.
        """
        del omega, X
        return None

    def isotropic(self) -> bool:
        """Whether the A_i look like draws from all symmetric matrices alike.

        Message passing on matrices is meant for such (:mod:`liftless.start.passing_matrix`).  A
        statement on the data, the same however they are stored.
        """
        return False

    def links(
        self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]] | None:
        """Pairs (i, j) of live rows of X that the used measurements tie together.

        The support of Σ_k A_k, or fewer pairs that tie the same rows (three rows in a chain for all
        three pairs).  Derived from one A*(y) for a random y, in which nothing cancels.

        Parameters
        ----------
        live : boolean array of shape (n,)
            The rows that count; the others are as if they were not there.
        used : boolean array of shape (m,)
            The measurements that count.

        Returns
        -------
        tuple of two integer arrays of shape (k,), or None
            None where n × n numbers are too many to look at.
        """
        if float(self.n) * self.n > LOOKED_AT:
            return None
        y = np.where(used, 1.0 + np.random.default_rng(0).random(self.m), 0.0)
        return matrix_links(np.asarray(matrix(self, y)), live)

    @property
    def split(self) -> int | None:
        """Rows of U where the matrix sought is U Vᵀ of the stacked factor [U; V], else None."""
        return getattr(self.space, "n1", None)

    def degrees_of_freedom(self, rank: int) -> int:
        """Dimension of the matrices of rank r that are sought: the space's."""
        return self.space.degrees_of_freedom(rank)

    def subset(self, indices: Int[AnyArray, " k"]) -> "SensingOperator | None":
        """Return the operator of measurements ``indices`` alone, if that saves work, else None.

        Traceable; an index may occur more than once.
        """
        del indices
        return None

    def squares(self) -> Float[AnyArray, " m"]:
        """‖A_i‖_F² of every measurement; m applications if derived."""
        units = jnp.eye(self.m)
        return jax.lax.map(lambda e: jnp.sum(self.matrix(e) ** 2), units)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Return some w with A*(w) ≻ 0, where one is known from the structure, else None.

        Such a w turns any residual into a feasible dual point, and so into a lower bound on the
        optimum that assumes nothing (see :mod:`liftless.certificate`).
        """
        return None


def rows_of(data: AnyArray, indices: Int[AnyArray, " k"]) -> AnyArray:
    """Rows of stored data; by NumPy where nothing is traced, a tenth of the time."""
    if traced(data, indices):
        return jnp.asarray(data)[jnp.asarray(indices)]
    return np.asarray(data)[np.asarray(indices)]


def with_fields(operator: Any, **fields: Any) -> Any:
    """Return the same operator with other data, which are not checked again."""
    other = object.__new__(type(operator))
    for name, value in {**vars(operator), **fields}.items():
        object.__setattr__(other, name, value)
    return other


def matrix_links(
    M: Float[np.ndarray, "n n"], live: Bool[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Nonzero places (i, j), i <= j, of a symmetric matrix among live rows; round-off is none."""
    i, j = np.nonzero(np.triu(np.abs(M) > NOTHING * np.abs(M).max(initial=0.0)))
    kept = live[i] & live[j]
    return i[kept], j[kept]


def traced_cost(operator: SensingOperator, columns: int) -> float:
    """Multiply-adds of ``operator.measure`` as the compiler counts them, at least one a number."""
    leaves, structure = jax.tree.flatten(operator)
    kinds = [getattr(leaf, "dtype", np.result_type(float)) for leaf in leaves]
    shapes = tuple((np.shape(leaf), kind.name) for leaf, kind in zip(leaves, kinds, strict=True))
    return _counted(structure, shapes, operator.n, columns)


@functools.lru_cache(maxsize=1024)
def _counted(structure: Any, shapes: tuple, n: int, columns: int) -> float:
    leaves = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes]
    operator = jax.tree.unflatten(structure, leaves)
    X = jax.ShapeDtypeStruct((n, columns), jnp.result_type(float))
    lowered = jax.jit(lambda one, U, V: one.measure(U, V)).lower(operator, X, X)
    counted: Any = lowered.cost_analysis() or {}
    counted = counted[0] if isinstance(counted, list) else counted
    flops, size = counted.get("flops", 0.0), counted.get("bytes accessed", 0.0)
    return max(float(flops) / 2, float(size) / 8, float(n * columns))


# The methods above are the plain JAX maps, in the caller's precision.  The functions below are
# the public entry points for concrete arrays; they serve a user's own operator as well.
@entry
def measure(
    operator: SensingOperator, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
) -> Float[AnyArray, " m"]:
    """A(½(U Vᵀ + V Uᵀ)) of an operator, in float64 and as NumPy outside a trace."""
    return operator.measure(U, V)


@entry
def backproject(
    operator: SensingOperator, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
) -> Float[AnyArray, "n r"]:
    """A*(y) V of an operator, in float64 and as NumPy outside a trace."""
    return operator.backproject(y, V)


@entry
def matrix(operator: SensingOperator, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
    """A*(y) of an operator as a dense matrix, in float64 and as NumPy outside a trace."""
    return operator.matrix(y)
