"""Dense kernels against the speed at which this machine reads memory, and against NumPy.

For each size, well out of the cache, the times of the read limit, of NumPy and of the library's
gradient, line (the two measurements an exact line search needs), measure and backproject are taken
alternately in one process.  Rates are bytes of the stored matrices per second: a gradient is two
passes over them, the rest one.  The limits:

- read: the fastest of NumPy's sum, maximum and dot product over an array of that size, on one
  thread and split over all cores; no kernel that reads every byte once should be much faster;
- gemv: NumPy's matrix-vector product A @ x and y @ A (BLAS, all cores), the arithmetic included.

NumPy's gradient is the ordinary one, A.reshape(m, -1) @ vec(X Xᵀ) and back on full matrices, and
the same on the packed rows.

Usage: python benchmarks/roofline.py [--runs 15] [--sizes 100x4000 ...] [--dtypes ...] [--json]
"""

import argparse
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

import liftless as ll

RANK = 2
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
#: Seconds between two calls.
PAUSE = 0.3
#: NumPy's passes that only read.
READS = {"sum": np.sum, "max": np.max, "dot": lambda a: np.dot(a, a)}


def alternate(calls: dict, runs: int) -> dict[str, float]:
    """Median seconds of every call, one of each a round, after two rounds to warm up.

    The pause lets the threads of the call before fall asleep: BLAS keeps them spinning for a while,
    which would be charged to whoever comes next.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for k in range(runs + 2):
        for name, call in calls.items():
            time.sleep(PAUSE)
            began = time.perf_counter()
            jax.block_until_ready(call())
            if k >= 2:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(t) for name, t in times.items()}


def readers(flat: np.ndarray, pool: ThreadPoolExecutor) -> dict:
    """Passes over the stored numbers that do nothing but read them."""
    parts = np.array_split(flat, CORES)
    calls = {}
    for name, call in READS.items():
        calls[f"read {name}, 1 thread"] = lambda call=call: call(flat)
        calls[f"read {name}, {CORES} threads"] = lambda call=call: list(pool.map(call, parts))
    return calls


def numpy_calls(packed: np.ndarray, full: np.ndarray, b: np.ndarray, X: np.ndarray) -> dict:
    """NumPy's products, and its gradient on packed and on full matrices."""
    m, n = full.shape[:2]
    rows = full.reshape(m, n * n)
    i, j = np.triu_indices(n)
    dtype = packed.dtype

    def on_full():
        y = rows @ (X @ X.T).astype(dtype).ravel()
        return 2 * np.tensordot((y - b).astype(dtype), full, 1) @ X

    def on_packed():
        y = packed @ (X @ X.T)[i, j].astype(dtype)
        upper = (y - b).astype(dtype) @ packed
        S = np.zeros((n, n))
        S[i, j] = upper / 2
        return 2 * (S + S.T) @ X

    x, y = np.ones(packed.shape[1], dtype), np.ones(m, dtype)
    return {
        "numpy A @ x": lambda: packed @ x,
        "numpy y @ A": lambda: y @ packed,
        "numpy gradient, full": on_full,
        "numpy gradient, packed": on_packed,
    }


def library_calls(problem, X, D, y) -> dict:
    """The library's kernels, compiled, on data that is on the device."""
    gradient = jax.jit(lambda p, X: p.gradient(X))
    line = jax.jit(lambda p, X, D: p.operator.measure_pair(X, D))
    twice = jax.jit(lambda p, X, D: (p.operator.measure(X, D), p.operator.measure(D, D)))
    measure = jax.jit(lambda p, X: p.operator.measure(X, X))
    back = jax.jit(lambda p, y, X: p.operator.backproject(y, X))
    return {
        "gradient": lambda: gradient(problem, X),
        "along": lambda: line(problem, X, D),
        "along by two measures": lambda: twice(problem, X, D),
        "measure": lambda: measure(problem, X),
        "backproject": lambda: back(problem, y, X),
    }


#: Passes over the stored matrices that a call needs; one where not listed.
PASSES = {"gradient": 2, "numpy gradient, packed": 2, "numpy gradient, full": 2}


def case(n: int, m: int, dtype: str, runs: int, pool: ThreadPoolExecutor) -> dict:
    """Times, rates and the ratios of one size."""
    rng = np.random.default_rng(0)
    i, j = np.triu_indices(n)
    packed = rng.standard_normal((m, i.size), np.float32).astype(dtype)
    full = np.empty((m, n, n), dtype)
    full[:, i, j] = full[:, j, i] = packed * np.where(i == j, 1.0, 0.5).astype(dtype)
    operator = ll.DenseOperator(packed, n, dtype)
    b, (X, D) = rng.standard_normal(m), rng.standard_normal((2, n, RANK))
    problem = jax.tree.map(jax.numpy.asarray, ll.Problem(operator, b, RANK))
    numpy = numpy_calls(packed, full, b, X)
    library = library_calls(problem, *(jax.numpy.asarray(a) for a in (X, D, b)))
    for name in ("numpy gradient, full", "numpy gradient, packed"):
        other, own = numpy[name](), np.asarray(library["gradient"]())
        error = np.abs(other - own).max() / np.abs(own).max()
        if error > (1e-10 if dtype == "float64" else 1e-3):
            raise SystemExit(f"{name} differs from the library's by {error:.1e}")
    seconds = alternate({**readers(packed.ravel(), pool), **numpy, **library}, runs)
    rates = {k: PASSES.get(k, 1) * packed.nbytes / s / 1e9 for k, s in seconds.items()}
    rates["numpy gradient, full"] *= full.nbytes / packed.nbytes
    read = max(v for k, v in rates.items() if k.startswith("read"))
    gemv = 2 / (1 / rates["numpy A @ x"] + 1 / rates["numpy y @ A"])
    ratios = {f"{k} / read limit": rates[k] / read for k in library}
    ratios["gradient / gemv limit"] = rates["gradient"] / gemv
    for kind in ("full", "packed"):
        name = f"numpy gradient, {kind}"
        ratios[f"{name}: its time / gradient's"] = seconds[name] / seconds["gradient"]
    ratios["two measures: time / along's"] = seconds["along by two measures"] / seconds["along"]
    return {
        "n": n,
        "m": m,
        "dtype": dtype,
        "megabytes": packed.nbytes / 1e6,
        "cores": CORES,
        "read_limit": read,
        "gemv_limit": gemv,
        "seconds": seconds,
        "gigabytes_per_second": rates,
        "ratios": ratios,
    }


def show(row: dict) -> None:
    """Print one size."""
    print(f"n={row['n']} m={row['m']} {row['dtype']}: {row['megabytes']:.0f} MB, {CORES} cores")
    for name, seconds in row["seconds"].items():
        rate = row["gigabytes_per_second"][name]
        print(f"  {name:28s} {1e3 * seconds:8.2f} ms {rate:7.1f} GB/s")
    for name, ratio in row["ratios"].items():
        print(f"  {name:46s} {ratio:6.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--sizes", nargs="+", default=["100x4000", "200x1000"])
    parser.add_argument("--dtypes", nargs="+", default=["float64", "float32"])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    with jax.enable_x64(True), ThreadPoolExecutor(CORES) as pool:
        for size in args.sizes:
            n, m = (int(k) for k in size.split("x"))
            for dtype in args.dtypes:
                rows.append(case(n, m, dtype, args.runs, pool))
                if not args.json:
                    show(rows[-1])
    if args.json:
        json.dump(rows, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
