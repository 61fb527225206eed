"""Figs 8 and 9 and Table 5: reference numbers, verdicts, and the same rows from the same seed."""

import numpy as np
import pytest
from experiment_tools import smoke

from liftless.instances import make_instance
from liftless_papers.experiments import CHANGED, FAILS, HOLDS, experiment
from liftless_papers.experiments.sod.course.course import Jump, Simulation, crossing, window_below

NAMES = ("sod-fig8", "sod-fig9", "sod-table5")


def rows(name, table):
    return [row for row in smoke(name).rows if row["table"] == table]


def claims(name, text):
    found = [c for c in smoke(name).claims if text in c.text]
    assert found, text
    return found


def close(row, digits=3, **expected):
    for key, value in expected.items():
        assert row[key] == pytest.approx(value, rel=0.6 * 10.0 ** (1 - digits)), key


# -- Fig. 8: the four settings of (rho, eta) at t = 59000, reference section C ---------------------

PAIRS = [
    {
        "u_gamma_from": 20342.6,
        "a_term": 16.77,
        "b_term": 0.301,
        "c_term": 48.69,
        "gamma_x1": 1.0067,
        "gamma_distance": 0.0268,
        "gamma_error": 3.34e-4,
        "beta_error": 0.0371,
        "lifted_ratio": 0.2937,
        "diagonal_ratio": 0.950,
        "gamma_success_step": 66,
        "gamma_steps_to_truth": 54845.7,
        "beta_steps_to_truth": 9.83e7,
    },
    {
        "u_gamma_from": 6096.5,
        "c_term": 164.5,
        "gamma_x1": 1.1245,
        "gamma_ratio": 0.231,
        "lifted_ratio": 155.0,
        "diagonal_ratio": 214.2,
        "gamma_success_step": 698,
        "gamma_steps_to_truth": 16407.9,
    },
    {
        "u_gamma_from": 60964.6,
        "b_term": 0.100,
        "c_term": 16.23,
        "gamma_x1": 0.9110,
        "gamma_ratio": 0.0955,
        "beta_ratio": 1.485,
        "lifted_ratio": 0.790,
        "gamma_success_step": 690,
    },
    {
        "u_gamma_from": 601279.0,
        "c_term": 1.623,
        "gamma_x1": 0.7389,
        "gamma_ratio": 0.680,
        "gamma_error": 0.0209,
        "beta_error": 0.0880,
        "lifted_ratio": 0.998,
        "gamma_success_step": np.inf,
    },
]


@pytest.mark.parametrize("k", range(4))
def test_settings_of_figure_8(k):
    row = rows("sod-fig8", "pairs")[k]
    close(row, **PAIRS[k])
    assert row["leading"] == "ccaa"[k]
    assert row["in_u_gamma"] == (k < 2)
    assert row["u_beta_empty"]


def test_figure_8_values():
    values = smoke("sod-fig8").values
    close(values, a=0.91371, lifted_min=0.2202, lifted_min_at=51.6e3, lifted_above_one=72.9e3)
    (basins,) = rows("sod-fig8", "basins")
    assert (basins["truth"], basins["spurious"]) == (0.675, 0.325)
    # The start is the first of the seeds that descends to the spurious minimum.
    assert smoke("sod-fig8").values["seed"] == 6


# -- Fig. 9 ----------------------------------------------------------------------------------------


def test_figure_9_escapes():
    gamma, beta, own = rows("sod-fig9", "escapes")
    close(gamma, 6, x1=0.890877, x2=-0.158397, x3=-0.168866, lifted_ratio=2.26707)
    close(gamma, 5, ratio=1.2505, diagonal_ratio=0.919405)
    close(gamma, 4, a_term=0.1121, b_term=0.1877, c_term=0.6608, distance=0.3613)
    close(gamma, 3, error=1.45e-4, away_over_distance=2.593, lifted_of_point=3.97)
    close(gamma, 4, lifted_at_escape_step=1.0261)
    close(beta, 3, ratio=1.153, error=8.15e-4)
    assert (gamma["success_step"], beta["success_step"]) == (38, 60)
    assert own["lifted_ratio"] > 2


ORDERS = [
    (3, 1.00305, 895, (1437, 3469), (435, 6099)),
    (5, 1.00444, 27908, (17299, 98665), (14180, 174397)),
    (7, 1.00966, 1.05e6, (187015, 2519998), (768506, 4.38e6)),
    (9, 1.0273, None, None, None),
    (11, 1.0913, None, None, None),
]


@pytest.mark.parametrize(("order", "least", "at", "window", "surrogate"), ORDERS)
def test_orders_of_figure_9(order, least, at, window, surrogate):
    (row,) = [row for row in rows("sod-fig9", "orders") if row["order"] == order]
    assert row["least_lifted"] == pytest.approx(least, abs=6e-5)
    close(row, 4, gamma_best=0.9015, beta_best=1.0825)
    if at is not None:
        # The reference took these from a grid.
        assert row["least_lifted_at"] == pytest.approx(at, rel=0.01)
        ends = row["gamma_lowers_from"], row["gamma_lowers_to"]
        assert ends == pytest.approx(window, rel=0.01)
        ends = row["diagonal_below_from"], row["diagonal_below_to"]
        assert ends == pytest.approx(surrogate, rel=0.01)


def test_either_sign_of_the_eigenvector():
    same = rows("sod-fig8", "turned")
    assert same[0]["lifted_ratio"] == pytest.approx(same[1]["lifted_ratio"], rel=1e-9)
    first, second = rows("sod-fig9", "turned")
    close(first, 6, lifted_ratio=2.26707)
    close(second, 4, lifted_ratio=2.206, diagonal_ratio=1.175)


