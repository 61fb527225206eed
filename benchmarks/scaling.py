"""Bytes, multiply-adds and messages of an iteration, held against measurement, and extrapolated.

    python benchmarks/scaling.py [--runs 5] [--json]

For dense matrices, entries, sparse matrices and coded diffraction at three sizes each:

- the sums that travel in a step of L-BFGS on two devices, as the compiler has them, against the
  model: one of n × r numbers, beside some single ones;
- bytes of the stored operator against the model;
- processor seconds of a gradient as bytes of the model a second, which change by no more than what
  caches and columns of vectors make of them.

Then what 10⁹ entries, and a table of 10⁸ × 10⁷, would take (``docs/scaling.md``).
"""

import os

os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=2 --xla_cpu_multi_thread_eigen=false"
)

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

import liftless as ll
from liftless._precision import float64
from liftless.descent.base import Point

#: Sums of single numbers that a step may have beside the one of n × r.
SINGLE = 64
#: How far rates of three sizes may lie apart.
APART = 4.0
#: Vectors of m numbers that a step of L-BFGS holds: b, weights, the measurements of the point and
#: of the line, the pull.
VECTORS = 7
#: Arrays of the factor's size: ten pairs of L-BFGS, point, gradient, direction, lowest.
FACTORS = 24
#: Entries of a matrix whose factor is out of cache.
FAR = "entries, far"


@dataclass(frozen=True)
class Model:
    """One operator at one size, and what the model says of it.

    Attributes
    ----------
    make : callable
    rank : int
    stored : float
        Bytes of the operator.
    read : float
        Bytes that a gradient moves: two passes over what is stored, and the numbers gathered.
    work : float
        Multiply-adds of a gradient.
    """

    name: str
    size: str
    make: Callable[[], Any]
    rank: int
    stored: float
    read: float
    work: float


def dense(n: int, m: int, r: int) -> Model:
    p = n * (n + 1) // 2
    packed = lambda: np.random.default_rng(0).standard_normal((m, p))  # noqa: E731
    make = lambda: ll.DenseOperator(packed(), n)  # noqa: E731
    stored = 8.0 * m * p
    return Model("dense", f"n={n} m={m}", make, r, stored, 2 * stored, 2.0 * m * p + 3 * n * n * r)


def entries(n: int, m: int, r: int, name: str = "entries") -> Model:
    def make() -> Any:
        rng = np.random.default_rng(1)
        rows, cols = np.sort(rng.integers(0, n, m)), rng.integers(0, n, m)
        return ll.RectangularEntries(rows, cols, n, n)

    # Two positions and a weight; the other side's positions twice, and an order; two pointers.
    stored = (4 + 4 + 8 + 4 + 4 + 4) * m + 2 * 4.0 * (2 * n + 1)
    # Of the factor's 2 n lines: read, filled up, and two sums of it written and added.
    read = (2 * 28 + 4 * 8 * r) * m + 6 * 8.0 * 2 * n * r
    return Model(name, f"n={n} m={m}", make, r, stored, read, 3.0 * m * r)


