"""The seven problems as functions of their implicit regions: gradients, distances, searches."""

import math

import numpy as np
import pytest
from experiment_tools import rows_of, smoke

from liftless.instances.ipgd import make_ipgd_problem
from liftless_papers.experiments import CHANGED, HOLDS
from liftless_papers.ipgd.landscape import Landscape

SIZES = {
    "ms-sym": {"n": 5, "N": 40},
    "onebit-rect": {"n": 5, "width": 6},
    "sparse": {"d": 8, "N": 20},
}


def landscape(name):
    return Landscape(make_ipgd_problem(name, 0, **SIZES[name]))


@pytest.mark.parametrize("name", SIZES)
def test_gradient_is_the_library_s_at_points_of_the_region(name):
    one = landscape(name)
    p = one.truth + 0.3 * np.random.default_rng(0).standard_normal(one.size)
    W = np.asarray(one.point(p))
    wide = np.pad(W, ((0, 0), (0, max(0, one.made.problem.rank - W.shape[1]))))
    expected = np.asarray(one.made.problem.gradient(wide)) * one.made.scale
    assert np.asarray(one.slope(W)[0]) == pytest.approx(expected[:, : W.shape[1]], rel=1e-9)
    at_truth = one.point(one.truth)
    assert float(one.away(at_truth)) < 1e-6
    assert np.abs(np.asarray(one.slope(at_truth)[0])).max() < 1e-9


@pytest.mark.slow
def test_curvature_of_exact_sensing():
    """With N large the truth of sensing is as ¼‖XXᵀ − M*‖² has it: σ_1 + σ_1 at the top."""
    one = Landscape(make_ipgd_problem("ms-sym", 0, n=5, N=20_000))
    assert one.stiffness() == pytest.approx(2 * 10, rel=0.1)
    alpha = one.regular(40.0, 0.05, 2, 0)
    # Of the least curvature σ_r: α/2 <= σ_r − σ_r²/(2β).
    assert alpha == pytest.approx(2 * (1 - 1 / 80), rel=0.1)


@pytest.mark.slow
def test_all_seven_have_both_properties_on_a_bounded_part():
    found = smoke("ipgd-landscape")
    assert [claim.verdict for claim in found.claims] == [HOLDS, HOLDS, CHANGED]
    rows = rows_of(found, "landscape")
    assert len(rows) == 7
    for row in rows:
        assert row["factor"] >= 1
        assert 0 < row["alpha"] < row["beta"]
        assert row["zeta"] == pytest.approx(0.25)
        assert math.isfinite(row["eps_g"])
