"""Bad command lines, each run to its end in one process: what they must come to, and how many do.

    python benchmarks/bad_lines.py [--show]

Every option of every command with values that it cannot take, and every array of every form of file
with contents that it cannot have.  Each line must end with code 2 and one line on standard error
that names what was wrong and what it must be, print nothing else, write nothing, take at most ten
seconds and leave the process below a gigabyte.
"""

import argparse
import contextlib
import io
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from liftless.cli import invoke
from liftless.instances import INSTANCES

#: Most seconds of a line, and most bytes the process may hold.
SECONDS, BYTES = 10.0, 1e9
#: Fewest lines that a run must have.
LINES = 150
#: How a message says what would be right.
CURE = re.compile(r"it must be|see 'liftless|--help|Did you mean|Install|Pass |Write |Use ")

#: A line: its name, words after the files are made, and what the message must name.
Line = tuple[str, list[str], str]

WHOLE = ("x", "1.5", "nan", "")
REAL = ("x", "nan", "inf", "-1")
#: Options of ``recover`` with values that they cannot take; {} is the folder of the files.
RECOVER: dict[str, tuple[str, ...]] = {
    "--rank": (*WHOLE, "0", "-1", "99", str(10**30)),
    "--seed": (*WHOLE, "-1"),
    "--budget": (*WHOLE, "0", "9", "-5"),
    "--max-seconds": (*REAL, "0"),
    "--noise": REAL,
    "--trace-bound": REAL,
    "--shape": ("3", "3,x", "3,3,3", "0,0"),
    "--index-base": (*WHOLE, "2", "-1"),
    "--start": ("spectrl", "{}/none.npz", "{}/wide.npz", "{}/zero.npz", "{}/dense.npz"),
    "--escape": ("lader", "MULTI", ""),
    "--out": ("{}/r.txt", "{}/no/r.npz", "{}", "{}/dense.npz", "{}/r"),
    "--plot": ("{}/r.txt", "{}/no/r.png", "{}", "{}/dense.npz"),
}
#: The same of the multi-step escape's own.
MULTI: dict[str, tuple[str, ...]] = {
    "--order": (*WHOLE, "4", "1", "-3"),
    "--size": (*REAL, "1.5", "0"),
    "--step": (*REAL, "1.5", "0"),
    "--steps": (*REAL, "0"),
}
INSTANCE: dict[str, tuple[str, ...]] = {
    "--n": (*WHOLE, "0", str(10**9)),
    "--rank": (*WHOLE, "0", "99"),
    "--m": (*WHOLE, "0", "-1", str(10**12)),
    "--ratio": (*REAL, "0"),
    "--noise": REAL,
    "--seed": (*WHOLE, "-1"),
    "--eps": ("0.1",),
    "--probability": ("0.5",),
    "--sparsity": ("2",),
    "--form": ("exact",),
    "--weight": ("1",),
    "--out": ("{}/i.csv", "{}/no/i.npz", "{}", "{}/i"),
}
#: What arrays of a file are replaced by, by what is wrong with it.
SPOILT = {
    "NaN": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, np.nan, a.astype(float)),
    "infinite": lambda a: np.full(a.shape, np.inf),
    "text": lambda a: np.full(a.shape, "x"),
    "complex": lambda a: a * 1j,
    "of no entries": lambda a: np.zeros((0, *a.shape[1:])),
    "of one more dimension": lambda a: a[None],
    "too short": lambda a: a[:-1],
    "left out": lambda _: None,
}

#: Those that an array of one number cannot have.
SIZES = ("too short", "of no entries", "of one more dimension")


