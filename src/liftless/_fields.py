"""Plain numbers in fields, and the arrays they become where compiled code begins.

A hyper-parameter is a Python number, so that it prints and compares.  Handed to compiled code as
it is, it would be traced too, but as another type than the array of the same value, and ``None``
would be another program.  :func:`traced_fields` makes one kind of everything: another step size,
or a tolerance left out, is then no other program.
"""

import dataclasses
from typing import Any, TypeVar

import equinox as eqx
import numpy as np

T = TypeVar("T")

_KIND, _ABSENT, _WORDS = "traced", "absent", "words"


def number(
    kind: Any = np.float64,
    *,
    absent: float | None = None,
    words: dict[str, float | None] | None = None,
) -> Any:
    """Declare a field whose plain number becomes an array of ``kind``.

    Parameters
    ----------
    kind : numpy type
        ``np.float64`` stands for the floating type of the computation.  Counts are best declared
        so too, since they meet floats there.
    absent : float, optional
        What stands for ``None``.
    words : dict, optional
        What stands for a word that the field may hold.
    """
    return eqx.field(metadata={_KIND: kind, _ABSENT: absent, _WORDS: words or {}})


def traced_fields(module: T, dtype: Any = np.float64) -> T:
    """Return the module with 0-d NumPy arrays in place of the plain numbers in its fields.

    Parameters
    ----------
    module : equinox.Module
        Anything else is returned as it is.  Modules in its fields are treated alike; arrays,
        static fields, and integers not declared by :func:`number` stay.
    dtype : numpy type
        Of floats.
    """
    if not isinstance(module, eqx.Module):
        return module
    twin = object.__new__(type(module))
    for f in dataclasses.fields(module):
        if f.name in module.__dict__:
            value = module.__dict__[f.name]
            value = value if f.metadata.get("static", False) else _array(value, f.metadata, dtype)
            object.__setattr__(twin, f.name, value)
    return twin


def _array(value: Any, metadata: Any, dtype: Any) -> Any:
    kind = metadata.get(_KIND)
    kind = dtype if kind is np.float64 else kind
    if isinstance(value, str):
        value = metadata.get(_WORDS, {}).get(value, value)
    if value is None and metadata.get(_ABSENT) is not None:
        return np.asarray(metadata[_ABSENT], kind)
    if isinstance(value, bool):
        return np.asarray(value)
    if isinstance(value, int):
        return value if kind is None else np.asarray(value, kind)
    if isinstance(value, float):
        return np.asarray(value, dtype if kind is None else kind)
    return traced_fields(value, dtype)
