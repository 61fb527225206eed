"""Success on perturbed completion (Fig. 10 of the SOD paper): gradient descent, then one escape.

Ten cells (n = 40 … 80, ε = .15 and .10), 50 starts each, all starts of a cell in one batch.
A start succeeds when ‖X Xᵀ − M*‖_F < 0.02.

Usage: python benchmarks/pmc_success.py [--trials 50] [--seed 0] [--zeta 0.01] [--json]
"""

import argparse
import json
import sys
import time

import numpy as np

from liftless import GradientDescent, OracleJump, Stop, certify, descend
from liftless.instances import make_instance
from liftless.linalg import matrix_distance

SIZES = (40, 50, 60, 70, 80)
EPSILONS = (0.15, 0.10)
SUCCESS = 0.02
# Vanilla gradient descent at ζ = .01, step .1/n, 20000 steps: an independent computation.
REFERENCE = {
    0.15: (0.88, 0.94, 0.98, 1.0, 1.0),
    0.10: (0.00, 0.02, 0.16, 0.50, 0.78),
}


def cell(n: int, eps: float, trials: int, seed: int, zeta: float) -> dict:
    """Run one cell: descend from every start, escape once from each failure, descend again."""
    began = time.perf_counter()
    instance = make_instance("pmc", n=n, eps=eps)
    problem, truth = instance.problem, instance.truth
    starts = zeta * np.random.default_rng(seed).standard_normal((trials, n, 1))
    method, stop = GradientDescent(0.1 / n), Stop(gradient=1e-7, max_iterations=20000)
    first = descend(problem, starts, method, stop)
    good = np.array([matrix_distance(X, truth) < SUCCESS for X in first.X])
    jumps, at = [], []
    for X in first.X[~good]:
        candidate = OracleJump().candidates(problem, X, certify(problem, X, second_order=False))[0]
        jumps.append(candidate.point)
        at.append(candidate.objective_at / candidate.objective_before)
    rescued = 0
    if jumps:
        # One batch shape for all cells: unused places repeat the first jump.
        batch = np.stack(jumps + [jumps[0]] * (trials - len(jumps)))
        second = descend(problem, batch, method, stop)
        rescued = sum(matrix_distance(X, truth) < SUCCESS for X in second.X[: len(jumps)])
    return {
        "n": n,
        "eps": eps,
        "trials": trials,
        "seed": seed,
        "zeta": zeta,
        "vanilla": float(good.mean()),
        "vanilla_reference": REFERENCE[eps][SIZES.index(n)],
        "with_escape": float((good.sum() + rescued) / trials),
        "median_h_ratio_at_jump": float(np.median(at)) if at else None,
        "seconds": time.perf_counter() - began,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--zeta", type=float, default=0.01)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    for eps in EPSILONS:
        for n in SIZES:
            rows.append(cell(n, eps, args.trials, args.seed, args.zeta))
            if not args.json:
                r = rows[-1]
                print(
                    f"eps {eps:.2f}  n {n}  gradient descent {r['vanilla']:.2f} "
                    f"(reference {r['vanilla_reference']:.2f})  with one escape "
                    f"{r['with_escape']:.2f}  [{r['seconds']:.1f} s]",
                    flush=True,
                )
    if args.json:
        json.dump(rows, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
