"""Operators cut by rows: parts of one form that add up to the whole, and devices that hold them."""

import json
import os
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
from cli_tools import run
from jax.sharding import Mesh

import liftless as ll
from liftless._errors import InvalidInput
from liftless.operators.shards import agreed, alike, block, cut, sizes, unit

N, M = 6, 11


def made(kind):
    rng = np.random.default_rng(3)
    i, j = rng.integers(0, N, (2, M))
    if kind == "dense":
        A = rng.standard_normal((M, N, N))
        return ll.DenseOperator(A + A.transpose(0, 2, 1))
    if kind == "entries":
        return ll.EntriesOperator(i, j, N, rng.random(M))
    if kind == "rectangular entries":
        return ll.RectangularEntries(i % 4, j % 2, 4, 2)
    if kind == "many entries":
        # The first part's rows come in order, and those of the others do not.
        rows = rng.integers(0, N, 12_301)
        rows[:4200] = np.sort(rows[:4200])
        return ll.EntriesOperator(rows, rng.integers(0, N, rows.size), N)
    if kind == "sparse":
        k = np.sort(rng.integers(0, 5, 14))
        k[-1] = M - 1
        return ll.SparseOperator(k, *rng.integers(0, N, (2, 14)), rng.standard_normal(14), N)
    if kind == "rank one":
        return ll.RankOneOperator(rng.standard_normal((M, N)))
    masks = rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))
    return ll.CodedDiffraction(masks)


KINDS = (
    "dense",
    "entries",
    "rectangular entries",
    "many entries",
    "sparse",
    "rank one",
    "coded diffraction",
)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_add_up_to_the_whole(kind):
    op = made(kind)
    size = block(op.m, 3, unit(op))
    assert 3 * size >= op.m
    parts = [cut(op, k * size, (k + 1) * size, size) for k in range(3)]
    most = agreed([sizes(part) for part in parts])
    parts = [alike(part, most) for part in parts]
    forms = {
        (jax.tree.structure(p), *(np.shape(leaf) for leaf in jax.tree.leaves(p))) for p in parts
    }
    assert len(forms) == 1
    rng = np.random.default_rng(4)
    U, V = rng.standard_normal((2, op.n, 2))
    y = np.pad(rng.standard_normal(op.m), (0, 3 * size - op.m))
    found = np.concatenate([ll.measure(part, U, V) for part in parts])
    np.testing.assert_allclose(found[: op.m], ll.measure(op, U, V), atol=1e-12)
    assert not found[op.m :].any()
    pieces = np.split(y, 3)
    total = sum(ll.backproject(p, piece, V) for p, piece in zip(parts, pieces, strict=True))
    np.testing.assert_allclose(total, ll.backproject(op, y[: op.m], V), atol=1e-11)


@pytest.fixture(scope="module")
def mesh():
    return Mesh(np.array(jax.devices()[:1]), ("m",))


def test_an_operator_on_a_device_answers_as_before(mesh):
    op = made("dense")
    on = ll.sharded(op, mesh)
    rng = np.random.default_rng(5)
    U, V = rng.standard_normal((2, N, 2))
    np.testing.assert_allclose(ll.measure(on, U, V), ll.measure(op, U, V), atol=1e-13)
    assert (on.m, on.n, on.space, on.cost(3)) == (op.m, op.n, op.space, op.cost(3))
    assert on.isotropic() == op.isotropic()
    assert ll.sharded(made("entries"), mesh).entries() is not None


