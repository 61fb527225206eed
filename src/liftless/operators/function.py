"""A sensing operator from one function of JAX."""

import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless._precision import double, float64, to_numpy
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator
from liftless.operators.probe import HOLDS, check_measure, difference
from liftless.operators.sampled import sampled_isotropic
from liftless.operators.spaces import resolved
from liftless.operators.traceable import numpy_code_refused
from liftless.space import Space


class _Same:
    """What of a function is no array; equal to itself alone, so that it can key compiled code."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return False
        (mine, form), (theirs, other_form) = (jax.tree.flatten(x.value) for x in (self, other))
        return form == other_form and all(a is b for a, b in zip(mine, theirs, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(id(leaf) for leaf in jax.tree.leaves(self.value)))


class FunctionOperator(SensingOperator):
    """The operator that :func:`operator` makes of a function."""

    arrays: Any
    rest: _Same = eqx.field(static=True)
    form: Space = eqx.field(static=True)
    size: int = eqx.field(static=True)
    quadratic: bool = eqx.field(static=True)
    work: float | None = eqx.field(static=True)

    def __init__(
        self, f: Callable[..., Any], form: Space, size: int, quadratic: bool, work: float | None
    ) -> None:
        arrays, rest = eqx.partition(f, eqx.is_array_like)
        # NumPy arrays, so that it can be built outside any precision context.
        self.arrays, self.rest = to_numpy(arrays), _Same(rest)
        self.form, self.size, self.quadratic, self.work = form, size, quadratic, work

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
        return self.size

    @property
    def function(self) -> Callable[..., Any]:
        """The user's function."""
        return eqx.combine(self.arrays, self.rest.value)

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        same = U is V
        dtype = jnp.result_type(U, V)
        U, V = jnp.asarray(U, dtype), jnp.asarray(V, dtype)
        if not self.quadratic:
            return self.function(U, U if same else V)
        if same:
            return self.function(U)
        # The derivative of a quadratic map is its bilinear form, twice; unlike the difference
        # f(U + V) − f(U − V) it loses no digits where one factor is much the smaller.
        return jax.jvp(self.function, (U,), (V,))[1] / 2

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`; by reverse mode.

        Unlike transposition, it takes functions whose linearity in U JAX cannot see.
        """
        V = jnp.asarray(V)
        if self.quadratic:
            value, pull = jax.vjp(self.function, V)
            return pull(jnp.asarray(y, value.dtype))[0] / 2
        value, pull = jax.vjp(lambda U: self.function(U, V), V)
        return pull(jnp.asarray(y, value.dtype))[0]

    def isotropic(self) -> bool:
        """See :meth:`SensingOperator.isotropic`; by some of the A_i, where they cost little."""
        return sampled_isotropic(self)

    def cost(self, columns: int) -> float:
        """See :meth:`SensingOperator.cost`."""
        return super().cost(columns) if self.work is None else self.work * columns


@double
def _tried(found: FunctionOperator) -> None:
    """Raise :class:`InvalidInput` unless the function is a sensing operator on random factors."""
    run = eqx.filter_jit(lambda one, U, V: one.measure(U, V))
    if found.quadratic:
        X = np.random.default_rng(3).standard_normal((found.n, 2))
        value, bilinear = found.function(jnp.asarray(X)), run(found, X, X)
        error = difference(np.asarray(value), np.asarray(bilinear))
        # NaN is left to the check below.
        if error > HOLDS:
            was = f"not quadratic: half its derivative along X differs from f(X) by {error:.1e}"
            raise InvalidInput("f", was, "A(X Xᵀ), without linear or constant terms")
    check_measure("f", lambda U, V: np.asarray(run(found, U, V)), found.n)


def operator(
    f: Callable[..., Any],
    n: int | None = None,
    m: int | None = None,
    *,
    cost: float | None = None,
    space: Space | None = None,
) -> SensingOperator:
    """Make a sensing operator of one function of JAX.

    Parameters
    ----------
    f : callable
        Of two arguments, the bilinear map ``f(U, V)`` = A(½(U Vᵀ + V Uᵀ)); or of one, the
        quadratic map ``f(X)`` = A(X Xᵀ).  Of shape (m,) for factors of shape (n, r) and any r.
    n : int
        Rows of a factor; may be left out if ``space`` is given.
    m : int, optional
        Number of measurements; that of the function's result if left out.
    cost : float, optional
        Multiply-adds of one measurement of a single column; as the compiler counts them if left
        out.
    space : Space, optional
        What the factor stands for: symmetric matrices X Xᵀ by default.

    Returns
    -------
    SensingOperator

    Raises
    ------
    InvalidInput
        A function that is not made of JAX operations, has another number of arguments, another
        shape or type of its result, or is not of that form at random factors; with the number
        that says so.

    Notes
    -----
    Arrays that ``f`` closes over become constants of the compiled code.  Large ones should be
    fields of an ``equinox.Module`` or arguments of a ``jax.tree_util.Partial`` given as ``f``:
    those are passed on, and other data of the same shapes do not compile anew.
    """
    if not callable(f):
        raise InvalidInput("f", describe(f), "a function f(U, V) or f(X)")
    form = resolved(n, space)
    quadratic = _arguments(f) == 1
    work = None if cost is None else real_number("cost", cost, above=0.0)
    found = FunctionOperator(f, form, 1, quadratic, work)
    size = _traced_size(found, None if m is None else positive_int("m", m))
    found = FunctionOperator(f, form, size, quadratic, work)
    with numpy_code_refused("f"):
        _tried(found)
    return found


def _arguments(f: Callable[..., Any]) -> int:
    """Number of arguments that ``f`` needs."""
    must, cure = "a function of two factors, f(U, V), or of one, f(X)", "Wrap it in a lambda."
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        was = f"{describe(f)}, whose arguments cannot be told"
        raise InvalidInput("f", was, must, cure) from None
    needed = [p for p in parameters if p.default is p.empty and p.kind in (0, 1)]
    more = [p.name for p in parameters if p.default is p.empty and p.kind == p.KEYWORD_ONLY]
    if len(needed) not in (1, 2) or more:
        names = ", ".join([*(p.name for p in needed), *more]) or "none"
        raise InvalidInput("f", f"a function with the arguments {names}", must, cure)
    return len(needed)


def _traced_size(found: FunctionOperator, m: int | None) -> int:
    """Length of the function's result, from its shape at two columns."""
    with float64(), numpy_code_refused("f"):
        X = jax.ShapeDtypeStruct((found.n, 2), np.float64)
        out = jax.eval_shape(found.measure, X, X)
    shape = getattr(out, "shape", None)
    fits = shape is not None and len(shape) == 1 and shape[0] == (m or max(shape[0], 1))
    if not fits or not jnp.issubdtype(out.dtype, jnp.floating):
        what = (
            f"an array of shape {shape} and type {out.dtype}" if shape is not None else "no array"
        )
        was = f"a function that returns {what}"
        raise InvalidInput("f", was, f"one that returns real numbers of shape ({m or 'm'},)")
    return out.shape[0]
