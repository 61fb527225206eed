"""Mutated files of every format: no traceback, bounded memory and time, and nothing written.

    python benchmarks/fuzz.py [--inputs 100000] [--seed 0]

A good file of each form and format is damaged: bytes changed, cut, doubled or moved, numbers of its
frame made large or negative, compressed parts opened, changed and closed again so that the damage
reaches what is behind them.  Each result is read as a problem, as a factor, or as a file of rows.
"""

import argparse
import io
import json
import os
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from liftless import InvalidInput, load_problem
from liftless.io import load_factor

#: Most seconds an input may take, and most bytes the process may hold.
SECONDS, BYTES = 10.0, 1e9
#: Numbers that damage a frame best.
EDGES = (
    0,
    1,
    2,
    3,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63,
)


def forms() -> dict[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 3, 3))
    entries = {"rows": np.array([0, 1, 2, 0]), "cols": np.array([0, 1, 2, 2]), "values": np.ones(4)}
    sides = {"shape": np.array([3, 3]), "weights": np.arange(1.0, 5.0), "index_base": np.array(0)}
    return {
        "dense": {"A": A + A.transpose(0, 2, 1), "b": rng.standard_normal(5), "rank": np.array(1)},
        "rank-one": {"a": rng.standard_normal((5, 3)), "b": np.ones(5), "truth": np.ones((3, 1))},
        "entries": {**entries, **sides},
        "rectangular": {
            **entries,
            "shape": np.array([3, 4]),
            "U": np.ones((3, 1)),
            "V": np.ones((4, 1)),
        },
        "diagonal": {"diag": np.eye(3), "b": np.zeros(3), "loss": np.array("logistic")},
        "factor": {"factor": rng.standard_normal((4, 2)), "X": np.ones((4, 2))},
    }


def good_files() -> list[tuple[str, bytes]]:
    from scipy.io import savemat

    files = []
    for arrays in forms().values():
        for save in (np.savez, np.savez_compressed):
            buffer = io.BytesIO()
            save(buffer, **arrays)
            files.append((".npz", buffer.getvalue()))
        for how in ({}, {"do_compression": True}, {"format": "4"}):
            buffer = io.BytesIO()
            kept = {k: v for k, v in arrays.items() if v.ndim < 3} if "format" in how else arrays
            savemat(buffer, kept, **how)
            files.append((".mat", buffer.getvalue()))
    for text in (
        "row,col,value,weight\n0,0,1,1\n1,2,-0.5,2\n2,2,3,1\n",
        "row,col,value\n" + "".join(f"{i},{j},{i + j}.5\n" for i in range(4) for j in range(3)),
        "value,col,row\n1e-3,1,1\n2,2,1\n",
    ):
        files.append((".csv", text.encode()))
    row = {"cell": "c", "method": "m", "trial": 0, "success": True, "seconds": 0.5}
    lines = [{"settings": {"seed": 0}}, row, row | {"trial": 1, "success": None}]
    files.append((".jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode()))
    return files


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Between one and six changes of the bytes."""
    content = bytearray(data)
    for _ in range(int(rng.integers(1, 7))):
        if not content:
            break
        at, kind = int(rng.integers(len(content))), int(rng.integers(8))
        size = int(rng.integers(1, 17))
        if kind <= 1:
            content[at] = int(rng.integers(256))
        elif kind == 2:
            content[at] ^= 1 << int(rng.integers(8))
        elif kind == 3:
            del content[at : at + size]
        elif kind == 4:
            content[at:at] = content[at : at + size] * int(rng.integers(1, 5))
        elif kind == 5:
            del content[at:]
        elif kind == 6:
            number = struct.pack("<Q", EDGES[int(rng.integers(len(EDGES)))])
            width = int(rng.choice([1, 2, 4, 8]))
            content[at : at + width] = number[:width]
        else:
            swap = int(rng.integers(len(content)))
            content[at : at + size], content[swap : swap + size] = (
                content[swap : swap + size],
                content[at : at + size],
            )
    return bytes(content)


def reach_inside(suffix: str, data: bytes, rng: np.random.Generator) -> bytes:
    """Damage what a check sum or a compression would hide, or text as text."""
    if suffix == ".npz":
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
            chosen = int(rng.integers(len(old.namelist())))
            for k, name in enumerate(old.namelist()):
                body = old.read(name)
                new.writestr(name, damage(body, rng) if k == chosen else body, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()
    if suffix == ".mat" and len(data) > 136 and data[128] == 15:
        out, at = bytearray(data[:128]), 128
        while at + 8 <= len(data):
            size = struct.unpack_from("<I", data, at + 4)[0]
            body = zlib.decompress(data[at + 8 : at + 8 + size])
            body = zlib.compress(damage(body, rng) if rng.random() < 0.5 else body)
            out += struct.pack("<II", 15, len(body)) + body
            at += 8 + size
        return bytes(out)
    if suffix in (".csv", ".jsonl"):
        words = (
            "1e308",
            "-1",
            "nan",
            "inf",
            "1e9",
            "99999999999999999999",
            "",
            '"',
            "é",
            "\0",
            "{}",
        )
        text = data.decode().replace("\n", ",\n,").split(",")
        for _ in range(int(rng.integers(1, 4))):
            text[int(rng.integers(len(text)))] = words[int(rng.integers(len(words)))]
        return ",".join(text).replace(",\n,", "\n").encode()
    return damage(data, rng)


def read_rows(path: Path) -> None:
    from liftless_papers.compare.store import Store

    # Lines of an older release, taken over by a store beside them.
    store = path.with_suffix(".sqlite")
    with Store(store, {"seed": 0}, {"trial": (int,), "cell": (str,)}, key=("cell", "trial")):
        pass
    store.unlink()


def readers(suffix: str) -> tuple[Callable[[Path], object], ...]:
    if suffix == ".jsonl":
        return (read_rows,)
    return lambda path: load_problem(path, rank=1), load_factor


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rng, files = np.random.default_rng(given.seed), good_files()
    ends, faults, slowest = Counter[str](), list[str](), 0.0
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.inputs):
            suffix, data = files[number % len(files)]
            change = reach_inside if rng.random() < 0.5 else lambda _, d, g: damage(d, g)
            path = Path(folder, f"f{suffix}")
            path.write_bytes(bad := change(suffix, data, rng))
            before = time.process_time()
            for read in readers(suffix):
                try:
                    read(path)
                    ends[f"{suffix} read"] += 1
                except InvalidInput as error:
                    ends[f"{suffix} refused"] += 1
                    if "\n" in str(error):
                        faults.append(f"{number}{suffix}: two lines: {error}")
                except BaseException:  # whatever it is, it is what is looked for
                    faults.append(f"{number}{suffix}: {traceback.format_exc().splitlines()[-1]}")
            slowest = max(slowest, time.process_time() - before)
            if (suffix != ".jsonl" and path.read_bytes() != bad) or len(os.listdir(folder)) != 1:
                faults.append(f"{number}{suffix}: something was written")
            path.unlink(missing_ok=True)
    print(f"{given.inputs} inputs in {time.process_time() - began:.0f} s of CPU: {dict(ends)}")
    print(f"slowest {slowest:.2f} s, memory {memory() / 1e6:.0f} MB, faults {len(faults)}")
    print(*faults[:20], sep="\n")
    return 1 if faults or slowest > SECONDS or memory() > BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
