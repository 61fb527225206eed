"""What a space is: the abstract class, and what its kinds share."""

import abc
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.linalg import extreme_eigenpairs

Factor = Float[np.ndarray, "n r"]
Other = Float[np.ndarray, "n s"]
Directions = Float[np.ndarray, "d n r"]

#: A singular value of X below this fraction of the largest is padding: a share of 1e-9 in X Xᵀ.
PADDING = 3e-5


class Space(abc.ABC):
    """What the array X of shape (n, r) stands for.

    A subclass is final, a frozen dataclass of whole numbers, and defines the abstract members.
    """

    #: Short name in files and messages.
    name: str
    #: What the matrix is called, and its spectrum.
    formula: str
    spectrum_name: str
    #: Whether the matrix is positive semidefinite whatever X is.
    semidefinite: bool

    @property
    @abc.abstractmethod
    def n(self) -> int:
        """Rows of the array X."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix."""

    @property
    def most_columns(self) -> int:
        """Columns of X beyond which no more matrices are reached, or no fewer stationary points."""
        return self.n

    # -- the matrix ---------------------------------------------------------------------------

    @abc.abstractmethod
    def matrix(self, X: Factor) -> np.ndarray:
        """Return the matrix that X is a factor of."""

    @abc.abstractmethod
    def entries(self, X: Factor, i: Any, j: Any) -> np.ndarray:
        """Entries (i, j) of the matrix, for index arrays of one shape; O(r) each."""

    @abc.abstractmethod
    def distance(self, X: Factor, Y: Other) -> float:
        """Frobenius distance of two matrices, without forming either."""

    def size(self, X: Factor) -> float:
        """Frobenius norm of the matrix, without forming it."""
        return self.distance(X, np.zeros_like(X))

    @abc.abstractmethod
    def spectrum(self, X: Factor) -> Float[np.ndarray, " k"]:
        """Leading eigenvalues (singular values where rectangular) of the matrix, at most r."""

    @abc.abstractmethod
    def truncate(self, X: Float[np.ndarray, "n p"], rank: int) -> Factor:
        """Factor of the nearest matrix of a rank, its columns orthogonal and largest first."""

    def reduced(self, X: Factor) -> Float[np.ndarray, "n k"]:
        """Return a factor of the same matrix with as many columns as its rank.

        Raises
        ------
        InvalidInput
            If the matrix is zero.
        """
        s = self.spectrum(X)
        if s[0] <= 0:
            raise InvalidInput("X", "zero", "a nonzero factor")
        rank = int(np.sum(s > PADDING**2 * s[0]))
        return X if rank == X.shape[1] else self.truncate(X, rank)

    # -- freedom ------------------------------------------------------------------------------

    @abc.abstractmethod
    def degrees_of_freedom(self, rank: int) -> int:
        """Dimension of the set of matrices of a rank."""

    @abc.abstractmethod
    def gauge(self, X: Factor) -> Directions:
        """Directions of X, not normalised, that change no entry of the matrix."""

    def orbit(self, X: Factor) -> Float[np.ndarray, "g N"]:
        """Orthonormal basis of the directions that do not change the matrix, one a row."""
        directions = self.gauge(X)
        return np.linalg.qr(directions.reshape(len(directions), X.size).T)[0].T

    @abc.abstractmethod
    def change(
        self, directions: Directions, X: Factor, i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """Norm of the derivatives of the entries (i, j) of the matrix along directions of X."""

    def across(self, directions: Directions, X: Factor, line: int) -> Float[np.ndarray, " lines"]:
        """:meth:`change` of the entries that a line of the matrix shares with every line."""
        every = np.arange(self.lines)
        return self.change(directions, X, np.full(self.lines, line), every)

    @abc.abstractmethod
    def pataki(self, measurements: int) -> int:
        """Rank at which, if any matrix fits so many measurements, one of that rank does."""

    # -- algebra in the right field -----------------------------------------------------------

    @abc.abstractmethod
    def rotated(self, X: Float[AnyArray, "n p"]) -> tuple[AnyArray, AnyArray]:
        """X turned so that its columns are orthogonal, largest first, and their lengths.

        Traceable; it changes the matrix no more than round-off does.
        """

    def leading(self, matrix: Float[AnyArray, "n n"], k: int) -> Float[AnyArray, "n k"]:
        """Eigenvectors of the k largest eigenvalues of A*(y) given as a dense array; traceable."""
        return jnp.linalg.eigh(matrix)[1][:, ::-1][:, :k]

    def turned(self, u: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], ...]:
        """A vector and what is the same one times units of the field, orthogonal to each other."""
        return (u,)

    def eigenpairs(
        self,
        product: Callable[[np.ndarray], np.ndarray],
        k: int,
        which: str = "lowest",
        accuracy: float = 0.0,
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "n k"]]:
        """Extreme eigenpairs of an A*(y), each once (see :func:`extreme_eigenpairs`)."""
        return extreme_eigenpairs(product, self.n, k, which, accuracy)

    # -- what a user sees ---------------------------------------------------------------------

    @abc.abstractmethod
    def pack(self, factor: Any, argument: str = "factor") -> Factor:
        """Return the array X of what a user calls the factor, or :class:`InvalidInput`."""

    @abc.abstractmethod
    def unpack(self, X: Factor) -> Any:
        """Return what a user calls the factor, from the array X."""

    def line_name(self, k: int) -> str:
        """Name of line k of the matrix, as a user counts."""
        return f"row {k}"

    def named(self, lines: Int[np.ndarray, " k"], most: int = 5) -> str:
        """Names of some lines of the matrix in a phrase."""
        names = [self.line_name(int(k)) for k in lines[:most]]
        return ", ".join(names) + (", ..." if len(lines) > most else "")

    def line_of(self, k: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
        """Return the line of the matrix to which rows k of X belong, rows before columns."""
        return np.asarray(k)

    @property
    def lines(self) -> int:
        """Number of lines of the matrix, rows and columns that are no mirror images."""
        return self.n

    @property
    def sides(self) -> tuple[slice, ...]:
        """Lines of each kind: all rows, then columns where these are no mirror images."""
        return (slice(0, self.lines),)

    def kept(self, lines: Bool[np.ndarray, " lines"]) -> "Space":
        """Return the space of the matrix without its other lines."""
        return type(self)(*(int(np.sum(lines[side])) for side in self.sides))

    def positions(self, i: Any, j: Any) -> tuple[np.ndarray, np.ndarray]:
        """Index arrays of entries (i, j), broadcast; :class:`InvalidInput` where out of range."""
        i, j = np.broadcast_arrays(np.asarray(i), np.asarray(j))
        for name, index, most in zip("ij", (i, j), self.shape, strict=True):
            if index.dtype.kind not in "iu":
                raise InvalidInput(name, describe(index), "whole numbers")
            if index.size and (index.min() < 0 or index.max() >= most):
                was = f"from {index.min()} to {index.max()}"
                raise InvalidInput(name, was, f"from 0 to {most - 1}")
        return i, j

    @abc.abstractmethod
    def describe(self) -> str:
        """Return the matrix's kind and size in words: "of order 12"."""


def widened(X: Float[np.ndarray, "n k"], rank: int) -> Factor:
    """X with columns of zeros up to a rank."""
    return np.pad(X, ((0, 0), (0, rank - X.shape[1])))


def products(
    D: Float[np.ndarray, "d k r"], X: Float[np.ndarray, "k r"]
) -> Float[np.ndarray, "d k"]:
    """Inner products of rows k of each direction with those of X."""
    return np.einsum("dkr,kr->dk", D, X)


def rows_of(array: np.ndarray, rows: int, argument: str) -> np.ndarray:
    """``array`` if it has so many rows, or :class:`InvalidInput`."""
    if array.shape[0] != rows or array.shape[1] < 1:
        must, cure = f"of shape ({rows}, r) with r >= 1", "Transpose it if its rows are columns."
        raise InvalidInput(argument, describe(array), must, cure)
    return array
