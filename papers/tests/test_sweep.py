"""Statistics against the literature, seeds, the store, and tasks over processes."""

import math
import os
import re
from collections import Counter
from functools import partial

import numpy as np
import pytest
from cli_tools import run
from pool_tools import fail, mark, once, slow, square, vanish
from scipy.stats import binomtest

from liftless._errors import InvalidInput
from liftless.schedule import Scheduler
from liftless.schedule.pool import ONE_THREAD, WorkerLost, one_thread, run_tasks
from liftless_papers.compare.cells import CELLS, FAMILIES, GROUPS, choose_cells
from liftless_papers.compare.statistics import (
    bootstrap,
    difference,
    mean_interval,
    profile,
    ratio_interval,
    thinned,
    wilson,
)
from liftless_papers.compare.trials import trial_seeds

# -- statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "printed"),
    # Newcombe (1998), Two-sided confidence intervals for the single proportion, table I.
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson(successes, trials, printed):
    found = wilson(successes, trials)
    assert found == pytest.approx(printed, abs=6e-5)
    other = binomtest(successes, trials).proportion_ci(method="wilson")
    assert found == pytest.approx((other.low, other.high), abs=1e-12)
    mirrored = wilson(trials - successes, trials)
    assert mirrored == pytest.approx((1 - found[1], 1 - found[0]), abs=1e-12)


def test_wilson_at_the_ends():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(40, 40)[1] == 1.0
    assert wilson(0, 40)[0] == 0.0


@pytest.mark.parametrize(
    ("first", "second", "printed"),
    # Newcombe (1998), Interval estimation for the difference, table II, method 10.
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_difference_of_rates(first, second, printed):
    assert difference(first, second) == pytest.approx(printed, abs=6e-5)


def test_difference_without_a_trial_says_nothing():
    assert difference((0, 0), (3, 4)) == (-1.0, 1.0)


def test_bootstrap_covers_a_normal_mean():
    rng = np.random.default_rng(7)
    hits = 0
    for k in range(300):
        low, high = mean_interval(rng.normal(3.0, 2.0, 40), seed=k)
        hits += low <= 3.0 <= high
    # Binomial with 300 trials at .95, less what a percentile interval loses at 40 values.
    assert 0.90 <= hits / 300 <= 0.98


def test_bootstrap_is_repeatable_and_near_the_normal_interval():
    values = np.random.default_rng(1).normal(0.0, 1.0, 400)
    low, high = mean_interval(values)
    assert (low, high) == mean_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(400), rel=0.1)
    assert mean_interval(np.ones(5)) == (1.0, 1.0)
    assert all(map(math.isnan, bootstrap(np.mean, np.array([]))))


