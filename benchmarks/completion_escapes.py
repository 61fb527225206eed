"""Small symmetric completion: what propagation finds alone, with the ladder of escapes, and at all.

The cells of ``liftless compare`` (n = 30, r = 2, entries observed with probability p), of which
only instances count whose matrix is determined by the verdict at the truth.  Three searches with
the same budget: belief propagation once and its descent; the same, then the escapes from where it
ended, without a fresh start; and the default course.

Usage: python benchmarks/completion_escapes.py [--p 0.25 0.35] [--trials 40] [--seed 71000]
"""

import argparse

import numpy as np

from liftless import BeliefPropagation, identifiability, make_instance, recover

SEARCHES = {
    "propagation alone": {"start": BeliefPropagation(), "escape": None, "rounds": 1},
    "propagation, then escapes": {"start": BeliefPropagation(), "escape": "ladder", "rounds": 1},
    "default": {},
}


def solved(instance, seed, budget, **search):
    """Whether the truth is found, and the applications and escapes that it took."""
    found = recover(instance.problem, seed=seed, budget=budget, **search)
    X, M = np.asarray(found.x), instance.truth @ instance.truth.T
    error = np.linalg.norm(X @ X.T - M) / np.linalg.norm(M)
    return error < 1e-4, found.nfev, len(found.escapes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--p", type=float, nargs="*", default=[0.2, 0.25, 0.35])
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--rank", type=int, default=2)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=71000)
    parser.add_argument("--budget", type=int, default=3000)
    args = parser.parse_args()
    for p in args.p:
        rows = {name: [] for name in SEARCHES}
        count = 0
        for k in range(args.trials):
            given = {"n": args.n, "rank": args.rank, "probability": p, "seed": args.seed + k}
            instance = make_instance("completion", **given)
            if not identifiability(instance.problem, instance.truth).identifiable:
                continue
            count += 1
            for name, search in SEARCHES.items():
                rows[name].append(solved(instance, k, args.budget, **search))
        print(f"p = {p:g}: {count} of {args.trials} determined")
        for name, got in rows.items():
            success, applications, escapes = np.array(got, float).T
            print(
                f"  {name:26s} {int(success.sum()):3d}  applications {np.median(applications):.0f}"
                f"/{applications.max():.0f}  escapes {int(escapes.sum())}",
                flush=True,
            )


if __name__ == "__main__":
    main()
