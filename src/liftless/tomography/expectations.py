"""Expectation values of Pauli strings as callers have them, checked, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import as_text, describe
from liftless._errors import InvalidInput
from liftless.operators.pauli_strings import letters_of
from liftless.tomography.counts import few_qubits, order_of

#: Deviation from one of the identity's value that is round-off.
ROUND_OFF = 1e-6
#: Standard errors that a value may be beyond ±1.
BEYOND = 6.0


@dataclass(frozen=True)
class Expectations:
    """Mean values of Pauli strings.

    Attributes
    ----------
    words : tuple of str
        Qubit 0 first; without the identity.
    values : array of shape (m,)
    shots : array of shape (m,) or None
        Outcomes of ±1 that a value is the mean of.
    errors : array of shape (m,) or None
        Standard errors, where there are no shots.
    """

    words: tuple[str, ...]
    values: Float[np.ndarray, " m"]
    shots: Float[np.ndarray, " m"] | None
    errors: Float[np.ndarray, " m"] | None

    @property
    def qubits(self) -> int:
        """Qubits."""
        return len(self.words[0])

    def variance(self, p: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Variance of values of which the true ones are thought to be these.

        That of a mean of N outcomes of ±1, with half an outcome more: a value of one has some too.
        """
        if self.errors is not None:
            return self.errors**2
        assert self.shots is not None
        p = np.clip(p, -1.0, 1.0)
        return (1 - p * p + 2 / self.shots) / self.shots


def expectations_of(
    expectations: Any, paulis: Any, shots: Any, errors: Any, order: Any
) -> Expectations:
    """Check everything that is said of expectation values.

    Raises
    ------
    InvalidInput
        By the name of the argument.
    """
    step = 1 if order_of(order) == "big" else -1
    if isinstance(expectations, Mapping):
        if paulis is not None:
            raise InvalidInput("paulis", "given beside a dictionary", "left out")
        given = [str(word) for word in expectations]
        values = _numbers("expectations", list(expectations.values()), len(given))
    else:
        if paulis is None:
            must = "given with an array of expectations: one string of I, X, Y, Z a value"
            raise InvalidInput("paulis", "left out", must, "Or pass a dictionary.")
        given = [as_text(word) for word in np.atleast_1d(np.asarray(paulis)).tolist()]
        values = _numbers("expectations", expectations, len(given))
    words = [word[::step] for word in _words(given)]
    n, sigma = _uncertainty(shots, errors, given)
    return _kept(words, values, n, sigma)


def _words(given: list[str]) -> list[str]:
    if not given:
        raise InvalidInput("expectations", "empty", "a dictionary of Pauli strings and values")
    few_qubits("paulis", letters_of(given, "paulis").shape[1])
    return [word.strip() for word in given]


def _numbers(name: str, value: Any, m: int) -> Float[np.ndarray, " m"]:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "fiu" or array.shape != (m,):
        raise InvalidInput(name, describe(value), f"{m} real numbers, one a Pauli string")
    if not np.all(np.isfinite(array)):
        raise InvalidInput(name, "not finite", "free of NaN and infinity")
    return array.astype(float)


def _uncertainty(
    shots: Any, errors: Any, given: list[str]
) -> tuple[Float[np.ndarray, " m"] | None, Float[np.ndarray, " m"] | None]:
    """Shots or standard errors, one of which there must be, as arrays."""
    if (shots is None) == (errors is None):
        was = "left out, and errors too" if shots is None else "given beside errors"
        must = "given with expectations, or errors: the shots or the standard error of each"
        raise InvalidInput("shots", was, must)
    name, value = ("shots", shots) if errors is None else ("errors", errors)
    if isinstance(value, Mapping):
        missing = [word for word in given if word not in value]
        if missing:
            raise InvalidInput(name, f"without {missing[0]!r}", "given for every Pauli string")
        value = [value[word] for word in given]
    array = np.asarray(value)
    if array.ndim == 0 and array.dtype.kind in "fiu":
        array = np.full(len(given), array)
    array = _numbers(name, array, len(given))
    least = 1.0 if name == "shots" else 0.0
    if np.any(array < least) or np.any(array <= 0):
        raise InvalidInput(name, f"{array.min():g}", ">= 1" if name == "shots" else "> 0")
    return (array, None) if name == "shots" else (None, array)


def _kept(
    words: list[str],
    values: Float[np.ndarray, " m"],
    shots: Float[np.ndarray, " m"] | None,
    errors: Float[np.ndarray, " m"] | None,
) -> Expectations:
    """Values within their range, without the identity's, each string once."""
    identity = np.array([set(word) == {"I"} for word in words])
    if np.any(np.abs(values[identity] - 1) > ROUND_OFF):
        was = f"{values[identity][0]:g} for the identity"
        raise InvalidInput("expectations", was, "1 there, the trace of a state")
    room = ROUND_OFF if errors is None else ROUND_OFF + BEYOND * errors
    wide = np.flatnonzero(np.abs(values) > 1 + room)
    if wide.size:
        was = f"{values[wide[0]]:g} for {words[wide[0]]}"
        must = "within ±1" + ("" if errors is None else f" up to {BEYOND:g} standard errors")
        raise InvalidInput("expectations", was, must, "Divide sums of outcomes by their number.")
    if len(set(words)) < len(words):
        twice = next(word for k, word in enumerate(words) if word in words[:k])
        raise InvalidInput("paulis", f"{twice!r} more than once", "different strings")
    if identity.all():
        raise InvalidInput("expectations", "of the identity alone", "of other Pauli strings too")
    left = ~identity
    return Expectations(
        tuple(word for word, kept in zip(words, left, strict=True) if kept),
        values[left],
        None if shots is None else shots[left],
        None if errors is None else errors[left],
    )
