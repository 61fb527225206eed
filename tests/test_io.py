"""Files: what is written is read back, whole or not at all, in every format and form."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from cli_tools import contents, real_world
from hypothesis import given, settings
from hypothesis import strategies as st

from liftless import InputWarning, InvalidInput
from liftless.instances import make_instance
from liftless.io import (
    FORMS,
    atomic_write,
    check_target,
    load_factor,
    load_problem,
    plain,
    result_fields,
    save_problem,
    save_result,
)
from liftless.losses import LOSSES
from liftless.operators import (
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    RankOneOperator,
    SensingOperator,
)
from liftless.problem import Problem
from liftless.recovery import recover
from liftless.regularisers import Ridge


def _operator(kind: str, n: int, m: int, rng: np.random.Generator) -> SensingOperator:
    if kind == "dense":
        return DenseOperator(rng.standard_normal((m, n * (n + 1) // 2)), n)
    if kind == "rank-one":
        return RankOneOperator(rng.standard_normal((m, n)))
    if kind == "diagonal":
        return DiagonalOperator(rng.standard_normal((m, n)))
    rows, cols = rng.integers(0, n, (2, m))
    return EntriesOperator(rows, cols, n, rng.choice([-2.0, 0.5, 1.0, 3.0], m))


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
@pytest.mark.parametrize("kind", FORMS)
@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(1, 4),
    m=st.integers(1, 5),
    seed=st.integers(0, 1000),
    loss=st.sampled_from(sorted(LOSSES)),
    weighted=st.booleans(),
    known=st.booleans(),
    data=st.data(),
)
def test_round_trip(
    kind: str,
    suffix: str,
    n: int,
    m: int,
    seed: int,
    loss: str,
    weighted: bool,
    known: bool,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rng = np.random.default_rng(seed)
    rank = data.draw(st.integers(1, n))
    b = rng.random(m)
    weights = rng.random(m) + 0.1 if weighted else None
    operator = _operator(kind, n, m, rng)
    problem = Problem(operator, b, rank, weights=weights, loss=LOSSES[loss])
    truth = rng.standard_normal((n, rank)) if known else None
    path = tmp_path_factory.getbasetemp() / f"round-trip{suffix}"

    save_problem(path, problem, truth, extra={"points": rng.standard_normal((2, n, rank))})
    found = load_problem(path)

    assert found.kind == kind
    assert found.problem.rank == rank
    assert found.problem.loss.name == loss
    np.testing.assert_allclose(found.problem.b, b, rtol=1e-15)
    np.testing.assert_array_equal(found.problem.weights, problem.weights)
    assert type(found.problem.operator) is type(operator)
    for name in ("packed", "a", "diag", "rows", "cols", "weights"):
        if hasattr(operator, name):
            stored = getattr(found.problem.operator, name)
            np.testing.assert_array_equal(stored, getattr(operator, name))
    if truth is None:
        assert found.truth is None
    else:
        np.testing.assert_array_equal(found.truth, truth)


def test_an_argument_replaces_the_rank_of_the_file(tmp_path: Path) -> None:
    assert load_problem(real_world(tmp_path / "p.npz"), rank=2).problem.rank == 2


@pytest.mark.parametrize("column", [False, True])
def test_matlab_vectors_lie_or_stand(column: bool, tmp_path: Path) -> None:
    from scipy.io import savemat

    arrays: dict[str, Any] = {
        "rows": np.array([1.0, 2.0, 3.0]),
        "cols": np.array([1.0, 3.0, 3.0]),
        "values": np.array([1.0, 2.0, 3.0]),
        "shape": np.array([3.0, 3.0]),
        "weights": np.array([1.0, 2.0, 0.5]),
        "index_base": 1.0,
        "rank": 2.0,
        "loss": "squared",
        "notes": np.array([{}, "text"], dtype=object),
    }
    path = tmp_path / "p.mat"
    savemat(path, arrays, oned_as="column" if column else "row")
    problem = load_problem(path).problem
    operator = problem.operator
    assert isinstance(operator, EntriesOperator)
    np.testing.assert_array_equal(operator.rows, [0, 1, 2])
    np.testing.assert_array_equal(operator.cols, [0, 2, 2])
    np.testing.assert_array_equal(problem.b, [1.0, 4.0, 1.5])
    assert (problem.n, problem.rank) == (3, 2)


def test_matlab_version_4(tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "p.mat"
    savemat(path, {"a": np.eye(3), "b": np.ones(3), "rank": 1}, format="4")
    assert load_problem(path).kind == "rank-one"


@pytest.mark.parametrize("kind", ["sparse", "struct", "cell"])
def test_matlab_variables_that_are_no_arrays(kind: str, tmp_path: Path) -> None:
    import scipy.sparse
    from scipy.io import savemat

    values = {
        "sparse": scipy.sparse.csc_array(np.eye(3)),
        "struct": {"field": 1.0},
        "cell": np.array([{}, 1.0], dtype=object),
    }
    path = tmp_path / "p.mat"
    savemat(path, {"a": values[kind], "b": np.ones(3), "rank": 1})
    with pytest.raises(InvalidInput, match=r"^a was a") as caught:
        load_problem(path)
    assert caught.value.argument == "a"


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("row,col,value\n0,0,1\n1,2,-0.5\n", [1.0, 1.0]),
        ("\ufeffValue, Col ,ROW,weight\r\n1,0,0,2\r\n\r\n-0.5,2,1.0,-1\r\n", [2.0, -1.0]),
    ],
    ids=["plain", "other order, byte order mark, blank line"],
)
def test_csv(text: str, weights: list[float], tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    found = load_problem(path, rank=1)
    operator = found.problem.operator
    assert isinstance(operator, EntriesOperator)
    assert (found.kind, operator.n) == ("entries", 3)
    np.testing.assert_array_equal(operator.rows, [0, 1])
    np.testing.assert_array_equal(operator.cols, [0, 2])
    np.testing.assert_array_equal(operator.weights, weights)
    np.testing.assert_array_equal(found.problem.b, np.array(weights) * [1.0, -0.5])


def test_asymmetric_matrices_are_used_with_a_warning(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", A=[[[1.0, 2.0], [0.0, 1.0]]], b=[1.0], rank=1)
    with pytest.warns(InputWarning, match="asymmetric"):
        load_problem(tmp_path / "p.npz")


@pytest.mark.parametrize("name", ["factor", "X"])
@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_load_factor(name: str, suffix: str, tmp_path: Path) -> None:
    from scipy.io import savemat

    X = np.arange(6.0).reshape(3, 2)
    path = tmp_path / f"f{suffix}"
    if suffix == ".npz":
        np.savez(path, **{name: X})
    else:
        savemat(path, {name: X})
    np.testing.assert_array_equal(load_factor(path), X)


def test_a_vector_is_a_factor_of_one_column(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", X=np.arange(3))
    assert load_factor(tmp_path / "f.npz").shape == (3, 1)


# -- what cannot be stored ------------------------------------------------------------------------


class Mine(SensingOperator):
    n: int = eqx.field(static=True, default=2)
    m: int = eqx.field(static=True, default=1)

    def measure(self, U: Any, V: Any) -> Any:
        return (U * V).sum()[None]


def _unstorable() -> dict[str, Problem]:
    entries = EntriesOperator([0], [0], 2, [0.0])
    plain_operator = RankOneOperator(np.ones((1, 2)))
    return {
        "operator": Problem(Mine(), [1.0], 1),
        "weights": Problem(entries, [1.0], 1),
        "regularisers": Problem(plain_operator, [1.0], 1, regularisers=(Ridge(1.0),)),
    }


@pytest.mark.parametrize("argument", ["operator", "weights", "regularisers"])
def test_unstorable(argument: str, tmp_path: Path) -> None:
    problem = _unstorable()[argument]
    with pytest.raises(InvalidInput) as caught:
        save_problem(tmp_path / "p.npz", problem)
    assert caught.value.argument == argument
    assert contents(tmp_path) == {}


def test_no_csv_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\.npz, \.mat"):
        save_problem(tmp_path / "p.csv", make_instance("basic").problem)


# -- whole or not at all --------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_failed_write(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before")

    def write() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert contents(tmp_path) == {"file.txt": b"before"}


def test_a_whole_write_replaces_the_file_behind_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("before")
    link.symlink_to(real)
    with atomic_write(link) as temporary:
        assert temporary.suffix == ".txt"
        assert temporary.parent == tmp_path
        temporary.write_text("after")
    assert link.is_symlink()
    assert contents(tmp_path) == {"real.txt": b"after", "link.txt": b"after"}


def test_a_new_file_obeys_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_problem(tmp_path / "p.npz", make_instance("basic").problem)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "p.npz").stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_closed_directory_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidInput, match="may write"):
        check_target("out", tmp_path / "r.npz", (".npz",))


def test_a_library_that_fails_to_write_gives_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InvalidInput, match="No space left"):
        save_problem(tmp_path / "p.npz", make_instance("basic").problem)
    assert contents(tmp_path) == {}


# -- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_result_holds_the_factor_and_the_fields(suffix: str, tmp_path: Path) -> None:
    made = make_instance("real-world")
    start = made.points[0].X
    recovery = recover(made.problem, start=start)
    fields = result_fields(made.problem, recovery, made.truth)
    path = tmp_path / f"r{suffix}"
    save_result(path, recovery, fields)
    np.testing.assert_array_equal(load_factor(path), recovery.x)
    if suffix == ".mat":
        return
    with np.load(path, allow_pickle=False) as data:
        assert set(data.files) == {"factor", "course", *fields}
        assert str(data["kind"]) == "exact"
        assert data["objective"] == recovery.fun
        assert data["distance"] < 1e-6
        escapes = json.loads(str(data["escapes"]))
    assert escapes == plain([candidate.summary() for candidate in recovery.escapes])
    assert len(escapes) >= 1


def test_plain_has_only_the_types_of_json() -> None:
    value = {"a": np.float64("nan"), "b": [np.inf, np.int64(3), (True, None)], "c": np.arange(2.0)}
    assert plain(value) == {"a": None, "b": [None, 3, [True, None]], "c": [0.0, 1.0]}


# -- what a table leaves open ---------------------------------------------------------------------


def table(path: Path, rows: Any, cols: Any, values: Any) -> Path:
    lines = [f"{i},{j},{v!r}" for i, j, v in zip(rows, cols, map(float, values), strict=True)]
    path.write_text("\n".join(["row,col,value", *lines]))
    return path


def test_a_table_is_read_as_it_is_said_to_be(tmp_path: Path) -> None:
    i, j = np.indices((5, 4)).reshape(2, -1)
    path = table(tmp_path / "t.csv", i + 1, j + 1, np.sin(7 * i + j * j))
    loaded = load_problem(path, 1, rectangular=True, index_base=1)
    assert loaded.label == "rectangular entries, 5 x 4"
    assert np.array_equal(loaded.problem.operator.rows, i)
    wide = load_problem(path, 1, rectangular=True, index_base=0, shape=(8, 9))
    assert wide.label == "rectangular entries, 8 x 9"
    assert np.array_equal(wide.problem.operator.cols, j + 1)


def test_two_readings_of_an_entry_may_differ_a_little(tmp_path: Path) -> None:
    i, j = np.indices((4, 4)).reshape(2, -1)
    z = np.array([1.0, -2.0, 0.5, 3.0])
    exact = load_problem(table(tmp_path / "e.csv", i, j, z[i] * z[j]), 1)
    noise = 0.1 * np.sin(np.arange(16))
    with pytest.warns(InputWarning, match="two readings of one entry"):
        noisy = load_problem(table(tmp_path / "n.csv", i, j, z[i] * z[j] + noise), 1)
    assert exact.label == noisy.label == "entries"
    with pytest.raises(InvalidInput, match="rectangular was left out"):
        load_problem(table(tmp_path / "u.csv", i, j, z[i]), 1)


def test_sides_that_differ_are_spoken_of(tmp_path: Path) -> None:
    with pytest.warns(InputWarning, match="6 rows and 4 columns are read as a symmetric"):
        load_problem(table(tmp_path / "t.csv", [0, 5, 0, 1], [0, 0, 3, 2], np.ones(4)), 1)
