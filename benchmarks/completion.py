"""Completion: success on the determined block, and seconds, over m/dof and over sizes.

The sampler is the published one: m positions without repetition, redrawn (at most ``--redraws``
times) until every row and column has more than r; singular values spread evenly in the logarithm
from κ to 1.  Success is a relative error below 1e-6 on the block of determined lines, and beside it
one below 1e-3 on the whole matrix.  Times are a processor's, after compilation for the shape.

Usage: python benchmarks/completion.py [--kappa 10] [--trials 10] [--seed 7000] [--noise 0.1]
       python benchmarks/completion.py --symmetric [--n 300] ...
       python benchmarks/completion.py --sizes
"""

import argparse
import time

import numpy as np

from liftless import EntriesOperator, Problem, RectangularEntries, complete_entries

RATIOS = (1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5)
#: n1, n2, rank, and m, or m/dof where it is less than 100.
SIZES = (
    (2000, 1500, 10, 146_000),
    (4000, 4000, 5, 1.3),
    (10_000, 10_000, 10, 1_000_000),
    (16_000, 16_000, 5, 1.3),
)


def instance(n1, n2, rank, m, kappa, seed, redraws):
    """Problem of one draw, and its factors."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((n1, rank)))[0]
    V = np.linalg.qr(rng.standard_normal((n2, rank)))[0]
    U = U * (np.logspace(np.log10(kappa), 0, rank) if rank > 1 else 1.0)
    m = int(m * rank * (n1 + n2 - rank)) if m < 100 else int(m)
    for _ in range(redraws + 1):
        places = draw(rng, n1 * n2, m)
        i, j = np.divmod(places, n2)
        least = min(np.bincount(i, minlength=n1).min(), np.bincount(j, minlength=n2).min())
        if least > rank:
            break
    return i, j, U, V


def symmetric(n, rank, ratio, kappa, seed):
    """Upper triangle's entries of X Xᵀ, and X, of one draw."""
    rng = np.random.default_rng(seed)
    X = np.linalg.qr(rng.standard_normal((n, rank)))[0]
    X = X * np.logspace(np.log10(kappa), 0, rank) ** 0.5
    a, b = np.triu_indices(n)
    at = rng.choice(a.size, int(ratio * (n * rank - rank * (rank - 1) // 2)), replace=False)
    at.sort()
    return a[at], b[at], X


def draw(rng, size, m):
    """``m`` different numbers below ``size``."""
    if size < 5_000_000:
        return rng.choice(size, m, replace=False, shuffle=False)
    found = np.unique(rng.integers(0, size, int(1.05 * m) + 10))
    return np.sort(rng.permutation(found)[:m])


def distance(U, V, A, B):
    """‖U Vᵀ − A Bᵀ‖ / ‖A Bᵀ‖ without the matrices."""
    left = np.linalg.qr(np.hstack([U, -A]), mode="r")
    right = np.linalg.qr(np.hstack([V, B]), mode="r")
    whole = np.linalg.qr(A, mode="r") @ np.linalg.qr(B, mode="r").T
    return float(np.linalg.norm(left @ right.T) / np.linalg.norm(whole))


def from_truth(i, j, y, U, V, sigma, rounds=60):
    """Alternating ridge regression begun at the truth, with the true σ and second moments.

    The mode of the posterior nearest to the truth: what nobody has who does not know the answer.
    """
    n1, n2 = len(U), len(V)
    penalties = [sigma**2 * np.linalg.inv(X.T @ X / len(X)) for X in (U, V)]
    at = [np.split(np.argsort(k, kind="stable"), np.cumsum(np.bincount(k, minlength=n))[:-1])
          for k, n in ((i, n1), (j, n2))]  # fmt: skip
    X, Y = U.copy(), V.copy()
    for _ in range(rounds):
        for here, other, ends, mine, penalty in (
            (X, Y, j, at[0], penalties[0]),
            (Y, X, i, at[1], penalties[1]),
        ):
            for line, of in enumerate(mine):
                Z = other[ends[of]]
                here[line] = np.linalg.solve(Z.T @ Z + penalty, Z.T @ y[of])
    return X, Y


def trial(n1, n2, rank, m, kappa, seed, redraws, noise=0.0):
    """One completion: errors, effort, what it says of itself; of a symmetric matrix if n2 is 0."""
    if n2 == 0:
        i, j, U = symmetric(n1, rank, m, kappa, seed)
        V = U
    else:
        i, j, U, V = instance(n1, n2, rank, m, kappa, seed, redraws)
    y = np.einsum("ek,ek->e", U[i], V[j])
    level = noise * np.sqrt(np.mean(y * y))
    y = y + level * np.random.default_rng([seed, 1]).standard_normal(y.size)
    operator = RectangularEntries(i, j, n1, n2) if n2 else EntriesOperator(i, j, n1)
    problem = Problem(operator, y, rank)
    wall, cpu = time.perf_counter(), time.process_time()
    done = complete_entries(problem, seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    first = n1 if n2 else 0
    a, b = done.known[:n1], done.known[first:]
    X, Y = done.X[:n1], done.X[first:]
    block = distance(X[a], Y[b], U[a], V[b])
    row = {
        "end": done.end,
        "full": distance(X, Y, U, V),
        "block": block,
        "unknown": done.unknown.size,
        "sweeps": done.swept,
        "applications": done.applications,
        "cpu": cpu,
        "wall": wall,
    }
    if noise:
        at = np.random.default_rng(0).integers(0, [[n1], [n2]], (2, 20000))
        z = (done.entries(*at) - np.einsum("ek,ek->e", U[at[0]], V[at[1]])) / done.deviation(*at)
        if n2:
            row["ratio"] = row["full"] / distance(*from_truth(i, j, y, U, V, level), U, V)
        row |= {"sigma": done.sigma / level, "inside": float(np.mean(np.abs(z) < 1.6449))}
    return row


def table(args):
    """Rows of m/dof."""
    head = "m/dof  block<1e-6  full<1e-3  worst    unknown  sweeps      applications  cpu s"
    print(f"κ = {args.kappa:g}, n = {args.n}, r = {args.rank}, N = {args.trials}\n{head}")
    for ratio in args.ratios or RATIOS:
        rows = []
        for k in range(args.trials):
            shape = (args.n, 0 if args.symmetric else args.n, args.rank, ratio)
            rows.append(trial(*shape, args.kappa, args.seed + k, args.redraws, args.noise))
        got = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "end"}
        block, full = np.mean(got["block"] < 1e-6), np.mean(got["full"] < 1e-3)
        text = (
            f"{ratio:5.2f}  {block:10.2f}  {full:9.2f}"
            f"  {got['block'].max():.0e}  {np.median(got['unknown']):7.0f}"
            f"  {np.median(got['sweeps']):4.0f}/{got['sweeps'].max():<5.0f}"
            f"  {np.median(got['applications']):5.0f}/{got['applications'].max():<6.0f}"
            f"  {np.median(got['cpu']):.2f}"
        )
        if args.noise:
            spans = (f"{np.median(got[k]):.3f} [{got[k].min():.3f} {got[k].max():.3f}]"
                     for k in ("sigma", "inside", "ratio") if k in got)  # fmt: skip
            names = ("  σ̂/σ ", "  inside ", "  error/ridge from truth ")
            text += "".join(name + span for name, span in zip(names, spans, strict=False))
            text += f"  {sorted({row['end'] for row in rows})}"
        print(text, flush=True)


def sizes(args):
    """One instance of each size, with the compilation."""
    print("n1 × n2, r, m: block error, unknown, sweeps, applications, cpu s, wall s")
    for n1, n2, rank, m in SIZES:
        row = trial(n1, n2, rank, m, args.kappa, args.seed, 0)
        parts = (f"{row['block']:.0e}", row["unknown"], row["sweeps"], int(row["applications"]))
        print(n1, "×", n2, rank, m, *parts, f"{row['cpu']:.1f} {row['wall']:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--rank", type=int, default=5)
    parser.add_argument("--kappa", type=float, default=10.0)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7000)
    parser.add_argument("--redraws", type=int, default=20)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--symmetric", action="store_true")
    parser.add_argument("--ratios", type=float, nargs="*")
    parser.add_argument("--sizes", action="store_true")
    args = parser.parse_args()
    (sizes if args.sizes else table)(args)


if __name__ == "__main__":
    main()
