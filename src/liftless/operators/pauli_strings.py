"""Expectation values of Pauli strings, by one Walsh–Hadamard transform for all of one flip."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, Inexact, Int

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless._memory import check_memory
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator, rows_of, with_fields
from liftless.operators.words import places_of
from liftless.space import Hermitian

#: Letters of a string; the second half of them flips its qubit.
LETTERS = "IZXY"
#: Most qubits: flips and signs are 32-bit integers.
MOST = 30
#: Qubits that one product of a transform takes at most.
BLOCK = 5
#: Numbers of a factor's products that are computed at once.
AT_ONCE = 2**18


class PauliStrings(SensingOperator):
    """A(Z Z*)_i = tr(P_i Z Z*) for strings P_i of the letters I, X, Y and Z.

    A string flips the qubits of its X and Y and signs those of its Y and Z, up to a power of i.
    Strings of the same flips share one transform: with g kinds of flips an application takes
    g (n r + n log n) multiply-adds of the n = 2^q rows, whatever the number of strings, and g n
    numbers.  No string is ever a matrix.

    Parameters
    ----------
    words : sequence of str
        A letter a qubit, qubit 0 first; it is the most significant bit of a row of Z.

    Raises
    ------
    InvalidInput
        No string, another letter, or strings of different lengths.
    """

    flips: Int[AnyArray, " g"]
    group: Int[AnyArray, " m"]
    signs: Int[AnyArray, " m"]
    turns: Int[AnyArray, " m"]
    qubits: int = eqx.field(static=True)

    def __init__(self, words: Any) -> None:
        letters = letters_of(words)
        self.qubits = letters.shape[1]
        bits = 1 << np.arange(self.qubits)[::-1]
        flips, signs = (letters >= 2) @ bits, (letters % 2) @ bits
        found, group = np.unique(flips, return_inverse=True)
        needed = 64.0 * found.size * 2**self.qubits
        was = f"of {self.qubits} qubits and {found.size} kinds of flips"
        check_memory("words", was, needed, "Measure fewer strings, or fewer qubits.")
        self.flips, self.group = found.astype(np.int32), group.reshape(-1).astype(np.int32)
        self.signs = signs.astype(np.int32)
        self.turns = (np.sum(letters == 3, axis=1) % 4).astype(np.int32)

    @property
    def order(self) -> int:
        """2^q."""
        return 2**self.qubits

    @property
    def space(self) -> Hermitian:
        """Hermitian matrices of order 2^q."""
        return Hermitian(self.order)

    @property
    def m(self) -> int:
        """Number of strings."""
        return self.signs.shape[0]

    def _phases(self, dtype: Any) -> Complex[AnyArray, " m"]:
        kind = jnp.promote_types(dtype, jnp.complex64)
        return jnp.asarray(np.array([1, 1j, -1, -1j]), kind)[jnp.asarray(self.turns)]

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        Z, W = self.space.complex(jnp.asarray(U)), self.space.complex(jnp.asarray(V))
        rows = jnp.arange(self.order)

        def one(flip: AnyArray) -> AnyArray:
            # Entry x is Σ_k Z[x, k] conj(W[x ⊕ flip, k]).
            products = jnp.sum(Z * jnp.conj(W[rows ^ flip]), axis=1)
            return walsh_hadamard(products)

        most = max(1, AT_ONCE // Z.size)
        sums = jax.lax.map(one, jnp.asarray(self.flips), batch_size=most)
        picked = sums[jnp.asarray(self.group), jnp.asarray(self.signs)]
        return jnp.real(self._phases(jnp.real(Z).dtype) * picked)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`."""
        Z, rows = self.space.complex(jnp.asarray(V)), jnp.arange(self.order)
        signs = self._signs(y)

        def add(total: AnyArray, one: tuple) -> tuple[AnyArray, None]:
            flip, sign = one
            return total + (sign[:, None] * Z)[rows ^ flip], None

        W, _ = jax.lax.scan(add, jnp.zeros_like(Z), (jnp.asarray(self.flips), signs))
        return self.space.real(W)

    def _signs(self, y: Float[AnyArray, " m"]) -> Complex[AnyArray, "g o"]:
        """Entry (x ⊕ flip, x) of A*(y) for every kind of flips and every x."""
        y = jnp.asarray(y)
        turned = y * self._phases(y.dtype)
        empty = jnp.zeros((self.flips.shape[0], self.order), turned.dtype)
        place = (jnp.asarray(self.group), jnp.asarray(self.signs))
        return walsh_hadamard(empty.at[place].add(turned))

    def hermitian(self, y: Float[np.ndarray, " m"]) -> Complex[np.ndarray, "o o"]:
        """Σ y_i P_i as a matrix, for few qubits."""
        signs, rows = np.asarray(self._signs(y)), np.arange(self.order)
        H = np.zeros((self.order, self.order), complex)
        for flip, sign in zip(np.asarray(self.flips), signs, strict=True):
            H[rows ^ flip, rows] = sign
        return H

    def cost(self, columns: int) -> float:
        """A product of columns and a transform for every kind of flips."""
        return float(self.flips.shape[0] * self.order) * (4 * columns + 2 * self.qubits)

    def subset(self, indices: Int[AnyArray, " k"]) -> "PauliStrings":
        """See :meth:`SensingOperator.subset`."""
        names = ("group", "signs", "turns")
        return with_fields(self, **{name: rows_of(getattr(self, name), indices) for name in names})

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`; of the matrices that act on the array X."""
        return jnp.full(self.m, 2.0 * self.order)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Return the identity's place, if it is among the strings."""
        flips = np.asarray(self.flips)[np.asarray(self.group)]
        whole = (flips == 0) & (np.asarray(self.signs) == 0)
        return whole / whole.sum() if whole.any() else None


def walsh_hadamard(values: Inexact[AnyArray, "... n"]) -> Inexact[AnyArray, "... n"]:
    """Σ_x (−1)^{b·x} of the last axis at every b, its length a power of two; traceable.

    By products with Hadamard matrices of at most 2^5 rows, one for so many bits.
    """
    shape = values.shape
    left, before = shape[-1].bit_length() - 1, 1
    while left:
        bits = min(left, BLOCK)
        H = np.ones((1, 1))
        for _ in range(bits):
            H = np.kron(H, np.array([[1.0, 1.0], [1.0, -1.0]]))
        values = values.reshape(*shape[:-1], before, 2**bits, -1)
        values = jnp.einsum("ij,...ajb->...aib", jnp.asarray(H, values.dtype), values)
        left, before = left - bits, before * 2**bits
    return values.reshape(shape)


def letters_of(words: Any, argument: str = "words") -> Int[np.ndarray, "m q"]:
    """Strings as numbers: 0 to 3 for I, Z, X and Y, a row a string."""
    must = "strings of I, X, Y and Z, one letter a qubit, all of one length"
    array = np.asarray(words)
    if isinstance(words, str) or array.dtype.kind not in "US" or array.ndim != 1 or not array.size:
        raise InvalidInput(argument, describe(words), must, "Write [word] for one.")
    letters = places_of(argument, array, LETTERS, must)
    if letters.shape[1] > MOST:
        raise InvalidInput(argument, f"of {letters.shape[1]} qubits", f"of at most {MOST}")
    return letters
