"""Two processes on two cores against one process pinned to one core.

    python benchmarks/speedups.py [--runs 5] [--rounds 3] [--trials 12] [--only sweep,dense,entries]

- ``dense``: steps of L-BFGS with m n² = 2·10⁸ (n = 100, m = 20,000, rank 2);
- ``entries``: the same with 10⁷ entries of a 10⁴ × 10⁴ matrix, rank 10;
- ``sweep``: ``liftless compare`` over trials of several cells, ``--jobs 1`` and ``--jobs 2``,
  whole processes with start and compilation.

One and two run in turn, ``--rounds`` times, and the ratio of the medians is printed: by wall time,
which other work on the machine makes meaningless, and by processor time of the busier process,
which it does not.  Nothing is judged.
"""

import argparse
import contextlib
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

#: Steps of L-BFGS that are timed at a time.
STEPS = {"dense": 6, "entries": 3}
#: Cells whose trials are many and short, so that two processes have as much to do each.
CELLS = ["--cells", "gaussian n=20 r=1", "--methods", "liftless,restarts", "--quiet"]


def free_port() -> int:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def part(what: str, number: int, count: int, address: str, runs: int) -> list[float]:
    """Wall and processor seconds a step in this process, one of ``count``."""
    import jax
    import numpy as np

    if count > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(address, num_processes=count, process_id=number)
    import liftless as ll

    def dense(first: int, last: int) -> Any:
        rng = np.random.default_rng([0, first])
        return ll.DenseOperator(rng.standard_normal((last - first, 5050)), 100)

    def entries(first: int, last: int) -> Any:
        rng, k = np.random.default_rng([1, first]), last - first
        rows, cols = np.sort(rng.integers(0, 10**4, k)), rng.integers(0, 10**4, k)
        return ll.RectangularEntries(rows, cols, 10**4, 10**4)

    read, m, rank = (dense, 20_000, 2) if what == "dense" else (entries, 10**7, 10)
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("m",))
    operator = ll.sharded_rows(read, m, mesh)
    rng = np.random.default_rng(2)
    problem = ll.Problem(operator, rng.standard_normal(m), rank)
    X = rng.standard_normal((operator.n, rank))
    stop = ll.Stop(max_iterations=STEPS[what])
    ll.descend(problem, X, ll.LBFGS(), stop)
    wall, cpu = [], []
    for _ in range(runs):
        began, busy = time.perf_counter(), time.process_time()
        ll.descend(problem, X, ll.LBFGS(), stop)
        wall.append((time.perf_counter() - began) / STEPS[what])
        cpu.append((time.process_time() - busy) / STEPS[what])
    return [statistics.median(wall), statistics.median(cpu)]


def spread(what: str, count: int, runs: int) -> tuple[float, float]:
    """The slower process's seconds a step, by wall and by processor; one is pinned to one core."""
    flags = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, __file__, "--part", what, "--count", str(count), "--runs", str(runs)]
    words += ["--address", f"127.0.0.1:{free_port()}"]
    with pinned() if count == 1 else contextlib.nullcontext():
        started = [
            subprocess.Popen(
                [*words, "--number", str(k)],
                env=os.environ | flags,
                stdout=subprocess.PIPE,
                text=True,
            )
            for k in range(count)
        ]
    said = [process.communicate()[0] or "" for process in started]
    if any(process.returncode for process in started):
        sys.exit("a process of the measurement failed")
    wall, cpu = zip(*(json.loads(text.splitlines()[-1]) for text in said), strict=True)
    return max(wall), max(cpu)


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """Let processes that start inside have one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def sweep(count: int, trials: int) -> tuple[float, float]:
    """Seconds of a sweep, by wall and by processor, the latter divided by the processes."""
    words = [sys.executable, "-m", "liftless", "compare", *CELLS, "--trials", str(trials)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with pinned() if count == 1 else contextlib.nullcontext():
        subprocess.run([*words, "--jobs", str(count)], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, busy / count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--only", default="sweep,dense,entries")
    parser.add_argument("--part", choices=STEPS, help="For the processes themselves.")
    parser.add_argument("--number", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--address")
    given = parser.parse_args()
    if given.part:
        found = part(given.part, given.number, given.count, given.address, given.runs)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
        os._exit(0)  # without the farewells of the runtime
    for what in given.only.split(","):
        rounds: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
        for _ in range(given.rounds):
            for count, kept in rounds.items():
                one = sweep(count, given.trials) if what == "sweep" else None
                kept.append(one or spread(what, count, given.runs))
        medians = {
            k: [statistics.median(x) for x in zip(*kept, strict=True)] for k, kept in rounds.items()
        }
        (wall, busy), (wall2, busy2) = medians[1], medians[2]
        print(
            f"{what:>8}: {wall:.3f} s on one, {wall2:.3f} s on two: {wall / wall2:.2f} times; by "
            f"processor {busy:.3f} and {busy2:.3f} s: {busy / busy2:.2f} times",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
