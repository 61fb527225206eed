"""Ratings by users of items: error on held-out ratings, intervals, and seconds.

The file has a line a rating: user, item, rating, with a heading; MovieLens-100K as `recbole` brings
it, whose licence forbids to pass it on.  Every fold is completed with the rank chosen inside it.

Usage: python benchmarks/table_ratings.py FILE [--rank auto] [--folds 5] [--seed 0]
"""

import argparse
import time

import numpy as np

from liftless.tables import complete
from liftless.tables.files import read_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--rank", default="auto")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--most", type=int, default=5, help="folds that are run")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rank = args.rank if args.rank == "auto" else int(args.rank)
    table = read_table(args.file, symmetric=False)
    fold = np.random.default_rng(args.seed).permutation(table.y.size) % args.folds
    print("fold: rank, error, share inside 90 %, fit s (processor), prediction s", flush=True)
    errors = []
    for k in range(min(args.most, args.folds)):
        shown, hidden = table.take(fold != k), table.take(fold == k)
        began = time.process_time()
        done = complete(shown, rank, additive=None if rank == "auto" else True)
        fit = time.process_time() - began
        rows, cols = table.rows[hidden.i], table.cols[hidden.j]
        began = time.process_time()
        guess = done.predict(rows, cols)
        predicted = time.process_time() - began
        low, high = done.interval(rows, cols)
        inside = np.mean((low <= hidden.y) & (hidden.y <= high))
        errors.append(float(np.sqrt(np.mean((guess - hidden.y) ** 2))))
        tried = [(one.rank, one.additive, round(one.error, 4)) for one in done.tried]
        print(f"{k}: {done.rank} {errors[-1]:.4f} {inside:.3f} {fit:.1f} {predicted:.3f} {tried}",
              flush=True)  # fmt: skip
    print(f"mean error {np.mean(errors):.4f}")


if __name__ == "__main__":
    main()
