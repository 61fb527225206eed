"""Pictures with half of their pixels missing: error on these, and seconds, peers beside.

scikit-learn's digits, a row each (1797 × 64), and scikit-image's camera (512 × 512).  Beside it
soft-impute, whose penalty a tenth of the pixels chooses, and scikit-learn's IterativeImputer as it
is (of the camera with 50 nearest columns: with all of them it takes hours).

Usage: python benchmarks/table_pictures.py PYTHON [--seed 0] [--only digits]

PYTHON is an interpreter with scikit-learn and scikit-image.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from liftless.tables import complete

PEERS = Path(__file__).with_name("picture_peers.py")
#: Largest rank tried, and columns of the imputer.
PICTURES = {"digits": (24, None), "camera": (64, 50)}
#: Levels of the penalty, their span, iterations at one, and the change that ends them.
PATH, SPAN, MOST, CHANGE = 15, 300.0, 50, 1e-4


def soft_impute(D: np.ndarray, seed: int) -> np.ndarray:
    """Soft-impute (Mazumder, Hastie, Tibshirani 2010) at the level that held-out pixels choose."""
    seen = ~np.isnan(D)
    mean = D[seen].mean()
    Y = np.where(seen, D - mean, 0.0)
    hidden = seen & (np.random.default_rng([seed, 1]).random(D.shape) < 0.1)
    top = np.linalg.svd(Y, compute_uv=False)[0]
    levels = np.geomspace(top, top / SPAN, PATH)[1:]
    tried = _path(Y, seen & ~hidden, levels)
    best = int(np.argmin([np.mean((Z - Y)[hidden] ** 2) for Z in tried]))
    return _path(Y, seen, levels[: best + 1])[-1] + mean


def _path(Y: np.ndarray, mask: np.ndarray, levels: np.ndarray) -> list[np.ndarray]:
    Z, out = np.zeros(Y.shape), []
    for level in levels:
        for _ in range(MOST):
            U, s, Vt = np.linalg.svd(np.where(mask, Y, Z), full_matrices=False)
            old, Z = Z, (U * np.maximum(s - level, 0.0)) @ Vt
            if np.sum((Z - old) ** 2) < CHANGE * max(float(np.sum(old**2)), 1e-30):
                break
        out.append(Z)
    return out


def imputed(python: str, D: np.ndarray, folder: str, nearest: int | None) -> tuple:
    """IterativeImputer's table, and its seconds."""
    source, target = Path(folder) / "in.npy", Path(folder) / "out.npy"
    np.save(source, D)
    words = [python, str(PEERS), "impute", str(source), str(target)]
    words += [] if nearest is None else [str(nearest)]
    found = subprocess.run(words, check=True, capture_output=True, text=True)
    return np.load(target), float(found.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PICTURES)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pictures.npz"
        subprocess.run([args.python, str(PEERS), "dump", str(path)], check=True)
        pictures = dict(np.load(path))
        for name in [args.only] if args.only else list(PICTURES):
            most, nearest = PICTURES[name]
            M = pictures[name]
            hole = np.random.default_rng([args.seed, 7]).random(M.shape) < 0.5
            D = np.where(hole, np.nan, M)

            def error(filled: np.ndarray, M: np.ndarray = M, hole: np.ndarray = hole) -> float:
                return float(np.sqrt(np.mean((filled - M)[hole] ** 2)))

            began = time.process_time()
            low, high = float(np.nanmin(D)), float(np.nanmax(D))
            done = complete(D, additive=True, max_rank=most, clip=(low, high))
            spent = time.process_time() - began
            print(f"{name}: liftless {error(done.matrix):.3f}, rank {done.rank}, {spent:.1f} s",
                  flush=True)  # fmt: skip
            began = time.process_time()
            soft = np.clip(soft_impute(D, args.seed), low, high)
            spent = time.process_time() - began
            print(f"{name}: soft-impute {error(soft):.3f}, {spent:.1f} s", flush=True)
            filled, spent = imputed(args.python, D, folder, nearest)
            words = f"{error(np.clip(filled, low, high)):.3f}, {spent:.1f} s"
            print(f"{name}: IterativeImputer {words}", flush=True)


if __name__ == "__main__":
    main()
