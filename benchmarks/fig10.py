"""Gradient descent of Fig. 10 against a plain NumPy loop over the trials: same steps, same ends.

Both sides run in turn, without an early stop, from the same starts, and the ends are compared.
The NumPy loop does what the formula says, x ← x − 2 step (W² ∘ (x xᵀ − z zᵀ)) x, trial by trial; a
second one uses the sums of the reduced form, so that the gain of the algebra and the gain of
batching and compiling can be told apart.  The last line runs the ten cells side by side, one
compiled batch a core: the loop has no such batches, and takes one core.

Usage: python benchmarks/fig10.py [--trials 50] [--steps 1000] [--repeats 3] [--json]
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from liftless import Stop, descend
from liftless_papers.experiments.sod.success.completion import reduced_problem, support_first
from liftless_papers.experiments.sod.success.strides import STRIDE, Strides

SIZES = (40, 50, 60, 70, 80)
EPSILONS = (0.15, 0.10)
TARGET = 50.0


def dense_loop(X0: np.ndarray, eps: float, step: float, steps: int) -> np.ndarray:
    """One trial after the other, O(n²) a step."""
    n = X0.shape[1]
    on = np.arange(n) % 2 == 0
    weak = on[:, None] & on[None, :] & ~np.eye(n, dtype=bool)
    squares, M = np.where(weak, eps * eps, 1.0), np.outer(on, on).astype(float)
    ends = []
    for start in X0[:, :, 0]:
        x = start
        for _ in range(steps):
            x = x - 2 * step * ((squares * (np.outer(x, x) - M)) @ x)
        ends.append(x)
    return np.array(ends)


def structured_loop(X0: np.ndarray, eps: float, step: float, steps: int) -> np.ndarray:
    """One trial after the other, O(n) a step, by the sums over the support and off it."""
    order = support_first(X0.shape[1])
    k, square = (X0.shape[1] + 1) // 2, eps * eps
    ends = np.empty(X0.shape[:2])
    for t, start in enumerate(X0[:, :, 0]):
        x = start[order]
        for _ in range(steps):
            a, o = x[:k], x[k:]
            p, q, s = a @ a, o @ o, a.sum()
            on = ((1 - square) * (a * a - 1) + square * p + q) * a - square * s
            x = x - 2 * step * np.concatenate([on, (p + q) * o])
        ends[t, order] = x
    return ends


def batched(X0: np.ndarray, eps: float, step: float, steps: int) -> np.ndarray:
    """All trials in one compiled call."""
    order = support_first(X0.shape[1])
    stop = Stop(objective=0.0, gradient=0.0, max_iterations=steps // STRIDE)
    done = descend(reduced_problem(X0.shape[1], eps), X0[:, order], Strides(step), stop)
    ends = np.empty(X0.shape[:2])
    ends[:, order] = done.X[:, :, 0]
    return ends


def seconds(run: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    began = time.perf_counter()
    ends = run()
    return time.perf_counter() - began, ends


def cell(n: int, eps: float, trials: int, steps: int, repeats: int) -> dict:
    """Medians of alternating runs of the three sides."""
    X0 = 0.01 * np.random.default_rng(0).standard_normal((trials, n, 1))
    arguments = (X0, eps, min(0.02, 1.6 / n), steps)
    batched(*arguments)  # compiles
    times: dict[str, list[float]] = {"dense": [], "structured": [], "liftless": []}
    ends = {}
    for _ in range(repeats):
        for name, side in (
            ("dense", dense_loop),
            ("structured", structured_loop),
            ("liftless", batched),
        ):
            spent, ends[name] = seconds(lambda side=side: side(*arguments))
            times[name].append(spent)
    median = {k: statistics.median(v) for k, v in times.items()}
    apart = max(np.abs(ends[k] - ends["liftless"]).max() for k in ("dense", "structured"))
    return {
        "n": n,
        "eps": eps,
        **{f"{k}_seconds": v for k, v in median.items()},
        "ratio": median["dense"] / median["liftless"],
        "ratio_structured": median["structured"] / median["liftless"],
        "microseconds_a_step": 1e6 * median["liftless"] / steps,
        "apart": float(apart),
    }


def together(trials: int, steps: int, repeats: int) -> float:
    """Median time of all ten cells, one thread a core."""
    cells = [(n, eps) for n in SIZES[::-1] for eps in EPSILONS]
    draws = {n: np.random.default_rng(0).standard_normal((trials, n, 1)) for n in SIZES}

    def run(cell: tuple[int, float]) -> np.ndarray:
        n, eps = cell
        return batched(0.01 * draws[n], eps, min(0.02, 1.6 / n), steps)

    times = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in range(repeats):
            began = time.perf_counter()
            list(pool.map(run, cells))
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--steps", type=int, default=1000, help="a multiple of 10")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    for eps in EPSILONS:
        for n in SIZES:
            rows.append(cell(n, eps, args.trials, args.steps, args.repeats))
            r = rows[-1]
            if not args.json:
                print(
                    f"eps {eps:.2f}  n {n}  NumPy loop {r['dense_seconds']:.3f} s  liftless "
                    f"{r['liftless_seconds']:.4f} s  ratio {r['ratio']:.0f}  (structured NumPy "
                    f"loop {r['ratio_structured']:.0f})  ends apart {r['apart']:.1e}",
                    flush=True,
                )
    total = {k: sum(r[f"{k}_seconds"] for r in rows) for k in ("dense", "structured", "liftless")}
    beside = together(args.trials, args.steps, args.repeats)
    ratios = {
        "one_thread": total["dense"] / total["liftless"],
        "all_cores": total["dense"] / beside,
    }
    if args.json:
        json.dump({"rows": rows, "ratios": ratios, "target": TARGET}, sys.stdout)
    else:
        print(
            f"all ten cells: NumPy loop {total['dense']:.2f} s, liftless {total['liftless']:.3f} s "
            f"one after the other (ratio {ratios['one_thread']:.0f}), {beside:.3f} s side by side "
            f"(ratio {ratios['all_cores']:.0f}, target {TARGET:.0f})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