def sparse(n: int, m: int, r: int, each: int = 6) -> Model:
    e = each * m

    def make() -> Any:
        rng = np.random.default_rng(2)
        # Different places of the upper triangle, so that none adds to another.
        i, j = rng.integers(0, n // 2, e), n // 2 + rng.integers(0, n // 2, e)
        return ll.SparseOperator(np.arange(e) // each, i, j, np.ones(e), n, m)

    # k, i, j, value; of both triangles the measurement, half the value and its column, and where
    # places recur four bytes more for each of them.
    stored = (12 + 8) * e + 2 * e * (4 + 8 + 4) + 4.0 * (m + n)
    return Model("sparse", f"n={n} m={m}", make, r, stored, stored + 4 * 8.0 * r * e, 3.0 * e * r)


def coded(side: int, masks: int) -> Model:
    def make() -> Any:
        return ll.CodedDiffraction(
            1j ** np.random.default_rng(3).integers(0, 4, (masks, side, side))
        )

    pixels = side * side
    # Forth and back: a mask, and log₂ of the side passes of two dimensions over complex numbers.
    work = masks * 2 * 2.5 * pixels * (math.log2(pixels) + 2)
    read = masks * 2 * 16.0 * pixels * 6
    return Model("coded", f"{side}² × {masks}", make, 1, 16.0 * masks * pixels, read, work)


MODELS = (
    *(dense(*a) for a in ((40, 1600, 2), (80, 3200, 2), (100, 6400, 2))),
    *(entries(4000, m, 10) for m in (10**5, 3 * 10**5, 10**6)),
    # A factor that no cache holds: every number gathered is a wait for memory.
    *(entries(10**5, m, 10, FAR) for m in (10**5, 3 * 10**5, 10**6)),
    *(sparse(*a) for a in ((10**3, 10**4, 4), (4000, 5 * 10**4, 4), (10**4, 2 * 10**5, 4))),
    *(coded(*a) for a in ((64, 8), (128, 8), (256, 8))),
)


def nbytes(operator: Any) -> float:
    return float(sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(operator)))


def sums(operator: Any, rank: int) -> list[int]:
    """Numbers of every sum over devices in a compiled step of L-BFGS."""
    mesh = Mesh(np.array(jax.devices()), ("m",))
    b = np.zeros(operator.m)
    problem = ll.Problem(ll.sharded(operator, mesh), b, rank)
    method = ll.LBFGS()

    def step(problem: Any, X: Any) -> Any:
        point = Point.at(problem, X)
        return method.advance(problem, point, method.init(problem, point))[0]

    def start(problem: Any, X: Any) -> Any:
        point = Point.at(problem, X)
        return point, method.init(problem, point)

    with float64():
        X = np.ones((operator.n, rank))
        found = [_sums_of(f, problem, X) for f in (step, start)]
    # A step alone: what the point it begins with takes is taken off.
    for size in found[1]:
        found[0].remove(size)
    return found[0]


def _sums_of(function: Callable, *given: Any) -> list[int]:
    text = jax.jit(function).lower(*given).compile().as_text()
    sizes = []
    for line in text.splitlines():
        if not re.search(r"= .*all-(reduce|gather|to-all)(-start)?\(", line):
            continue
        left = line.split(" all-")[0]
        for dims in re.findall(r"[fsuc]\d+\[([\d,]*)\]", left):
            sizes.append(math.prod(int(d) for d in dims.split(",") if d))
    return sizes


def seconds(operator: Any, rank: int, runs: int) -> float:
    """Least processor seconds of the two applications of a gradient, on one thread."""
    with float64():
        on, X = jax.device_put(operator), jax.numpy.ones((operator.n, rank))
        forth = jax.jit(lambda op, X: op.measure(X, X))
        back = jax.jit(lambda op, y, X: op.backproject(y, X))
        y = jax.block_until_ready(forth(on, X))
        jax.block_until_ready(back(on, y, X))
        least = math.inf
        for _ in range(runs):
            began = time.process_time()
            jax.block_until_ready(back(on, jax.block_until_ready(forth(on, X)), X))
            least = min(least, time.process_time() - began)
    return least


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows, wrong = [], []
    for model in MODELS:
        operator = model.make()
        bytes_, n, r = nbytes(operator), operator.n, model.rank
        travels = sums(operator, r)
        large = [k for k in travels if k > SINGLE]
        took = seconds(operator, r, given.runs)
        row = {
            "operator": model.name,
            "size": model.size,
            "stored": bytes_,
            "stored_model": model.stored,
            "sums": large,
            "single": len(travels) - len(large),
            "factor": n * r,
            "seconds": took,
            "rate": model.read / took,
            "work": model.work,
        }
        rows.append(row)
        name = f"{model.name} {model.size}"
        if abs(bytes_ / model.stored - 1) > 0.05:
            wrong.append(f"{name}: {bytes_:.4g} bytes, not {model.stored:.4g}")
        if large != [n * r]:
            wrong.append(f"{name}: sums of {large} numbers, not of {n * r}")
        if not given.json:
            print(
                f"{name:>26}: {bytes_ / 1e6:8.1f} MB ({bytes_ / model.stored:.3f} of the model), "
                f"sums {large} and {row['single']} single, {took * 1e3:8.2f} ms, "
                f"{row['rate'] / 1e9:.2f} GB/s, {model.work / took / 1e9:.2f} Gmadd/s",
                flush=True,
            )
    for kind in dict.fromkeys(model.name for model in MODELS):
        rates = [row["rate"] for row in rows if row["operator"] == kind]
        if max(rates) > APART * min(rates):
            wrong.append(f"{kind}: rates of {min(rates):.3g} to {max(rates):.3g} bytes a second")
    if given.json:
        print(json.dumps(rows))
    else:
        for line in plans(rows):
            print(line)
    print(*wrong, sep="\n", file=sys.stderr)
    return int(bool(wrong))


def plans(rows: list[dict]) -> list[str]:
    """Sizes that do not fit here, by the model: bytes in all, a process, and a message."""
    rate = [row["rate"] for row in rows if row["operator"] == FAR][-1]
    lines = []
    for name, m, n in (
        ("10⁹ entries of 10⁵ × 10⁵", 1e9, 2e5),
        ("10⁹ entries of 10⁶ × 10⁶", 1e9, 2e6),
        ("10⁹ entries of 10⁸ × 10⁷", 1e9, 1.1e8),
    ):
        r = 10
        data, factor = (28 + 8 * VECTORS) * m, 8 * n * r
        move = (2 * 28 + 32 * r) * m + 48 * n * r
        lines.append(
            f"{name}, rank {r}: measurements {data / 1e9:.0f} GB over all processes, factor "
            f"{factor / 1e9:.2g} GB, with L-BFGS {FACTORS * factor / 1e9:.3g} GB on each process; "
            f"a sum of {factor / 1e9:.2g} GB and {move / 1e9:.0f} GB of memory traffic a gradient, "
            f"{move / rate:.0f} s on one thread of this machine"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
