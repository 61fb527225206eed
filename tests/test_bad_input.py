"""Every kind of bad input: exit code 2, one line that names the culprit, nothing written."""

import contextlib
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import contents, real_world, run
from hypothesis import given, settings
from hypothesis import strategies as st

from liftless import InvalidInput
from liftless.io import load_problem

RNG = np.random.default_rng(0)
A = RNG.standard_normal((6, 3, 3))
A = A + A.transpose(0, 2, 1)
a, b = RNG.standard_normal((6, 3)), RNG.standard_normal(6)
DENSE: dict[str, Any] = {"A": A, "b": b, "rank": 1}
ENTRIES: dict[str, Any] = {
    "rows": np.array([0, 1, 2]),
    "cols": np.array([0, 1, 2]),
    "values": np.ones(3),
    "shape": np.array([3, 3]),
    "rank": 1,
}


def changed(values: np.ndarray, index: Any, value: float) -> np.ndarray:
    values = values.astype(np.float64)
    values[index] = value
    return values


def npz(base: dict[str, Any], drop: str = "", **changes: Any) -> Callable[[Path], list]:
    """``recover`` on a file with these arrays."""

    def make(folder: Path) -> list:
        arrays = {k: v for k, v in (base | changes).items() if k != drop and v is not None}
        np.savez(folder / "problem.npz", **arrays)
        return ["recover", folder / "problem.npz"]

    return make


def raw(name: str, data: bytes, *words: str) -> Callable[[Path], list]:
    """``recover`` on a file with these bytes."""

    def make(folder: Path) -> list:
        (folder / name).write_bytes(data)
        return ["recover", folder / name, *words]

    return make


def good(*words: str, **extra: Any) -> Callable[[Path], list]:
    """``recover`` with bad words on a good file."""

    def make(folder: Path) -> list:
        real_world(folder / "problem.npz")
        if extra:
            np.savez(folder / "factor.npz", **extra)
        places = {"FACTOR": str(folder / "factor.npz"), "FOLDER": str(folder)}
        filled = [word.replace("FOLDER", places["FOLDER"]) for word in words]
        return ["recover", folder / "problem.npz", *(places.get(w, w) for w in filled)]

    return make


def cut(name: str, keep: float) -> Callable[[Path], list]:
    def make(folder: Path) -> list:
        path = real_world(folder / name)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])
        return ["recover", path]

    return make


def certify(**arrays: Any) -> Callable[[Path], list]:
    def make(folder: Path) -> list:
        real_world(folder / "problem.npz")
        np.savez(folder / "factor.npz", **arrays)
        return ["certify", folder / "problem.npz", folder / "factor.npz"]

    return make


def instance(*words: str) -> Callable[[Path], list]:
    return lambda folder: ["instance", *words, "--out", folder / "made.npz"]


def pickled(folder: Path) -> list:
    np.savez(folder / "problem.npz", A=np.array([{}, {}]), b=b, rank=1)
    return ["recover", folder / "problem.npz"]


def out_is_input(folder: Path) -> list:
    return ["recover", real_world(folder / "p.npz"), "--out", folder / "p.npz"]


def bomb(folder: Path) -> list:
    """Zeros that MATLAB's reader would take for millions of parts."""
    import struct
    import zlib

    body = zlib.compress(bytes(2**28 + 2**20), 1)
    frame = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x100, 0x4D49)
    return raw("p.mat", frame + struct.pack("<II", 15, len(body)) + body)(folder)


def claim(shape: str) -> Callable[[Path], list]:
    """A small file with an array that says it is huge."""

    def make(folder: Path) -> list:
        import zipfile

        head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        with zipfile.ZipFile(folder / "p.npz", "w") as archive:
            archive.writestr("A.npy", b"\x93NUMPY\x01\x00v\x00" + head.encode())
            archive.writestr("b.npy", b"\x93NUMPY\x01\x00v\x00" + head.encode())
        return ["recover", folder / "p.npz"]

    return make


def table(*words: str, rows: Sequence[int] = range(5), cols: Sequence[int] = range(4)) -> Any:
    """Entries of a matrix that is not symmetric."""
    lines = [f"{i},{j},{np.sin(7 * i + j * j)}" for i in rows for j in cols]
    return raw("t.csv", "\n".join(["row,col,value", *lines]).encode(), *ONE, *words)


