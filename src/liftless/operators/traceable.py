"""Whether an operator can be traced: made of JAX operations, and of the shape that it says."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import equinox as eqx
import jax
import numpy as np

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless._precision import float64
from liftless.operators.base import SensingOperator


@contextmanager
def numpy_code_refused(argument: str) -> Iterator[None]:
    """Say in one line that traced code is not made of JAX operations, and what to do."""
    try:
        yield
    except (
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
        jax.errors.ConcretizationTypeError,
        jax.errors.NonConcreteBooleanIndexError,
    ) as error:
        cause = "NumPy code" if "Array" in type(error).__name__ else "Python control flow on values"
        cure = "Write it with jax.numpy, or pass NumPy functions to BlackBoxOperator."
        raise InvalidInput(
            argument, f"a function with {cause} in it", "made of JAX operations", cure
        ) from error


def check_traceable(operator: SensingOperator) -> None:
    """Trace ``measure`` once for a kind and shape of operator.

    Raises
    ------
    InvalidInput
        NumPy code in it, a result that is no real array of shape (m,), or a field that cannot be
        traced.
    """
    leaves, structure = jax.tree.flatten(operator)
    for leaf in leaves:
        if not eqx.is_array_like(leaf):
            was = f"{type(operator).__name__} with a field that is no array, {describe(leaf)}"
            cure = "Declare it as eqx.field(static=True)."
            raise InvalidInput("operator", was, "a module of arrays and static fields", cure)
    shapes = tuple((np.shape(leaf), np.dtype(jax.dtypes.result_type(leaf)).name) for leaf in leaves)
    _traced(structure, shapes, operator.n, operator.m)


@functools.lru_cache(maxsize=256)
def _traced(structure: Any, shapes: tuple, n: int, m: int) -> None:
    with float64():
        leaves = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes]
        X = jax.ShapeDtypeStruct((n, 1), np.float64)
        with numpy_code_refused("operator.measure"):
            out: Any = jax.eval_shape(
                lambda leaves, U, V: jax.tree.unflatten(structure, leaves).measure(U, V),
                leaves,
                X,
                X,
            )
    if getattr(out, "shape", None) != (m,) or not np.issubdtype(out.dtype, np.floating):
        what = f"of shape {out.shape} and type {out.dtype}" if hasattr(out, "shape") else "no array"
        must = f"one that returns real numbers of shape ({m},)"
        raise InvalidInput("operator.measure", f"a method whose result is {what}", must)
