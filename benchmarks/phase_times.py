"""What an iteration of phase retrieval takes, in units of one forward map and one adjoint.

    python benchmarks/phase_times.py step 256 512 1024 [--masks 6] [--repeats 9]
    python benchmarks/phase_times.py whole 1024 [--masks 6] [--precision mixed]

``step`` times one iteration of each stage of ``liftless.phase.retrieve`` (message passing, and the
descent that follows it) on coded images behind octanary masks, in float64 and in float32, in turn
with a compiled forward map and a compiled adjoint in float64.  A row is the median over the repeats
of the ratio of neighbouring timings, of the clock and of processor time; the two differ where
transforms use several cores.  ``whole`` retrieves one image in this process and tells seconds,
processor seconds and the peak of memory.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from phase import picture

import liftless as ll
from liftless._precision import float64, on_device, single
from liftless.carried import CarriedProblem
from liftless.descent import LBFGS, Stop
from liftless.descent.loop import solve_starts
from liftless.phase.data import read
from liftless.phase.descent import MEMORY, first_problem
from liftless.start.passing import Numbers
from liftless.start.vector_passing import _begin, _run, readings_of
from liftless_papers.compare.amplitude_instances import random_masks

#: Iterations that one timing takes at most.
STEPS = 12


def readings(size: int, masks: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intensities, masks and image."""
    rng = np.random.default_rng([74, size, masks, seed])
    image = picture(size, real=False)
    coded = random_masks("octanary", (masks, size, size), rng)
    return np.abs(np.fft.fft2(coded * image, norm="ortho")) ** 2, coded, image


def stages(
    size: int, masks: int, kind: Any, memory: int = MEMORY
) -> dict[str, tuple[Callable[[], Any], int]]:
    """Functions to be timed, and the iterations that each takes."""
    of_kind = single if kind is np.float32 else (lambda tree: tree)
    b, coded, image = readings(size, masks, 0)
    data = read(b, coded, None, None, None, "ortho", real=False)
    rng = np.random.default_rng(1)
    X = data.operator.space.pack(image.reshape(-1, 1))
    X = X + 0.1 * np.sqrt(np.mean(X**2)) * rng.standard_normal(X.shape)
    problem = first_problem(data)
    carried = CarriedProblem(problem, data.operator)
    U = jnp.asarray(carried.inside(X), kind)[None]
    carried = on_device(of_kind(carried))
    given = on_device(of_kind(readings_of(problem)))
    G = jnp.asarray(rng.standard_normal(X.shape), kind)
    start = _begin(given, G)
    share = float(data.operator.share)
    operator = on_device(of_kind(data.operator))
    forward = jax.jit(lambda op, X: op.rows(X))
    adjoint = jax.jit(lambda op, P: op.back(P))
    P = forward(operator, U[0])

    def descent(steps: int) -> Any:
        stop = Stop(0.0, 0.0, steps)
        return solve_starts(carried, LBFGS(memory), stop, U)

    def passing(steps: int) -> Any:
        values = (1.0, 0.85, 0.0, 0.0, 1e9, float(steps))
        return _run(given, Numbers(*(jnp.asarray(v, kind) for v in values)), start, share)

    return {
        "forward": (lambda: forward(operator, U[0]), 1),
        "adjoint": (lambda: adjoint(operator, P), 1),
        "descent": (lambda: (descent(STEPS), STEPS), STEPS),
        "passing": (lambda: (passing(STEPS), STEPS), STEPS),
    }


def timed(call: Callable[[], Any]) -> np.ndarray:
    """Seconds of the clock and of the processor."""
    began = time.perf_counter(), time.process_time()
    jax.block_until_ready(call())
    return np.array([time.perf_counter() - began[0], time.process_time() - began[1]])


def step(args: argparse.Namespace) -> None:
    """A row a size and precision."""
    for size in args.sizes:
        with float64():
            both = {kind: stages(size, args.masks, kind) for kind in (np.float64, np.float32)}
            for named in both.values():
                for call, _ in named.values():
                    jax.block_until_ready(call())
            units, rows = [], {}
            for _ in range(args.repeats):
                unit = sum(timed(both[np.float64][name][0]) for name in ("forward", "adjoint"))
                units.append(unit)
                for kind, named in both.items():
                    for name, (call, count) in named.items():
                        rows.setdefault((kind.__name__, name), []).append(
                            timed(call) / count / unit
                        )
            unit = 1e3 * np.median(units, axis=0)
            print(f"{size}² L{args.masks}: forward + adjoint {unit[0]:.1f} ms ({unit[1]:.1f})")
            for (kind, name), values in rows.items():
                clock, processor = np.median(values, axis=0)
                print(f"  {kind} {name}: {clock:.2f} ({processor:.2f})", flush=True)


def whole(args: argparse.Namespace) -> None:
    """One line a size."""
    for size in args.sizes:
        b, coded, image = readings(size, args.masks, args.seed)
        began = time.perf_counter(), time.process_time()
        found = ll.phase.retrieve(b, masks=coded, seed=args.seed, precision=args.precision)
        took = time.perf_counter() - began[0], time.process_time() - began[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{size}² L{args.masks} {args.precision}: {found.kind}, "
            f"error {found.distance(image):.2e}, {found.ffts} transforms "
            f"({found.ffts_single} in float32), {took[0]:.1f} s of the clock, "
            f"{took[1]:.1f} s of processor, peak {peak:.2f} GiB",
            flush=True,
        )


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("step", "whole"))
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--masks", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=("float64", "mixed"), default="float64")
    args = parser.parse_args()
    {"step": step, "whole": whole}[args.what](args)


if __name__ == "__main__":
    main()
