"""NumPy functions inside compiled code: pairs of maps, each the transpose of the other.

Compiled code may run on a thread of its own, where JAX's 64-bit switch, a context of the caller's
thread, is off: there JAX turns every float64 value that a callback gets or returns into float32,
and then refuses it.  So numbers cross the border as their bits, unsigned 32-bit integers, which no
switch changes.  On the Python side nothing but NumPy happens, no array is moved to a device and
nothing is waited for: a callback that waits for JAX can wait for the thread it runs on.

The functions are called by number, and the number is data: code compiled for one pair of functions
serves every other of the same shapes.  (What calls back is kept in no cache on disk.)

The maps are primitives of JAX with the derivatives of what they are, linear or bilinear, so that
forward and reverse mode, transposition and ``vmap`` work to any order.
"""

import itertools
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Float, UInt

from liftless._errors import InvalidInput
from liftless._types import AnyArray

Shape = tuple[int, ...]

#: Columns of the identity whose images are held at once.
COLUMNS = 64


@dataclass(frozen=True)
class Sizes:
    """Sizes of a pair of maps.

    Attributes
    ----------
    n, m : int
        Rows of a factor, and number of measurements.
    parts : int
        Of c columns the first c of a linear map's image are of the first part (the real one, say),
        the next c of the second.
    """

    n: int
    m: int
    parts: int = 1


class Kept:
    """Functions that compiled code calls by their number, as long as this object lives.

    All such objects are equal: which one it is must not be part of what compiled code is kept by.
    So compiled code must not look into one either.
    """

    def __init__(self, sizes: Sizes, *functions: Callable[..., Any]) -> None:
        self.sizes, self.functions = sizes, functions
        number = next(_numbers)
        self.number = np.asarray(number, np.uint32)
        _kept[number] = self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept)

    def __hash__(self) -> int:
        return hash(Kept)

    def __deepcopy__(self, memo: dict) -> "Kept":
        """Return itself, since the number in the operator names no other."""
        del memo
        return self

    def __reduce__(self) -> Any:
        raise TypeError("An operator of NumPy functions is built anew in another process.")

    def rows(self) -> Float[np.ndarray, "m q"]:
        """Image of the identity under the first function, computed once."""
        if not hasattr(self, "_rows"):
            self._rows = self._image(0, self.sizes.n)
        return self._rows

    def lengths(self) -> Float[np.ndarray, " m"]:
        """Mean over the parts of the squared length of each row; computed once, n columns."""
        if not hasattr(self, "_lengths"):
            ends = [*range(0, self.sizes.n, COLUMNS), self.sizes.n]
            blocks = [self._image(*pair) for pair in itertools.pairwise(ends)]
            self._lengths = np.sum([np.sum(W * W, axis=1) for W in blocks], axis=0)
            self._lengths /= self.sizes.parts
        return self._lengths

    def _image(self, first: int, last: int) -> np.ndarray:
        """Image of some columns of the identity."""
        units = np.zeros((self.sizes.n, last - first))
        units[np.arange(first, last), np.arange(last - first)] = 1
        return called("forward", self.functions[0], _forward_shape(self.sizes, units.shape), units)


_numbers = itertools.count(1)
_kept: weakref.WeakValueDictionary[int, Kept] = weakref.WeakValueDictionary()


def _found(number: Any) -> Kept:
    try:
        return _kept[int(number)]
    except KeyError:
        raise RuntimeError("The operator whose functions are called no longer exists.") from None


def called(
    name: str, function: Callable[..., Any], shape: Shape, *arrays: np.ndarray
) -> Float[np.ndarray, "..."]:
    """Value of a user's function in float64, or :class:`InvalidInput` if it has another shape.

    The function gets copies: it may write on them or keep them, and memory is the caller's or that
    of compiled code.
    """
    value = function(*(np.array(a, np.float64) for a in arrays))
    if isinstance(value, jax.Array):
        must = "NumPy code: JAX must not be called from inside compiled code"
        raise InvalidInput(name, "JAX code", must, "Pass a function of JAX to liftless.operator.")
    out = np.asarray(value)
    if out.dtype.kind not in "fiub" or out.shape != shape:
        given = " and ".join(str(a.shape) for a in arrays)
        was = f"a function that returns an array of shape {out.shape} and type {out.dtype}"
        must = f"one that returns real numbers of shape {shape} for arguments of shape {given}"
        raise InvalidInput(name, was, must)
    return np.ascontiguousarray(out, np.float64)


# -- the call itself: bits in, bits out ------------------------------------------------------------

