"""SIGKILL at random moments of a sweep: no finished trial is lost, none is there twice.

    python benchmarks/kills.py [--moments 30] [--shards 6] [--seed 0] [--scale 1]

One sweep goes on in one store while a worker, or the coordinator, is killed at random moments; a
coordinator is started again after it.  Kinds in turn: a worker process of ``--jobs 2``, the
coordinator of it, a ``dask worker`` (which another one replaces), the coordinator of a sweep on
Dask.  Between two moments the store may only grow, by rows that are kept as they were; at the end
it has the rows of an uninterrupted sweep, all but their seconds.

Then processes of ``recover --processes 2`` on a search without end, the first and the other in
turn: exit code 75, a whole file with the best factor from the first point on, nobody left behind,
and a run that goes on from that file ends no higher.
"""

import argparse
import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from liftless import load_problem
from liftless.__main__ import main as program
from liftless.io import load_factor
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


def shard(folder: Path, k: int, moment: float) -> str:
    """Kill one of two processes so long after a first factor is kept; what went wrong."""
    problem, out = folder / "p.npz", folder / "r.npz"
    out.unlink(missing_ok=True)
    words = [sys.executable, "-m", "liftless", "recover", str(problem), "--quiet"]
    words += ["--processes", "2", "--out", str(out)]
    child = subprocess.Popen([*words, "--budget", str(10**9)], **QUIET)
    began = time.monotonic()
    while not out.exists() and time.monotonic() - began < 300:
        time.sleep(0.1)
    time.sleep(moment)
    parts = psutil.Process(child.pid).children()
    if len(parts) != 2:
        child.kill()
        return f"{len(parts)} processes at work"
    parts[k % 2].kill()
    trouble = "" if (code := child.wait(120)) == 75 else f"code {code}"
    time.sleep(1)
    trouble += " a process is left" if any(psutil.pid_exists(one.pid) for one in parts) else ""
    loaded = load_problem(problem).problem
    kept = float(loaded.objective(load_factor(out)))
    done = subprocess.run([*words, "--start", str(out), "--budget", "300"], check=False, **QUIET)
    after = float(loaded.objective(load_factor(out)))
    if done.returncode not in (0, 3, 4) or not after <= kept * (1 + 1e-9):
        trouble += f" gone on with code {done.returncode} from h {kept:g} to {after:g}"
    return trouble


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=30, help="Of all kinds together.")
    parser.add_argument("--trials", type=int, default=1500, help="Trials a cell.")
    parser.add_argument("--shards", type=int, default=6, help="Moments of recover --processes 2.")
    parser.add_argument("--seed", type=int, default=0, help="Of the moments.")
    parser.add_argument("--scale", type=float, default=1.0, help="Of all moments; slow machines.")
    given = parser.parse_args()
    rng, wrong = np.random.default_rng(given.seed), []
    kinds = ("worker", "coordinator", "dask worker", "dask coordinator")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        sweeps = kinds if given.moments else ()
        whole = Sweep(folder / "whole", given.trials, [])
        if sweeps:
            whole.start()
            whole.child.wait()
            whole.look("whole")
            print(f"uninterrupted: {len(whole.known)} rows")
        for number, kind in enumerate(sweeps):
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
        size = ["--n", "30", "--rank", "2", "--ratio", "1.02", "--noise", "0.1", "--seed", "0"]
        program(["instance", "gaussian", *size, "--out", str(folder / "p.npz"), "--quiet"])
        found = [shard(folder, k, 6 * rng.random() * given.scale) for k in range(given.shards)]
        print(f"shards: {found.count('')} of {given.shards} right")
        wrong += [f"shard {k}: {text}" for k, text in enumerate(found) if text]
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