UNLIKE = ENTRIES | {
    "rows": np.repeat(np.arange(3), 3),
    "cols": np.tile(np.arange(3), 3),
    "values": np.arange(9.0) ** 2 % 7,
}
HDF5 = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n"
ONE = "--rank", "1"

#: What is wrong; how to bring it about; what the message must name.
BAD: dict[str, tuple[Callable[[Path], list], str]] = {
    "missing file": (lambda folder: ["recover", folder / "no.npz"], "no.npz was missing"),
    "directory": (lambda folder: ["recover", folder], "a directory"),
    "directory with suffix": (
        lambda folder: [(folder / "d.npz").mkdir(), "recover", folder / "d.npz"][1:],
        "a directory",
    ),
    "unknown suffix": (raw("problem.xyz", b"1"), "problem.xyz"),
    "empty npz": (raw("p.npz", b""), "p.npz was empty"),
    "empty mat": (raw("p.mat", b""), "p.mat was empty"),
    "empty csv": (raw("p.csv", b""), "p.csv was empty"),
    "truncated npz": (cut("p.npz", 0.5), "p.npz was not readable"),
    "truncated mat": (cut("p.mat", 0.5), "p.mat was not readable"),
    "text named npz": (raw("p.npz", b"hello"), "p.npz was not readable"),
    "text named mat": (raw("p.mat", b"hello" * 60), "p.mat was not readable"),
    "raw pickle named npz": (raw("p.npz", pickle.dumps({"A": A})), "p.npz was not readable"),
    "v7.3 mat": (raw("p.mat", HDF5), "-v7"),
    "pickled npz": (pickled, "Object arrays are not loaded"),
    "no arrays known": (npz({"matrices": A, "rhs": b}), "matrices, rhs"),
    "no arrays": (npz({}), "no arrays"),
    "two kinds": (npz(DENSE, a=a), "exactly one of"),
    "missing b": (npz(DENSE, drop="b"), "b was missing"),
    "b too short": (npz(DENSE, b=b[:5]), "b was"),
    "b a matrix": (npz(DENSE, b=np.ones((6, 2))), "b was"),
    "b text": (npz(DENSE, b=np.array(["x"] * 6)), "b was"),
    "NaN in b": (npz(DENSE, b=changed(b, 2, np.nan)), "b was not finite at index (2,)"),
    "Inf in A": (npz(DENSE, A=changed(A, (1, 0, 2), np.inf)), "A was not finite"),
    "complex A": (npz(DENSE, A=A * 1j), "A was not Hermitian at index"),
    "complex diag": (npz({"diag": a * 1j, "b": b, "rank": 1}), "diag was an array of shape"),
    "complex a, rectangular": (npz({"a": a * 1j, "b": b, "rank": 1}, rectangular=1), "rectangular"),
    "real of real a": (npz({"a": a, "b": b, "rank": 1}, real=1), "real was given"),
    "real neither": (npz({"a": a * 1j, "b": b, "rank": 1}, real=2), "real was 2"),
    "NaN in complex a": (npz({"a": changed(a, (1, 0), np.nan) * 1j, "b": b, "rank": 1}), "a was"),
    "complex b": (npz(DENSE, b=b * 1j), "b was"),
    "A not square, called symmetric": (npz(DENSE, A=A[:, :, :2], rectangular=0), "rectangular was"),
    "A of two dimensions": (npz(DENSE, A=A[:, 0]), "A was"),
    "no measurement": (npz(DENSE, A=A[:0], b=b[:0]), "A was"),
    "no rank-one measurement": (npz({"a": a[:0], "b": b[:0], "rank": 1}), "a was"),
    "a of one dimension": (npz({"a": a[0], "b": b, "rank": 1}), "a was"),
    "diag of one dimension": (npz({"diag": a[0], "b": b, "rank": 1}), "diag was"),
    "rank 0": (npz(DENSE, rank=0), "rank was 0"),
    "rank above n": (npz(DENSE, rank=4), "rank was 4"),
    "rank 1.5": (npz(DENSE, rank=1.5), "rank was 1.5"),
    "rank text": (npz(DENSE, rank="two"), "rank was"),
    "rank of two": (npz(DENSE, rank=np.array([1, 2])), "rank was"),
    "rank missing": (npz(DENSE, drop="rank"), "rank was missing"),
    "--rank -1": (good("--rank", "-1"), "rank was -1"),
    "--rank text": (good("--rank", "two"), "--rank"),
    "rows out of range": (npz(ENTRIES, rows=np.array([0, 1, 3])), "rows was out of range (3)"),
    "rows negative": (npz(ENTRIES, rows=np.array([0, 1, -1])), "rows was out of range (-1)"),
    "rows fractional": (npz(ENTRIES, rows=np.array([0, 1, 0.5])), "rows was"),
    "rows infinite": (npz(ENTRIES, rows=np.array([0, 1, np.inf])), "rows was not finite"),
    "rows unsigned, one-based 0": (
        npz(ENTRIES, rows=np.array([0, 1, 2], np.uint8), index_base=1),
        "rows was out of range (-1)",
    ),
    "cols too short": (npz(ENTRIES, cols=np.array([0, 1])), "cols was"),
    "values too long": (npz(ENTRIES, values=np.ones(4)), "values was"),
    "values missing": (npz(ENTRIES, drop="values"), "values was missing"),
    "shape missing": (npz(ENTRIES, drop="shape"), "shape was missing"),
    "no entry": (
        npz(ENTRIES, rows=np.array([]), cols=np.array([]), values=np.array([])),
        "rows was",
    ),
    "rank above every row's entries": (
        npz(ENTRIES, rank=2),
        "rank was 2, where no row or column has more than 1 entries",
    ),
    "values not finite": (npz(ENTRIES, values=np.array([1.0, np.nan, 1.0])), "values was"),
    "shape of 2^31": (npz(ENTRIES, shape=np.array([2**31, 3])), "shape was"),
    "sides of 2^31 in sum": (npz(ENTRIES, shape=np.array([2**30, 2**30 + 1])), "shape was"),
    "shape too narrow": (npz(ENTRIES, shape=np.array([3, 2])), "cols was out of range (2)"),
    "shape of three": (npz(ENTRIES, shape=np.array([3, 3, 3])), "shape was"),
    "shape zero": (npz(ENTRIES, shape=np.array([0, 0])), "shape was (0, 0)"),
    "shape too large": (npz(ENTRIES, shape=np.array([2**40, 2**40])), "shape was"),
    "index_base 2": (npz(ENTRIES, index_base=2), "index_base was 2"),
    "b beside entries": (npz(ENTRIES, b=b), "b was given with entries"),
    "weights NaN": (npz(ENTRIES, weights=np.array([1, 1, np.nan])), "weights was not finite"),
    "weights too short": (npz(ENTRIES, weights=np.ones(2)), "weights was"),
    "row_weights negative": (npz(DENSE, row_weights=changed(b * 0, 1, -1)), "row_weights was"),
    "row_weights zero": (npz(DENSE, row_weights=b * 0), "row_weights was"),
    "row_weights too long": (npz(DENSE, row_weights=np.ones(7)), "row_weights was"),
    "loss unknown": (npz(DENSE, loss="tukey"), "loss was 'tukey'"),
    "loss a number": (npz(DENSE, loss=3), "loss was"),
    "logistic b": (npz(DENSE, b=np.full(6, 2.0), loss="logistic"), "b was outside [0, 1]"),
    "truth of another size": (npz(DENSE, truth=np.ones((4, 1))), "truth was"),
    "truth NaN": (npz(DENSE, truth=np.full((3, 1), np.nan)), "truth was not finite"),
    "csv without header": (raw("p.csv", b"0,0,1\n1,1,1\n", *ONE), "headed"),
    "csv with a text": (raw("p.csv", b"row,col,value\n0,0,one\n", *ONE), "line 2, value was 'one'"),
    "csv with NaN": (raw("p.csv", b"row,col,value\n0,0,nan\n", *ONE), "line 2, value was 'nan'"),
    "csv short row": (raw("p.csv", b"row,col,value\n0,0,1\n1,1\n", *ONE), "line 3 was 2 cells"),
    "csv negative": (raw("p.csv", b"row,col,value\n0,-1,1\n", *ONE), "line 2, col was '-1'"),
    "csv fractional": (raw("p.csv", b"row,col,value\n0.5,0,1\n", *ONE), "line 2, row was '0.5'"),
    "csv without entries": (raw("p.csv", b"row,col,value\n\n", *ONE), "without entries"),
    "csv unknown column": (raw("p.csv", b"row,col,value,w\n0,0,1,1\n", *ONE), "headed"),
    "csv not text": (raw("p.csv", b"row,col,value\n\xff\xfe\x00\n", *ONE), "p.csv was"),
    "csv huge index": (raw("p.csv", b"row,col,value\n1e300,0,1\n", *ONE), "from 1 to 2147483647"),
    "csv without rank": (raw("p.csv", b"row,col,value\n0,0,1\n"), "rank was missing"),
    "csv of far too large an index": (
        raw("p.csv", b"row,col,value\n1000000000,0,1\n", *ONE),
        "shape was (1000000001, 1000000001); it must be at most 1000002 where 1 entries",
    ),
    "npz of far too large a shape": (npz(ENTRIES, shape=np.array([10**9] * 2)), "shape was (1000"),
    "npz of an array that says it is huge": (claim("(1000000, 1000000)"), "at most 100 times its"),
    "npz of an array of negative size": (claim("(-1, -1)"), "p.npz was"),
    "mat bomb": (bomb, "that unpack to 268435457 or more"),
    "csv of a table": (table(), "rectangular was left out, with entries ("),
    "npz of a table": (npz(UNLIKE), "rectangular was left out, with entries ("),
    "csv from one": (table(rows=(1, 2), cols=(1, 2)), "index_base was left out of a table without"),
    "csv from one, said to be from zero and symmetric": (
        table("--index-base", "2"),
        "index_base was 2",
    ),
    "shape of one number": (table("--shape", "5"), "shape was '5'"),
    "shape of words": (table("--shape", "a,b"), "shape was 'a,b'"),
    "shape too small": (table("--shape", "2,2", "--rectangular"), "rows was"),
    "shape with dense measurements": (good("--shape", "3,3"), "shape was (3, 3)"),
    "base with dense measurements": (good("--index-base", "1"), "index_base was 1"),
    "rectangular with rank one": (
        npz({"a": a, "b": b, "rank": 1}, rectangular=1),
        "rectangular was 1 with rank-one",
    ),
    "seconds zero": (good("--max-seconds", "0"), "max_seconds was 0"),
    "seconds NaN": (good("--max-seconds", "nan"), "max_seconds was nan"),
    "rank NaN": (good("--rank", "nan"), "--rank"),
    "rank huge": (good("--rank", str(10**30)), "rank was 1000"),
    "seed huge and fractional": (good("--seed", "1e30"), "--seed"),
    "budget fractional": (good("--budget", "1.5"), "--budget"),
    "a name with a line break": (lambda folder: ["recover", folder / "a\nb.npz"], "a b.npz was"),
    "start of wrong shape": (good("--start", "FACTOR", factor=np.ones((4, 1))), "start was"),
    "start too wide": (good("--start", "FACTOR", factor=np.ones((3, 2))), "start was"),
    "start NaN": (good("--start", "FACTOR", factor=np.full((3, 1), np.nan)), "factor was not fin"),
    "start zero": (good("--start", "FACTOR", factor=np.zeros((3, 1))), "start was zero"),
    "start complex": (good("--start", "FACTOR", X=np.ones((3, 1)) * 1j), "X was"),
    "start without factor": (good("--start", "FACTOR", Y=np.ones((3, 1))), "factor was missing"),
    "start file missing": (good("--start", "FOLDER/no.npz"), "no.npz was missing"),
    "start mistyped": (good("--start", "spectrl"), "Did you mean 'spectral'?"),
    "out in no directory": (good("--out", "FOLDER/none/r.npz"), "out was"),
    "out with wrong suffix": (good("--out", "FOLDER/r.txt"), "out was"),
    "out a directory": (
        lambda folder: [(folder / "r.npz").mkdir(), *good("--out", "FOLDER/r.npz")(folder)][1:],
        "a directory",
    ),
    "out the input": (out_is_input, "out was the problem file itself"),
    "plot with wrong suffix": (good("--plot", "FOLDER/r.npz"), "plot was"),
    "escape unknown": (good("--escape", "lader"), "Did you mean 'ladder'?"),
    "order even": (good("--escape", "multi", "--order", "4"), "order was 4"),
    "size out of range": (good("--escape", "multi", "--size", "1.5"), "size was 1.5"),
    "steps zero": (good("--escape", "multi", "--steps", "0"), "steps was 0"),
    "order without multi": (good("--order", "5"), "order was 5; it must be left out"),
    "step without escape": (good("--escape", "none", "--step", "0.1"), "step was 0.1"),
    "noise negative": (good("--noise", "-1"), "noise was -1"),
    "noise NaN": (good("--noise", "nan"), "noise was nan"),
    "trace bound negative": (good("--trace-bound", "-1"), "trace_bound was -1"),
    "budget 0": (good("--budget", "0"), "budget was 0"),
    "seed negative": (good("--seed", "-1"), "seed was -1"),
    "seed fractional": (good("--seed", "1.5"), "--seed"),
    "factor missing": (certify(Y=np.ones((3, 1))), "factor was missing"),
    "factor of wrong shape": (certify(factor=np.ones((4, 1))), "factor was"),
    "factor empty": (certify(factor=np.ones((3, 0))), "factor was"),
    "factor too wide": (certify(factor=np.ones((3, 5))), "factor was"),
    "factor file missing": (
        lambda folder: ["certify", real_world(folder / "p.npz"), folder / "f.npz"],
        "f.npz was missing",
    ),
    "certify below the factor's rank": (
        lambda folder: [*certify(factor=np.eye(3)[:, :2])(folder), "--rank", "1"],
        "rank was 1",
    ),
    "instance unknown": (instance("basc"), "Did you mean 'basic'?"),
    "instance parameter unknown": (instance("basic", "--n", "5"), "n was 5"),
    "eps out of range": (instance("pmc", "--eps", "2"), "eps was 2"),
    "instance rank above n": (instance("gaussian", "--n", "3", "--rank", "4"), "rank was 4"),
    "instance without out": (lambda folder: ["instance", "basic"], "--out"),
    "instance with wrong suffix": (
        lambda folder: ["instance", "basic", "--out", folder / "x.csv"],
        "out was",
    ),
    "command mistyped": (lambda folder: ["recovr"], "Did you mean 'recover'?"),
    "option mistyped": (good("--rnk", "1"), "--rank"),
    "file left out": (lambda folder: ["recover"], "FILE"),
    "one word too many": (good("x"), "too many: 'x'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, tmp_path: Path) -> None:
    make, culprit = BAD[case]
    argv = make(tmp_path)
    if argv[:1] == ["recover"] and "--out" not in argv and len(argv) > 1:
        argv = [*argv, "--out", tmp_path / "result.npz"]
    before = contents(tmp_path)
    found = run(*argv)
    assert found.code == 2
    assert found.out == ""
    assert found.err.startswith("error: ")
    assert found.err.count("\n") == 1
    assert found.err.endswith("\n")
    assert culprit in found.err
    assert contents(tmp_path) == before


def _good_bytes(folder: Path, suffix: str) -> bytes:
    path = folder / f"good{suffix}"
    if suffix == ".csv":
        path.write_text("row,col,value,weight\n0,0,1,1\n1,2,-0.5,2\n2,2,3,1\n")
    elif not path.exists():
        np_arrays = ENTRIES | {"weights": np.array([1.0, 2.0, 3.0]), "truth": np.ones((3, 1))}
        if suffix == ".npz":
            np.savez(path, **np_arrays)
        else:
            from scipy.io import savemat

            savemat(path, np_arrays)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".csv"])
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_damaged_file_gives_a_problem_or_one_clear_error(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(_good_bytes(folder, suffix))
    if data.draw(st.booleans(), label="truncate"):
        del content[data.draw(st.integers(0, len(content) - 1), label="length") :]
    places = st.integers(0, max(len(content) - 1, 0))
    for place in data.draw(st.lists(places, max_size=8), label="places") if content else []:
        content[place] = data.draw(st.integers(0, 255), label="byte")
    path = folder / f"damaged{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(InvalidInput):
        assert np.isfinite(load_problem(path, rank=1).problem.b).all()