def forms() -> dict[str, dict[str, np.ndarray]]:
    """Good files, whose arrays are spoilt in turn."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((6, 3, 3))
    rank = {"rank": np.array(1)}
    return {
        "dense": {"A": A + A.transpose(0, 2, 1), "b": rng.standard_normal(6), **rank},
        "one": {"a": rng.standard_normal((6, 3)), "b": np.ones(6), **rank},
        "entries": {
            "rows": np.array([0, 1, 2, 1]),
            "cols": np.array([0, 1, 2, 0]),
            "values": np.ones(4),
            "shape": np.array([3, 3]),
            **rank,
        },
    }


def options(command: list[str], table: dict[str, tuple[str, ...]], folder: str) -> Iterator[Line]:
    """A command with one option at a time that it cannot take."""
    for option, values in table.items():
        for value in values:
            # A file is named itself.
            name = option.lstrip("-").replace("-", "[-_]") + "|npz"
            words = [*command, option, value.replace("{}", folder)]
            yield f"{' '.join(command[:1])} {option} {value!r}", words, name


def files(folder: Path) -> Iterator[Line]:
    """``recover`` of files of which one array is spoilt."""
    for form, arrays in forms().items():
        for key, array in arrays.items():
            for what, spoil in SPOILT.items():
                if array.ndim == 0 and what in (
                    "too short",
                    "of no entries",
                    "of one more dimension",
                ):
                    continue
                changed = {**arrays, key: spoil(array)}
                kept = {k: v for k, v in changed.items() if v is not None}
                path = folder / f"{form}-{key}-{what.replace(' ', '-')}.npz"
                np.savez(path, **kept)
                yield f"recover {form} with {key} {what}", ["recover", str(path)], ""


def tables(folder: Path) -> Iterator[Line]:
    """``recover`` of tables that are none."""
    good = "row,col,value\n0,0,1\n1,1,1\n0,1,1\n"
    texts = {
        "empty": "",
        "without header": "0,0,1\n",
        "of another header": "a,b,c\n0,0,1\n",
        "with a column twice": "row,row,value\n0,0,1\n",
        "with a text": good + "2,2,x\n",
        "with NaN": good + "2,2,nan\n",
        "with a short line": good + "2\n",
        "with a long line": good + "2,2,1,1,1\n",
        "below zero": good + "-1,0,1\n",
        "of fractions": good + "0.5,0,1\n",
        "of one far entry": good + "1000000000,0,1\n",
        "of bytes": "row,col,value\n\x00\x01,0,1\n",
        "from one": "row,col,value\n1,1,1\n2,2,1\n1,2,1\n",
        "not symmetric": "row,col,value\n"
        + "".join(f"{i},{j},{(3 * i + j) ** 2 % 7}\n" for i in range(4) for j in range(4)),
    }
    for what, text in texts.items():
        path = folder / f"{what.replace(' ', '-')}.csv"
        path.write_text(text)
        yield f"recover a table {what}", ["recover", str(path), "--rank", "1"], ""


def others(folder: Path) -> Iterator[Line]:
    """Commands, files and factors that are none."""
    dense = str(folder / "dense.npz")
    yield "nothing", [], "command"
    for words in (["recovr"], ["--verson"], ["certify"], ["certify", dense], ["recover"]):
        yield " ".join(words[:1]) + f" {len(words)}", words, ""
    for word in ("none.npz", "", "dense", "wide.npz", "text.npz", "text.mat", "text.xyz"):
        yield f"recover the file {word!r}", ["recover", str(folder / word)], ""
    for factor in ("none.npz", "dense.npz", "long.npz", "text.npz", ""):
        words = ["certify", dense, str(folder / factor)]
        yield f"certify the factor {factor!r}", words, ""
    for option, value in (("--noise", "-1"), ("--trace-bound", "x"), ("--rank", "0")):
        words = ["certify", dense, str(folder / "good.npz"), option, value]
        yield f"certify {option} {value}", words, option.lstrip("-").replace("-", "[-_]")
    for words in (["instance"], ["instance", "basc"], ["instance", "basic"]):
        yield " ".join(words), words, ""
    yield "info with a word", ["info", "x"], "x"
    yield "recover with a word", ["recover", dense, "x"], "x"
    yield "recover with an option twice wrong", ["recover", dense, "--rnk", "1"], "rnk"


def lines(folder: Path) -> Iterator[Line]:
    """All lines; the good files that they need are made first."""
    for form, arrays in forms().items():
        np.savez(folder / f"{form}.npz", **arrays)
    for name, shape in (("good", (3, 1)), ("wide", (3, 3)), ("long", (4, 1))):
        np.savez(folder / f"{name}.npz", factor=np.ones(shape))
    np.savez(folder / "zero.npz", factor=np.zeros((3, 1)))
    for suffix in ("npz", "mat", "xyz"):
        (folder / f"text.{suffix}").write_text("hello " * 60)
    dense = str(folder / "dense.npz")
    yield from options(["recover", dense], RECOVER, str(folder))
    yield from options(["recover", dense, "--escape", "multi"], MULTI, str(folder))
    for option in MULTI:
        words = ["recover", dense, option, "1"]
        yield f"recover {option} without multi", words, option.lstrip("-")
    out = ["--out", str(folder / "i.npz")]
    table = {key: value for key, value in INSTANCE.items() if key != "--out"}
    yield from options(["instance", "gaussian", *out], table, str(folder))
    for name, spec in INSTANCES.items():
        if "n" in spec.parameters:
            yield f"instance {name} of order 10^9", ["instance", name, "--n", str(10**9), *out], "n"
    only = {"--out": INSTANCE["--out"]}
    yield from options(["instance", "gaussian", "--n", "4"], only, str(folder))
    yield from files(folder)
    yield from tables(folder)
    yield from others(folder)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything in the folder."""
    found = {}
    for path in folder.rglob("*"):
        seen = path.stat()
        found[str(path)] = seen.st_size, seen.st_mtime_ns
    return found


def fault(words: list[str], named: str, folder: Path) -> tuple[str, str]:
    """What a line does that it must not, or nothing; and its message."""
    before = state(folder)
    out, err = io.StringIO(), io.StringIO()
    began = time.process_time()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = invoke(words)
    except BaseException as error:  # whatever it is, it is what is looked for
        return f"{type(error).__name__}: {error}", ""
    took, said = time.process_time() - began, err.getvalue()
    troubles = {
        f"code {code}": code != 2,
        f"{said.count(chr(10))} lines": said.count("\n") != 1 or not said.startswith("error: "),
        "a traceback": "Traceback" in said,
        f"does not name {named}": not re.search(named, said),
        "no cure": not CURE.search(said),
        "something on standard output": bool(out.getvalue()),
        "something written": state(folder) != before,
        f"{took:.1f} s": took > SECONDS,
    }
    return ", ".join(text for text, true in troubles.items() if true), said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", action="store_true", help="Print every message.")
    given = parser.parse_args()
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", tempfile.mkdtemp())
    began, faults, count, seen = time.process_time(), 0, 0, set()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, words, named in list(lines(folder)):
            trouble, said = fault(words, named, folder)
            count += 1
            seen.add(tuple(words))
            if trouble or given.show:
                said = " ".join(said.replace(place, "").split())
                print(f"{'FAULT ' + trouble if trouble else 'fine'} | {name} | {said}")
            faults += bool(trouble)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    print(f"{count} lines, {len(seen)} different, {faults} faults")
    print(f"{time.process_time() - began:.0f} s of CPU, at most {memory / 1e6:.0f} MB")
    return int(faults > 0 or len(seen) < LINES or memory > BYTES)


if __name__ == "__main__":
    sys.exit(main())
