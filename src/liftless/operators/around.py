"""Operators around other operators: multiples, some rows, several together.

They pass on what they are asked.  They are made by :mod:`liftless.operators.compose`.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._types import AnyArray
from liftless.operators.base import SensingOperator
from liftless.space import Space

Pair = tuple[Float[AnyArray, " m"], Float[AnyArray, " m"]]
Links = tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]


class _Around(SensingOperator):
    """What an operator around another one passes on."""

    inner: eqx.AbstractVar[SensingOperator]

    @property
    def space(self) -> Space:
        """See :meth:`SensingOperator.space`."""
        return self.inner.space

    @property
    def n(self) -> int:
        """Rows of a factor."""
        return self.inner.n

    def jacobian_cost(self, rank: int) -> int:
        """Return the inner operator's."""
        return self.inner.jacobian_cost(rank)

    def cost(self, columns: int) -> float:
        """Return the inner operator's, and a number a measurement."""
        return self.inner.cost(columns) + self.m


class WeightedOperator(_Around):
    """Measurements of another operator, multiplied by weights.

    Parameters
    ----------
    inner : SensingOperator
    w : array of shape (m,)
    """

    inner: SensingOperator
    w: Float[AnyArray, " m"]

    def __init__(self, inner: SensingOperator, w: Float[AnyArray, " m"]) -> None:
        self.inner, self.w = inner, w

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.inner.m

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        return self._times(self.inner.measure(U, V))

    def _times(self, y: AnyArray) -> AnyArray:
        """``y`` with its first axis multiplied by the weights."""
        w = jnp.asarray(self.w, jnp.result_type(y))
        return y * w.reshape(-1, *(1,) * (y.ndim - 1))

    def measure_pair(self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]) -> Pair:
        """See :meth:`SensingOperator.measure_pair`."""
        one, other = self.inner.measure_pair(U, V)
        return self._times(one), self._times(other)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`."""
        return self.inner.backproject(self._times(jnp.asarray(y)), V)

    def matrix(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
        """See :meth:`SensingOperator.matrix`."""
        return self.inner.matrix(self._times(jnp.asarray(y)))

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`."""
        return self._times(self.inner.jacobian(X))

    def subset(self, indices: Int[AnyArray, " k"]) -> "WeightedOperator | None":
        """See :meth:`SensingOperator.subset`."""
        part = self.inner.subset(indices)
        return None if part is None else WeightedOperator(part, jnp.asarray(self.w)[indices])

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`."""
        return jnp.asarray(self.w) ** 2 * self.inner.squares()

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """See :meth:`SensingOperator.positive_combination`; none of it may fall on weight zero."""
        v, w = self.inner.positive_combination(), np.asarray(self.w)
        if v is None or np.any((w == 0) & (v != 0)):
            return None
        return v / np.where(w == 0, 1.0, w)

    def isotropic(self) -> bool:
        """See :meth:`SensingOperator.isotropic`, which is of the A_i at unit size."""
        return self.inner.isotropic()

    def links(self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]) -> Links | None:
        """See :meth:`SensingOperator.links`."""
        return self.inner.links(live, used & (np.asarray(self.w) != 0))

    def amplitudes(self) -> "ScaledAmplitudes | None":
        """See :meth:`SensingOperator.amplitudes`; of nonnegative weights."""
        inner, w = self.inner.amplitudes(), np.asarray(self.w)
        return None if inner is None or w.min() < 0 else ScaledAmplitudes(inner, np.sqrt(w))


class RowsOperator(_Around):
    """Some measurements of an operator that computes all of them together.

    Parameters
    ----------
    inner : SensingOperator
    rows : integer array of shape (m,)
    """

    inner: SensingOperator
    rows: Int[AnyArray, " m"]

    def __init__(self, inner: SensingOperator, rows: Int[AnyArray, " m"]) -> None:
        self.inner, self.rows = inner, rows

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.rows.shape[0]

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        return self.inner.measure(U, V)[self.rows]

    def measure_pair(self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]) -> Pair:
        """See :meth:`SensingOperator.measure_pair`."""
        one, other = self.inner.measure_pair(U, V)
        return one[self.rows], other[self.rows]

    def _spread(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, " M"]:
        """``y`` at its place among all measurements; those named twice are added."""
        y = jnp.asarray(y)
        return jnp.zeros(self.inner.m, y.dtype).at[jnp.asarray(self.rows)].add(y)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`."""
        return self.inner.backproject(self._spread(y), V)

    def matrix(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
        """See :meth:`SensingOperator.matrix`."""
        return self.inner.matrix(self._spread(y))

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`."""
        return self.inner.jacobian(X)[self.rows]

    def subset(self, indices: Int[AnyArray, " k"]) -> SensingOperator | None:
        """See :meth:`SensingOperator.subset`."""
        return self.inner.subset(jnp.asarray(self.rows)[indices])

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`."""
        return self.inner.squares()[self.rows]

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """See :meth:`SensingOperator.positive_combination`; where it falls on these rows alone."""
        v, rows = self.inner.positive_combination(), np.asarray(self.rows)
        if v is None or np.any(np.delete(v, rows) != 0):
            return None
        return v[rows] / np.bincount(rows, minlength=v.size)[rows]

    def links(self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]) -> Links | None:
        """See :meth:`SensingOperator.links`."""
        seen = np.zeros(self.inner.m, bool)
        seen[np.asarray(self.rows)[used]] = True
        return self.inner.links(live, seen)

    def isotropic(self) -> bool:
        """Return the inner operator's."""
        return self.inner.isotropic()

    def amplitudes(self) -> "SomeAmplitudes | None":
        """See :meth:`SensingOperator.amplitudes`."""
        inner = self.inner.amplitudes()
        return None if inner is None else SomeAmplitudes(inner, self.rows, self.inner.m)


