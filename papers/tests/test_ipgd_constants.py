"""Constants of section 6 of the IPGD paper, and the search for counterexamples to them."""

import math

import numpy as np
import pytest

from liftless import InvalidInput
from liftless.operators import measure
from liftless_papers.ipgd.checks import (
    check_closure,
    check_deviation,
    check_lemmas,
    check_lipschitz,
    check_regularity,
    check_strict_saddle,
    projection_ratio,
)
from liftless_papers.ipgd.constants import SensingConstants
from liftless_papers.ipgd.samples import outside_angle
from liftless_papers.ipgd.sensing import closure_counterexample, gaussian_sensing, isometry_constant

#: The spectrum of section 7 of the paper, with an isometry constant of 1e-3.
PAPER = SensingConstants(10.0, 1.0, 20, 3, 20, 1e-3)


@pytest.fixture(scope="module")
def instance():
    problem, truth = gaussian_sensing(6, (2.0, 1.0), 200_000, 3, seed=1)
    return problem, truth, isometry_constant(problem)


def test_printed_constants():
    c = PAPER
    assert c.L == 150
    assert c.rho == pytest.approx(47.434165, rel=1e-7)
    assert c.tau == pytest.approx(0.070710678, rel=1e-7)
    assert c.norm_bound == pytest.approx(6.3245553, rel=1e-7)
    assert c.angle_bound == pytest.approx(0.069282032, rel=1e-7)
    assert c.closure_step == pytest.approx(0.01)
    assert c.strict_saddle == pytest.approx((0.00625, 0.2, 0.125))
    assert c.strict_saddle_at(0.00625) == pytest.approx(c.strict_saddle)
    assert c.regularity == pytest.approx((0.5, 66.40625, 0.25))
    assert c.deviation_bound() == pytest.approx(13.5)
    assert c.deviation_bound("exact") == pytest.approx(5.0178487, rel=1e-7)
    assert c.step == pytest.approx(1 / 1500)
    assert c.gap == 150
    assert c.threshold == pytest.approx(1 / (1500 * math.sqrt(10)))
    assert c.kappa == 10
    assert c.dimension == 400


def test_theorem_31_as_printed():
    c, epsilon, chi = PAPER, 1e-3, 0.1
    # log(10 · 400 / 1e-4)^7 and κ³ = 1e3, κ^6.5 = 3162277.66.
    gamma = c.perturbation_radius(epsilon, chi)
    second = 1 / (9 * 3162277.66017)
    assert gamma == pytest.approx(min(1e-3 / 3e4, second) / math.log(4e7) ** 7, rel=1e-9)
    logs = math.log(1 / gamma) ** 4 + math.log(4e4) ** 4
    local = 10 * math.log(1e4)
    assert c.local_iterations(epsilon) == pytest.approx(local)
    wanted = 3e3 * 1500 * logs + local
    assert c.iterations(epsilon, gamma, chi) == pytest.approx(wanted)
    assert c.iterations(epsilon, gamma, chi, C=2.0) == pytest.approx(2 * wanted)
    assert c.isometry_needed(gamma, chi) == pytest.approx(1 / (9e5 * logs))
    # With that δ the deviation rate is of the order of 1/(η T), condition C3.
    needed = SensingConstants(10.0, 1.0, 20, 3, 20, c.isometry_needed(gamma, chi))
    product = needed.deviation_bound() * c.step * (c.iterations(epsilon, gamma, chi) - local)
    assert product == pytest.approx(45)


def test_gaussian_sensing_has_the_scaling_of_ms(instance):
    problem, truth, delta = instance
    rng = np.random.default_rng(3)
    for rank in (1, 3, 6):
        M = rng.standard_normal((6, rank))
        square = np.sum(np.asarray(measure(problem.operator, M, M)) ** 2)
        assert abs(square / np.linalg.norm(M @ M.T) ** 2 - 1) <= delta
    # 2 √(p/N) = 0.02 for p = 21 and N = 200 000.
    assert 0.01 < delta < 0.025
    y = np.asarray(measure(problem.operator, truth, truth))
    assert float(problem.objective(np.zeros((6, 3)))) == pytest.approx(y @ y / 4)
    np.testing.assert_allclose(np.linalg.svd(truth, compute_uv=False) ** 2, [2.0, 1.0])


