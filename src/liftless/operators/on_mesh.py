"""An operator whose measurements lie on several devices, of this process or of many.

Each device holds some of the rows and works on them alone.  Of one application nothing travels but
the factor's n × r numbers: A(M) stays where it was made, and A*(y) V is summed over the devices.
With ``jax.distributed`` all processes call the same functions with the same arguments, as JAX's own
programs of many processes do.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Bool, Float, Inexact, Int

from liftless._checks import positive_int
from liftless._errors import InvalidInput
from liftless._precision import traced
from liftless._types import AnyArray
from liftless.operators.base import Entries, Orthogonal, SensingOperator
from liftless.operators.shards import (
    KINDS,
    Reader,
    agreed,
    alike,
    block,
    check_mesh,
    cut,
    own_numbers,
    placed,
    sizes,
    unit,
)
from liftless.space import Space

T = TypeVar("T")


class Whole:
    """The operator as it was before it was cut, for questions that are asked on the host.

    It is no array of compiled code, which is told apart by which object it is.
    """

    def __init__(self, operator: SensingOperator | None) -> None:
        self.operator = operator


def sharded(operator: SensingOperator, mesh: Mesh | Any) -> "ShardedOperator":
    """Put the measurements of an operator on the devices of a mesh, by rows.

    Parameters
    ----------
    operator : SensingOperator
        Dense, rectangular, Hermitian, rank-one or diagonal matrices, observed entries of symmetric
        or rectangular matrices, sparse matrices, or coded diffraction (by masks).
    mesh : jax.sharding.Mesh
        Of one axis, over devices of this process or, after ``jax.distributed.initialize``, of all.

    Returns
    -------
    ShardedOperator
        With the measurements in the same order.  ``recover``, ``certify`` and everything else take
        it as they take the operator, and decide the same.

    Raises
    ------
    InvalidInput
        An operator of another kind, or no such mesh.

    Notes
    -----
    Every process is given the whole operator here and keeps it on its host, for what is asked of
    its structure.  Where no process has room for that, each reads its own rows:
    :func:`sharded_rows`.
    """
    mesh = check_mesh(mesh)
    if not isinstance(operator, KINDS):
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        cure = "Cut one of your own with sharded_rows if its arrays have a row a measurement."
        raise InvalidInput("operator", type(operator).__name__, f"one of {kinds}", cure)
    count, together = mesh.devices.size, unit(operator)
    size = block(operator.m, count, together)
    numbers = own_numbers(mesh)
    parts = [cut(operator, k * size, (k + 1) * size, size) for k in numbers]
    return _made(parts, operator.m, mesh, Whole(operator))


def sharded_rows(read: Reader, m: int, mesh: Mesh | Any) -> "ShardedOperator":
    """Put measurements on the devices of a mesh, each process reading its own rows alone.

    Parameters
    ----------
    read : callable
        ``read(first, last)`` returns the operator of measurements first to last − 1: of a
        memory-mapped ``.npy`` file or some row groups of a Parquet file, say.  Of the kinds that
        :func:`sharded` takes, coded diffraction excepted.
    m : int
        Number of measurements of all.
    mesh : jax.sharding.Mesh
        As for :func:`sharded`.

    Returns
    -------
    ShardedOperator
        No process has more than its rows, so questions about all of them at once have the answer
        "not known": message passing and belief propagation are no starts for it, and which
        entries are determined is not looked into.

    Raises
    ------
    InvalidInput
        ``read`` returns something else, or another number of measurements.
    """
    mesh, m = check_mesh(mesh), positive_int("m", m)
    size, parts = block(m, mesh.devices.size), []
    for k in own_numbers(mesh):
        first, last = min(k * size, m), min((k + 1) * size, m)
        # A device more than there are measurements has the last one, at weight zero.
        part = read(first, last) if first < last else read(m - 1, m)
        rows = last - first if first < last else 1
        if not isinstance(part, KINDS) or unit(part) > 1 or part.m != rows:
            was = f"a function that returns {type(part).__name__} for {rows} measurements"
            raise InvalidInput("read", was, "one that returns an operator of as many, by rows")
        parts.append(cut(part, 0 if first < last else 1, part.m, size))
    return _made(parts, m, mesh, Whole(None))


def _made(parts: list[SensingOperator], m: int, mesh: Mesh, whole: Whole) -> "ShardedOperator":
    most = agreed([sizes(part) for part in parts])
    parts = [alike(part, most) for part in parts]
    # Without the n that SensingOperator declares and a checker takes for a field to be given.
    made: Any = ShardedOperator
    return made(placed(parts, mesh), m, parts[0].m, parts[0].space, mesh, whole)


class _Sharded(eqx.Module):
    """Parts on devices, and functions of each of them."""

    parts: Any
    m: int = eqx.field(static=True)
    size: int = eqx.field(static=True)
    form: Space = eqx.field(static=True)
    mesh: Mesh = eqx.field(static=True)
    whole: Whole = eqx.field(static=True)

    def __init__(
        self, parts: Any, m: int, size: int, form: Space, mesh: Mesh, whole: Whole
    ) -> None:
        self.parts, self.m, self.size = parts, m, size
        self.form, self.mesh, self.whole = form, mesh, whole

    def _apply(self, function: Callable[..., T], same: tuple, rows: tuple, *, add: bool) -> T:
        """``function(part, *same, *rows)`` on every device, its results added up or in a row.

        ``same`` are on all devices, ``rows`` have an axis of measurements in front, as the results
        have which are not added up.
        """
        axis, P = self.mesh.axis_names[0], PartitionSpec
        rows = tuple(self._padded(y) for y in rows)

        def on_one(parts: Any, same: tuple, rows: tuple) -> Any:
            part = jax.tree.map(lambda leaf: leaf[0], parts)
            out = function(part, *same, *rows)
            return jax.lax.psum(out, axis) if add else out

        out = jax.shard_map(
            on_one,
            mesh=self.mesh,
            in_specs=(P(axis), P(), P(axis)),
            out_specs=P() if add else P(axis),
            check_vma=False,
        )(self.parts, tuple(jnp.asarray(a) for a in same), rows)
        return out if add else jax.tree.map(lambda y: y[: self.m], out)

    def _padded(self, y: AnyArray) -> AnyArray:
        """``y`` with zeros for the measurements of zero."""
        more = self.size * self.mesh.devices.size - self.m
        y = jnp.asarray(y)
        return jnp.pad(y, ((0, more), *((0, 0),) * (y.ndim - 1))) if more else y


class ShardedOperator(_Sharded, SensingOperator):
    """Measurements on several devices; made by :func:`sharded` and :func:`sharded_rows`."""

    @property
    def space(self) -> Space:
        """See :meth:`SensingOperator.space`."""
        return self.form

    @property
    def n(self) -> int:
        """Rows of a factor."""
        return self.form.n

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`; nothing travels."""
        if U is V:
            return self._apply(lambda part, X: part.measure(X, X), (U,), (), add=False)
        return self._apply(lambda part, U, V: part.measure(U, V), (U, V), (), add=False)

    def measure_pair(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> tuple[Float[AnyArray, " m"], Float[AnyArray, " m"]]:
        """See :meth:`SensingOperator.measure_pair`; nothing travels."""
        return self._apply(lambda part, U, V: part.measure_pair(U, V), (U, V), (), add=False)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`; n r numbers travel."""
        return self._apply(lambda part, V, y: part.backproject(y, V), (V,), (y,), add=True)

    def matrix(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
        """See :meth:`SensingOperator.matrix`; for small n."""
        return self._apply(lambda part, y: part.matrix(y), (), (y,), add=True)

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`; nothing travels."""
        return self._apply(lambda part, X: part.jacobian(X), (X,), (), add=False)

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`."""
        return self._apply(lambda part: part.squares(), (), (), add=False)

    def row_grams(
        self, omega: Float[AnyArray, " m"], X: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r r"] | None:
        """See :meth:`SensingOperator.row_grams`; n r² numbers travel."""
        part = self._part()
        shapes = (jax.ShapeDtypeStruct((self.size,), jnp.result_type(float)), X)
        if jax.eval_shape(part.row_grams, *shapes) is None:
            return None
        return self._apply(
            lambda part, X, omega: part.row_grams(omega, X), (X,), (omega,), add=True
        )

    def _part(self) -> Any:
        """Shapes of one part."""
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), self.parts
        )

    # -- what is asked of it ----------------------------------------------------------------------

    def cost(self, columns: int) -> float:
        """See :meth:`SensingOperator.cost`: of all devices together."""
        known = self.whole.operator
        if known is not None:
            return known.cost(columns)
        return self._part().cost(columns) * self.mesh.devices.size

    def jacobian_cost(self, rank: int) -> int:
        """Return that of one part, in its own applications."""
        known = self.whole.operator
        return (self._part() if known is None else known).jacobian_cost(rank)

    def degrees_of_freedom(self, rank: int) -> int:
        """See :meth:`SensingOperator.degrees_of_freedom`."""
        known = self.whole.operator
        return (self._part() if known is None else known).degrees_of_freedom(rank)

    def amplitudes(self) -> "ShardedAmplitudes | None":
        """See :meth:`SensingOperator.amplitudes`."""
        known = self.whole.operator
        found: Any = None if known is None else known.amplitudes()
        if found is None or not isinstance(found, KINDS):
            return None
        made = self if found is known else sharded(found, self.mesh)
        kind = ShardedOrthogonal if isinstance(found, Orthogonal) else ShardedAmplitudes
        return kind(made.parts, made.m, made.size, made.form, made.mesh, made.whole)

    def entries(self) -> Entries | None:
        """See :meth:`SensingOperator.entries`."""
        known = self.whole.operator
        return None if known is None else known.entries()

    def isotropic(self) -> bool:
        """See :meth:`SensingOperator.isotropic`."""
        known = self.whole.operator
        return known is not None and known.isotropic()

    def links(
        self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]] | None:
        """See :meth:`SensingOperator.links`."""
        known = self.whole.operator
        return None if known is None else known.links(live, used)

    def subset(self, indices: Int[AnyArray, " k"]) -> SensingOperator | None:
        """See :meth:`SensingOperator.subset`; on the host alone."""
        known = self.whole.operator
        return None if known is None or traced(self, indices) else known.subset(indices)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """See :meth:`SensingOperator.positive_combination`."""
        known = self.whole.operator
        return None if known is None else known.positive_combination()


