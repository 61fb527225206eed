"""Complex Hermitian matrices Z Z*."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, Int

from liftless._checks import describe, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.linalg import extreme_eigenpairs, matrix_distance
from liftless.space.base import Directions, Factor, Other, Space, rows_of, widened


@dataclass(frozen=True)
class Hermitian(Space):
    """M = Z Z*, complex Hermitian, positive semidefinite, of order n; X = [Re Z; Im Z].

    Parameters
    ----------
    order : int
        Of the matrix; X has twice as many rows.

    Notes
    -----
    On X an A*(y) is the real form [[Re, −Im], [Im, Re]] of a Hermitian matrix: each eigenvalue
    comes twice, with eigenvectors that are i times each other, and only one of the two counts.
    """

    order: int
    name = "hermitian"
    formula = "Z Z*"
    spectrum_name = "eigenvalue"
    semidefinite = True

    def __post_init__(self) -> None:
        positive_int("order", self.order)

    @property
    def n(self) -> int:
        """Rows of X: twice the order."""
        return 2 * self.order

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.order, self.order

    def complex(self, X: Float[AnyArray, "n r"]) -> Any:
        """Z of X, a complex array of shape (o, r); traceable."""
        return X[: self.order] + 1j * X[self.order :]

    def real(self, Z: Complex[AnyArray, "o r"]) -> Any:
        """X of Z, a real array of shape (2o, r); traceable."""
        if isinstance(Z, np.ndarray):
            return np.concatenate([np.real(Z), np.imag(Z)])
        return jnp.concatenate([jnp.real(Z), jnp.imag(Z)])

    def matrix(self, X: Factor) -> np.ndarray:
        """Z Z*."""
        Z = self.complex(X)
        return Z @ Z.conj().T

    def entries(self, X: Factor, i: Any, j: Any) -> np.ndarray:
        """See :meth:`Space.entries`; complex."""
        Z = self.complex(X)
        return np.sum(Z[i] * Z[j].conj(), axis=-1)

    def distance(self, X: Factor, Y: Other) -> float:
        """See :meth:`Space.distance`."""
        return matrix_distance(self.complex(X), self.complex(Y))

    def spectrum(self, X: Factor) -> Float[np.ndarray, " k"]:
        """Eigenvalues of Z Z*."""
        return np.linalg.svd(self.complex(X), compute_uv=False) ** 2

    @property
    def most_columns(self) -> int:
        """Order of Z Z*."""
        return self.order

    def truncate(self, X: Float[np.ndarray, "n p"], rank: int) -> Factor:
        """See :meth:`Space.truncate`; the entry of largest modulus of each column positive."""
        U, s, _ = np.linalg.svd(self.complex(X), full_matrices=False)
        k = min(rank, s.size)
        return widened(self.real(_fixed_phases(U[:, :k]) * s[:k]), rank)

    def degrees_of_freedom(self, rank: int) -> int:
        """Return 2 n r − r²."""
        k = min(rank, self.order)
        return 2 * self.order * k - k * k

    def gauge(self, X: Factor) -> Directions:
        """Z Ω for skew-Hermitian Ω."""
        Z = self.complex(X)
        r = Z.shape[1]
        out = []
        for a in range(r):
            for b in range(a + 1):
                D = np.zeros_like(Z)
                D[:, a] += 1j * Z[:, b]
                if b < a:
                    D[:, b] += 1j * Z[:, a]
                    skew = np.zeros_like(Z)
                    skew[:, a], skew[:, b] = Z[:, b], -Z[:, a]
                    out.append(self.real(skew))
                out.append(self.real(D))
        return np.array(out)

    def change(
        self, directions: Directions, X: Factor, i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """See :meth:`Space.change`."""
        Z = self.complex(X)
        D = directions[:, : self.order] + 1j * directions[:, self.order :]
        moved = np.einsum("dkr,kr->dk", D[:, i], Z[j].conj())
        moved = moved + np.einsum("kr,dkr->dk", Z[i], D[:, j].conj())
        return np.sqrt(np.sum(np.abs(moved) ** 2, axis=0))

    def pataki(self, measurements: int) -> int:
        """Largest r with r² <= m."""
        return math.isqrt(measurements)

    def rotated(self, X: Float[AnyArray, "n p"]) -> tuple[AnyArray, AnyArray]:
        """See :meth:`Space.rotated`; by a unitary matrix."""
        U, s, _ = jnp.linalg.svd(self.complex(X), full_matrices=False)
        turned, lengths = self.real(U * s[None, :]), s
        # A wide real array may have more columns than the complex rank can fill.
        missing = X.shape[1] - s.shape[0]
        return jnp.pad(turned, ((0, 0), (0, missing))), jnp.pad(lengths, (0, missing))

    def leading(self, matrix: Float[AnyArray, "n n"], k: int) -> Float[AnyArray, "n k"]:
        """See :meth:`Space.leading`."""
        vectors = jnp.linalg.eigh(self._joined(matrix))[1]
        return self.real(vectors[:, ::-1][:, :k])

    def _joined(self, matrix: Float[AnyArray, "n n"]) -> Complex[AnyArray, "o o"]:
        """Hermitian matrix of its real form."""
        left = matrix[:, : self.order]
        whole = left[: self.order] + 1j * left[self.order :]
        return (whole + whole.conj().T) / 2

    def turned(self, u: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], ...]:
        """See :meth:`Space.turned`: u and i u."""
        return u, np.concatenate([-u[self.order :], u[: self.order]])

    def eigenpairs(
        self,
        product: Callable[[np.ndarray], np.ndarray],
        k: int,
        which: str = "lowest",
        accuracy: float = 0.0,
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "n k"]]:
        """See :meth:`Space.eigenpairs`; over the complex numbers, so that none comes twice."""

        def of_complex(W: np.ndarray) -> np.ndarray:
            return self.complex(np.asarray(product(self.real(np.asarray(W, complex)))))

        values, vectors = extreme_eigenpairs(
            of_complex, self.order, k, which, accuracy, dtype=np.complex128
        )
        return values, self.real(_fixed_phases(vectors))

    def pack(self, factor: Any, argument: str = "factor") -> Factor:
        """Take Z of shape (n, r), complex or real, or the array X of shape (2n, r)."""
        try:
            Z = np.asarray(factor)
        except ValueError:
            Z = np.asarray(None)
        if Z.dtype.kind in "fiub" and Z.ndim == 2 and Z.shape[0] == self.n != self.order:
            return real_array(argument, Z, 2)
        if Z.dtype.kind not in "fiubc" or Z.ndim != 2 or not np.isfinite(Z).all():
            raise InvalidInput(argument, describe(factor), "a finite complex array (n, r)")
        return self.real(rows_of(Z.astype(complex), self.order, argument))

    def unpack(self, X: Factor) -> Complex[np.ndarray, "o r"]:
        """Return Z."""
        return self.complex(X)

    def line_of(self, k: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
        """See :meth:`Space.line_of`."""
        return np.asarray(k) % self.order

    @property
    def lines(self) -> int:
        """Rows of Z."""
        return self.order

    def describe(self) -> str:
        """Return the order."""
        return f"of order {self.order}"


def _fixed_phases(vectors: Complex[np.ndarray, "o k"]) -> Complex[np.ndarray, "o k"]:
    """Turn columns so that the entry of largest modulus of each is positive."""
    rows = np.argmax(np.abs(vectors), axis=0)
    there = vectors[rows, np.arange(vectors.shape[1])]
    size = np.abs(there)
    phase = np.where(size > 0, there / np.where(size > 0, size, 1.0), 1.0)
    return vectors / phase
