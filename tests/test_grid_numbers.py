"""Grids whose numbers differ by orders of magnitude, and files that are no grids."""

import re

import numpy as np
import pytest
from cli_tools import contents, run
from grid_tools import CASE, ring

import liftless as ll
from liftless.grid.matpower import from_tables

LINE = "10 20 0.02 0.10 0.04 0 0 0 0    0  1"
HEAD = "kind,element,side,value,std\n"
GOOD = "v,10,,1.02,.01\n"


@pytest.fixture(scope="module")
def meshed():
    bus, branch, gen, v = ring()
    return from_tables(bus, branch, gen, 100.0), v


@pytest.mark.parametrize("least", [1e-3, 2e-6])
def test_a_very_exact_reading_hides_no_other(meshed, least):
    grid, v = meshed
    plan = ll.grid.redundant(grid, 2.5, seed=3)
    std = plan.std.copy()
    std[0] *= 10 * least  # of a tenth of the median, per unit
    exact = ll.grid.Measurements(plan.kind, plan.element, plan.side, plan.value, std)
    found = ll.grid.estimate(grid, ll.grid.measure(grid, v, exact, seed=4))
    assert (found.kind, found.observable.all()) == ("fitted", True)
    assert found.distance(v) < 0.01


@pytest.mark.parametrize("ratio", [3.0, 300.0])
def test_a_reading_that_only_a_rough_one_checks(ratio, tmp_path):
    path = tmp_path / "case.m"
    path.write_text(CASE)
    grid = ll.grid.from_matpower(path)
    # Flows fix the other buses and nothing else: the two magnitudes have the rest to themselves.
    rows = [("v", "10", "", 1.0, 1e-3), ("v", "10", "", 1.0, ratio * 1e-3)]
    rows += [(k, name, "from", 0.0, 0.1) for k in "pq" for name in ("10-20", "20-40")]
    v = np.array([1.02, 0.97 * np.exp(-0.08j), 1.01 * np.exp(0.05j)])
    readings = ll.grid.measure(grid, v, rows)
    value = readings.value.copy()
    value[1] += 2 * ratio * 1e-3
    found = ll.grid.estimate(grid, readings.changed(value))
    # v₁ − v₂ has the variance σ₁² + σ₂², and both residuals are in proportion to it.
    expected = 2 * ratio / np.hypot(1, ratio)
    np.testing.assert_allclose(found.normalised[:2], expected, rtol=1e-5)
    assert found.critical.tolist() == [False] * 2 + [True] * 4


def test_a_bus_that_nothing_joins_is_an_island():
    bus, branch, gen, v = ring(5, 0)
    alone = bus[:1].copy()
    alone[0, :2] = 99, 1
    grid = from_tables(np.concatenate([bus, alone]), branch, gen, 100.0)
    readings = ll.grid.measure(
        grid, np.r_[v, 1.0], ll.grid.redundant(grid, 2.0, seed=1).kept(slice(0, 5))
    )
    found = ll.grid.estimate(grid, readings)
    assert not found.observable[5]
    assert "99" in found.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD, "measurements was without a reading"),
        ("", "without a line"),
        (HEAD + GOOD + "v,20,,1,-.01\n", "std was -0.01 in reading 1"),
        (HEAD + GOOD + "v,20,,1,0\n", "std was 0 in reading 1"),
        (HEAD + GOOD + "v,20,,1,nan\n", "line 3 has 'nan' for std"),
        (HEAD + GOOD + "p,20,,1e300,1\n", "value was 1e+300 in reading 1"),
        (HEAD + GOOD + "p,20,,1,1e-300\n", "std was 1e-300 in reading 1"),
        (HEAD + GOOD + "v,20,,1,1e-12\nv,40,,1,.01\n", "1e-10 of the median"),
        (HEAD + GOOD + "p,20-10,from,1,1\n", "From the other end it is '10-20'"),
        (HEAD + GOOD + "p,10-20,,1,1\n", "has a side, from or to"),
        (HEAD + GOOD + "p,77,,1,1\n", "element was '77'"),
        (HEAD + GOOD + "volts,20,,1,1\n", "kind was 'volts' in reading 1"),
    ],
)
def test_files_of_readings_that_are_refused_leave_nothing(tmp_path, text, words):
    case, readings = tmp_path / "c.m", tmp_path / "r.csv"
    case.write_text(CASE)
    readings.write_text(text)
    before = contents(tmp_path)
    out = ("--out", tmp_path / "s.csv", "--plot", tmp_path / "s.png")
    found = run("grid", case, "--measurements", readings, *out, "--quiet")
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert words in found.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("= 100;", "= eE;", "without mpc.baseMVA > 0"),
        (LINE, LINE.replace("0.10", "NaN"), "mpc.branch was without a finite number in row 1"),
        (LINE, LINE.replace("20", "77", 1), "mpc.branch was with bus 77"),
        (LINE, LINE.replace("20", "10", 1), "mpc.branch was from bus 10 to itself"),
        (LINE, LINE.replace("0.02 0.10", "0 1e-9"), "without impedance in row 1: 1e-09 per unit"),
        ("[ 10 90", "[ 99 90", "mpc.gen was with bus 99"),
        ("\t20\t1\t", "\t20.5\t1\t", "mpc.bus was with bus 20.5"),
        ("\t20\t1\t", "\t10\t1\t", "mpc.bus was with a bus twice"),
    ],
)
def test_cases_that_are_no_networks_are_told(tmp_path, old, new, words):
    path = tmp_path / "case.m"
    assert old in CASE
    path.write_text(CASE.replace(old, new, 1))
    with pytest.raises(ll.InvalidInput, match=re.escape(words)):
        ll.grid.from_matpower(path)


def test_a_branch_of_an_isolated_bus_is_left_out(tmp_path):
    path = tmp_path / "case.m"
    path.write_text(CASE.replace("\t40\t1\t", "\t40\t4\t"))
    grid = ll.grid.from_matpower(path)
    assert (grid.buses.tolist(), grid.branches.tolist()) == (["10", "20"], ["10-20"])


def test_a_fit_that_is_not_at_its_end_is_no_success(meshed, monkeypatch):
    grid, v = meshed
    plan = ll.grid.redundant(grid, 2.0, std=0.3, seed=1)
    std = np.where(plan.kind == "v", 0.2, plan.std)
    rough = ll.grid.Measurements(plan.kind, plan.element, plan.side, plan.value, std)
    readings = ll.grid.measure(grid, v, rough, seed=4)
    found = ll.grid.estimate(grid, readings)
    assert found.success
    # The squares of magnitudes have their least χ² elsewhere.
    monkeypatch.setattr("liftless.grid.residuals.LAST", 0)
    early = ll.grid.estimate(grid, readings)
    assert early.pvalue > 0.01
    assert (early.status, early.kind) == (4, "stationary")
    assert "did NOT end" in early.message
