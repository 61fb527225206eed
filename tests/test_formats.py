"""Completed tables in files of every format, MATLAB's version 7.3, and the page of a result."""

import numpy as np
import pytest
from cli_tools import page, real_world, run

import liftless as ll
from liftless.io import load_problem, save_problem
from liftless.io.read import read_arrays
from liftless.io.write import write_arrays
from liftless.tables.files import read_table, write_completed
from liftless.tables.view import TableView


def view(kind="noise", named=True):
    """A completed table of 5 × 4 as it could come out, without a fit."""
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((5, 4))
    given = np.where(rng.random((5, 4)) < 0.6, matrix + 0.1 * rng.standard_normal((5, 4)), np.nan)
    determined = np.ones((5, 4), bool)
    determined[2] = False
    if kind == "exact":
        matrix = np.where(~determined & np.isnan(given), np.nan, matrix)
    rows = np.array(["ann", "bob", "cy", "di <b>", "eve"]) if named else np.arange(5)
    cols = np.array(["tea", "maté", "milk", "rum"]) if named else np.arange(4)
    exact = kind == "exact"
    return TableView(
        given=given,
        matrix=matrix,
        deviation=np.full((5, 4), 0.0 if exact else 0.2),
        effects=np.zeros((5, 4)),
        determined=determined,
        rows=rows,
        cols=cols,
        symmetric=False,
        named=named,
        tried=np.zeros((0, 4)) if exact else np.array([[1.0, 0, 0.5, 0.1], [2.0, 1, 0.4, 0.1]]),
        kind=kind,
        rank=2,
        additive=False,
        sigma=0.0 if exact else 0.1,
        error=float("nan") if exact else 0.4,
        seed=0,
        message="table of 5 × 4: rank 2; noise.",
    )


def differing(one, two):
    """Names of the arrays that two views do not have alike."""
    pairs = {name: (value, two.arrays()[name]) for name, value in one.arrays().items()}
    return [
        name
        for name, (a, b) in pairs.items()
        if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    ]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("name", ["t.npz", "t.mat", "t73.mat"])
def test_all_of_a_completed_table_goes_through_a_file(tmp_path, name, named):
    hdf5 = name == "t73.mat"
    if hdf5:
        pytest.importorskip("h5py")
    path, made = tmp_path / name, view(named=named)
    write_completed(path, made, hdf5=hdf5)
    _, names = read_arrays(path, ())
    arrays, _ = read_arrays(path, names)
    assert differing(TableView.from_arrays(arrays), made) == []


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
def test_the_completed_matrix_is_a_table_again(tmp_path, suffix, named):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path, made = tmp_path / f"t{suffix}", view("exact", named)
    write_completed(path, made)
    table = read_table(path, symmetric=False)
    assert table.shape == (5, 4)
    np.testing.assert_array_equal(table.y, made.matrix[table.i, table.j])
    assert table.y.size == np.isfinite(made.matrix).sum()
    if named and suffix != ".npy":
        assert table.rows.tolist() == made.rows.tolist()
        assert table.cols.tolist() == made.cols.tolist()


@pytest.mark.parametrize("hdf5", [False, True])
def test_a_table_in_a_matlab_file(tmp_path, hdf5):
    if hdf5:
        pytest.importorskip("h5py")
    path, D = tmp_path / "t.mat", view().given
    write_arrays(path, {"data": D, "more": np.eye(2)}, hdf5=hdf5)
    np.testing.assert_array_equal(read_table(path).y, D[~np.isnan(D)])
    i, j = np.nonzero(~np.isnan(D))
    write_arrays(path, {"rows": i + 1, "cols": j + 1, "values": D[i, j]}, hdf5=hdf5)
    table = read_table(path, one_based=True, shape=(5, 4))
    np.testing.assert_array_equal((table.i, table.j), (i, j))
    write_arrays(path, {"one": D, "two": np.eye(2)}, hdf5=hdf5)
    with pytest.raises(ll.InvalidInput, match="--value"):
        read_table(path)
    assert read_table(path, value="two").y.size == 4


def test_a_problem_and_its_result_in_version_7_3(tmp_path):
    h5py = pytest.importorskip("h5py")
    made = ll.make_instance("real-world")
    plain, path = tmp_path / "p.npz", tmp_path / "p.mat"
    save_problem(plain, made.problem, made.truth)
    arrays, names = read_arrays(plain, ("A", "b", "truth", "rank"))
    assert {"A", "b"} <= set(names)
    complex_ = np.arange(6.0).reshape(2, 3) * (1 + 2j)
    write_arrays(path, {**arrays, "z": complex_, "yes": np.array(True)}, hdf5=True)
    loaded = load_problem(path)
    np.testing.assert_array_equal(loaded.problem.b, made.problem.b)
    np.testing.assert_array_equal(loaded.problem.operator.packed, made.problem.operator.packed)
    back, _ = read_arrays(path, ("z", "yes"))
    np.testing.assert_array_equal(back["z"], complex_)
    assert back["yes"].dtype == bool
    with h5py.File(path, "a") as file:
        file["link"] = h5py.ExternalLink("elsewhere.mat", "/A")
        file.create_group("s").attrs["MATLAB_sparse"] = 3
    for name, told in (("link", "another file"), ("s", "sparse")):
        with pytest.raises(ll.InvalidInput, match=told):
            read_arrays(path, (name,))


# -- the page --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["noise", "exact"])
def test_the_page_of_a_completed_table(tmp_path, kind):
    pytest.importorskip("jinja2")
    made = view(kind)
    write_completed(tmp_path / "t.npz", made)
    text = page(tmp_path, tmp_path / "t.npz", "--title", "Drinks & <more>")
    assert "Drinks &amp; &lt;more&gt;" in text
    open_ = int((~made.determined & np.isnan(made.given)).sum())
    assert f'<th scope="row">Left open by the data</th><td>{open_}</td>' in text
    if kind == "noise":
        assert "σ = 0.1" in text
        assert "di &lt;b&gt;" in text  # among the least sure


def test_a_file_without_a_result_gets_one_line(tmp_path):
    pytest.importorskip("jinja2")
    found = run("report", real_world(tmp_path / "p.npz"), "--out", tmp_path / "page.html")
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert "recover or complete wrote" in found.err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("jinja2", ["report", "r.npz", "--out", "p.html"], "liftless[report]"),
        ("matplotlib", ["complete", "t.npy", "--plot", "p.png"], "liftless[plot]"),
        ("pyarrow.parquet", ["complete", "t.npy", "--out", "p.parquet"], "liftless[parquet]"),
        ("h5py", ["complete", "t.npy", "--out", "p.mat", "--mat73"], "liftless[hdf5]"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(tmp_path, monkeypatch, module, words, extra):
    import builtins
    import importlib

    def missing(name, *more, **given):
        if name.partition(".")[0] == module.partition(".")[0]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *more, **given)

    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", missing)
    if module == "matplotlib":
        import sys

        real_import = builtins.__import__
        for name in [
            name for name in sys.modules if name.startswith(("matplotlib", "liftless.figures."))
        ]:
            monkeypatch.delitem(sys.modules, name)

        def no_matplotlib(name, *more):
            if name.startswith("matplotlib"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return real_import(name, *more)

        monkeypatch.setattr(importlib, "import_module", real)
        monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    monkeypatch.chdir(tmp_path)
    np.save("t.npy", view().given)
    found = run(*words)
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert f"pip install '{extra}'" in found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.npy"]