bits_p = Primitive("liftless_bits")


@bits_p.def_impl
def _bits(*arrays: AnyArray, call: Callable, **_: Any) -> AnyArray:
    return jnp.asarray(call(*(np.asarray(a) for a in arrays)))


@bits_p.def_abstract_eval
def _bits_shape(*arrays: Any, shape: Shape, **_: Any) -> Any:
    del arrays
    return jax.core.ShapedArray(shape, np.dtype(np.uint32))


def _bits_lowering(ctx: Any, *arrays: Any, call: Callable, **_: Any) -> Any:
    # What jax.pure_callback lowers to, without its transfers to and from JAX arrays around the
    # call (12 µs a call where that takes 270).
    results, _, _ = mlir.emit_python_callback(
        ctx,
        lambda *given: (call(*given),),
        None,
        list(arrays),
        ctx.avals_in,
        ctx.avals_out,
        has_side_effect=False,
        returns_token=False,
    )
    return results


mlir.register_lowering(bits_p, _bits_lowering, cacheable=False)

#: Value of a method of :class:`Kept`, or of a user's function, at NumPy arrays.
OnHost = Callable[..., np.ndarray]


def _on_host(
    method: OnHost, shape: Shape, dtype: Any, number: AnyArray, *arrays: AnyArray
) -> AnyArray:
    """Value of ``method(kept, *arrays)`` inside compiled code, all of one type."""
    dtype = np.dtype(dtype)

    def call(number: np.ndarray, *bits: np.ndarray) -> np.ndarray:
        pairs = zip(bits, arrays, strict=True)
        given = [np.asarray(b).view(dtype).reshape(a.shape) for b, a in pairs]
        value = method(_found(number), *given).astype(dtype)
        return value.reshape(-1).view(np.uint32)

    words = math.prod(shape) * dtype.itemsize // 4
    bits = [jax.lax.bitcast_convert_type(a, np.uint32).reshape(-1) for a in arrays]
    out = bits_p.bind(number, *bits, call=call, shape=(words,))
    pairs = out.reshape(*shape, -1) if dtype.itemsize == 8 else out.reshape(shape)
    return jax.lax.bitcast_convert_type(pairs, dtype)


def rows(number: AnyArray, sizes: Sizes, dtype: Any) -> Float[AnyArray, "m q"]:
    """Image of the identity, kept on the Python side; traceable."""
    return _on_host(Kept.rows, (sizes.m, sizes.parts * sizes.n), dtype, number)


def lengths(number: AnyArray, sizes: Sizes) -> Float[AnyArray, " m"]:
    """Mean squared lengths of the rows, kept on the Python side; traceable."""
    return _on_host(Kept.lengths, (sizes.m,), jnp.result_type(float), number)


# -- the four primitives -------------------------------------------------------------------------


def _primitive(name: str, which: int, shape_of: Callable[..., Shape]) -> Primitive:
    """Primitive for function ``which`` of a pair, of the number and one or two arrays."""
    primitive = Primitive(f"liftless_{name}")

    def shape(sizes: Sizes, arrays: tuple) -> Shape:
        return shape_of(sizes, *(a.shape for a in arrays))

    def method(kept: Kept, *given: np.ndarray) -> np.ndarray:
        return called(name, kept.functions[which], shape(kept.sizes, given), *given)

    @primitive.def_impl
    def _eager(number: AnyArray, *arrays: AnyArray, sizes: Sizes) -> AnyArray:
        del sizes
        given = [np.asarray(a) for a in arrays]
        return jnp.asarray(method(_found(number), *given), arrays[0].dtype)

    @primitive.def_abstract_eval
    def _shape(number: Any, *arrays: Any, sizes: Sizes) -> Any:
        del number
        return jax.core.ShapedArray(shape(sizes, arrays), arrays[0].dtype)

    def compiled(number: AnyArray, *arrays: AnyArray, sizes: Sizes) -> AnyArray:
        return _on_host(method, shape(sizes, arrays), arrays[0].dtype, number, *arrays)

    lowering = mlir.lower_fun(compiled, multiple_results=False)
    mlir.register_lowering(primitive, lowering, cacheable=False)
    batching.primitive_batchers[primitive] = partial(_one_by_one, primitive)
    return primitive


def _forward_shape(sizes: Sizes, X: Shape) -> Shape:
    return sizes.m, sizes.parts * X[1]


def _adjoint_shape(sizes: Sizes, G: Shape) -> Shape:
    return sizes.n, G[1] // sizes.parts


