"""Amplitude measurements of which only some rows are used."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.operators import Amplitudes, Orthogonal
from liftless.problem import Problem


class Used(eqx.Module):
    """The map of amplitude measurements, zero in the rows that are not used."""

    amplitudes: Amplitudes
    used: Float[AnyArray, " m"] | None

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """Amplitudes of X."""
        P = self.amplitudes.forward(X)
        return P if self.used is None else self.used[:, None] * P

    def adjoint(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        return self.amplitudes.adjoint(G if self.used is None else self.used[:, None] * G)

    def whole(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """Amplitudes of X, on all rows where the map's columns are orthogonal on all of them."""
        free = isinstance(self.amplitudes, Orthogonal)
        return self.amplitudes.forward(X) if free else self.forward(X)

    def back(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`whole`."""
        free = isinstance(self.amplitudes, Orthogonal)
        return self.amplitudes.adjoint(G) if free else self.adjoint(G)

    def lengths(self) -> Float[AnyArray, " m"]:
        """See :class:`liftless.operators.Amplitudes`."""
        lengths = self.amplitudes.lengths()
        return lengths if self.used is None else self.used * lengths

    def roots(self, b: Float[AnyArray, " m"]) -> Float[AnyArray, " m"]:
        """Lengths of the rows that the data give; negative data, which only noise makes, are 0."""
        b = jnp.maximum(b, 0.0)
        return jnp.sqrt(b if self.used is None else self.used * b)


def used_amplitudes(amplitudes: Amplitudes, problem: Problem) -> Used:
    """Keep the rows of nonzero weight."""
    weights = np.asarray(problem.weights)
    return Used(amplitudes, None if np.all(weights > 0) else (weights > 0).astype(float))