# -- Table 5 ---------------------------------------------------------------------------------------

# h(X̌)/h(X̂) of the usable cells, from the minimum to round-off.
RATIOS = [1.631, 1.090, 1.004, 7.11, 1.160, 1.160, 1.160, 1.161, 1.166, 0.955]


def test_cells_of_table_5():
    usable = [row for row in rows("sod-table5", "cells") if row["usable"]]
    assert [row["limit"] for row in usable] == [row["printed_limit"] for row in usable]
    for row, ratio in zip(usable, RATIOS, strict=True):
        assert row["ratio_polished"] == pytest.approx(ratio, rel=6e-4)
        assert row["lifted_ratio"] > 1
    assert sum(row["ratio"] < 1 for row in usable) == 1
    lifted = [row["lifted_ratio_polished"] for row in usable]
    assert (min(lifted), max(lifted)) == pytest.approx((1.005, 6652), rel=6e-4)
    (other,) = [row for row in usable if row["order"] == 7 and row["steps"] == 33500]
    close(other, 5, left=0.60076)


def test_ends_of_table_5():
    found = {(row["point"], row["order"]): row for row in rows("sod-table5", "orders")}
    assert found["printed", 3]["u_gamma_from"] == pytest.approx(2006.17, abs=5e-3)
    assert found["printed", 5]["u_beta_from"] == pytest.approx(26948.72, abs=5e-3)
    assert found["printed", 7]["u_gamma_from"] == pytest.approx(1093342.41, abs=5e-3)
    assert found["polished", 3]["u_gamma_from"] == pytest.approx(2005.59, abs=5e-3)
    assert found["polished", 5]["u_beta_to"] == pytest.approx(33926.52, abs=5e-3)


# -- verdicts --------------------------------------------------------------------------------------

VERDICTS = [
    ("sod-fig8", "±(1, 0, −1) are spurious", [CHANGED]),
    ("sod-fig8", "The restricted isometry constant", [CHANGED]),
    ("sod-fig8", "distance window", [FAILS]),
    ("sod-fig8", "reach the truth", [HOLDS]),
    ("sod-fig8", "the c-term dominates", [HOLDS]),
    ("sod-fig8", "the lifted objective is below", [HOLDS]),
    ("sod-fig8", "h(X̌) < h(X̂)", [HOLDS]),
    ("sod-fig8", "Every simulated step lowers", [CHANGED]),
    ("sod-fig8", "smaller ρ_min", [FAILS]),
    ("sod-fig9", "is a local minimum", [HOLDS]),
    ("sod-fig9", "drive the iterate to the local minimum", [CHANGED]),
    ("sod-fig9", "reach the truth", [HOLDS]),
    ("sod-fig9", "the c-term dominates", [HOLDS]),
    ("sod-fig9", "At t = 150000 the lifted objective is below", [FAILS]),
    ("sod-fig9", "After finitely many simulated steps", [FAILS] * 5),
    ("sod-fig9", "h(X̌) < h(X̂) at", [FAILS, FAILS]),
    ("sod-fig9", "h(X̌) < h(X̂) for every t", [CHANGED] * 3),
    ("sod-fig9", "Every simulated step lowers", [CHANGED]),
    ("sod-fig9", "sup U_β < inf U_γ", [CHANGED]),
    ("sod-table5", "end of U_", [HOLDS] * 6),
    ("sod-table5", "Both distances", [HOLDS, CHANGED] + [HOLDS] * 8 + [CHANGED] + [HOLDS] * 3),
    ("sod-table5", "ends at the printed", [HOLDS]),
    ("sod-table5", "descent does not converge", [HOLDS]),
    ("sod-table5", "numerically unstable", [FAILS]),
    ("sod-table5", "h(X̌) < h(X̂)", [FAILS]),
    ("sod-table5", "The lifted objective is below", [FAILS]),
    ("sod-table5", "sup U_β < inf U_γ", [CHANGED]),
]


@pytest.mark.parametrize(("name", "text", "verdicts"), VERDICTS)
def test_verdicts(name, text, verdicts):
    assert [claim.verdict for claim in claims(name, text)] == verdicts


@pytest.mark.parametrize("name", ["sod-fig8", "sod-fig9"])
def test_another_seed_starts_elsewhere(name):
    other = experiment(name).run("smoke", 7)
    assert other.values["seed"] >= 7
    assert other.values["seed"] != smoke(name).values["seed"]
    # The escape itself depends neither on the start nor on the sign of the minimum.
    assert other.values["lifted"] == pytest.approx(smoke(name).values["lifted"], rel=1e-9)


# -- the parts -------------------------------------------------------------------------------------


def test_steps_to_an_amplitude_invert_the_closed_form():
    instance = make_instance("real-world")
    jump = Jump.at(instance, instance.points[0].X, Simulation(5, 0.1, 0.1, 0.0))
    for t in (10.0, 3e4, 2e5):
        assert jump.steps_to_beta(jump.form.beta(t)) == pytest.approx(t, rel=1e-6)
        assert jump.steps_to_gamma(-jump.form.gamma(t)) == pytest.approx(t, rel=1e-9)
    low, high = jump.steps_where_gamma_lowers()
    assert jump.matrix_ratio("gamma", np.array([low, high])) == pytest.approx(1.0, abs=1e-9)


def test_windows_and_crossings():
    def bowl(t):
        return (np.log10(t) - 2) ** 2

    assert window_below(bowl, 1e-3, 1e6) == pytest.approx((10.0, 1000.0))
    assert window_below(bowl, 20.0, 500.0) == pytest.approx((20.0, 500.0))
    assert np.isnan(window_below(bowl, 1e4, 1e5)).all()
    assert crossing(bowl, 100.0, 1e5) == pytest.approx(1000.0)