def _one_by_one(
    primitive: Primitive, arrays: tuple, axes: tuple, *, sizes: Sizes
) -> tuple[AnyArray, int]:
    """Rule for ``vmap``: a loop over its axis."""
    front = [a if k is None else jnp.moveaxis(a, k, 0) for a, k in zip(arrays, axes, strict=True)]

    def one(part: list) -> AnyArray:
        rest = iter(part)
        given = [a if k is None else next(rest) for a, k in zip(front, axes, strict=True)]
        return primitive.bind(*given, sizes=sizes)

    members = [a for a, k in zip(front, axes, strict=True) if k is not None]
    return jax.lax.map(one, members), 0


def _side_by_side(
    primitive: Primitive, arrays: tuple, axes: tuple, *, sizes: Sizes
) -> tuple[AnyArray, int]:
    """Rule for ``vmap`` of a map that acts on columns: one call for the columns of all."""
    if axes[0] is not None:  # not one map, but many
        return _one_by_one(primitive, arrays, axes, sizes=sizes)
    batch = jnp.moveaxis(arrays[1], axes[1], 0)
    before, after = (sizes.parts, 1) if primitive is adjoint_p else (1, sizes.parts)
    size, height, width = batch.shape
    columns = width // before
    # (member, row, part, column) to (row, part, member, column): parts stay in front.
    wide = batch.reshape(size, height, before, columns).transpose(1, 2, 0, 3)
    out = primitive.bind(arrays[0], wide.reshape(height, -1), sizes=sizes)
    apart = out.reshape(out.shape[0], after, size, columns).transpose(2, 0, 1, 3)
    return apart.reshape(size, out.shape[0], -1), 0


forward_p = _primitive("forward", 0, _forward_shape)
adjoint_p = _primitive("adjoint", 1, _adjoint_shape)
measure_p = _primitive("measure", 0, lambda sizes, *_: (sizes.m,))
backproject_p = _primitive("backproject", 1, lambda *shapes: shapes[-1])

for _p in (forward_p, adjoint_p):
    batching.primitive_batchers[_p] = partial(_side_by_side, _p)


def _derivatives(primitive: Primitive, *transposed: Callable[..., AnyArray]) -> None:
    """State that a primitive is linear in each array, and its transposes in each."""

    def along(k: int) -> Callable[..., AnyArray]:
        def tangent(change: AnyArray, number: AnyArray, *arrays: AnyArray, sizes: Sizes):
            given = [change if i == k else a for i, a in enumerate(arrays)]
            return primitive.bind(number, *given, sizes=sizes)

        return tangent

    def transpose(ct: Any, number: AnyArray, *arrays: Any, sizes: Sizes) -> list:
        if isinstance(ct, ad.Zero):
            return [None] * (1 + len(arrays))
        out = [
            rule(ct, number, *arrays, sizes=sizes) if ad.is_undefined_primal(array) else None
            for rule, array in zip(transposed, arrays, strict=True)
        ]
        return [None, *out]

    ad.defjvp(primitive, None, *(along(k) for k in range(len(transposed))))
    ad.primitive_transposes[primitive] = transpose


_derivatives(forward_p, lambda ct, number, _, sizes: adjoint_p.bind(number, ct, sizes=sizes))
_derivatives(adjoint_p, lambda ct, number, _, sizes: forward_p.bind(number, ct, sizes=sizes))
# Transposition in either factor leads to the other map, or, since A*(y) is symmetric, to the same.
_derivatives(
    measure_p,
    lambda ct, number, _, V, sizes: backproject_p.bind(number, ct, V, sizes=sizes),
    lambda ct, number, U, _, sizes: backproject_p.bind(number, ct, U, sizes=sizes),
)
_derivatives(
    backproject_p,
    lambda ct, number, _, V, sizes: measure_p.bind(number, ct, V, sizes=sizes),
    lambda ct, number, y, _, sizes: backproject_p.bind(number, y, ct, sizes=sizes),
)


def bind(
    primitive: Primitive, number: UInt[AnyArray, ""], sizes: Sizes, *arrays: AnyArray
) -> AnyArray:
    """Call a primitive on arrays of one type, float64 or float32; traceable."""
    # One of the two it is: what is no float64 JAX itself holds in single precision at most.
    wide = jnp.result_type(*arrays) == np.float64
    dtype = np.float64 if wide else np.float32
    given = (jnp.asarray(a, dtype) for a in arrays)
    return primitive.bind(jnp.asarray(number, np.uint32), *given, sizes=sizes)
