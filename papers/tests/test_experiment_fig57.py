"""Figures 5 and 7 of the SOD paper: verdicts, key numbers, same seed -> same rows."""

import numpy as np
import pytest
from experiment_tools import smoke

from liftless.escape import exact_score, oracle, paper_score
from liftless_papers.experiments import CHANGED, FAILS, HOLDS, experiment
from liftless_papers.experiments.sod.basic.fig5_census import census

NAMES = ("sod-fig5", "sod-fig7")
VERDICTS = {
    "sod-fig5": {
        "Def. 4.3": HOLDS,
        "Eq. (4.6)": HOLDS,
        "Section 4.2, below (4.4)": HOLDS,
        "Thm. 3.1": HOLDS,
        "Prop. 4.2": CHANGED,
        "Section 4.2, case 2": HOLDS,
        "Section 4.2, case 1": CHANGED,
    },
    "sod-fig7": {
        "Fig. 7, caption; Prop. 5.4": CHANGED,
        "Prop. 5.4, Thm. 3.2, Remark 5.2": CHANGED,
        "Prop. 5.4, Remark 5.2": HOLDS,
        "Fig. 7": HOLDS,
        "Prop. 5.4, (U_γ)": HOLDS,
        "Remark 5.1": CHANGED,
        "Eq. (5.13), Fig. 7": HOLDS,
        "Fig. 7, Prop. 5.4": FAILS,
        "Eq. (5.14), Fig. 7": FAILS,
    },
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name):
    found = {claim.where: claim.verdict for claim in smoke(name).claims}
    assert found == VERDICTS[name]


@pytest.mark.parametrize("seed", [1, 2])
def test_figure_five_holds_for_other_seeds(seed):
    found = {
        claim.where: claim.verdict for claim in experiment("sod-fig5").run("smoke", seed).claims
    }
    assert found == VERDICTS["sod-fig5"]


def test_the_points_drawn_are_what_their_panels_say():
    rows = {row["point"]: row for row in smoke("sod-fig5").rows if row["table"] == "points"}
    for name, sign in (("case 1", 1), ("case 2", -1)):
        row = rows[name]
        assert row["efs"] > 1
        assert row["E_Q"] * sign > 0
        assert row["rho_1"] * -sign > 0
        assert row["rho_2"] * -sign > 0
    real = rows["real-world"]
    assert (real["efs"], real["score"]) == pytest.approx((0.22764, 0.93019), abs=1e-5)
    assert np.isnan(real["rho_1"])


def test_the_measured_change_lies_on_the_exact_parabola_below_the_printed():
    rows = [row for row in smoke("sod-fig5").rows if row["table"] == "course"]
    exact, printed, measured = (
        np.array([row[k] for row in rows]) for k in ("exact", "printed", "measured")
    )
    at = np.isfinite(measured)
    assert at.sum() > 20
    np.testing.assert_allclose(measured[at], exact[at], rtol=1e-6, atol=1e-9)
    assert np.all(exact <= printed + 1e-12)


def test_census_agrees_with_the_library():
    found = census(300, 0)
    picked = [k for k in range(found.lam.size) if found.walled[k]][:5]
    for k in picked:
        problem, X = found.problem(k)
        o = oracle(problem, X)
        assert paper_score(o, 0.0).efs == pytest.approx(found.efs[k], rel=1e-8)
        assert exact_score(o).score == pytest.approx(found.score[k], rel=1e-8)
        assert np.sign(o.E_Q) == np.sign(found.E_Q[k])
        s = 0.3
        change = problem.objective(X + s * o.beta_direction) / problem.objective(X) - 1
        rho = np.full(found.lam.size, s)
        assert change == pytest.approx(found.change(rho)[k], rel=1e-7, abs=1e-9)


def test_the_ends_of_figure_seven_are_the_reference():
    rows = smoke("sod-fig7").rows
    at = {(row["example"], row["order"]): row for row in rows}
    real = at["real-world", 5]
    assert real["rho_min"] == pytest.approx(0.0971863, rel=1e-5)
    assert real["beta_lower"] == pytest.approx(27129.9, rel=1e-5)
    assert real["beta_upper"] == pytest.approx(33926.5, rel=1e-5)
    assert real["gamma_lower"] == real["beta_upper"]
    assert np.isnan(at["real-world", 3]["beta_lower"])
    assert at["pmc", 11]["gamma_lower"] == pytest.approx(6096.46, rel=1e-5)
    assert at["pmc", 11]["rho_min"] == pytest.approx(16.7702, rel=1e-5)
    for order, K in ((3, 4), (5, 16)):
        row = at["basic", order]
        assert 10 ** row["log10_K"] == pytest.approx(K)
        assert np.isnan(row["gamma_lower"])
        assert row["beta_upper"] == np.inf
