"""One completion over several processes or hosts, each of which reads its own entries alone.

    python examples/many_processes.py make DATA            # once: .npy files and Parquet parts
    python examples/many_processes.py NUMBER COUNT ADDRESS DATA [npy|parquet]

The second line is started COUNT times, NUMBER being 0 to COUNT − 1 and ADDRESS a free port of the
host of number 0, say ``localhost:12345``.  All print the same; the first writes ``factor.npz``.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import jax
import numpy as np

N, RANK, ENTRIES = 60, 2, 1200


def make(folder: Path) -> None:
    """Write entries of a random matrix: three arrays, and the same as four Parquet parts."""
    import pyarrow
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    place = np.sort(rng.choice(N * N, ENTRIES, replace=False))
    i, j = np.divmod(place, N)
    U, V = rng.standard_normal((2, N, RANK))
    folder.mkdir(exist_ok=True)
    whole = {"rows": i, "cols": j, "values": np.sum(U[i] * V[j], axis=1)}
    for name, array in whole.items():
        np.save(folder / f"{name}.npy", array)
    for k in range(4):
        part = {
            name: array[k * ENTRIES // 4 : (k + 1) * ENTRIES // 4] for name, array in whole.items()
        }
        pyarrow.parquet.write_table(pyarrow.table(part), folder / f"part-{k}.parquet")


def from_npy(folder: Path, name: str, first: int, last: int) -> np.ndarray:
    """Some numbers of a memory-mapped file; the rest is never read."""
    return np.array(np.load(folder / f"{name}.npy", mmap_mode="r")[first:last])


def from_parquet(folder: Path, name: str, first: int, last: int) -> np.ndarray:
    """The same of Parquet parts, of which only those that hold them are opened."""
    import pyarrow.parquet

    found, begin = [], 0
    for path in sorted(folder.glob("part-*.parquet")):
        count = pyarrow.parquet.read_metadata(path).num_rows
        a, b = max(first - begin, 0), min(last - begin, count)
        if a < b:
            column = pyarrow.parquet.read_table(path, columns=[name])[name]
            found.append(column.slice(a, b - a).to_numpy())
        begin += count
    return np.concatenate(found)


def main(number: int, count: int, address: str, folder: Path, form: str = "npy") -> str:
    """Recover, in step with the other processes; what it came to."""
    # Before anything else of JAX; under SLURM too, all three arguments are given.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(coordinator_address=address, num_processes=count, process_id=number)
    import liftless as ll

    reader = from_npy if form == "npy" else from_parquet
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("m",))

    def read(first: int, last: int) -> ll.RectangularEntries:
        rows, cols = (reader(folder, name, first, last) for name in ("rows", "cols"))
        return ll.RectangularEntries(rows, cols, N, N)

    operator = ll.sharded_rows(read, ENTRIES, mesh)
    # Eight bytes a measurement are on every process; the operator is not.
    b = reader(folder, "values", 0, ENTRIES)
    result = ll.recover(operator, b, RANK, start="spectral")
    if number == 0:
        np.savez(folder / "factor.npz", factor=result.x)
    return f"{result.message} ({result.nfev} applications)"


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        given = sys.argv[1:]
        sys.stdout.write(
            main(int(given[0]), int(given[1]), given[2], Path(given[3]), *given[4:]) + "\n"
        )
        sys.stdout.flush()
        # Without the farewells of the runtime, which wait for processes that may have failed.
        os._exit(0)