class ShardedAmplitudes(_Sharded):
    """Amplitudes on several devices (:class:`liftless.operators.Amplitudes`)."""

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """Nothing travels."""
        return self._apply(lambda part, X: part.forward(X), (X,), (), add=False)

    def adjoint(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`; n r numbers travel."""
        return self._apply(lambda part, G: part.adjoint(G), (), (G,), add=True)

    def lengths(self) -> Float[AnyArray, " m"]:
        """See :class:`liftless.operators.Amplitudes`."""
        return self._apply(lambda part: part.lengths(), (), (), add=False)


class ShardedOrthogonal(ShardedAmplitudes):
    """Amplitudes of a map with orthogonal columns (:class:`liftless.operators.Orthogonal`)."""

    @property
    def share(self) -> float:
        """See :class:`liftless.operators.Orthogonal`."""
        return self._known.share

    def scrambled(self) -> bool:
        """See :class:`liftless.operators.Orthogonal`."""
        return self._known.scrambled()

    def rows(self, X: Float[AnyArray, "n r"]) -> Inexact[AnyArray, "m q"]:
        """Nothing travels."""
        return self._apply(lambda part, X: part.rows(X), (X,), (), add=False)

    def back(self, P: Inexact[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows`; n r numbers travel."""
        return self._apply(lambda part, P: part.back(P), (), (P,), add=True)

    def gram(self) -> Float[AnyArray, " n"]:
        """See :class:`liftless.operators.Orthogonal`."""
        return self._apply(lambda part: part.gram(), (), (), add=True)

    def multiplicity(self) -> Float[AnyArray, " m"] | None:
        """See :class:`liftless.operators.Orthogonal`."""
        return self._known.multiplicity()

    @property
    def _known(self) -> Any:
        return self.whole.operator