def test_bartlett_agrees_with_drawn_matrices():
    """The mean and spread of ‖A(M)‖² are those of N Gaussian matrices."""
    n, N = 2, 40
    M = np.array([[1.0, 0.5], [0.5, -2.0]])
    left = np.linalg.eigh(M)
    drawn = []
    for seed in range(300):
        problem, _ = gaussian_sensing(n, (1.0,), N, 1, seed=seed)
        parts = [
            s * np.asarray(problem.operator.packed) @ np.array([v[0] ** 2, v[0] * v[1], v[1] ** 2])
            for s, v in zip(left[0], left[1].T, strict=True)
        ]
        drawn.append(np.sum(sum(parts) ** 2) / np.sum(M**2))
    # N · ‖A(M)‖² / ‖M‖² is χ² with N degrees: mean 1, standard deviation √(2/N).
    assert np.mean(drawn) == pytest.approx(1.0, abs=4 * math.sqrt(2 / N / 300))
    assert np.std(drawn) == pytest.approx(math.sqrt(2 / N), rel=0.15)


def test_propositions_hold_on_a_gaussian_instance(instance):
    problem, truth, delta = instance
    found = [
        *check_lipschitz(problem, truth, delta, samples=12),
        *check_closure(problem, truth, delta, samples=40),
        *check_strict_saddle(problem, truth, delta, samples=60),
        check_regularity(problem, truth, delta, samples=60),
        check_deviation(problem, truth, delta, samples=40),
    ]
    assert all(m.hypothesis for m in found)
    assert [m.statement for m in found if not m.holds] == []
    gradient, hessian = found[:2]
    # In the population ‖∇²f‖ reaches 12 σ_1 − σ_r and ‖∇³f‖ reaches 12 √σ_1 (of 15).
    assert gradient.measured == pytest.approx(11.5 / 15, rel=2 * delta)
    assert hessian.measured == pytest.approx(12 / 15, rel=2 * delta)
    c = SensingConstants.of(truth, 3, delta)
    assert gradient.measured * c.L <= c.sharp_L()
    curvature, distance = found[4:6]
    # At the saddles the least eigenvalue is −σ_{k+1}; five times the bound at the worst.
    assert curvature.measured == pytest.approx(-5.0, rel=5 * delta)
    assert 0 < distance.measured < 0.2
    assert 0 < found[-1].measured <= c.deviation_bound("exact")


def test_proposition_24_has_a_counterexample():
    problem, truth, delta, X = closure_counterexample()
    assert isometry_constant(problem) == pytest.approx(delta, rel=1e-9)
    c = SensingConstants.of(truth, 3, delta)
    assert delta <= 1 / (10 * math.sqrt(2))
    # X is in the region (78): rank 2, norm and angle at their bounds.
    assert np.linalg.matrix_rank(X) == 2
    assert np.linalg.norm(X, 2) <= c.norm_bound * (1 + 1e-12)
    assert outside_angle(truth, X) <= c.angle_bound * (1 + 1e-12)
    norm, angle = check_closure(problem, truth, delta, samples=4, points=(X,))
    assert norm.holds
    assert angle.hypothesis
    assert not angle.holds
    assert angle.measured > c.angle_bound + 1e-3
    # However short the step: the angle grows at the rate (δ ‖Δ‖ √((1−s²)/2) − σ_r s (1−s²)).
    step = 1e-6
    s, gap = 0.95, truth @ truth.T - X @ X.T
    after = outside_angle(truth, X - step * np.asarray(problem.gradient(X)))
    rate = delta * np.linalg.norm(gap) * math.sqrt((1 - s**2) / 2) - 0.1 * s * (1 - s**2)
    assert rate > 0
    assert (after - s) / step == pytest.approx(rate, rel=1e-2)


def test_lemmas():
    assert [m.statement for m in check_lemmas(samples=40) if not m.holds] == []
    # Lemma 26 needs equal ranks.
    assert projection_ratio(np.zeros((4, 2)), np.eye(4, 2)) == math.inf


def test_bad_arguments():
    with pytest.raises(InvalidInput, match="sigma_1"):
        SensingConstants(1.0, 2.0, 5, 1, 1)
    with pytest.raises(InvalidInput, match="search_rank"):
        SensingConstants(2.0, 1.0, 5, 2, 1)
    with pytest.raises(InvalidInput, match="truth"):
        SensingConstants.of(np.ones((4, 2)), 2)
    with pytest.raises(InvalidInput, match="mode"):
        PAPER.deviation_bound("printed")
    with pytest.raises(InvalidInput, match="chi"):
        PAPER.perturbation_radius(1e-3, 1.5)
    with pytest.raises(InvalidInput, match="gamma"):
        PAPER.isometry_needed(2.0, 0.1)
    with pytest.raises(InvalidInput, match="measurements"):
        gaussian_sensing(6, (1.0,), 20, 2)
    with pytest.raises(InvalidInput, match="spectrum"):
        gaussian_sensing(3, (1.0, -1.0), 20, 2)
