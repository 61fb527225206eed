"""Trials of a comparison and what they are summed up to, with methods made for the test."""

import json
import math

import pytest
from compare_tools import Absent, Broken, Right, Small, Stub, Wrong, identified

from liftless.identify import identifiability as real_identifiability
from liftless_papers.compare import summary as sums
from liftless_papers.compare import trials as module
from liftless_papers.compare.cells import CELLS
from liftless_papers.compare.control import SpectralOnce
from liftless_papers.compare.plan import choose_methods, plan, run_plan
from liftless_papers.compare.trials import Trial, prepare, run_trial, trial_seeds
from liftless_papers.report.compare import figures

__all__ = ["identified"]


def trial(peer, cell="papers basic", number=0, budget=100):
    return Trial(CELLS[cell], "m", peer, number, 0, budget)


# -- trials ---------------------------------------------------------------------------------------


def test_a_row_has_its_columns():
    row = run_trial(trial(Right, number=3))
    assert list(row) == [
        *("family", "cell", "method", "trial", "instance_seed", "solver_seed", "budget", "n"),
        *("rank", "m", "dof", "jacobian_rank", "success", "fitted", "right", "identifiable"),
        *("block", "whole", "unknown"),
        *("applications", "lsqr", "seconds", "starts", "objective", "message"),
    ]
    assert (row["n"], row["rank"], row["m"], row["dof"]) == (2, 1, 3, 2)
    assert (row["instance_seed"], row["solver_seed"]) == trial_seeds(0, "papers basic", 3)
    assert (row["success"], row["fitted"], row["right"]) == (True, True, True)
    assert row["applications"] == 10
    assert (row["budget"], row["block"], row["unknown"]) == (100, None, None)
    json.dumps(row, allow_nan=False)


def test_a_method_is_not_believed():
    row = run_trial(trial(Wrong))
    assert (row["success"], row["fitted"], row["right"]) == (False, False, False)
    # h(0.5, 0.5) of eq. (1.1): A(XXᵀ) = (3/8, √3/4, √3/8) against b = (1, 0, 0).
    assert row["objective"] == pytest.approx(((3 / 8 - 1) ** 2 + 3 / 16 + 3 / 64) / 2)


def test_an_exception_is_a_failure_with_a_message():
    row = run_trial(trial(Broken, budget=70))
    assert (row["success"], row["applications"], row["objective"]) == (False, 70, None)
    assert row["message"] == "ZeroDivisionError: no number"


def test_an_instance_that_is_not_identifiable_is_neither(identified):
    identified.lacking = 1
    row = run_trial(trial(Right))
    assert (row["success"], row["identifiable"], row["fitted"]) == (None, False, True)
    assert (row["jacobian_rank"], row["dof"]) == (1, 2)
    (listed,) = sums.apart([row])
    assert (listed["methods"], listed["fitted"], listed["right"]) == (1, 1, 1)
    (summed,) = sums.summarise([row], [CELLS["papers basic"]], 100)
    assert (summed["trials"], summed["apart"], summed["standing"]) == (0, 1, None)


def test_a_new_shape_is_warmed_up_once_on_a_problem_and_its_reverse(monkeypatch):
    seen = []

    class Counted(Stub):
        def search(self, effort):
            seen.append((effort.seed, tuple(effort.problem.b)))
            return super().search(effort)

    monkeypatch.setattr(module, "_WARM", set())
    for number in (0, 1):
        run_trial(trial(Counted, number=number))
    seeds = [trial_seeds(0, "papers basic", number)[1] for number in (0, 1)]
    b = tuple(CELLS["papers basic"].make(0).problem.b)
    assert seen == [(seeds[0], b), (seeds[0], b[::-1]), (seeds[0], b), (seeds[1], b)]


def test_noise_is_judged_by_the_descent_from_the_truth():
    cell = CELLS["noisy gaussian n=20 r=2 m/dof=2 sigma=0.1"]
    ready = prepare(cell, 5)
    problem, truth = ready.instance.problem, ready.instance.truth
    # With 78 measurements and 39 degrees of freedom, h at the fit is about σ²(m − dof)/2.
    assert ready.level == pytest.approx(0.01 * 39 / 2, rel=0.6)
    assert ready.level < problem.objective(truth)
    told = {}

    class Told(Stub):
        def search(self, effort):
            told["goal"] = effort.goal
            return super().search(effort)

    row = run_trial(trial(Told, cell.name))
    assert row["right"] is None
    assert told["goal"] == pytest.approx(prepare(cell, row["instance_seed"]).level)


def test_the_control_solves_what_is_easy():
    row = run_trial(trial(SpectralOnce, "papers real-world", budget=500))
    assert row["success"] in (True, False)
    assert row["starts"] == 1
    assert row["applications"] < 500


# -- plans and sums -------------------------------------------------------------------------------


