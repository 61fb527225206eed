"""Checks of arguments, each raising one clear message that names the argument and the cure."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput


def describe(value: Any) -> str:
    """Name a value in a few words, for messages."""
    if isinstance(value, (np.ndarray, jax.Array)):
        return f"an array of shape {tuple(value.shape)} and type {value.dtype}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def real_array(
    argument: str, value: Any, ndim: int, *, dtype: Any = np.float64, finite: bool = True
) -> Float[np.ndarray, "..."]:
    """``value`` as a real NumPy array of ``ndim`` dimensions, or :class:`InvalidInput`."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        cure = (
            "Split a complex array into its real and imaginary parts."
            if (array.dtype.kind == "c")
            else "Store it as float64."
        )
        raise InvalidInput(argument, describe(value), "an array of real numbers", cure)
    if array.ndim != ndim:
        raise InvalidInput(
            argument, describe(array), f"{ndim}-dimensional", "Reshape it, or add the missing axis."
        )
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
) -> float:
    """``value`` as a finite float, above or at least the given bound."""
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


def factor(argument: str, value: Any, n: int) -> Float[np.ndarray, "n r"]:
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
