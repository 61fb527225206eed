"""Public entry points compute in float64, whatever JAX's global flag says.

JAX's 64-bit switch is a thread-local context.  Inside it arrays are float64; after it the next
operation on such an array would silently drop to float32, so what leaves the context is NumPy.
Inside a caller's own ``jit`` or ``vmap`` (any argument is a tracer) nothing is switched: the
caller's precision holds and traced values are returned.

What a caller has set to watch his own code is lifted too: NaN stands here for what is absent or has
diverged, arrays come from NumPy and go back to it, and float32 may stand for what is rough.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.core
import numpy as np

from liftless._checks import describe
from liftless._errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])


def traced(*values: Any) -> bool:
    """Whether any leaf of ``values`` is being traced by a caller's transformation."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def host(array: Any) -> Any:
    """An array as NumPy's; of one that lies on several processes, the parts of all.

    Only measurements and what has their shape lie so, and only the end of a run asks for them here.
    """
    if not isinstance(array, jax.Array) or array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    from jax.experimental.multihost_utils import process_allgather

    return process_allgather(array, tiled=True)


def to_numpy(tree: Any) -> Any:
    """Every array leaf as a NumPy array (scalars as NumPy scalars)."""
    return jax.tree.map(lambda x: host(x)[()] if isinstance(x, jax.Array) else x, tree)


#: Values of a setting that watch nothing.
_IDLE = (None, False, "allow", "standard")
#: Watches of a caller: the setting, and the context that lifts it.
_WATCHES: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("jax_debug_nans", lambda: jax.debug_nans(False)),
    ("jax_debug_infs", lambda: jax.debug_infs(False)),
    ("jax_numpy_dtype_promotion", lambda: jax.numpy_dtype_promotion("standard")),
    ("jax_transfer_guard_host_to_device", lambda: jax.transfer_guard_host_to_device("allow")),
    ("jax_transfer_guard_device_to_host", lambda: jax.transfer_guard_device_to_host("allow")),
    ("jax_transfer_guard_device_to_device", lambda: jax.transfer_guard_device_to_device("allow")),
)


def float64() -> contextlib.AbstractContextManager[Any]:
    """Compute in float64, and lift what watches NaN, types, transfers; free where unset."""
    watched = [lift for name, lift in _WATCHES if getattr(jax.config, name) not in _IDLE]
    if not watched:
        return jax.enable_x64(True)
    stack = contextlib.ExitStack()
    for context in (jax.enable_x64(True), *(lift() for lift in watched)):
        stack.enter_context(context)
    return stack


def double(function: F) -> F:
    """Run ``function`` eagerly inside the float64 context and hand back NumPy values."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with float64():
            return to_numpy(function(*args, **kwargs))

    return wrapper  # pyright: ignore[reportReturnType]


def entry(function: F) -> F:
    """Make ``function`` of arrays a public entry point: compiled, float64 in, NumPy out.

    Arguments must be arrays, floats or modules.  When one of them is a tracer the plain function
    runs, so the same method serves inside compiled loops.
    """
    compiled = jax.jit(function)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if traced(args, kwargs):
            return function(*args, **kwargs)
        with float64():
            return to_numpy(compiled(*args, **kwargs))

    return wrapper  # pyright: ignore[reportReturnType]


#: Names of the ways to compute: all in float64, or a search in float32 whose end is in float64.
PRECISIONS = ("float64", "mixed")


def precision_of(word: Any) -> str:
    """The name of a precision, checked."""
    if isinstance(word, str) and word in PRECISIONS:
        return word
    must = "'float64', or 'mixed' for a search in float32 that ends in float64"
    raise InvalidInput("precision", describe(word), must)


#: Types of single precision by those of double.
_SINGLE = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}


def single(tree: Any) -> Any:
    """Array leaves of double precision in single; all others as they are."""

    def cast(leaf: Any) -> Any:
        array = isinstance(leaf, (np.ndarray, np.generic, jax.Array))
        kind = _SINGLE.get(leaf.dtype) if array else None
        return leaf if kind is None else leaf.astype(kind)

    # What it cannot hold becomes infinite: the run diverges, which its caller sees.
    with np.errstate(over="ignore"):
        return jax.tree.map(cast, tree)


def on_device(tree: Any) -> Any:
    """Array leaves moved to the device once, so that repeated calls do not copy them.

    On the CPU an array whose data are aligned to 64 bytes is not even copied once.  Only for use
    inside the float64 context: what this returns must not leave it.
    """
    leaves, structure = jax.tree.flatten(tree)
    hosted = [k for k, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray)]
    # One call for all: each costs as much as a small product.
    for k, moved in zip(hosted, jax.device_put([leaves[k] for k in hosted]), strict=True):
        leaves[k] = moved
    return jax.tree.unflatten(structure, leaves)
