"""A sensing operator of your own: fields and ``measure``; everything else is derived from it.

This one sees a matrix through the sums of its circular diagonals, the autocorrelation of a
signal when the matrix is x xᵀ.  Run it: ``python examples/own_operator.py``.
"""

import equinox as eqx
import jax.numpy as jnp

from liftless.operators import SensingOperator, dot_test


class LagOperator(SensingOperator):
    """A(M)_k = Σ_i M[i, (i + k) mod n] for the lags k = 0 … m − 1."""

    n: int = eqx.field(static=True)
    m: int = eqx.field(static=True)

    def measure(self, U, V):
        def lag(k):
            ahead = jnp.sum(U * jnp.roll(V, -k, axis=0))
            return (ahead + jnp.sum(V * jnp.roll(U, -k, axis=0))) / 2

        return jnp.stack([lag(k) for k in range(self.m)])


def main():
    """Check the operator against its definition; an error of 1e-10 or more is a mistake in it."""
    outcome = dot_test(LagOperator(n=6, m=4))
    for name in ("adjoint", "symmetry", "bilinearity", "matrix", "jacobian"):
        print(f"{name:12s} relative error {getattr(outcome, name):.1e}")
    print("passed" if outcome.passed else "FAILED")
    return outcome


if __name__ == "__main__":
    main()