class JoinedOperator(SensingOperator):
    """Measurements of several operators, one after another.

    Parameters
    ----------
    parts : tuple of SensingOperator
        Of one space.
    """

    parts: tuple[SensingOperator, ...]

    def __init__(self, parts: tuple[SensingOperator, ...]) -> None:
        self.parts = parts

    @property
    def space(self) -> Space:
        """See :meth:`SensingOperator.space`."""
        return self.parts[0].space

    @property
    def n(self) -> int:
        """Rows of a factor."""
        return self.parts[0].n

    @property
    def m(self) -> int:
        """Number of measurements."""
        return sum(part.m for part in self.parts)

    def _split(self, y: Any) -> list[Any]:
        """``y`` by parts."""
        ends = np.cumsum([part.m for part in self.parts])[:-1]
        return (np if isinstance(y, np.ndarray) else jnp).split(y, ends)

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        return jnp.concatenate([part.measure(U, V) for part in self.parts])

    def measure_pair(self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]) -> Pair:
        """See :meth:`SensingOperator.measure_pair`."""
        pairs = [part.measure_pair(U, V) for part in self.parts]
        one, other = (jnp.concatenate(values) for values in zip(*pairs, strict=True))
        return one, other

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`."""
        given = zip(self.parts, self._split(jnp.asarray(y)), strict=True)
        return jnp.sum(jnp.stack([part.backproject(piece, V) for part, piece in given]), axis=0)

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`."""
        return jnp.concatenate([part.jacobian(X) for part in self.parts])

    def jacobian_cost(self, rank: int) -> int:
        """Return the largest of the parts', each in applications of all parts."""
        return max(part.jacobian_cost(rank) for part in self.parts)

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`."""
        return jnp.concatenate([part.squares() for part in self.parts])

    def cost(self, columns: int) -> float:
        """Return the sum of the parts'."""
        return sum(part.cost(columns) for part in self.parts)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """See :meth:`SensingOperator.positive_combination`: that of the first part with one."""
        found, first = None, 0
        for part in self.parts:
            v = part.positive_combination()
            if v is not None and found is None:
                found = np.zeros(self.m)
                found[first : first + part.m] = v
            first += part.m
        return found

    def isotropic(self) -> bool:
        """Whether all parts are."""
        return all(part.isotropic() for part in self.parts)

    def links(self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]) -> Links | None:
        """See :meth:`SensingOperator.links`."""
        found = [p.links(live, u) for p, u in zip(self.parts, self._split(used), strict=True)]
        if any(pairs is None for pairs in found):
            return None
        i, j = zip(*(pairs for pairs in found if pairs is not None), strict=True)
        return np.concatenate(i), np.concatenate(j)

    def amplitudes(self) -> "JoinedAmplitudes | None":
        """See :meth:`SensingOperator.amplitudes`; where all are real, or all are complex."""
        found = [part.amplitudes() for part in self.parts]
        if any(one is None for one in found):
            return None
        X = jax.ShapeDtypeStruct((self.n, 1), jnp.result_type(float))
        widths = {jax.eval_shape(one.forward, X).shape[1] for one in found if one is not None}
        sizes = tuple(part.m for part in self.parts)
        return JoinedAmplitudes(tuple(found), sizes) if len(widths) == 1 else None


# -- their amplitudes ------------------------------------------------------------------------------


class ScaledAmplitudes(eqx.Module):
    """Rows of a map of amplitudes, multiplied by factors."""

    inner: Any
    factors: Float[AnyArray, " m"]

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """Multiples of the rows."""
        return jnp.asarray(self.factors)[:, None] * self.inner.forward(X)

    def adjoint(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        return self.inner.adjoint(jnp.asarray(self.factors)[:, None] * G)

    def lengths(self) -> Float[AnyArray, " m"]:
        """See :class:`liftless.operators.Amplitudes`."""
        return jnp.asarray(self.factors) ** 2 * self.inner.lengths()


class SomeAmplitudes(eqx.Module):
    """Some rows of a map of amplitudes, those named twice twice."""

    inner: Any
    rows: Int[AnyArray, " m"]
    whole: int = eqx.field(static=True)

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """Rows of the whole."""
        return self.inner.forward(X)[self.rows]

    def adjoint(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        spread = jnp.zeros((self.whole, G.shape[1]), G.dtype).at[jnp.asarray(self.rows)].add(G)
        return self.inner.adjoint(spread)

    def lengths(self) -> Float[AnyArray, " m"]:
        """See :class:`liftless.operators.Amplitudes`."""
        return self.inner.lengths()[self.rows]


class JoinedAmplitudes(eqx.Module):
    """Rows of several maps of amplitudes, one after another."""

    parts: tuple[Any, ...]
    sizes: tuple[int, ...] = eqx.field(static=True)

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """Rows of each."""
        return jnp.concatenate([part.forward(X) for part in self.parts])

    def adjoint(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        pieces = jnp.split(G, np.cumsum(self.sizes)[:-1])
        given = zip(self.parts, pieces, strict=True)
        return jnp.sum(jnp.stack([part.adjoint(piece) for part, piece in given]), axis=0)

    def lengths(self) -> Float[AnyArray, " m"]:
        """See :class:`liftless.operators.Amplitudes`."""
        return jnp.concatenate([part.lengths() for part in self.parts])