def test_rows_that_are_read_by_parts(mesh):
    op, seen = made("dense"), []

    def read(first, last):
        seen.append((first, last))
        return op[first:last]

    on = ll.sharded_rows(read, M, mesh)
    X = np.random.default_rng(6).standard_normal((N, 2))
    np.testing.assert_allclose(ll.measure(on, X, X), ll.measure(op, X, X), atol=1e-13)
    assert seen == [(0, M)]
    # What would need all rows in one place is not known.
    assert on.entries() is None
    assert not on.isotropic()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda mesh: ll.sharded(made("dense"), "m"), "mesh was str"),
        (lambda mesh: ll.sharded(made("dense"), Mesh(mesh.devices[None], ("a", "b"))), "of axes"),
        (lambda mesh: ll.sharded(made("coded diffraction")[[0, 2]], mesh), "operator was Rows"),
        (lambda mesh: ll.sharded_rows(lambda a, b: None, 3, mesh), "read was a function"),
        (lambda mesh: ll.sharded_rows(lambda a, b: made("dense"), 3, mesh), "read was a function"),
    ],
)
def test_what_cannot_be_cut(make, says, mesh):
    with pytest.raises(InvalidInput, match=says):
        make(mesh)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--processes", "0"], "processes was 0"),
        (["--processes", "99"], "processes was 99; it must be at most the 12 measurements"),
        (["--processes", "2", "--max-seconds", "5"], "left out with --processes"),
    ],
)
def test_processes_that_cannot_be(words, says, tmp_path):
    path, out = tmp_path / "p.npz", tmp_path / "r.npz"
    operator = ll.RankOneOperator(np.random.default_rng(7).standard_normal((12, 4)))
    ll.save_problem(path, ll.Problem(operator, np.ones(12), 1))
    found = run("recover", path, "--out", out, *words)
    assert (found.code, found.out) == (2, "")
    assert says in found.err
    assert found.err.count("\n") == 1
    assert not out.exists()


@pytest.mark.slow
def test_two_processes_write_and_draw_what_they_found(tmp_path):
    path, out, plot = (tmp_path / name for name in ("p.npz", "r.npz", "r.png"))
    ll.save_problem(path, ll.make_instance("gaussian", n=6, rank=1, seed=0).problem)
    words = ["--processes", "2", "--quiet", "--out", out, "--plot", plot]
    assert run("recover", path, *words).code == 0
    assert np.load(out)["objective"] < 1e-12
    assert plot.read_bytes().startswith(b"\x89PNG")


#: Recovers with dense matrices, and with entries of memory-mapped files, each plainly and then over
#: two devices, of one process or of two, and prints what is decided and found.
TWO = """
import json, sys, numpy as np, jax
number, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
if port != "none":
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=number)
import liftless as ll
from jax.sharding import Mesh
mesh = Mesh(np.array(jax.devices()), ("m",))
assert mesh.devices.size == 2

def file(name, first=None, last=None):
    return np.array(np.load(f"{folder}/{name}.npy", mmap_mode="r")[first:last])

def read(first, last):
    return ll.RectangularEntries(file("rows", first, last), file("cols", first, last), 8, 6)

dense = ll.make_instance("gaussian", n=8, rank=1, ratio=2.2, seed=0).problem
b, whole = file("values"), read(None, None)
pairs = [
    (dense.operator, ll.sharded(dense.operator, mesh), dense.b, "auto"),
    (whole, ll.sharded_rows(read, b.size, mesh), b, "spectral"),
]
out = []
for *operators, values, start in pairs:
    X = np.random.default_rng(1).standard_normal((operators[0].n, 1))
    both = []
    for op in operators:
        one = ll.Problem(op, values, 1)
        found = ll.recover(one, start=start)
        both.append([found.kind, found.nfev, found.matrix.tolist(), one.gradient(X).tolist(),
                     float(one.objective(X))])
    out.append(both)
if number == 0:
    print(json.dumps(out), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_two_devices_decide_as_one(processes, tmp_path):
    rng = np.random.default_rng(8)
    rows, cols = np.divmod(np.sort(rng.choice(48, 36, replace=False)), 6)
    values = rng.standard_normal(8)[rows] * rng.standard_normal(6)[cols]
    for name, array in {"rows": rows, "cols": cols, "values": values}.items():
        np.save(tmp_path / f"{name}.npy", array)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1]) if processes == 2 else "none"
    flags = f"--xla_force_host_platform_device_count={3 - processes}"
    flags += " --xla_cpu_multi_thread_eigen=false"
    env = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TWO, str(k), port, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        for k in range(processes)
    ]
    try:
        told = [process.communicate(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert [process.returncode for process in started] == [0] * processes, told
    # Lines of the transport may come before.
    for plain, cut_up in json.loads(told[0][0].splitlines()[-1]):
        assert plain[:2] == cut_up[:2]
        for one, other in zip(plain[2:], cut_up[2:], strict=True):
            apart = np.linalg.norm(np.subtract(one, other))
            assert apart <= 1e-12 * np.linalg.norm(one)
