"""Completion of other factors than Gaussian ones: success on the determined block, what is said.

Kernel matrices, heavy-tailed and lognormal rows, nonnegative factors, sampling by a power law; and
factors of 0 and 1, whole numbers, or mostly zeros (``--discrete``), where an exact fit need not be
the matrix: there entries that came out wrong are counted against those that
:attr:`liftless.Recovery` says are open.

Usage: python benchmarks/completion_families.py [--ratios 1.2 1.5] [--trials 5] [--seed 61000]
       python benchmarks/completion_families.py --discrete [--ratios 1.5 2] ...
"""

import argparse
import time

import numpy as np
from completion import distance, draw

from liftless import Problem, RectangularEntries, complete_entries, recover


def gaussian(rng, n, r):
    """Rows of a standard Gaussian."""
    return rng.standard_normal((n, r)), rng.standard_normal((n, r))


def kernel(rng, n, r):
    """The best approximation of rank r to 1/(1 + 100 (x − y)²) at random points."""
    x, y = rng.random((2, n))
    U, s, Vt = np.linalg.svd(1 / (1 + 100 * (x[:, None] - y[None]) ** 2))
    return U[:, :r] * s[:r], Vt[:r].T


def lognormal(rng, n, r):
    """Gaussian rows whose lengths are lognormal."""
    U, V = gaussian(rng, n, r)
    return U * np.exp(rng.standard_normal((n, 1))), V * np.exp(rng.standard_normal((n, 1)))


def student(rng, n, r):
    """Entries of a Student t with two degrees of freedom."""
    return rng.standard_t(2, (n, r)), rng.standard_t(2, (n, r))


def nonnegative(rng, n, r):
    """Absolute values of Gaussians."""
    U, V = gaussian(rng, n, r)
    return abs(U), abs(V)


def binary(rng, n, r):
    """Zeros and ones alike."""
    return rng.integers(0, 2, (n, r)) * 1.0, rng.integers(0, 2, (n, r)) * 1.0


def whole(rng, n, r):
    """Whole numbers from −2 to 2."""
    return rng.integers(-2, 3, (n, r)) * 1.0, rng.integers(-2, 3, (n, r)) * 1.0


def sparse(rng, n, r):
    """Gaussians of which 60 % are zero."""
    U, V = gaussian(rng, n, r)
    return U * (rng.random(U.shape) < 0.4), V * (rng.random(V.shape) < 0.4)


#: Factors, their rank where it is not the usual one, and the exponent of the law of rows.
SMOOTH = {
    "kernel": (kernel, 8, 0.0),
    "lognormal": (lognormal, None, 0.0),
    "student t": (student, None, 0.0),
    "nonnegative": (nonnegative, None, 0.0),
    "power law": (gaussian, None, 0.5),
}
DISCRETE = {"0/1": binary, "−2…2": whole, "60 % zeros": sparse}


def positions(rng, n1, n2, m, power):
    """``m`` different positions; rows and columns drawn by (k + 1)^−power."""
    if power == 0:
        return np.divmod(np.sort(draw(rng, n1 * n2, m)), n2)
    laws = [np.arange(1, n + 1.0) ** -power for n in (n1, n2)]
    seen = np.zeros(0, int)
    while seen.size < m:
        i, j = (rng.choice(law.size, m, p=law / law.sum()) for law in laws)
        seen = np.unique(np.r_[seen, i * n2 + j])
    return np.divmod(np.sort(rng.permutation(seen)[:m]), n2)


def smooth(args):
    """Success of the families, by m/dof."""
    print(
        f"n = {args.n}, N = {args.trials}\nfamily, m/dof: block<1e-6, worst, unknown, sweeps, cpu s"
    )
    for name, (factors, rank, power) in SMOOTH.items():
        for ratio in args.ratios:
            rows = []
            for k in range(args.trials):
                rng = np.random.default_rng([args.seed, k])
                r = rank or args.rank
                U, V = factors(rng, args.n, r)
                m = int(ratio * r * (2 * args.n - r))
                i, j = positions(rng, args.n, args.n, m, power)
                y = np.einsum("ek,ek->e", U[i], V[j])
                began = time.process_time()
                done = complete_entries(Problem(RectangularEntries(i, j, args.n, args.n), y, r), k)
                a, b = done.known[: args.n], done.known[args.n :]
                error = distance(done.X[: args.n][a], done.X[args.n :][b], U[a], V[b])
                rows.append((error, done.unknown.size, done.swept, time.process_time() - began))
            error, unknown, sweeps, cpu = np.array(rows).T
            print(
                f"{name:12s} {ratio:4.2f}: {np.mean(error < 1e-6):.2f} {error.max():.0e}"
                f" {np.median(unknown):.0f} {np.median(sweeps):.0f}/{sweeps.max():.0f}"
                f" {np.median(cpu):.2f}",
                flush=True,
            )


def discrete(args):
    """Entries that came out wrong, and those that are said to be open."""
    n1, n2, r = 250, 200, 4
    print("family, m/dof, seed: kind, wrong, missed, flagged in vain, verdict")
    for name, factors in DISCRETE.items():
        for ratio in args.ratios:
            for k in range(args.trials):
                rng = np.random.default_rng([args.seed, k])
                U, V = factors(rng, n1, r), None
                U, V = U[0][:n1], U[1][:n2]
                i, j = positions(rng, n1, n2, int(ratio * r * (n1 + n2 - r)), 0.0)
                y = np.einsum("ek,ek->e", U[i], V[j])
                result = recover(Problem(RectangularEntries(i, j, n1, n2), y, r), seed=k)
                M, X = U @ V.T, np.asarray(result.x)
                wrong = abs(X[:n1] @ X[n1:].T - M) > 1e-5 * np.sqrt(np.mean(M * M))
                a, b = np.indices(M.shape)
                sure = np.asarray(result.determined(a, b))
                print(
                    f"{name:10s} {ratio:4.2f} {k:3d}: {result.kind} {wrong.sum()}"
                    f" {np.sum(wrong & sure)} {np.sum(~wrong & ~sure)}"
                    f" | {'' if result.known is None else result.known.answer}",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--rank", type=int, default=5)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--seed", type=int, default=61000)
    parser.add_argument("--ratios", type=float, nargs="*", default=[1.2, 1.5])
    parser.add_argument("--discrete", action="store_true")
    args = parser.parse_args()
    (discrete if args.discrete else smooth)(args)


if __name__ == "__main__":
    main()
