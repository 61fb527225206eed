"""Ratings by users of items: error on held-out ratings, intervals, and seconds, peers beside.

The file has a line a rating: user, item, rating, with a heading; MovieLens-100K as `recbole` brings
it, whose licence forbids to pass it on.  Every fold is completed with the rank chosen inside it;
then once more with that rank and nothing held out, which is the fit alone.  ``--peers`` names an
interpreter that has scikit-surprise and cmfrec, which are tuned inside each fold as well.

Usage: python benchmarks/table_ratings.py FILE [--rank auto] [--folds 5] [--seed 0] [--peers PYTHON]
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from liftless.tables import Table, complete
from liftless.tables.files import read_table


def ours(shown: Table, hidden: Table, rank: str | int) -> dict:
    """Completion with the rank chosen, and alone; errors, coverage and seconds of processor."""
    additive = None if rank == "auto" else True
    began = time.process_time()
    done = complete(shown, rank, additive=additive)
    whole = time.process_time()
    complete(shown, done.rank, additive=done.additive, folds=0)
    alone = time.process_time()
    rows, cols = shown.rows[hidden.i], shown.cols[hidden.j]
    middle = time.process_time()
    guess = done.predict(rows, cols)
    predicted = time.process_time() - middle
    low, high = done.interval(rows, cols)
    return {
        "setting": done.rank,
        "error": float(np.sqrt(np.mean((guess - hidden.y) ** 2))),
        "tuning": whole - began,
        "fit": alone - whole,
        "prediction": predicted,
        "inside": float(np.mean((low <= hidden.y) & (hidden.y <= high))),
    }


def others(python: str, shown: Table, hidden: Table) -> dict[str, dict]:
    """The same split for the peers, by another interpreter."""
    parts = {name: np.column_stack([part.i, part.j, part.y])
             for name, part in (("shown", shown), ("hidden", hidden))}  # fmt: skip
    script = Path(__file__).with_name("table_peers.py")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "split.npz"
        np.savez(path, **parts)
        found = subprocess.run([python, str(script), str(path)], check=True, capture_output=True)
    return json.loads(found.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--rank", default="auto")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--most", type=int, default=5, help="folds that are run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peers", help="an interpreter with scikit-surprise and cmfrec")
    args = parser.parse_args()
    rank = args.rank if args.rank == "auto" else int(args.rank)
    table = read_table(args.file, symmetric=False)
    fold = np.random.default_rng(args.seed).permutation(table.y.size) % args.folds
    print("fold, which: error, seconds of choosing and fit, fit alone, prediction", flush=True)
    rows: dict[str, list[dict]] = {}
    for k in range(min(args.most, args.folds)):
        shown, hidden = table.take(fold != k), table.take(fold == k)
        found = {"liftless": ours(shown, hidden, rank)}
        if args.peers:
            found |= others(args.peers, shown, hidden)
        for name, row in found.items():
            rows.setdefault(name, []).append(row)
            inside = f", {row['inside']:.3f} inside 90 %" if "inside" in row else ""
            parts = f"{row['tuning']:.1f} {row['fit']:.1f} {row['prediction']:.4f}"
            words = f"{row['error']:.4f} {parts}, setting {row['setting']}{inside}"
            print(f"{k} {name}: {words}", flush=True)
    for name, some in rows.items():
        keys = ("error", "tuning", "fit", "prediction")
        means = [float(np.mean([row[key] for row in some])) for key in keys]
        print(f"mean {name}: {means[0]:.4f} {means[1]:.2f} {means[2]:.2f} {means[3]:.4f}")


if __name__ == "__main__":
    main()
