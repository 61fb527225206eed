"""How well data tell a state: the linearised covariance of its factor, modulo the gauge."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from liftless._errors import InvalidInput
from liftless._precision import double
from liftless._types import AnyArray
from liftless.operators import SensingOperator
from liftless.tomography.state import mixed

#: Most real numbers of a factor of which the information is a matrix.
MOST = 2048
#: Directions of the information matrix that are computed at once.
AT_ONCE = 16
#: Eigenvalues below this fraction of the largest are the gauge's.
NULL = 1e-9


@dataclass(frozen=True)
class Evidence:
    """Measurements of a factor and what they weigh at a fit.

    Attributes
    ----------
    operator : SensingOperator
    X : array of shape (n, r)
        The fit, [Re Z; Im Z] and perhaps a row of white noise.
    omega : array of shape (m,)
        Reciprocal variances of the measurements.
    rank : int
    free : bool
        Whether the trace of Z Z* is free, and white noise what it lacks of one.
    """

    operator: SensingOperator
    X: Float[np.ndarray, "n r"]
    omega: Float[np.ndarray, " m"]
    rank: int
    free: bool = False

    @property
    def order(self) -> int:
        """Rows of Z."""
        return self.X.shape[0] // 2

    @property
    def parameters(self) -> int:
        """Directions in which the matrix, and the white noise, change."""
        white = self.X.shape[0] % 2
        return 2 * self.order * self.rank - self.rank**2 + white

    @double
    def information(self) -> Float[np.ndarray, "k k"]:
        """JᵀΩJ of the derivative J of the measurements in X."""
        if self.X.size > MOST:
            was, must = f"of {self.X.size} real numbers", f"of at most {MOST}"
            raise InvalidInput("state", was, must, "Its covariance would be too large.")
        return np.asarray(_information(self.operator, jnp.asarray(self.X), jnp.asarray(self.omega)))

    def draws(self, number: int, seed: int) -> list[Complex[np.ndarray, "d d"]] | None:
        """States that the noise might have made of this one; None where the data leave it open.

        The factor plus a Gaussian of the inverse information, at trace one.
        """
        values, vectors = np.linalg.eigh(self.information())
        kept = values > NULL * values[-1]
        if np.count_nonzero(kept) < self.parameters:
            return None
        V = vectors[:, kept] / np.sqrt(values[kept])
        g = np.random.default_rng(seed).standard_normal((number, V.shape[1]))
        d, out = self.order, []
        for one in self.X + (g @ V.T).reshape(number, *self.X.shape):
            total = float(np.sum(one * one))
            if self.free and total < 1:
                out.append(mixed(one[:d] + 1j * one[d:], 1 - total))
                continue
            Z = (one[:d] + 1j * one[d : 2 * d]) / np.sqrt(total)
            out.append(mixed(Z, float(np.sum(one[2 * d :] ** 2)) / total))
        return out


@jax.jit
def _information(operator: SensingOperator, X: AnyArray, omega: AnyArray) -> AnyArray:
    units = jnp.eye(X.size, dtype=X.dtype).reshape(-1, *X.shape)

    def one(D: AnyArray) -> AnyArray:
        return 4 * operator.backproject(omega * operator.measure(X, D), X)

    return jax.lax.map(one, units, batch_size=AT_ONCE).reshape(X.size, X.size)
