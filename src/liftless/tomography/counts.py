"""Counts of outcomes as callers have them, checked, as one array."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless.operators.product_bases import settings_of

#: Most qubits: shadows and density matrices have 4^q numbers.
MOST = 10


@dataclass(frozen=True)
class Counts:
    """Counts by setting and outcome.

    Attributes
    ----------
    settings : integer array of shape (S, q)
        0, 1, 2 for X, Y, Z; qubit 0 first.
    n : array of shape (S, 2^q)
        Outcome bits with qubit 0 the most significant.
    """

    settings: Int[np.ndarray, "S q"]
    n: Float[np.ndarray, "S d"]

    @property
    def shots(self) -> Float[np.ndarray, " S"]:
        """Shots of each setting."""
        return np.sum(self.n, axis=1)

    @property
    def qubits(self) -> int:
        """Qubits."""
        return self.settings.shape[1]


def order_of(order: Any) -> str:
    """Order of qubits in letters and bits, checked."""
    if order not in ("big", "little"):
        cure = "Qiskit writes qubit 0 last, which is little."
        raise InvalidInput("order", describe(order), "'big' or 'little'", cure)
    return order


def counts_of(counts: Any, settings: Any, order: str) -> Counts:
    """Check counts and settings.

    Raises
    ------
    InvalidInput
        By the name of the argument.
    """
    order = order_of(order)
    if isinstance(counts, Mapping):
        if settings is not None:
            raise InvalidInput("settings", "given beside a dictionary", "left out")
        return _of_dictionary(counts, order)
    if settings is None:
        must = "given with an array of counts: one string of X, Y, Z a row"
        raise InvalidInput("settings", "left out", must)
    known = settings_of(settings)
    q = few_qubits("settings", known.shape[1])
    array = np.asarray(counts)
    if array.dtype.kind not in "fiu" or array.shape != (len(known), 2**q):
        must = f"an array of shape ({len(known)}, {2**q}): a row a setting, a column an outcome"
        raise InvalidInput("counts", describe(counts), must)
    n = array.astype(float)
    if order == "little":
        known = known[:, ::-1]
        back = n.reshape(-1, *(2,) * q).transpose(0, *range(q, 0, -1))
        n = np.ascontiguousarray(back).reshape(len(known), -1)
    return _checked(known, n)


def few_qubits(argument: str, qubits: int) -> int:
    """Refuse more qubits than a density matrix is made of."""
    if qubits > MOST:
        raise InvalidInput(argument, f"of {qubits} qubits", f"of at most {MOST}")
    return qubits


def _of_dictionary(counts: Mapping, order: str) -> Counts:
    """``{"XZ": {"01": 17, …}, …}``, letters and bits in the same order."""
    if not counts:
        raise InvalidInput("counts", "empty", "a dictionary of settings")
    words = [str(word)[:: 1 if order == "big" else -1] for word in counts]
    settings = settings_of(words)
    q = few_qubits("settings", settings.shape[1])
    n = np.zeros((len(words), 2**q))
    for k, (word, outcomes) in enumerate(counts.items()):
        if not isinstance(outcomes, Mapping):
            must = "a dictionary of bit strings and counts"
            cure = "Pass expectation values as expectations=."
            raise InvalidInput(f"counts[{word!r}]", describe(outcomes), must, cure)
        for bits, count in outcomes.items():
            text = str(bits).replace(" ", "")
            if len(text) != q or set(text) - {"0", "1"}:
                raise InvalidInput(f"counts[{word!r}]", f"of outcome {bits!r}", f"{q} bits")
            if isinstance(count, bool) or not isinstance(count, (int, float, np.number)):
                raise InvalidInput(f"counts[{word!r}]", describe(count), "numbers")
            n[k, int(text[:: 1 if order == "big" else -1], 2)] += float(count)
    return _checked(settings, n)


def _checked(settings: Int[np.ndarray, "S q"], n: Float[np.ndarray, "S d"]) -> Counts:
    if not np.all(np.isfinite(n)):
        raise InvalidInput("counts", "not finite", "free of NaN and infinity")
    if np.any(n < 0):
        raise InvalidInput("counts", f"negative (least {n.min():g})", ">= 0")
    empty = np.flatnonzero(np.sum(n, axis=1) == 0)
    if empty.size:
        must, cure = "at least one shot in every setting", "Leave settings without shots out."
        raise InvalidInput("counts", f"zero throughout setting {int(empty[0])}", must, cure)
    # The same setting twice is one with all its shots.
    unique, where = np.unique(settings, axis=0, return_inverse=True)
    if len(unique) < len(settings):
        total = np.zeros((len(unique), n.shape[1]))
        np.add.at(total, where.reshape(-1), n)
        return Counts(unique, total)
    return Counts(settings, n)
