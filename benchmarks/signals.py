"""Signals at many moments of a run: exit code 75, the best point kept, no row lost or doubled.

    python benchmarks/signals.py [--recover 60] [--compare 20] [--reproduce 20] [--scale 1]

Ctrl-C and SIGTERM in turn.  Of the moments of recover every other is counted from the first line of
the process on, and falls into imports, compilation, or a start; the rest from the first point that
it tells of, and falls into the search.  Those of the other commands are spread evenly over the life
of the process.  A line a command, and one for every run that went wrong.
"""

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from liftless_papers.compare.store import read_store

#: As the console script begins, and with Ctrl-C as on a terminal; the line says it has begun.
PROGRAM = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from liftless.__main__ import main; os.write(2, b'ready\\n'); sys.exit(main())"
)
NUMBERS = (signal.SIGINT, signal.SIGTERM)
#: The first line of a run that tells of a point of the problem's own rank.
POINT = r"^(?!start )[^(]*: h [0-9]"


def signalled(
    words: list[str], moment: float, number: int, since: str = "ready"
) -> tuple[int, str]:
    """Exit code and standard error of a run that is signalled ``moment`` seconds after a line."""
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    met = threading.Event()

    def listen() -> None:
        assert child.stderr is not None
        for line in child.stderr:
            said.append(line)
            if re.search(since, line):
                met.set()
        met.set()

    listener = threading.Thread(target=listen)
    listener.start()
    met.wait(120)
    time.sleep(moment)
    child.send_signal(number)
    try:
        child.wait(timeout=120)
    except subprocess.TimeoutExpired:
        child.kill()
        said.append("no end within 120 s")
    listener.join()
    return child.wait(), "".join(said)


def recover(folder: Path, moments: np.ndarray) -> list[str]:
    """A search without end; what it has is in the file, and no worse than anything it told."""
    from liftless import load_problem
    from liftless.__main__ import main
    from liftless.io import load_factor

    problem, out = folder / "p.npz", folder / "r.npz"
    # Of noise that is not told, at a ratio where agreement ends nothing: no point is good enough.
    size = ["--n", "30", "--rank", "2", "--ratio", "1.02", "--noise", "0.1", "--seed", "0"]
    main(["instance", "gaussian", *size, "--out", str(problem), "--quiet"])
    loaded = load_problem(problem).problem
    words = ["recover", str(problem), "--budget", "1000000000", "--out", str(out)]
    wrong, kept, judged = [], 0, 0
    for k, moment in enumerate(moments):
        out.unlink(missing_ok=True)
        since = POINT if k % 4 >= 2 else "ready"
        code, said = signalled(words, moment, NUMBERS[k % 2], since)
        # Of the problem's own rank: a wide factor, and what a start has, are not yet that.
        lines = [line for line in said.splitlines() if not re.match(r"start |.*\(wide\)", line)]
        told = [float(h) for line in lines for h in re.findall(r"h ([0-9.e+-]+),", line)]
        trouble = "" if code == 75 and "Traceback" not in said else f"code {code}"
        if out.exists():
            kept, judged = kept + 1, judged + bool(told)
            h = float(loaded.objective(load_factor(out)))
            # The lines have six digits.
            if told and h > min(told) * (1 + 1e-5):
                trouble += f" h {h:g} above {min(told):g}"
        elif told:
            trouble += " nothing kept"
        left = {path.name for path in folder.iterdir()} - {"p.npz", "r.npz"}
        if trouble or left:
            last = said.strip().splitlines()[-1:]
            wrong.append(f"recover {moment:.2f} s, {NUMBERS[k % 2].name}: {trouble} {left} {last}")
    right = len(moments) - len(wrong)
    print(f"recover: {right} of {len(moments)} right, {kept} kept a point, {judged} of them judged")
    if moments.size >= 8 and judged < moments.size // 3:
        wrong.append(f"only {judged} of {moments.size} fell where there was a point to keep")
    return wrong


def compare(folder: Path, moments: np.ndarray) -> list[str]:
    """One folder for all runs, so that each goes on with what the last one left."""
    out, wrong, most = folder / "c", [], 0
    words = ["compare", "--cells", "smoke", "--methods", "liftless,restarts", "--trials", "400"]
    for k, moment in enumerate(moments):
        jobs = ["--jobs", str(1 + k % 2)]
        code, said = signalled([*words, *jobs, "--out", str(out)], moment, NUMBERS[k // 2 % 2])
        trouble = "" if code == 75 and "Traceback" not in said else f"code {code}"
        path = out / "rows.sqlite"
        whole = read_store(path)[1] if path.exists() else []
        keys = {(row["cell"], row["method"], row["trial"]) for row in whole}
        if len(keys) != len(whole) or len(whole) < most:
            trouble += f" {len(whole)} rows, {len(keys)} different, {most} before"
        most = len(whole)
        if trouble:
            wrong.append(f"compare {moment:.2f} s: {trouble} {said.strip().splitlines()[-1:]}")
    print(f"compare: {len(moments) - len(wrong)} of {len(moments)} right, {most} rows at the end")
    return wrong


def reproduce(folder: Path, moments: np.ndarray) -> list[str]:
    """Every experiment that a run has claims of is whole."""
    wrong, whole = [], 0
    for k, moment in enumerate(moments):
        out = folder / f"e{k}"
        words = ["reproduce", "all", "--out", str(out)]
        code, said = signalled(words, moment, NUMBERS[k % 2])
        trouble = "" if code == 75 and "Traceback" not in said else f"code {code}"
        done = [path.parent.name for path in out.glob("*/claims.json")] if out.exists() else []
        page = (out / "index.html").read_text("utf-8") if done else ""
        whole += len(done)
        if (found := re.search(r"interrupted; (\d+) of", said)) and int(found[1]) != len(done):
            trouble += f" {found[1]} told, {len(done)} there"
        if any(name not in page for name in done) or list(out.glob("**/.liftless-*")):
            trouble += " page or files not whole"
        if trouble:
            wrong.append(f"reproduce {moment:.2f} s: {trouble} {said.strip().splitlines()[-1:]}")
    print(f"reproduce: {len(moments) - len(wrong)} of {len(moments)} right, {whole} experiments")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in (("recover", 60), ("compare", 20), ("reproduce", 20)):
        parser.add_argument(f"--{name}", type=int, default=count, help="Moments of it.")
    parser.add_argument("--seed", type=int, default=0, help="Of the moments.")
    parser.add_argument("--scale", type=float, default=1.0, help="Of all moments; slow machines.")
    given = parser.parse_args()
    rng, wrong = np.random.default_rng(given.seed), []
    for task, most in ((recover, 6.0), (compare, 12.0), (reproduce, 12.0)):
        count = getattr(given, task.__name__)
        # One in each of so many equal parts of the time.
        moments = (np.arange(count) + rng.random(count)) / max(count, 1) * most * given.scale
        with tempfile.TemporaryDirectory() as folder:
            wrong += task(Path(folder), moments)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
