"""What a certificate and a recovery promise: bounds below the optimum, and no end above the best.

bounds   lower bounds against the convex optimum by an interior-point solver, at random
         points and at the optimum, the data at scales from 1e-12 to 1e12
best     h of the result against the least h that the run has seen, over methods

Usage: python benchmarks/certainty.py {bounds,best} [--count 1000] [--first 0]
"""

import argparse
import sys
import warnings

import numpy as np

import liftless as ll

#: Accuracy of the interior-point solver, relative to h(0).
SOLVER = 1e-7
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("bounds", "best"))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    return {"bounds": bounds, "best": best}[args.what](args.count, args.first)


if __name__ == "__main__":
    sys.exit(main())
