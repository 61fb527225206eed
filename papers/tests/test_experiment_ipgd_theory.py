"""Experiments on the theory of the IPGD paper: verdicts, and numbers known independently."""

import math

import numpy as np
import pytest
from experiment_tools import rows_of

from liftless_papers.experiments import CHANGED, FAILS, HOLDS
from liftless_papers.experiments.ipgd import fig4, theory_escape, theory_sensing
from liftless_papers.experiments.ipgd._paths import course_rows, courses, summary
from liftless_papers.experiments.ipgd.fig2 import Fig2
from liftless_papers.experiments.ipgd.fig3 import Fig3
from liftless_papers.experiments.ipgd.fig4 import Fig4
from liftless_papers.experiments.ipgd.theory import Theory
from liftless_papers.report.experiment import caption, draw

pytestmark = pytest.mark.slow

CLASSES = {"ipgd-fig2": Fig2, "ipgd-fig3": Fig3, "ipgd-theory": Theory}
VERDICTS = {
    "ipgd-fig2": [HOLDS] * 5,
    "ipgd-fig3": [HOLDS] * 5,
    "ipgd-theory": [
        *(HOLDS, HOLDS, HOLDS, HOLDS, CHANGED, HOLDS),  # Theorem 2 to Lemma 13; (20) needs G²
        *(HOLDS, CHANGED, CHANGED, HOLDS, CHANGED, HOLDS),  # Prop. 4 to Theorem 5
        *(HOLDS, HOLDS, CHANGED),  # Prop. 23; not in the Frobenius norm
        *(CHANGED, FAILS, HOLDS),  # Prop. 24, the region (78), section 7
        *(HOLDS, HOLDS, CHANGED),  # Lemmas 22, 25 and 27, 26
        *(HOLDS, HOLDS, HOLDS),  # Prop. 28
        *(HOLDS, CHANGED, CHANGED),  # Prop. 30 and its proof
        *(HOLDS, HOLDS, HOLDS, CHANGED),  # Theorem 31
    ],
}


@pytest.fixture(scope="module")
def outcomes():
    return {name: cls().run("smoke", 0) for name, cls in CLASSES.items()}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(outcomes, name):
    claims = outcomes[name].claims
    assert [c.verdict for c in claims] == VERDICTS[name], [(c.where, c.note) for c in claims]


@pytest.mark.parametrize("name", VERDICTS)
def test_figures_are_drawn_from_the_rows(outcomes, name):
    outcome = outcomes[name]
    for figure in CLASSES[name].figures:
        assert "{" not in caption(figure, outcome.values)
        assert len(draw(figure, outcome.rows, outcome.values).axes) >= len(figure.panels)


# -- figures 2 and 3 ------------------------------------------------------------------------------


def test_residual_power_law(outcomes):
    """During the escape the residual grows by (1/γ) to the ratio of the two rates."""
    outcome = outcomes["ipgd-fig2"]
    ends = {row["gamma"]: row["residual"] for row in rows_of(outcome, "paths", t=1500)}
    power = math.log(ends[1e-3] / ends[1e-10]) / math.log(1e7)
    expected = 1 - outcome.values["along_w"] / outcome.values["along_v"]
    assert power == pytest.approx(expected, abs=0.05)


def test_width_of_the_stuck_region_falls_geometrically(outcomes):
    """Near the saddle a step multiplies the distance along v by 1 + η|λ|, η = 1/15."""
    outcome = outcomes["ipgd-fig3"]
    growth = math.log1p(-outcome.values["curvature"] / 15)
    for gamma in (1e-15, 1e-50, 1e-100):
        rows = [r for r in rows_of(outcome, "lines", gamma=gamma) if math.isfinite(r["time"])]
        x, t = (np.array([r[k] for r in rows]) for k in ("offset", "time"))
        slope = -np.polyfit(t, np.log(x), 1)[0]
        assert slope == pytest.approx(growth, rel=0.01)


# -- figure 4 -------------------------------------------------------------------------------------


def test_course_of_sparse_recovery():
    (course,) = courses("sparse", [0], d=60, N=120)
    assert np.array_equal(course.t, np.arange(course.t[0], course.t[-1] + 1))
    # The steps found from the moves are the method's: none was refused here.
    assert course.run.backtracks == 0
    assert np.all(course.eta == course.run.step)
    g = course.growth
    np.testing.assert_allclose(
        g.cumulative[-1], np.sum(course.eta[:-1] * course.deviation.rate[:-1])
    )
    assert 0.31 <= g.slope <= 0.335
    assert g.excess <= 1e-9
    assert course.mismatch < 1e-6
    rows = course_rows(course)
    assert rows[-1]["distance"] == pytest.approx(rows[-1]["residual"], rel=1e-6)
    (claim,) = fig4._slopes([summary(course)])
    assert claim.verdict == HOLDS


