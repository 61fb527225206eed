"""Checks of arguments, each raising one clear message that names the argument and the cure.

What a caller's transformation traces has a shape and a type, but no value: it is checked for the
first two and passed on as it is.
"""

import math
from typing import Any, cast

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from liftless._errors import InvalidInput
from liftless._memory import check_memory


def is_traced(value: Any) -> bool:
    """Whether a value is known to a caller's ``jit``, ``vmap`` or ``grad`` only."""
    return isinstance(value, jax.core.Tracer)


def describe(value: Any) -> str:
    """Name a value in a few words, for messages."""
    if isinstance(value, (np.ndarray, jax.Array)):
        return f"an array of shape {tuple(value.shape)} and type {value.dtype}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def as_text(word: Any) -> str:
    """A word that a file may hold as bytes."""
    return word.decode("latin-1") if isinstance(word, bytes) else str(word)


def real_array(
    argument: str, value: Any, ndim: int, *, dtype: Any = np.float64, finite: bool = True
) -> Any:
    """``value`` as a real NumPy array of ``ndim`` dimensions, or :class:`InvalidInput`.

    A traced one stays traced, and its floating type is the caller's.  Anything that NumPy takes for
    an array is one, a data frame too; a sparse matrix of SciPy's is made dense if that fits.
    """
    if is_traced(value):
        return _traced_array(argument, value, ndim, dtype)
    if np.ma.isMaskedArray(value) and np.any(np.ma.getmaskarray(value)):
        was = f"masked in {int(np.sum(np.ma.getmaskarray(value)))} places"
        cure = "Leave those measurements out, or give them weight 0."
        raise InvalidInput(argument, was, "without masked values", cure)
    if callable(getattr(value, "toarray", None)) and hasattr(value, "nnz"):
        check_memory(argument, describe(value), 8 * math.prod(value.shape))
        value = cast(Any, value).toarray()
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    _check_real(argument, value, array, ndim)
    array = np.asarray(array, dtype=dtype, order="C")
    if finite and not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidInput(
            argument,
            f"not finite at index {where}",
            "free of NaN and infinity",
            "Drop those measurements or repair the data.",
        )
    return array


def complex_array(argument: str, value: Any, ndim: int) -> Any:
    """``value`` as a finite complex array of ``ndim`` dimensions, or :class:`InvalidInput`."""
    if is_traced(value):
        return value if value.dtype.kind == "c" else jnp.asarray(value, complex)
    array = np.asarray(value)
    if array.dtype.kind != "c":
        return real_array(argument, value, ndim).astype(np.complex128)
    parts = [real_array(argument, part, ndim) for part in (np.real(array), np.imag(array))]
    return parts[0] + 1j * parts[1]


def _check_real(argument: str, value: Any, array: Any, ndim: int) -> None:
    """Real numbers in ``ndim`` dimensions, as ``array`` has them; ``value`` is what was given."""
    if array.dtype.kind not in "fiub":
        cure = (
            "A complex Hermitian matrix is recovered with ComplexRankOneOperator or "
            "HermitianOperator, or any operator with space=liftless.Hermitian(n)."
            if (array.dtype.kind == "c")
            else "Store it as float64."
        )
        raise InvalidInput(argument, describe(value), "an array of real numbers", cure)
    if array.ndim != ndim:
        cure = "Reshape it, or add the missing axis."
        raise InvalidInput(argument, describe(array), f"{ndim}-dimensional", cure)


def _traced_array(argument: str, value: Any, ndim: int, dtype: Any) -> Any:
    """Check the shape and type of a traced array; integers become ``dtype``, floats stay."""
    _check_real(argument, value, value, ndim)
    kind = np.dtype(dtype).kind
    return value if value.dtype.kind == kind else jnp.asarray(value, jnp.result_type(dtype))


def traced_whole(argument: str, value: Any, *, least: int = 1, most: int | None = None) -> Any:
    """Like :func:`positive_int`, for a number that compiled code may leave open: also traced."""
    if is_traced(value) and value.shape == () and value.dtype.kind in "iu":
        return value
    return positive_int(argument, value, least=least, most=most)


def positive_int(argument: str, value: Any, *, least: int = 1, most: int | None = None) -> int:
    """``value`` as an int within [least, most], or :class:`InvalidInput`."""
    bound = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidInput(argument, describe(value), bound)
    if value < least or (most is not None and value > most):
        raise InvalidInput(argument, int(value), bound)
    return int(value)


def real_number(
    argument: str, value: Any, *, above: float | None = None, least: float | None = None
) -> Any:
    """``value`` as a finite float, above or at least the given bound; traced, as it is."""
    if is_traced(value) and value.shape == () and value.dtype.kind in "fiu":
        return value
    bound = "a finite number"
    if above is not None:
        bound = f"a finite number > {above:g}"
    if least is not None:
        bound = f"a finite number >= {least:g}"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidInput(argument, describe(value), bound) from None
    low = (above is not None and number <= above) or (least is not None and number < least)
    if not np.isfinite(number) or low:
        raise InvalidInput(argument, number, bound)
    return number


def factor(argument: str, value: Any, n: int) -> Any:
    """``value`` as a factor of shape (n, r)."""
    array = real_array(argument, value, 2)
    if array.shape[0] != n or array.shape[1] < 1:
        raise InvalidInput(
            argument,
            describe(array),
            f"of shape ({n}, r) with r >= 1",
            "Transpose it if its rows are columns.",
        )
    return array
