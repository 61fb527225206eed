"""Start-up of the command line against the bare import of JAX, in turn, as whole processes.

Prints medians and ratios: `liftless recover` on the real-world file with a warm compilation cache
(aim: at most 4 times the import), with an empty one (at most 10), and `liftless --help` (0.4 s).

Usage: python benchmarks/startup.py [--runs 7] [--json]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIFTLESS = [sys.executable, "-m", "liftless"]


def timed(command: list[str], env: dict[str, str]) -> float:
    """Wall seconds of a whole process that must succeed."""
    began = time.perf_counter()
    subprocess.run(command, env=env, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache, file = Path(folder) / "cache", str(Path(folder) / "real-world.npz")
        env = {**os.environ, "LIFTLESS_CACHE_DIR": str(cache)}
        recover = [*LIFTLESS, "recover", file, "--rank", "1", "--json", "--quiet"]
        timed([*LIFTLESS, "instance", "real-world", "--out", file, "--quiet"], env)
        times: dict[str, list[float]] = {"import": [], "cold": [], "warm": [], "help": []}
        for _ in range(args.runs):
            times["import"].append(timed([sys.executable, "-c", "import jax"], env))
            shutil.rmtree(cache, ignore_errors=True)
            times["cold"].append(timed(recover, env))
            times["warm"].append(timed(recover, env))
            times["help"].append(timed([*LIFTLESS, "--help"], env))
    median = {name: statistics.median(values) for name, values in times.items()}
    rows = [
        ("recover, warm cache / import jax", median["warm"] / median["import"], 4.0),
        ("recover, empty cache / import jax", median["cold"] / median["import"], 10.0),
        ("liftless --help, seconds", median["help"], 0.4),
    ]
    if args.json:
        json.dump({"seconds": median, "rows": rows, "runs": args.runs}, sys.stdout)
        return 0
    print("median seconds: " + ", ".join(f"{k} {v:.2f}" for k, v in median.items()))
    for name, value, aim in rows:
        print(f"{name:36s} {value:6.2f}   aim <= {aim:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