def test_claims_of_figure_4():
    """Judged from made-up summaries: each verdict follows from its numbers."""

    def made(problem, total, **changes):
        plain = {"gamma": 1e-15, "seed": 0, "certified": True, "distance": 1e-9}
        plain |= {"residual": 1e-9, "mismatch": 1e-9, "excess": 0.0, "slope": 0.32}
        plain |= {"first_order_slope": 0.98, "growth": total / 3, "total": total}
        return plain | {"problem": problem} | changes

    names = [*fig4.MATRICES, "sparse"]
    rows = [
        made(name, 10.0 + k, gamma=1e-10 if name in fig4.BITS else 1e-15)
        for k, name in enumerate(names)
    ]
    assert {c.verdict for c in fig4.claims(rows)} == {HOLDS}
    bad = made("onebit-sym", 1.0, residual=1e-15, mismatch=20.0, excess=1.5)
    verdicts = {c.where: c.verdict for c in fig4.claims([*rows, bad])}
    assert verdicts["eq. (126)"] == CHANGED
    rows[0] = made(names[0], 99.0, slope=0.4)
    verdicts = {c.where: c.verdict for c in fig4.claims(rows)}
    assert verdicts["sec. 7, sparse recovery"] == FAILS
    assert verdicts[f"eq. (127), {names[0]}"] == FAILS
    assert {len(f.panels) for f in Fig4.figures} == {6}


# -- theory ---------------------------------------------------------------------------------------


def test_constants_of_the_proof():
    drop, slope, steps = theory_escape.constants(1e-15, 0.01, 1.0, 1.0, math.exp(10.0))
    log = 15 * math.log(10)
    assert drop == pytest.approx(1e-3 / (4608 * (log**3 + 1000)))
    assert slope == pytest.approx(0.01 / log**2)
    assert steps == math.ceil(40 * (log + 10))


def test_wells_have_a_strict_saddle_at_zero():
    f = theory_escape.wells
    a, b = np.array([1.0, 0.5]), np.array([0.2])
    assert float(f(np.zeros(3), a, b)) == pytest.approx(3.0)
    assert float(f(np.array([np.pi, -np.pi, 0.0]), a, b)) == pytest.approx(0.0, abs=1e-15)


def test_numbers_of_section_6(outcomes):
    outcome = outcomes["ipgd-theory"]
    measured = {c.where: c.measured for c in outcome.claims}
    # 4 √3 · 10 · δ = 1.
    assert measured["eq. (78)"] == pytest.approx(1 / (40 * math.sqrt(3)))
    # Largest eigenvalue of [[0, cs], [cs, s²]] times its share along e₂, over s², at s = 0.1.
    c, s = math.sqrt(0.99), 0.1
    top = (s**2 + math.sqrt(s**4 + 4 * (c * s) ** 2)) / 2
    share = top**2 / (top**2 + (c * s) ** 2)
    assert measured["eq. (117)"] == pytest.approx(top * share / s**2)
    assert measured["eq. (118)"] == 48
    assert measured["Prop. 24"] > 0.95
    assert measured["Lemma 26"] == math.inf
    # ¼ ‖M*‖² against ½ for the spectrum 1.
    assert measured["Theorem 31, proof"] == pytest.approx(0.5, abs=0.02)
    (row,) = rows_of(outcome, "theorem_5")
    assert row["residual"] < 1e-13


def test_frobenius_reading_of_the_hessian():
    """∇³f(X)[D, W, W] of X = 2 v e₁ᵀ and D = v e₁ᵀ without noise, by hand.

    It is 4 ‖W e₁‖² + 4 (vᵀW e₁)² + 4 ‖vᵀW‖²: 12 at v e₁ᵀ, 4 at v xᵀ and at w e₁ᵀ, else 0.
    """
    rows, _ = theory_sensing.lipschitz(0, 2)
    found = next(row["measured"] for row in rows if "_F" in row["statement"])
    assert found == pytest.approx(math.sqrt(12**2 + 7 * 4**2 + 7 * 4**2) / 15, rel=1e-9)
