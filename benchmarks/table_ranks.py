"""Rank told of noisy tables: how often it is right, and how far off.

Tables of 60 to 200 rows and 50 to 150 columns, Gaussian factors of rank 1 to 6, signal to noise 5
to 50 and 2 to 6 entries a degree of freedom, both uniform in the logarithm.

Usage: python benchmarks/table_ranks.py [--trials 100] [--first 0] [--seed 0] [--above K]
"""

import argparse
import time
from collections import Counter

import numpy as np

from liftless.tables import complete


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A table with holes and its rank."""
    while True:
        n1, n2, rank = rng.integers(60, 201), rng.integers(50, 151), int(rng.integers(1, 7))
        ratio = np.exp(rng.uniform(np.log(2), np.log(6)))
        share = ratio * rank * (n1 + n2 - rank) / (n1 * n2)
        if share < 0.95:
            break
    M = rng.standard_normal((n1, rank)) @ rng.standard_normal((rank, n2))
    noise = np.sqrt(np.mean(M**2)) / np.exp(rng.uniform(np.log(5), np.log(50)))
    Y = M + noise * rng.standard_normal(M.shape)
    return np.where(rng.random(M.shape) < share, Y, np.nan), rank


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="number of the first table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--above", type=int, help="largest rank tried, above the true one")
    args = parser.parse_args()
    off: Counter[int] = Counter()
    began = time.process_time()
    for k in range(args.first, args.first + args.trials):
        D, rank = drawn(np.random.default_rng([args.seed, k]))
        room = {} if args.above is None else {"max_rank": rank + args.above}
        done = complete(D, seed=k, **room)
        off[done.rank - rank] += 1
        if done.rank != rank or done.additive:
            tried = [(one.rank, one.additive, round(one.error, 5)) for one in done.tried]
            print(f"{k}: {D.shape} rank {rank} told {done.rank}, {done.additive} {tried}",
                  flush=True)  # fmt: skip
    print(f"told less true: {dict(sorted(off.items()))}, {time.process_time() - began:.0f} s")


if __name__ == "__main__":
    main()
