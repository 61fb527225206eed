"""Noisy data without a known σ: the kind, the estimate of σ with its interval, and the work.

Every problem is recovered twice, with σ unknown and with σ given.

kind       share that ended `agreed`
σ̂/σ        median
covered    share of the 95 % intervals that hold σ
work       median and largest ratio of the work to that with σ given

Usage: python benchmarks/noise.py [--seeds 20] [--first 0] [--families a,b]
"""

import argparse
import warnings

import numpy as np

import liftless as ll
from liftless.operators import measure


def gaussian(g, n, r, share):
    A = g.standard_normal((int(share * (n * r - r * (r - 1) // 2)), n, n))
    return ll.DenseOperator.from_matrices(A + A.transpose(0, 2, 1)), n, r


def phase(g, n, r, share):
    return ll.RankOneOperator(g.standard_normal((int(share * n * r), n))), n, r


def entries(g, n, r, share):
    i, j = np.triu_indices(n)
    kept = g.permutation(i.size)[: int(share * (n * r - r * (r - 1) // 2))]
    return ll.EntriesOperator(i[kept], j[kept], n), n, r


def table(g, n, r, share):
    n2 = n // 2
    kept = g.permutation(n * n2)[: int(share * r * (n + n2 - r))]
    return ll.RectangularEntries(kept // n2, kept % n2, n, n2), n + n2, r


def stacked(g, n, r, share):
    m, n2 = int(share * r * (n + n // 2 - r)), n // 2
    return ll.RectangularOperator.from_matrices(g.standard_normal((m, n, n2))), n + n2, r


#: Operator by order, rank and measurements a degree of freedom.
FAMILIES = {
    "gaussian n20 r1 2.5": (gaussian, 20, 1, 2.5),
    "gaussian n12 r2 3": (gaussian, 12, 2, 3.0),
    "phase n20 r1 4": (phase, 20, 1, 4.0),
    "phase n12 r2 5": (phase, 12, 2, 5.0),
    "entries n20 r1 4": (entries, 20, 1, 4.0),
    "entries n20 r2 4": (entries, 20, 2, 4.0),
    "table n20 r2 3": (table, 20, 2, 3.0),
    "rectangular n8 r1 3": (stacked, 8, 1, 3.0),
}
#: σ relative to the rms of the measurements.
LEVELS = (1e-3, 3e-2, 0.3)


def recovered(name, level, seed):
    """Kind, σ̂/σ, whether the interval covers, and the ratio of the works."""
    make, *size = FAMILIES[name]
    g = np.random.default_rng([seed, *name.encode()])
    operator, n, r = make(g, *size)
    X = g.standard_normal((n, r))
    clean = np.asarray(measure(operator, X, X))
    sigma = level * float(np.sqrt(np.mean(clean**2)))
    problem = ll.Problem(operator, clean + sigma * g.standard_normal(clean.size), r)
    free, told = (ll.recover(problem, seed=seed, noise=noise) for noise in (None, sigma))
    low, high = free.sigma_interval
    return free.certificate.kind, free.sigma / sigma, low <= sigma <= high, free.work / told.work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--families", help="names with commas between; all by default")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ll.InputWarning)
    names = args.families.split(",") if args.families else list(FAMILIES)
    print(f"{'family':22}{'σ':>7}{'agreed':>8}{'σ̂/σ':>8}{'covered':>9}{'work':>7}{'largest':>9}")
    whole = []
    for name in names:
        for level in LEVELS:
            seeds = range(args.first, args.first + args.seeds)
            rows = [recovered(name, level, seed) for seed in seeds]
            whole += rows
            said(f"{name:22}{level:7g}", rows)
    said(f"{'all':29}", whole)


def said(head: str, rows: list) -> None:
    kinds, ratio, covered, work = (list(part) for part in zip(*rows, strict=True))
    agreed = kinds.count("agreed") / len(kinds)
    other = {kind: kinds.count(kind) for kind in sorted(set(kinds)) if kind != "agreed"}
    print(
        f"{head}{agreed:8.0%}{np.median(ratio):8.3f}{np.mean(covered):9.0%}"
        f"{np.median(work):7.2f}{max(work):9.2f}  {other or ''}",
        flush=True,
    )


if __name__ == "__main__":
    main()
