"""The lifted problem: steps a second of compiled exact projected descent, and explicit tensors.

Descent in coefficients at orders 3, 11 and 101; one projected gradient step of it against one in
explicit tensors, both sides alternately in one process.  Medians and ratios are printed.

Usage: python benchmarks/lifted.py [--runs 7] [--steps 1000000] [--json]
"""

import argparse
import json
import statistics
import sys
import time

import numpy as np

import liftless as ll
from liftless.escape import oracle
from liftless.lifted import LiftedSubspace, projected_descent
from liftless.lifted.explicit import ExplicitLift

#: Steps of the compiled loop of which one side of the comparison is a single step.
BATCH = 20_000
RHO, ETA = 0.1, 1e-3


def seconds(call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median(call, runs: int) -> float:
    """Median seconds after a warm-up, which compiles."""
    call()
    return statistics.median(seconds(call) for _ in range(runs))


def speed(instance, X, order: int, runs: int, steps: int) -> dict:
    """Steps a second of the compiled loop."""
    subspace = LiftedSubspace.at(instance.problem, X, order)
    W = subspace.escaped(RHO)
    # Smaller where the objective is large, so that the path stays finite at every order.
    eta = ETA * min(1.0, float(np.exp(-subspace.log_data)))
    path = projected_descent(subspace, W, eta, steps, every=steps)
    if not np.isfinite(path.W).all():
        raise RuntimeError(f"the path of {instance.name} at order {order} is not finite")
    took = median(lambda: projected_descent(subspace, W, eta, steps, every=steps), runs)
    rate = steps / took
    return {"what": f"steps a second, {instance.name}, l = {order}", "seconds": took, "rate": rate}


def against(instance, X, order: int, runs: int) -> dict:
    """Seconds of one step: explicit tensors, and the closed form."""
    o = oracle(instance.problem, X)
    lift = ExplicitLift.at(instance.problem, order)
    subspace = LiftedSubspace.at(instance.problem, X, order, o=o)
    basis = lift.basis(X, o)
    w, W = basis[0] + RHO * basis[1], subspace.escaped(RHO)
    C = basis.reshape(3, -1).T
    pseudo = np.linalg.pinv(C, rcond=1e-4)

    def explicit() -> None:
        C @ (pseudo @ (w - ETA * lift.printed_gradient(w)).ravel())

    def closed() -> None:
        projected_descent(subspace, W, ETA, BATCH, every=BATCH)

    times: tuple[list[float], list[float]] = ([], [])
    for k in range(runs + 1):
        for side, call in enumerate((explicit, closed)):
            took = seconds(call)
            if k:
                times[side].append(took)
    first, second = statistics.median(times[0]), statistics.median(times[1]) / BATCH
    return {
        "what": f"explicit / closed step, {instance.name}, l = {order}",
        "first": first,
        "second": second,
        "ratio": first / second,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    cases = [ll.make_instance(name) for name in ("basic", "real-world", "pmc")]
    rows = [
        speed(instance, instance.points[0].X, order, args.runs, args.steps)
        for instance in cases
        for order in (3, 11, 101)
    ]
    rows += [
        against(instance, instance.points[0].X, order, args.runs)
        for instance in cases
        for order in (3, 5, 7)
    ]
    if args.json:
        json.dump(rows, sys.stdout)
        return 0
    for row in rows:
        if "rate" in row:
            print(f"{row['what']:44s} {row['rate']:.3g}")
        else:
            sides = f"{1e6 * row['first']:.4g} us / {1e6 * row['second']:.3g} us"
            print(f"{row['what']:44s} {sides:28s} ratio {row['ratio']:.3g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
