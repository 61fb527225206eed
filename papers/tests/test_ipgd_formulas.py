"""Curvatures by Lanczos, and the constants that the theorems' formulas give."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from liftless import InvalidInput, Smooth
from liftless_papers.ipgd import (
    algorithm_constants,
    curvature_range,
    ipgd_by_formulas,
    perturbed_by_formulas,
)

D = 6
SPECTRUM = np.array([-2.0, -0.5, 0.3, 1.0, 1.0, 1.5])


def well(x, H, scale, at):
    """scale (½ yᵀHy + ¼ |y|⁴) of y = x − at."""
    x = x - at
    square = jnp.sum(x * x)
    return scale * (x @ H @ x / 2 + square * square / 4)


def turned(seed, spectrum=SPECTRUM):
    """A symmetric matrix of this spectrum, and its eigenvectors."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((D, D)))[0]
    return (Q * spectrum) @ Q.T, Q


def make(seed=0, scale=1.0, spectrum=SPECTRUM, at=0.0):
    return Smooth(well, turned(seed, spectrum)[0], scale, at)


ZERO = np.zeros(D)


# -- curvature ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_lanczos_is_dense_eigvalsh(scale):
    x = np.random.default_rng(1).standard_normal(D)
    H = turned(3)[0] + (x @ x) * np.eye(D) + 2 * np.outer(x, x)
    least, largest = curvature_range(make(3, scale), x)
    expected = np.linalg.eigvalsh(H)[[0, -1]]
    np.testing.assert_allclose([least / scale, largest / scale], expected, rtol=1e-12)


def test_lanczos_sees_past_multiple_eigenvalues():
    """The Krylov space has dimension 3 here, less than the 60 steps, and none below."""
    spectrum = np.repeat([-1.0, 2.0, 5.0], [1, 2, 3])
    assert curvature_range(make(0, 1.0, spectrum), ZERO) == pytest.approx((-1.0, 5.0), rel=1e-12)
    assert curvature_range(make(0, 1.0, np.ones(D)), ZERO) == pytest.approx((1.0, 1.0), rel=1e-12)
    assert curvature_range(make(0, 1.0, np.zeros(D)), ZERO) == (0.0, 0.0)


def diagonal(x, weights):
    return jnp.sum(weights * x * x) / 2


def test_lanczos_in_sixty_of_two_hundred_dimensions():
    weights = np.r_[-1.0, np.linspace(0, 3, 198), 4.0]
    least, largest = curvature_range(Smooth(diagonal, weights), np.zeros(200))
    assert least == pytest.approx(-1.0, rel=1e-9)
    assert largest == pytest.approx(4.0, rel=1e-9)


def test_constants_of_algorithm_1():
    """Line 1 with log(1/γ) = log(ρ d Δ_f / (χ ε)) = 10 log 10, so both brackets are simple."""
    constants = algorithm_constants(
        gamma=1e-10, epsilon=1e-4, eta=0.1, d=100, rho=4.0, delta_f=2.5e1, chi=1e-2, C=2.0
    )
    log = 10 * math.log(10)
    expected = (1e-6 / (2 * 2 * 2 * log**3), 1e-4 / (2 * log**2), 2 / (0.1 * 0.02) * 2 * log)
    np.testing.assert_allclose(constants, expected, rtol=1e-12)
    method = ipgd_by_formulas(
        1e-10, epsilon=1e-4, eta=0.1, d=100, rho=4.0, delta_f=2.5e1, chi=1e-2, C=2.0
    )
    np.testing.assert_allclose([method.F, method.G], expected[:2], rtol=1e-12)
    assert method.T_escape == math.ceil(expected[2])


def test_constants_of_perturbed_gd():
    """χ = 3 max{log(dℓΔf/(cε²δ)), 4} is 12 where the logarithm is small."""
    rule = perturbed_by_formulas(epsilon=1.0, ell=2.0, rho=4.0, delta_f=1.0, chi=0.5, d=1, c=0.25)
    assert rule.eta == 0.125
    np.testing.assert_allclose([rule.gamma, rule.G], [0.5 / 144 / 2, 0.5 / 144], rtol=1e-14)
    np.testing.assert_allclose(rule.F, 0.25 / 12**3 * 0.5, rtol=1e-14)
    assert rule.T_escape == 12 * 16 * 2 / 2


@pytest.mark.parametrize(
    ("argument", "gamma", "epsilon"), [("gamma", 2.0, 0.1), ("epsilon", 0.9, 1e9)]
)
def test_constants_out_of_range_are_named(argument, gamma, epsilon):
    formulas = {"eta": 0.1, "d": D, "rho": 1.0, "delta_f": 1.0, "chi": 0.1}
    with pytest.raises(InvalidInput, match=argument):
        algorithm_constants(gamma=gamma, epsilon=epsilon, **formulas)


def test_the_core_says_where_the_theory_is():
    import liftless

    with pytest.raises(AttributeError, match=r"liftless_papers\.ipgd"):
        _ = liftless.deviation_rate
