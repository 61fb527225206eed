"""Gaussian rows with and without their spectrum: why GAMP finds what GVAMP behind a QR does not.

    python benchmarks/phase_whitened.py [--order 128] [--ratios 2.1 2.2 2.3 2.4 2.5] [--trials 20]

A = Q R has the amplitudes Q (R z): a map with orthogonal columns, on which vector message passing
works as it does behind masks.  It then forgets that the entries of z are independent and those of
R z are not, and that is what the rows of A tell beyond the subspace.  State evolution without it is
that of orthogonal columns (2.264, ``phase_evolution.py``), with it that of Gaussian rows (2.027).
A line a ratio: draws found after one start and Levenberg–Marquardt, and the applications of starts.
"""

import argparse

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import liftless as ll
from liftless.operators.complex_amplitudes import SignalAmplitudes
from liftless.start.message_passing import passing_start
from liftless.start.vector_passing import vector_start
from liftless_papers.compare.amplitude_instances import complex_gaussian


class Columns(SignalAmplitudes):
    """Amplitudes Q x of orthonormal columns."""

    Q: np.ndarray
    real: bool = eqx.field(static=True, default=False)

    order = property(lambda self: self.Q.shape[1])
    m = property(lambda self: self.Q.shape[0])
    share = property(lambda self: self.Q.shape[1] / self.Q.shape[0])

    def rows(self, X):
        """Q Z."""
        return self.Q @ self._signal(jnp.asarray(X))

    def back(self, P):
        """Q* P."""
        return self._factor(jnp.conj(self.Q).T @ P)

    def gram(self):
        """Ones."""
        return np.ones(2 * self.order)

    def multiplicity(self):
        """None: a row is one reading."""
        return

    def scrambled(self):
        """Whether message passing is meant for it."""
        return True

    def lengths(self):
        """Mean squares of the rows."""
        return jnp.sum(jnp.abs(self.Q) ** 2, axis=1)

    def cost(self, columns):
        """One product."""
        return 8.0 * self.m * self.order * columns


def found(problem: ll.Problem, X: np.ndarray) -> bool:
    """Whether Levenberg–Marquardt from there ends at the truth."""
    done = ll.descend(problem, X, ll.LevenbergMarquardt(), ll.Stop(1e-20, 1e-3, 60))
    full = float(problem.zero_level(np.zeros_like(X)))
    return float(done.objective) <= 1e-18 * full


def main() -> None:
    """A line a ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--order", type=int, default=128)
    parser.add_argument("--ratios", type=float, nargs="+", default=[2.1, 2.2, 2.3, 2.4, 2.5])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw")
    args = parser.parse_args()
    for ratio in args.ratios:
        good, spent = np.zeros(2, int), np.zeros(2)
        for seed in range(args.first, args.first + args.trials):
            problem = complex_gaussian(args.order, 1, ratio, 9100 + seed).problem
            X, used, _ = passing_start(problem, ll.MessagePassing(), seed)
            good[0] += found(problem, X)
            spent[0] += used
            Q, R = np.linalg.qr(np.asarray(problem.operator.a).conj())
            whitened = ll.Problem(Columns(Q), problem.b, 1)
            Y, used, _ = vector_start(whitened, ll.VectorPassing(), seed)
            Z = np.linalg.solve(R, whitened.space.complex(Y))
            good[1] += found(problem, problem.space.real(Z))
            spent[1] += used
        words = f"n={args.order} m/n={ratio:g}: GAMP {good[0]} of {args.trials}"
        words += f" ({spent[0] / args.trials:.0f} applications), GVAMP behind a QR {good[1]}"
        print(f"{words} ({spent[1] / args.trials:.0f})", flush=True)


if __name__ == "__main__":
    main()
