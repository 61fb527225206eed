"""The command line: reports, JSON, exit codes, and files."""

import errno
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import contents, real_world, run, strict_json

import liftless.figures
from liftless._version import __version__
from liftless.cli import run_recover
from liftless.instances import INSTANCES, make_instance
from liftless.io import load_factor, load_problem

#: Keys that scripts rely on.
PROMISED = {
    *("kind", "status", "success", "message", "objective", "relative_objective", "lower_bound"),
    *("assumption", "gradient_norm", "lambda_n", "hessian_least", "noise_level", "n", "m", "rank"),
    *("applications", "iterations", "rounds", "seconds", "seed", "escapes", "version"),
}


def spurious_start(folder: Path) -> Path:
    path = folder / "start.npz"
    np.savez(path, factor=make_instance("real-world").points[0].X)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the problem and a factor at its spurious minimum; tests only read it."""
    made = tmp_path_factory.mktemp("cli")
    real_world(made / "problem.npz")
    spurious_start(made)
    return made


@pytest.fixture(autouse=True)
def _no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIFTLESS_CACHE_DIR", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")


# -- recover --------------------------------------------------------------------------------------


def test_recover_json(folder: Path) -> None:
    found = run("recover", folder / "problem.npz", "--json", "--quiet", "--seed", "7")
    assert (found.code, found.err) == (0, "")
    fields = strict_json(found.out)
    assert set(fields) >= PROMISED
    assert (fields["kind"], fields["status"], fields["success"]) == ("exact", 0, True)
    assert (fields["n"], fields["m"], fields["rank"], fields["seed"]) == (3, 6, 1, 7)
    assert fields["distance"] < 1e-6
    assert fields["relative_distance"] < 1e-6
    assert fields["hessian_least"] is None
    assert fields["version"] == __version__


def test_recover_from_the_spurious_minimum_escapes_and_reports(
    folder: Path, tmp_path: Path
) -> None:
    start, out = folder / "start.npz", tmp_path / "r.npz"
    found = run("recover", folder / "problem.npz", "--start", start, "--out", out)
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0].startswith("exact: ")
    for name in ("objective h", "lower bound", "λ_n", "applications", "seconds", "escapes tried"):
        assert any(line.startswith(f"  {name}") for line in lines), name
    assert not re.search(r"escapes tried +0", found.out)
    assert lines[-1].endswith(str(out))
    # Signs of life come by the clock, between the lines that have news.
    progress = [line for line in found.err.splitlines() if not line.startswith("at work for ")]
    assert len(progress) >= 2
    assert all(re.fullmatch(r"[^:]+: (h \S+, )?\d+ applications", line) for line in progress)
    assert list(contents(tmp_path)) == ["r.npz"]
    assert load_factor(out).shape == (3, 1)


def test_recover_without_an_escape_stays_and_says_so(folder: Path) -> None:
    words = ["--start", folder / "start.npz", "--escape", "none", "--json", "--quiet"]
    found = run("recover", folder / "problem.npz", *words)
    assert found.code == 4
    fields = strict_json(found.out)
    assert (fields["kind"], fields["status"], fields["success"]) == ("stationary", 4, False)
    assert fields["escapes"] == []
    assert fields["hessian_least"] > 0


def test_recover_with_too_small_a_budget(folder: Path) -> None:
    words = ["--start", "random", "--budget", "10", "--escape", "none", "--quiet"]
    found = run("recover", folder / "problem.npz", *words, "--json")
    # The polish has a budget of its own, so that this may end well in spite of the other.
    fields = strict_json(found.out)
    assert found.code == fields["status"]
    assert fields["applications"] < 500


def test_progress_goes_to_standard_error_with_json_too(folder: Path) -> None:
    found = run("recover", folder / "problem.npz", "--json")
    strict_json(found.out)
    assert "applications" in found.err


@pytest.mark.parametrize("escape", ["ladder", "single", "multi", "jump", "none"])
def test_every_escape_is_built_by_its_name(escape: str) -> None:
    rule = run_recover.escape_rule(escape, {})
    assert (rule is None) == (escape == "none")


def test_options_of_the_multi_step_escape() -> None:
    rule: Any = run_recover.escape_rule(
        "multi", {"order": 7, "size": 0.2, "step": 0.3, "steps": 9.0}
    )
    assert (rule.order, rule.rho, rule.eta, rule.steps) == (7, 0.2, 0.3, 9)


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_the_result_is_a_start_and_a_factor(suffix: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / f"r{suffix}"
    assert run("recover", folder / "problem.npz", "--out", out, "--quiet").code == 0
    found = run("recover", folder / "problem.npz", "--start", out, "--json", "--quiet")
    assert strict_json(found.out)["iterations"] <= 1
    assert run("certify", folder / "problem.npz", out).code == 0


def test_warnings_are_one_line(folder: Path, tmp_path: Path) -> None:
    with np.load(folder / "problem.npz") as data:
        skew = np.triu(np.ones((3, 3)), 1) - np.tril(np.ones((3, 3)), -1)
        np.savez(tmp_path / "p.npz", A=data["A"] + skew, b=data["b"], rank=1)
    found = run("recover", tmp_path / "p.npz", "--quiet", "--json")
    assert found.err.startswith("warning: A has asymmetric matrices")
    assert found.err.count("\n") == 1
    strict_json(found.out)


def test_an_interrupted_run_leaves_a_whole_file_to_go_on_with(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pressed(run_recover.Interrupt):
        def __enter__(self) -> "Pressed":
            self.asked = True
            return self

    monkeypatch.setattr(run_recover, "Interrupt", Pressed)
    # The first local solve from the spurious minimum ends at once, and there the run is stopped.
    out, words = tmp_path / "r.npz", ["--start", folder / "start.npz", "--json"]
    found = run("recover", folder / "problem.npz", *words, "--out", out)
    assert found.code == 75
    assert strict_json(found.out)["status"] == 75
    assert found.err.splitlines()[-1] == f"interrupted; go on with --start {out}"
    assert list(contents(tmp_path)) == ["r.npz"]
    assert load_factor(out).shape == (3, 1)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_full_disk_is_named_and_the_result_is_told(
    as_json: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    out, words = tmp_path / "r.npz", ["--json"] if as_json else []
    found = run("recover", folder / "problem.npz", "--out", out, "--quiet", *words)
    assert (found.code, contents(tmp_path)) == (2, {})
    assert found.err.startswith(f"error: {out} was not written (No space left on device)")
    assert found.err.count("\n") == 1
    assert strict_json(found.out)["kind"] == "exact" if as_json else "objective h" in found.out


@pytest.mark.parametrize("fails", [False, True])
def test_plot_is_drawn_whole_or_not_at_all(
    fails: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def recovery_figure(problem: Any, recovery: Any, path: Path, truth: Any = None) -> None:
        values = [row["values"] for row in recovery.history if "values" in row]
        seen.update(n=problem.n, values=values, truth=truth)
        path.write_text("figure")
        if fails:
            raise OSError(28, "No space left on device", str(path))

    monkeypatch.setitem(vars(liftless.figures), "recovery_figure", recovery_figure)
    plot = tmp_path / "f.svg"
    found = run("recover", folder / "problem.npz", "--plot", plot, "--quiet")
    assert seen["n"] == 3
    assert seen["truth"].shape == (3, 1)
    assert len(seen["values"]) > 0
    if fails:
        assert found.code == 2
        assert found.err.startswith("error: ")
        assert contents(tmp_path) == {}
    else:
        assert found.code == 0
        assert contents(tmp_path) == {"f.svg": b"figure"}


def test_a_plot_without_matplotlib_is_refused_with_the_cure(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "liftless.figures.recovery", raising=False)
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = run("recover", folder / "problem.npz", "--plot", tmp_path / "f.svg")
    assert found.code == 2
    assert found.err == (
        "error: matplotlib was missing; it must be installed to draw. "
        "Install it with: pip install 'liftless[plot]'\n"
    )
    assert contents(tmp_path) == {}


# -- certify --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "code", "kind"),
    [
        ([[1.0], [0.0], [0.0]], 0, "exact"),
        (None, 4, "spurious"),
        ([[1.0], [1.0], [1.0]], 3, "unfinished"),
    ],
    ids=["truth", "minimum", "anywhere"],
)
def test_certify(X: Any, code: int, kind: str, folder: Path, tmp_path: Path) -> None:
    X = make_instance("real-world").points[0].X if X is None else np.array(X)
    np.savez(tmp_path / "f.npz", X=X)
    found = run("certify", folder / "problem.npz", tmp_path / "f.npz", "--json")
    assert (found.code, found.err) == (code, "")
    fields = strict_json(found.out)
    assert (fields["kind"], fields["status"], fields["optimal"]) == (kind, code, code == 0)
    assert fields["lower_bound"] <= fields["upper_bound"] == fields["objective"]
    assert "distance" in fields
    human = run("certify", folder / "problem.npz", tmp_path / "f.npz")
    assert human.code == code
    assert human.out.startswith(f"{kind}: ")


def test_certify_pads_to_the_rank_given(folder: Path) -> None:
    found = run("certify", folder / "problem.npz", folder / "start.npz", "--rank", "2", "--json")
    # With one more column the spurious minimum is a saddle.
    assert strict_json(found.out)["kind"] == "saddle"
    assert found.code == 4


def test_certify_takes_the_noise_and_the_bound(folder: Path) -> None:
    words = ["certify", folder / "problem.npz", folder / "start.npz", "--json"]
    fields = strict_json(run(*words, "--noise", "10").out)
    assert fields["kind"] == "fitted"
    assert fields["noise_level"] > 0
    assert run(*words, "--trace-bound", "1").code == 4


# -- instance, info, help -------------------------------------------------------------------------


@pytest.mark.parametrize("name", INSTANCES)
@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_every_instance_is_written_and_read(name: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"made{suffix}"
    found = run("instance", name, "--out", path, "--json")
    assert (found.code, found.err) == (0, "")
    fields = strict_json(found.out)
    assert fields["instance"] == name
    assert list(contents(tmp_path)) == [path.name]
    loaded = load_problem(path)
    made = make_instance(name)
    assert (loaded.problem.n, loaded.problem.m) == (made.problem.n, made.problem.m)
    np.testing.assert_allclose(loaded.problem.b, made.problem.b, rtol=1e-15, atol=1e-300)
    assert [point["kind"] for point in fields["points"]] == [point.kind for point in made.points]
    if made.points and suffix == ".npz":
        with np.load(path, allow_pickle=False) as data:
            assert data["points"].shape[0] == len(data["point_kinds"]) == len(made.points)


def test_instance_takes_parameters_and_reports(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    words = ["--n", "5", "--rank", "2", "--ratio", "1.5", "--seed", "3", "--noise", "0.1"]
    found = run("instance", "gaussian", *words, "--out", path)
    assert found.code == 0
    assert "gaussian" in found.out
    assert "n 5" in found.out
    again = make_instance("gaussian", n=5, rank=2, ratio=1.5, seed=3, noise=0.1)
    np.testing.assert_array_equal(load_problem(path).problem.b, again.problem.b)
    assert run("instance", "pmc", "--eps", "0.2", "--out", path, "--quiet").out == ""


def test_info() -> None:
    found = run("info", "--json")
    assert found.code == 0
    fields = strict_json(found.out)
    assert fields["liftless"] == __version__
    assert set(fields["instances"]) == set(INSTANCES)
    assert fields["devices"]
    assert fields["packages"]["jax"]
    assert set(fields["arrays"]) == {"dense", "rank-one", "entries", "diagonal"}
    human = run("info")
    assert human.code == 0
    assert "real-world" in human.out


@pytest.mark.parametrize("command", ["recover", "certify", "instance", "info"])
def test_help_lists_the_options(command: str) -> None:
    found = run(command, "--help")
    assert (found.code, found.err) == (0, "")
    assert "--json" in found.out
    assert run(command, "-h").out == found.out


def test_version() -> None:
    assert run("--version").out == f"liftless {__version__}\n"
