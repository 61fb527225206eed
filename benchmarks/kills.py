"""SIGKILL at random moments of a sweep: no finished trial is lost, none is there twice.

    python benchmarks/kills.py [--moments 30] [--seed 0] [--scale 1] [--where processes,dask]

One sweep goes on in one store while a worker, or the coordinator, is killed at random moments; a
coordinator is started again after it.  Kinds in turn: a worker process of ``--jobs 2``, the
coordinator of it, a ``dask worker`` (which another one replaces), the coordinator of a sweep on
Dask.  Between two moments the store may only grow, by rows that are kept as they were; at the end
it has the rows of an uninterrupted sweep, all but their seconds.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from liftless._errors import InvalidInput
from liftless_papers.compare.plan import row_key
from liftless_papers.compare.rows import Row
from liftless_papers.compare.store import read_store

#: A sweep of many short trials of one shape, so that moments fall between, into and after them.
SWEEP = ["--cells", "gaussian n=20 r=1 m/dof=1.1", "--methods", "spectral-once", "--seed", "7"]
SWEEP += ["--quiet"]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Dask:
    """A scheduler and two workers, as processes of the command line."""

    def __init__(self, folder: Path) -> None:
        self.file, self.workers = folder / "scheduler.json", []
        words = ["scheduler", "--scheduler-file", str(self.file), "--port", "0", "--no-dashboard"]
        self.scheduler = subprocess.Popen([sys.executable, "-m", "dask", *words], **QUIET)
        while not self.file.exists():
            time.sleep(0.1)
        for _ in range(2):
            self.add()

    def add(self) -> None:
        words = ["--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny"]
        words += ["--no-dashboard", "--local-directory", str(self.file.parent)]
        command = [sys.executable, "-m", "dask", "worker", *words]
        self.workers.append(subprocess.Popen(command, **QUIET))

    def kill_one(self, k: int) -> None:
        gone = self.workers.pop(k % 2)
        gone.kill()
        gone.wait()
        self.add()

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


class Sweep:
    """The sweep under way in one store, and what is known of it."""

    def __init__(self, out: Path, trials: int, where: list[str]) -> None:
        self.words = ["compare", *SWEEP, "--trials", str(trials), "--out", str(out), *where]
        self.store, self.known, self.child = out / "rows.sqlite", {}, None
        self.wrong: list[str] = []

    def going(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def start(self) -> None:
        self.child = subprocess.Popen([sys.executable, "-m", "liftless", *self.words], **QUIET)

    def end(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    def look(self, when: str) -> None:
        """Hold the store against what it had before."""
        if not self.store.exists():
            return
        rows = read_store(self.store)[1]
        found = {row_key(row): row for row in rows}
        if len(found) < len(rows):
            self.wrong.append(f"{when}: {len(rows) - len(found)} rows are there twice")
        lost = [key for key, row in self.known.items() if found.get(key) != row]
        if lost:
            self.wrong.append(f"{when}: {len(lost)} rows are lost or changed, {lost[0]} first")
        self.known = found


def kill_worker(sweep: Sweep, k: int) -> bool:
    """Kill a process of the pool, if there is one by now."""
    workers = []
    with contextlib.suppress(psutil.Error):  # one of them may end meanwhile
        for child in psutil.Process(sweep.child.pid).children():
            workers += [child] if "spawn_main" in " ".join(child.cmdline()) else []
    if not workers:
        return False
    workers[k % len(workers)].send_signal(signal.SIGKILL)
    return True


def alike(rows: dict, others: dict) -> str:
    """How two sets of rows differ, leaving aside how long each took."""

    def bare(row: Row) -> Row:
        return {name: value for name, value in row.items() if name != "seconds"}

    if rows.keys() != others.keys():
        return f"{len(rows.keys() ^ others.keys())} rows are in one alone"
    off = [key for key in rows if bare(rows[key]) != bare(others[key])]
    return f"{len(off)} rows differ, {off[0]} first" if off else ""


def run(
    sweep: Sweep, name: str, moments: np.ndarray, kill: Callable[[int], bool]
) -> tuple[int, int]:
    """Kill at moments, and let the sweep end; how many were hit, and coordinators started."""
    hits, starts = 0, 0
    for k, moment in enumerate(moments):
        if not sweep.going():
            sweep.start()
            starts += 1
        time.sleep(moment)
        if sweep.going():
            hits += kill(k)
        if not sweep.going():
            sweep.look(f"{name} {k}")
    while sweep.child is None or sweep.child.wait() != 0:
        sweep.start()
        starts += 1
        if starts > len(moments) + 5:
            sweep.wrong.append(f"{name}: does not end")
            break
    sweep.look(f"{name}, at the end")
    return hits, starts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=30, help="Of all kinds together.")
    parser.add_argument("--trials", type=int, default=1500, help="Trials a cell.")
    parser.add_argument("--seed", type=int, default=0, help="Of the moments.")
    parser.add_argument("--scale", type=float, default=1.0, help="Of all moments; slow machines.")
    given = parser.parse_args()
    rng, wrong = np.random.default_rng(given.seed), []
    kinds = ("worker", "coordinator", "dask worker", "dask coordinator")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        whole = Sweep(folder / "whole", given.trials, [])
        whole.start()
        whole.child.wait()
        whole.look("whole")
        print(f"uninterrupted: {len(whole.known)} rows")
        for number, kind in enumerate(kinds):
            count = len(range(number, given.moments, len(kinds)))
            cluster = Dask(folder) if kind.startswith("dask") else None
            where = ["--jobs", "2"] if cluster is None else ["--scheduler", f"dask:{cluster.file}"]
            sweep = Sweep(folder / kind.replace(" ", "-"), given.trials, where)

            def kill(k: int, kind=kind, cluster=cluster, sweep=sweep) -> bool:
                if kind == "worker":
                    return kill_worker(sweep, k)
                if kind == "dask worker":
                    cluster.kill_one(k)
                else:
                    sweep.end()
                return True

            try:
                moments = (2 + 8 * rng.random(count)) * given.scale
                hits, starts = run(sweep, kind, moments, kill)
            finally:
                sweep.end()
                if cluster is not None:
                    cluster.close()
                    cluster.file.unlink(missing_ok=True)
            trouble = alike(sweep.known, whole.known)
            sweep.wrong += [f"{kind}: {trouble}"] if trouble else []
            print(f"{kind}: {hits} of {count} killed, {starts} starts, {len(sweep.known)} rows")
            wrong += sweep.wrong
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InvalidInput as error:
        sys.exit(f"{error}; os {os.name}")
