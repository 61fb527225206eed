"""The same code on a GPU: seconds of an application and of a gradient, beside this host's CPU.

    python benchmarks/gpu.py [--runs 7] [--small] [--json]

Dense matrices n = 200, m = 40,000 (6.4 GB, float64); 10⁷ entries of a 10⁵ × 10⁵ matrix, rank 10;
coded diffraction of 1024² pixels, eight masks.  Without a GPU nothing is measured and the reason is
said, exit code 0.  ``--small`` takes sizes of a test; ``--cpu`` goes on without a GPU.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import liftless as ll
from liftless._precision import float64


def dense(small: bool) -> tuple[Any, int]:
    n, m = (30, 400) if small else (200, 40_000)
    packed = np.random.default_rng(0).standard_normal((m, n * (n + 1) // 2))
    return ll.DenseOperator(packed, n), 2


def entries(small: bool) -> tuple[Any, int]:
    n, m = (200, 5000) if small else (10**5, 10**7)
    rng = np.random.default_rng(1)
    return ll.RectangularEntries(np.sort(rng.integers(0, n, m)), rng.integers(0, n, m), n, n), 10


def coded(small: bool) -> tuple[Any, int]:
    side, masks = (16, 4) if small else (1024, 8)
    phases = np.random.default_rng(2).integers(0, 4, (masks, side, side))
    return ll.CodedDiffraction(1j**phases), 1


def absent() -> str:
    """Why there is no GPU; empty where there is one."""
    try:
        return "" if jax.devices("gpu") else "JAX has no GPU"
    except RuntimeError as error:
        return f"JAX has no GPU: {str(error).splitlines()[0]}"


def timed(call: Callable[[], Any], runs: int) -> float:
    """Median seconds of a call after the first two."""
    seconds = []
    for k in range(runs + 2):
        began = time.perf_counter()
        jax.block_until_ready(call())
        if k >= 2:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def measured(make: Callable, kind: str, small: bool, runs: int) -> dict[str, float]:
    """Seconds on the first device of a kind, and how far its gradient is from the CPU's."""
    operator, rank = make(small)
    device, cpu = jax.devices(kind)[0], jax.devices("cpu")[0]
    with float64():
        X = np.random.default_rng(3).standard_normal((operator.n, rank))

        def gradient(op: Any, X: Any) -> Any:
            return op.backproject(op.measure(X, X), X)

        found: dict[str, float] = {}
        with jax.default_device(device):
            there, at = jax.device_put((operator, X), device)
            both = {"measure": lambda op, X: op.measure(X, X), "gradient": gradient}
            for name, function in both.items():
                compiled = jax.jit(function)
                found[name] = timed(lambda f=compiled: f(there, at), runs)
            G = np.asarray(jax.jit(gradient)(there, at))
        with jax.default_device(cpu):
            exact = np.asarray(jax.jit(gradient)(operator, jnp.asarray(X)))
        found["difference"] = float(np.linalg.norm(G - exact) / np.linalg.norm(exact))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="Measure the CPU where there is no GPU.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    why = absent()
    if why and not given.cpu:
        print(json.dumps({"skipped": why}) if given.json else f"skipped: {why}")
        return 0
    rows, wrong = [], False
    kinds = ["cpu"] if why else ["gpu", "cpu"]
    for make in (dense, entries, coded):
        for kind in kinds:
            found = measured(make, kind, given.small, given.runs)
            wrong |= not found["difference"] <= 1e-12
            rows.append({"operator": make.__name__, "device": kind, **found})
            if not given.json:
                print(
                    f"{make.__name__:>8} on {kind}: measure {found['measure']:.4g} s, gradient "
                    f"{found['gradient']:.4g} s, {found['difference']:.1e} from the CPU's",
                    flush=True,
                )
    if given.json:
        print(json.dumps(rows))
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