def test_ratio_is_paired():
    second = np.array([1.0, 10.0, 100.0, 2.0])
    assert ratio_interval(3 * second, second) == pytest.approx((3.0, 3.0, 3.0))
    ratio, low, high = ratio_interval(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    # Of two pairs the resamples have the sums 2, 4 and 6 over 4.
    assert (ratio, low, high) == (1.0, 0.5, 1.5)
    assert all(map(math.isnan, ratio_interval(np.array([]), np.array([]))))


def test_profile_by_hand():
    costs = np.array([[1.0, 2.0, np.inf, np.inf], [2.0, 1.0, 4.0, np.nan]])
    tau, shares = profile(costs)
    np.testing.assert_array_equal(tau, [1.0, 2.0])
    np.testing.assert_array_equal(shares, [[0.25, 0.5], [0.5, 0.75]])
    assert profile(np.ones((2, 0)))[1].shape == (2, 1)


def test_thinned_breakpoints_keep_both_ends():
    tau = np.geomspace(1.0, 1e3, 1000)
    kept = thinned(tau, 20)
    assert (kept[0], kept[-1]) == (0, 999)
    assert 15 <= kept.size <= 22
    np.testing.assert_array_equal(thinned(tau[:5], 20), np.arange(5))


# -- cells and seeds ------------------------------------------------------------------------------


def test_cells_have_what_is_asked_of_them():
    assert set(FAMILIES) == {cell.family for cell in CELLS.values()}
    assert {group for cell in CELLS.values() for group in cell.groups} == set(GROUPS)
    results = {cell.name for cell in CELLS.values() if "results" in cell.groups}
    assert results == {
        "phase n=60 m/n=1.5",
        "phase n=100 m/n=1.6",
        "phase n=60 m/n=1.8",
        "phase n=100 m/n=1.8",
        "gaussian n=50 r=1 m/dof=1.05",
        "gaussian n=20 r=3 m/dof=1.05",
        "gaussian n=20 r=1 m/dof=1.05",
        "gaussian n=30 r=3 m/dof=1.1",
        "completion n=30 r=2 p=0.25",
    }
    peers = Counter(cell.family for cell in CELLS.values() if "peers" in cell.groups)
    assert peers == {"gaussian": 3, "phase": 2, "complex": 4, "coded": 3, "state": 2}
    assert sorted(c.n for c in choose_cells(filters=["scaling"])) == [25, 50, 100, 200, 400]


def test_a_completion_cell_has_its_ratio_on_average():
    cell = CELLS["completion n=60 r=3 m/dof=1.1"]
    # 60 · 61/2 pairs, 60 · 3 − 3 degrees of freedom.
    assert cell.parameters["probability"] * 1830 == pytest.approx(1.1 * 177)


@pytest.mark.parametrize("cell", [c for c in CELLS.values() if c.n <= 20], ids=lambda c: c.name)
def test_small_cells_can_be_made(cell):
    made = cell.make(3)
    assert (made.problem.n, made.problem.rank) == (cell.n, cell.rank)
    assert made.truth is not None
    assert cell.fixed == (made.seed is None)


def test_choice_of_cells():
    smoke = choose_cells(size="smoke")
    assert {cell.family for cell in smoke} == set(FAMILIES)
    assert [c.name for c in choose_cells(filters=["n=60 m/n=1.5"])] == ["phase n=60 m/n=1.5"]
    assert {c.family for c in choose_cells(["pmc", "noisy"])} == {"pmc", "noisy"}
    with pytest.raises(InvalidInput, match="Did you mean 'phase'"):
        choose_cells(["phases"])
    with pytest.raises(InvalidInput, match=r"Did you mean 'phase n=60 m/n=1\.5'"):
        choose_cells(filters=["phase n=60 m/n=1.55"])


def test_seeds_are_documented_and_differ():
    found = {trial_seeds(0, name, k) for name in CELLS for k in range(50)}
    flat = [seed for pair in found for seed in pair]
    assert len(set(flat)) == 2 * 50 * len(CELLS)
    assert all(0 <= seed < 2**53 for seed in flat)
    assert trial_seeds(0, "a", 1) == trial_seeds(0, "a", 1)
    assert trial_seeds(0, "a", 1) != trial_seeds(1, "a", 1)
    # SHA-256 of "abc" begins ba7816bf 8f01cfea 414140de 5dae2223 (FIPS 180-2), as little-endian.
    words = [0xBF1678BA, 0xEACF018F, 0xDE404141, 0x2322AE5D]
    state = np.random.SeedSequence([5, 2, *words]).generate_state(2, np.uint64)
    assert trial_seeds(5, "abc", 2) == tuple(int(s) >> 11 for s in state)


# -- pool -----------------------------------------------------------------------------------------


def test_tasks_in_this_process():
    rows = []
    assert run_tasks(square, range(4), 1, rows.append) == 4
    assert [row[1] for row in rows] == [0, 1, 4, 9]
    assert {row[2] for row in rows} == {os.getpid()}


def test_tasks_over_processes(tmp_path):
    rows = []
    setup = partial(mark, tmp_path / "ready")
    before = dict(os.environ)
    done = run_tasks(square, range(9), 2, rows.append, key=lambda k: k % 3, setup=setup)
    assert done == 9
    assert sorted(row[1] for row in rows) == [k * k for k in range(9)]
    assert os.getpid() not in {row[2] for row in rows}
    assert {row[3] for row in rows} == {"1"}
    assert (tmp_path / "ready").exists()
    assert dict(os.environ) == before


def test_an_error_in_a_process_is_raised_here():
    with pytest.raises(InvalidInput, match=r"task was [56]"):
        run_tasks(fail, [5, 6], 2, print)


def test_a_process_that_is_lost_is_told():
    with pytest.raises(WorkerLost, match="code 3"):
        run_tasks(vanish, [1, 2], 2, print)


def test_a_process_that_is_lost_is_replaced_and_its_task_begun_again(tmp_path):
    rows = []
    assert run_tasks(once, [tmp_path / name for name in "ab"], 2, rows.append) == 2
    assert sorted(rows) == ["a", "b"]


def test_nothing_to_run_waits_for_no_worker():
    told = []
    assert Scheduler("processes", 2).run(square, [], told.append, on_workers=told.append) == 0
    assert told == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("clouds",), "scheduler was 'clouds'; it must be local, processes, dask:FILE"),
        (("dask:",), "scheduler was 'dask:'"),
        (("local", 2), "jobs was 2; it must be 1 with the scheduler 'local'"),
        ((None, 0), "jobs was 0"),
    ],
)
def test_schedulers_by_name(words, says):
    with pytest.raises(InvalidInput, match=re.escape(says)):
        Scheduler.of(*words)
    assert Scheduler.of(None, 2) == Scheduler("processes", 2)
    assert Scheduler.of(None).here
    assert not Scheduler.of("dask:tcp://a:1").here


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as made:
        yield made.scheduler_address


