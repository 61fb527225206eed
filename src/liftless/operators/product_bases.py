"""Outcome probabilities of qubits measured in product bases, by one small product a qubit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, Int

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.complex_amplitudes import ComplexAmplitudes
from liftless.operators.words import places_of
from liftless.space import Hermitian

#: Letters of the bases, and eigenvectors of each Pauli matrix as rows ⟨v|: + first, then −.
LETTERS = "XYZ"
_ROOT = np.sqrt(0.5)
VECTORS = np.array(
    [
        [[_ROOT, _ROOT], [_ROOT, -_ROOT]],
        [[_ROOT, -1j * _ROOT], [_ROOT, 1j * _ROOT]],
        [[1, 0], [0, 1]],
    ]
)


class ProductBases(ComplexAmplitudes):
    """A(Z Z*) = probabilities of all outcomes in each setting, ⟨v| Z Z* |v⟩ of product vectors v.

    Row s 2^q + o is outcome o of setting s; bit k of o, counted from the most significant one, is
    the outcome of qubit k, 0 for the eigenvalue +1.  The transform to a setting is unitary, so that
    the map to amplitudes has orthogonal columns.  An application takes 2 q multiply-adds an
    amplitude, and forms neither Z Z* nor a matrix of the settings.

    Parameters
    ----------
    settings : sequence of str, or integer array of shape (S, q)
        A letter X, Y or Z (0, 1 or 2) a qubit.

    Raises
    ------
    InvalidInput
        No setting, another letter, or settings of different lengths.
    """

    settings: Int[AnyArray, "S q"]

    def __init__(self, settings: Any) -> None:
        self.settings = settings_of(settings)

    @property
    def qubits(self) -> int:
        """Qubits of a setting."""
        return self.settings.shape[1]

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
        """Outcomes of all settings."""
        return self.settings.shape[0] * self.order

    @property
    def share(self) -> float:
        """One over the number of settings."""
        return 1.0 / self.settings.shape[0]

    def _bases(self, dtype: Any) -> Complex[AnyArray, "S q two two"]:
        kind = jnp.promote_types(dtype, jnp.complex64)
        return jnp.asarray(VECTORS, kind)[jnp.asarray(self.settings)]

    def rows(self, X: Float[AnyArray, "n r"]) -> Complex[AnyArray, "m r"]:
        """Amplitudes ⟨v|Z of all outcomes."""
        X = jnp.asarray(X)
        Z = self.space.complex(X)
        bases, S = self._bases(X.dtype), self.settings.shape[0]
        A = _turned(bases, jnp.broadcast_to(Z[None], (S, *Z.shape)))
        return A.reshape(-1, Z.shape[1])

    def back(self, P: Complex[AnyArray, "m r"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows` over the real numbers."""
        P = jnp.asarray(P)
        bases, S, r = self._bases(jnp.real(P).dtype), self.settings.shape[0], P.shape[1]
        adjoint = jnp.conj(jnp.swapaxes(bases, 2, 3))
        A = _turned(adjoint, P.reshape(S, self.order, r))
        return self.space.real(jnp.sum(A, axis=0))

    def gram(self) -> Float[np.ndarray, " n"]:
        """The number of settings, everywhere."""
        return np.full(2 * self.order, float(self.settings.shape[0]))

    def multiplicity(self) -> None:
        """Nothing: a row stands for one reading."""
        return

    def scrambled(self) -> bool:
        """Return False: product bases keep the qubits apart."""
        return False

    def cost(self, columns: int) -> float:
        """Two complex multiply-adds a qubit and amplitude."""
        return 8.0 * self.qubits * self.m * columns

    def lengths(self) -> Float[AnyArray, " m"]:
        """One: the vectors are of length one."""
        return jnp.ones(self.m)

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`; of the matrices that act on the array X."""
        return jnp.full(self.m, 2.0)

    def positive_combination(self) -> Float[np.ndarray, " m"]:
        """Return w = 1, of which A* is a multiple of the identity."""
        return np.ones(self.m)


def _turned(
    bases: Complex[AnyArray, "S q two two"], A: Complex[AnyArray, "S d r"]
) -> Complex[AnyArray, "S d r"]:
    """A 2 × 2 product on every qubit of every setting.

    Each takes the first bit away and gives one back at the end, so that all are one program;
    written out they take a quarter of the time of batched products.
    """
    S, d, r = A.shape

    def one(A: AnyArray, b: AnyArray) -> tuple[AnyArray, None]:
        A = A.reshape(S, 2, d // 2, r)
        b = b[:, :, :, None, None]
        rows = [b[:, i, 0] * A[:, 0] + b[:, i, 1] * A[:, 1] for i in (0, 1)]
        return jnp.stack(rows, axis=2).reshape(S, d, r), None

    return jax.lax.scan(one, A, jnp.swapaxes(bases, 0, 1))[0]


def settings_of(settings: Any) -> Int[np.ndarray, "S q"]:
    """Settings as numbers 0, 1, 2 for X, Y, Z, one row a setting."""
    must = "strings of X, Y and Z, one letter a qubit, all of one length"
    if isinstance(settings, str):
        raise InvalidInput("settings", describe(settings), must, "Write [settings] for one.")
    array = np.asarray(settings)
    if array.dtype.kind in "US" and array.ndim == 1 and array.size:
        return places_of("settings", array, LETTERS, must).astype(np.int32)
    if array.dtype.kind not in "iuf" or array.ndim != 2 or 0 in array.shape:
        raise InvalidInput("settings", describe(settings), must)
    if not np.all(np.isin(array, (0, 1, 2))):
        raise InvalidInput("settings", "of numbers beside 0, 1 and 2", must)
    return array.astype(np.int32)