def test_a_plan_treats_all_methods_alike():
    cells = [CELLS["papers basic"], CELLS["papers real-world"]]
    made = plan(cells, {"a": Right, "b": Small}, 2, 0, 100)
    keys = [(t.cell.name, t.trial, t.method) for t in made.trials]
    assert keys == [
        ("papers basic", 0, "a"),
        ("papers basic", 0, "b"),
        ("papers basic", 1, "a"),
        ("papers basic", 1, "b"),
        ("papers real-world", 0, "a"),
        ("papers real-world", 1, "a"),
    ]
    assert made.skipped == (
        {"method": "b", "cell": "papers real-world", "reason": "n = 3 is above 2"},
    )


def test_a_missing_package_is_left_out_unless_it_is_named():
    chosen, skipped = choose_methods({"a": Right, "b": Absent})
    assert list(chosen) == ["a"]
    assert skipped[0]["reason"] == "package_that_is_absent is not installed"


def rows_of(method, successes, applications, seconds=1.0, cell="c"):
    return [
        {
            "cell": cell,
            "method": method,
            "trial": k,
            "success": good,
            "fitted": good,
            "right": good,
            "identifiable": True,
            "applications": applications + k % 2,
            "seconds": seconds,
        }
        for k, good in enumerate(successes)
    ]


def test_standings():
    groups = {
        "liftless": rows_of("liftless", [True] * 40, 20),
        "dear": rows_of("dear", [True] * 40, 60),
        "poor": rows_of("poor", [True] * 20 + [False] * 20, 5),
        "spectral-once": rows_of("spectral-once", [True] * 40, 1),
    }
    assert sums.standings(groups, 100) == {"liftless": "best", "dear": "worse", "poor": "worse"}
    few = {name: rows[:4] for name, rows in groups.items() if name != "poor"}
    assert sums.standings(few, 100) == {"liftless": "tied", "dear": "tied"}
    groups["same"] = rows_of("same", [True] * 40, 20)
    found = sums.standings(groups, 100)
    assert (found["liftless"], found["same"]) == ("tied", "tied")


def test_a_peer_with_equal_success_is_what_counts():
    rows = [
        *rows_of("liftless", [True] * 40, 20, seconds=1.0),
        *rows_of("fast", [True] * 10 + [False] * 30, 5, seconds=0.1),
        *rows_of("slow", [True] * 39 + [False], 40, seconds=4.0),
        *rows_of("slower", [True] * 40, 40, seconds=8.0),
    ]
    (found,) = sums.against_peers(rows, 100)
    assert found["peer"] == "slow"
    assert found["seconds_ratio"] == 0.25
    # 20.5 on average against 39 at 40.5 and one failure at the budget.
    expected = 820 / (20 * 40 + 19 * 41 + 100)
    assert found["applications_ratio"] == pytest.approx(expected)
    (alone,) = sums.against_peers(rows[:80], 100)
    assert alone["peer"] is None
    assert math.isnan(alone["seconds_ratio"])


def test_profiles_are_over_shared_instances():
    rows = [*rows_of("a", [True, True, False], 10), *rows_of("b", [True, False], 20)]
    found = sums.profiles(rows)
    assert {row["instances"] for row in found} == {2}
    last = {row["method"]: row["share"] for row in found if row["currency"] == "applications"}
    assert last == {"a": 1.0, "b": 0.5}


# -- figures --------------------------------------------------------------------------------------


def test_maps_and_costs_are_drawn_where_there_is_data():
    nodes, costs = [], []
    for n in (10, 20):
        for ratio in (1.5, 3.0):
            for method in ("liftless", "restarts"):
                head = {"family": "phase", "method": method, "n": n, "ratio": ratio}
                rate = {"success": 1.0, "text": "1.00", "trials": 4}
                nodes.append(head | {"excess": ratio - 1} | rate)
        costs.append({"method": "liftless", "n": n})
    tables = {"profiles": [], "map": nodes, "cost": costs}
    shown = figures(tables, 4, 100)
    assert [figure.name for figure in shown] == ["map-phase", "cost"]
    assert [panel.title for panel in shown[0].panels] == ["liftless", "restarts"]
    assert figures({"profiles": [], "map": nodes[:2], "cost": costs[:1]}, 4, 100) == ()


def test_rows_do_not_depend_on_the_processes(monkeypatch):
    """The identifiability of these is real, since a new process knows nothing of the stand-in."""
    monkeypatch.setattr(module, "identifiability", real_identifiability)
    wanted = plan([CELLS["papers basic"]], {"spectral-once": SpectralOnce}, 2, 0, 100)
    alone, spread = [], []
    run_plan(wanted, [], alone.append, jobs=1)
    run_plan(wanted, [], spread.append, jobs=2)
    for rows in (alone, spread):
        rows.sort(key=lambda row: row["trial"])
        for row in rows:
            row.pop("seconds")
    assert alone == spread