def test_tasks_on_a_cluster(cluster):
    rows, workers = [], []
    where = Scheduler.of(f"dask:{cluster}")
    done = where.run(square, range(9), rows.append, on_workers=workers.append)
    assert (done, workers) == (9, [1])
    assert sorted(row[1] for row in rows) == [k * k for k in range(9)]
    with pytest.raises(InvalidInput, match=r"task was [56]"):
        where.run(fail, [5, 6], print)
    rows.clear()
    done = where.run(slow, range(50), rows.append, asked=lambda: len(rows) >= 3)
    assert done == len(rows) < 10
    with pytest.raises(InvalidInput, match=r"tasks was .*; it must be what another process"):
        where.run(square, [lambda: 0], print)


def test_workers_of_other_code_are_refused(cluster, monkeypatch):
    monkeypatch.setattr("liftless.schedule.cluster.code", iter("abcdefgh").__next__)
    with pytest.raises(InvalidInput, match="code of a worker was"):
        Scheduler.of(f"dask:{cluster}").run(square, [1], print)


def test_a_scheduler_that_is_not_there(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("liftless.schedule.cluster.CONNECTING", 0.3)
    for where in (f"dask:{tmp_path / 'absent.json'}", "dask:tcp://127.0.0.1:9"):
        with pytest.raises(InvalidInput, match="scheduler was dask:"):
            Scheduler.of(where).run(square, [1], print)
        out = tmp_path / "out"
        for words in (["compare", "--size", "smoke"], ["reproduce", "all"]):
            found = run(*words, "--scheduler", where, "--out", out, "--quiet")
            assert found.code == 2
            assert "scheduler was dask:" in found.err
            assert not out.exists()


def test_sums_of_zero_have_no_ratio():
    assert all(math.isnan(value) for value in ratio_interval(np.ones(6), np.zeros(6)))


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_end_that_is_asked_for(jobs):
    rows = []
    done = run_tasks(slow, range(50), jobs, rows.append, asked=lambda: len(rows) >= 3)
    assert done == len(rows)
    assert 3 <= done <= 3 + jobs


def test_threads_are_limited_only_inside(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with one_thread():
        assert os.environ["XLA_FLAGS"] == f"--mine {ONE_THREAD['XLA_FLAGS']}"
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ["XLA_FLAGS"] == "--mine"
    assert "OMP_NUM_THREADS" not in os.environ
