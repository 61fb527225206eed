"""Operators: where `backproject` is overridden, the override against the derived transposition.

Also packed storage in float64 and float32, the entries kernel's growth with n, and sparse matrices
beside NumPy's gathers and SciPy's CSR products (n = 10,000, 10⁶ entries, r = 10).  Both sides run
alternately in one process; medians of the processor's seconds and ratios are printed.

Usage: python benchmarks/operators.py [--runs 15] [--only 'entries by rows'] [--json]
"""

import argparse
import json
import statistics
import sys
import time
from itertools import chain

import jax
import numpy as np
from scipy.sparse import csr_array

import liftless as ll
from liftless.operators import SensingOperator


def derived(operator, y, V):
    """A*(y) V by transposition of `measure`, whatever the class overrides."""
    return SensingOperator.backproject(operator, y, V)


def own(operator, y, V):
    """A*(y) V as the class defines it."""
    return operator.backproject(y, V)


def pair(first, second, arguments: tuple, other: tuple, runs: int) -> tuple[float, float]:
    """Median processor seconds of two compiled calls, taken alternately after a warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for k in range(runs + 2):
        for side, (call, given) in enumerate(((first, arguments), (second, other))):
            began = time.process_time()
            jax.block_until_ready(call(*given))
            if k >= 2:
                times[side].append(time.process_time() - began)
    return statistics.median(times[0]), statistics.median(times[1])


def cases(rng: np.random.Generator):
    """Operator pairs: (what, operator and function of either side)."""
    n, m, r = 100, 1000, 4
    rows = rng.standard_normal((m, n * (n + 1) // 2))
    wide, narrow = ll.DenseOperator(rows, n), ll.DenseOperator(rows, n, np.float32)
    seen = rng.random(500 * 501 // 2) < 0.1
    i, j = (a[seen] for a in np.triu_indices(500))
    entries = ll.EntriesOperator(i, j, 500)
    i4, j4 = (rng.integers(0, 2000, i.size) for _ in range(2))
    far = ll.EntriesOperator(i4, j4, 2000)
    yield "dense n=100 m=1000: derived / overridden", (wide, derived), (wide, own), r
    yield "dense float64 / float32 storage", (wide, own), (narrow, own), r
    yield "entries, 12,600 of them: n=2000 / n=500", (far, own), (entries, own), r


def sparse_cases(rng: np.random.Generator):
    """(what, NumPy's and SciPy's way, ours, arguments): one entry or ten a measurement."""
    n, entries, r = 10_000, 1_000_000, 10
    U, V = rng.standard_normal((2, n, r))
    for each in (1, 10):
        m = entries // each
        k = np.repeat(np.arange(m), each)
        i, j = np.sort(rng.integers(0, n, (2, entries)), axis=0)
        values, y = rng.standard_normal(entries), rng.standard_normal(m)
        op = ll.SparseOperator(k, i, j, values, n, m)
        k, i, j, values = (np.asarray(a) for a in (op.k, op.i, op.j, op.values))
        S = csr_array((np.asarray(op.halves), op.indices, op.indptr), shape=(n, n))
        halves, row_k = np.asarray(op.halves), np.asarray(op.row_k)

        def gathers(U, V, i=i, j=j, k=k, values=values, m=m):
            pairs = np.einsum("er,er->e", U[i], V[j]) + np.einsum("er,er->e", U[j], V[i])
            return np.bincount(k, values * pairs / 2, minlength=m)

        def csr(y, V, S=S, halves=halves, row_k=row_k):
            S.data = halves * y[row_k]
            return S @ V

        def measured(op, U, V):
            return op.measure(U, V)

        name = f"sparse, {each} entr{'y' if each == 1 else 'ies'} a measurement:"
        yield f"{name} NumPy / measure", gathers, measured, op, (U, V)
        yield f"{name} SciPy CSR / backproject", csr, own, op, (y, V)


def entry_cases(rng: np.random.Generator):
    """The same of observed entries of a 10,000 × 10,000 matrix, which come row by row or anyhow.

    SciPy's side is both products of one CSR matrix that holds y already: S V and Sᵀ U.
    """
    n, m = 10_000, 1_000_000
    places = np.unique(rng.integers(0, n * n, m))
    for sort in (True, False):
        places = places if sort else rng.permutation(places)
        i, j = np.divmod(places, n)
        op = ll.RectangularEntries(i, j, n, n)
        y = rng.standard_normal(i.size)
        S = csr_array((y, (i, j)), shape=(n, n))
        for r in (1, 5, 10, 50):
            X = rng.standard_normal((2 * n, r))

            def both(y, X, S=S):
                del y
                return S @ X[n:], S.T @ X[:n]

            def measured(op, U):
                return op.measure(U, U)

            def gathers(X, i=i, j=j):
                return np.einsum("er,er->e", X[i], X[n + j])

            name = f"entries {'by rows' if sort else 'in any order'}, r={r}:"
            yield f"{name} NumPy / measure", gathers, measured, op, (X,)
            yield f"{name} SciPy CSR / backproject", both, own, op, (y, X)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    with jax.enable_x64(True):
        for what, *sides, r in cases(rng):
            if args.only not in what:
                continue
            calls, given = [], []
            for operator, function in sides:
                device = jax.tree.map(jax.numpy.asarray, operator)
                y = jax.numpy.asarray(rng.standard_normal(operator.m))
                V = jax.numpy.asarray(rng.standard_normal((operator.n, r)))
                calls.append(jax.jit(function))
                given.append((device, y, V))
            a, b = pair(calls[0], calls[1], given[0], given[1], args.runs)
            rows.append({"what": what, "first": a, "second": b, "ratio": a / b})
        for what, theirs, ours, operator, given in chain(sparse_cases(rng), entry_cases(rng)):
            if args.only not in what:
                continue
            device = (jax.tree.map(jax.numpy.asarray, operator), *map(jax.numpy.asarray, given))
            a, b = pair(theirs, jax.jit(ours), given, device, args.runs)
            rows.append({"what": what, "first": a, "second": b, "ratio": a / b})
    if args.json:
        json.dump(rows, sys.stdout)
        return 0
    for row in rows:
        ms = f"{1e3 * row['first']:.2f} ms / {1e3 * row['second']:.2f} ms"
        print(f"{row['what']:60s} {ms:24s} ratio {row['ratio']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
