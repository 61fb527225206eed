"""Mirror images of a state: P ρ P and P ρᵀ P for Pauli strings P, which few settings cannot tell.

A Pauli string turns the outcome of a qubit around where its letter and the setting's differ, and
changes nothing else; so does the transpose for every Y.  Settings in which all these flips happen
to be of outcomes that are as likely either way leave two states that fit equally well and may be
orthogonal: the signs of a GHZ state, where every setting without a Z has an odd number of Ys.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from liftless.operators.pauli_strings import walsh_hadamard

#: Qubits up to which all Pauli strings are tried, and the most letters of those beyond.
ALL, LETTERS = 6, 2
#: Mirror images whose states are compared, and that are handed on.
COMPARED, KEPT = 256, 2
#: I, X, Y, Z by number; settings have 0, 1, 2 for X, Y, Z.
PAULI = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


@dataclass(frozen=True)
class Mirrors:
    """All mirror images that are tried.

    Attributes
    ----------
    strings : integer array of shape (k, q)
        Letters of P.
    transposed : bool array of shape (k,)
    """

    strings: Int[np.ndarray, "k q"]
    transposed: Bool[np.ndarray, " k"]

    @classmethod
    def of(cls, qubits: int) -> "Mirrors":
        """Those of so many qubits."""
        most = qubits if qubits <= ALL else LETTERS
        words = []
        for size in range(most + 1):
            for places in itertools.combinations(range(qubits), size):
                for letters in itertools.product((1, 2, 3), repeat=size):
                    word = np.zeros(qubits, np.int8)
                    word[list(places)] = letters
                    words.append(word)
        strings = np.array(words)
        return cls(np.concatenate([strings, strings]), np.repeat([False, True], len(strings)))

    def flips(self, letters: Int[np.ndarray, " q"]) -> Bool[np.ndarray, "k q"]:
        """Whether each turns the outcome of a qubit around, measured in a letter, 0 for none."""
        differ = (self.strings > 0) & (letters > 0) & (self.strings != letters)
        return differ ^ (self.transposed[:, None] & (letters == 2))

    def apply(self, k: int, Z: Complex[np.ndarray, "d r"]) -> Complex[np.ndarray, "d r"]:
        """P Z, or P times its conjugate."""
        q = self.strings.shape[1]
        A = (Z.conj() if self.transposed[k] else Z).reshape((2,) * q + (-1,))
        for place, letter in enumerate(self.strings[k]):
            A = np.moveaxis(np.tensordot(PAULI[letter], A, axes=(1, place)), 0, place)
        return A.reshape(Z.shape)

    def likely(
        self,
        losses: Float[np.ndarray, " k"],
        most: float,
        Z: Complex[np.ndarray, "d r"],
        far: float,
    ) -> Iterator[Complex[np.ndarray, "d r"]]:
        """Factors of the images of loss at most so much, unlike Z and each other, lowest first."""
        kept = [Z]
        order = np.argsort(losses, kind="stable")
        for k in order[losses[order] <= most][:COMPARED]:
            W = self.apply(int(k), Z)
            if min(1 - _overlap(W, other) for other in kept) > far:
                kept.append(W)
                yield W
            if len(kept) > KEPT:
                return


def _overlap(W: Complex[np.ndarray, "d r"], Z: Complex[np.ndarray, "d r"]) -> float:
    """Fidelity of the two low-rank states at trace one."""
    s = np.linalg.svd(W.conj().T @ Z, compute_uv=False)
    return float(np.sum(s) / (np.linalg.norm(W) * np.linalg.norm(Z))) ** 2


def flipped_sums(
    n: Float[np.ndarray, "S d"], values: Float[np.ndarray, "S d"]
) -> Float[np.ndarray, "S d"]:
    """Σ_o n[o] values[o ^ f] for every pattern f of flips: by Walsh–Hadamard transforms."""
    products = walsh_hadamard(jnp.asarray(n)) * walsh_hadamard(jnp.asarray(values))
    return np.asarray(walsh_hadamard(products)) / n.shape[1]
