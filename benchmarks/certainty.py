"""What a certificate and a recovery promise: bounds below the optimum, and no end above the best.

bounds   lower bounds against the convex optimum by an interior-point solver, at random
         points and at the optimum, the data at scales from 1e-12 to 1e12
best     h of a recovery against the least h that the run has seen, over methods
least    the same of single descents: every method on every kind of problem, so many starts each

Usage: python benchmarks/certainty.py {bounds,best,least} [--count 1000] [--first 0]
"""

import argparse
import sys
import warnings

import numpy as np

import liftless as ll
from liftless.descent.choice import NAMES

#: Accuracy of the interior-point solver, relative to h(0).
SOLVER = 1e-7
#: Two levels of h that differ by less than this fraction are the same.
LEVEL = 1e-9
METHODS = (None, "LBFGS", ll.GradientDescent(0.01), "adam", "SGD")


def optimum(A, b):
    """Least ½‖A(M) − b‖² over M ⪰ 0, by CLARABEL."""
    import cvxpy as cp

    M = cp.Variable(A.shape[1:], PSD=True)
    rows = cp.hstack([cp.trace(a @ M) for a in A])
    return cp.Problem(cp.Minimize(cp.sum_squares(rows - b) / 2)).solve(solver="CLARABEL")


def bounds(count: int, first: int) -> int:
    """Bounds at the optimum and elsewhere, every certificate against the solver."""
    above, gaps, done, seed = 0, [], 0, first
    while done < count:
        rng = np.random.default_rng([seed, 12])
        n, m = 4, 12
        a = rng.standard_normal((m, n))
        A = np.einsum("mi,mj->mij", a, a)
        b = np.abs(rng.standard_normal(m))
        least, full = optimum(A, b), float(b @ b) / 2
        scale = 10.0 ** rng.uniform(-12, 12)
        problem = ll.Problem(ll.RankOneOperator(a), scale * b, n)
        X = np.sqrt(scale) * rng.standard_normal((3, n, n))
        ends = ll.descend(problem, X, None, ll.Stop(0.0, 1e-11)).X
        for k, Y in enumerate((*ends, *X)):
            point = ll.certify(problem, Y, second_order=False)
            low = point.lower_bound / scale**2
            above += low > least + SOLVER * full
            if k < len(ends):
                gaps.append((least - low) / full)
            done += 1
        seed += 1
    tight = np.mean(np.array(gaps) <= 1e-4)
    print(f"{done} certificates: {above} above the optimum; gap at the optimum <= 1e-4 h(0) in")
    print(f"{tight:.1%} of {len(gaps)}, largest {max(gaps):.1e}")
    return int(above > 0 or tight < 0.95)


def best(count: int, first: int) -> int:
    """Final h against the least in the history, at the problem's own rank."""
    worse, largest = 0, 0.0
    for k in range(first, first + count):
        noise = 0.1 if k % 2 else None
        name, size = (("phase", {"ratio": 3.0}), ("gaussian", {"ratio": 1.5}))[k // 2 % 2]
        problem = ll.make_instance(name, n=5, seed=k, noise=noise, **size).problem
        method = METHODS[k % len(METHODS)]
        result = ll.recover(problem, method=method, seed=k, budget=300)
        rows = [row for row in result.history if "columns" not in row and "error" not in row]
        least = np.nanmin([row["objective"] for row in rows])
        full = float(problem.objective(np.zeros((5, 1))))
        over = (result.fun - least) / max(least, 1e-20 * full)
        largest = max(largest, over)
        worse += over > 1e-9
    print(f"{count} recoveries: {worse} above the least h seen, by {largest:.1e} of it at most")
    return int(worse > 0)


def kinds(seed: int) -> dict[str, ll.Problem]:
    """A tiny problem of every kind, with noise; of the same shapes for all seeds."""
    rng = np.random.default_rng([seed, 13])
    a = rng.standard_normal((15, 5))
    z = rng.standard_normal((5, 1))
    y = ((a @ z) ** 2)[:, 0] + 0.1 * rng.standard_normal(15)
    bits = (rng.random(15) < 1 / (1 + np.exp(-y))).astype(float)
    i, j = np.triu_indices(5)
    rows, cols = (part.ravel() for part in np.indices((4, 5)))
    noise = 0.1 * rng.standard_normal((4, 5))
    dense = ll.make_instance("gaussian", n=5, m=12, rank=1, noise=0.1, seed=seed).problem
    return {
        "rank one": ll.Problem(ll.RankOneOperator(a), y, 1),
        "dense": dense,
        "entries": ll.Problem(ll.EntriesOperator(i, j, 5), (z @ z.T)[i, j] + 0.1, 1),
        "rectangular": ll.Problem(
            ll.RectangularEntries(rows, cols, 4, 5), (z[:4] @ z.T + noise)[rows, cols], 1
        ),
        "bits": ll.Problem(ll.RankOneOperator(a), bits, 1, loss=ll.Logistic()),
        "ridge": ll.Problem(ll.RankOneOperator(a), y, 1, regularisers=[ll.Ridge(0.1)]),
    }


def least(count: int, first: int) -> int:
    """Where descents end against the lowest of their iterates."""
    worse, largest, done, refused = 0, 0.0, 0, 0
    methods = [*NAMES, ll.NoisyProjected(0.02, 4.0, 0.1), ll.PerturbedGD(eta=0.001)]
    for kind, problem in kinds(first).items():
        rng = np.random.default_rng([first, 14])
        X = rng.standard_normal((count, problem.n, 1))
        full = float(problem.objective(np.zeros((problem.n, 1))))
        for method in methods:
            try:
                ends = ll.descend(problem, X, method, ll.Stop(max_iterations=60), history="values")
            except ll.InvalidInput:
                refused += 1
                continue
            seen = np.nanmin(ends.history["objective"], axis=1)
            over = (ends.objective - seen) / np.maximum(seen, 1e-20 * full)
            # Levels that differ by round-off are the same.
            bad = ~(over <= LEVEL)
            if np.any(bad):
                print(f"{kind}, {method}: {int(bad.sum())} of {count}, by {np.nanmax(over):.1e}")
            worse, done = worse + int(bad.sum()), done + count
            largest = max(largest, float(np.nanmax(over)))
        print(f"{kind}: {done} descents so far, {worse} above", flush=True)
    print(f"{done} descents ({refused} pairs of method and problem do not go together):")
    print(f"{worse} end above their least h, by {largest:.1e} of it at most")
    return int(worse > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("bounds", "best", "least"))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    return {"bounds": bounds, "best": best, "least": least}[args.what](args.count, args.first)


if __name__ == "__main__":
    sys.exit(main())
