"""Exact minimisation along a line, against high-precision roots and roots known beforehand."""

from fractions import Fraction

import jax
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftless.quartic import evaluate, first_downhill, minimisers, slope, stationary_points

first_compiled = jax.jit(first_downhill)
seeds = st.integers(0, 2**32 - 1)
nonzero = st.floats(0.05, 20.0).flatmap(lambda x: st.sampled_from([x, -x]))
# The quartic's own scale, and that of s; their fourth power must stay within float64.
heights = st.sampled_from([1e-100, 1e-8, 1.0, 1e5, 1e100])
widths = st.sampled_from([1e-40, 1e-6, 1.0, 1e4, 1e40])


def integrate(d):
    """The quartic with constant term 0 whose slope has coefficients d."""
    return np.r_[0.0, np.asarray(d) / np.arange(1, 5)]


def from_roots(*roots):
    """The quartic whose slope is the product of (s - root), padded with zeros."""
    d = np.polynomial.polynomial.polyfromroots(roots)
    return integrate(np.r_[d, np.zeros(4 - d.size)])


def rescaled(c, height, width):
    """The quartic height · c(s / width)."""
    return height * c / width ** np.arange(5)


def least_squares(seed, m=3):
    """|r0 + s r1 + s² r2|²/2, turned so that it starts downhill."""
    r0, r1, r2 = np.random.default_rng(seed).standard_normal((3, m))
    r1 = -np.sign(r0 @ r1) * r1
    return np.array([r0 @ r0, 2 * r0 @ r1, r1 @ r1 + 2 * r0 @ r2, 2 * r1 @ r2, r2 @ r2]) / 2


def reference_roots(c):
    """Real roots of the slope in 50 digits, ascending; simple ones only."""
    with mpmath.workdps(50):
        d = [k * mpmath.mpf(float(c[k])) for k in (1, 2, 3, 4)]
        roots = mpmath.polyroots(d, maxsteps=200, extraprec=100, asc=True)
        return sorted(float(mpmath.re(z)) for z in roots if abs(mpmath.im(z)) < 1e-30 * abs(z))


# -- all stationary points -------------------------------------------------------------------------


@given(seed=seeds, height=heights, width=widths)
def test_stationary_points_match_high_precision(seed, height, width):
    c = least_squares(seed)
    found, _ = stationary_points(rescaled(c, height, width))
    np.testing.assert_allclose(found, width * np.array(reference_roots(c)), rtol=1e-9)


@given(seed=seeds)
def test_minimisers_match_high_precision(seed):
    c = least_squares(seed)
    roots = reference_roots(c)
    wanted = sorted(roots[::2], key=lambda s: evaluate(c, s))  # every other one, from the left
    np.testing.assert_allclose(minimisers(c), wanted, rtol=1e-9)


@given(roots=st.lists(nonzero, min_size=0, max_size=3, unique=True), lead=nonzero)
def test_known_roots_of_any_degree(roots, lead):
    """With one root the quartic is a parabola, with two a cubic, with none a line."""
    roots = [root for k, root in enumerate(roots) if all(abs(root - s) > 0.01 for s in roots[:k])]
    found, _ = stationary_points(lead * from_roots(*roots))
    np.testing.assert_allclose(found, sorted(roots), rtol=1e-8)


@given(root=nonzero, middle=nonzero, width=st.floats(0.1, 10))
def test_a_complex_pair_is_not_reported(root, middle, width):
    d = np.polynomial.polynomial.polymul([-root, 1], [middle**2 + width**2, -2 * middle, 1])
    np.testing.assert_allclose(stationary_points(integrate(d))[0], [root], rtol=1e-9)
    np.testing.assert_allclose(minimisers(integrate(d)), [root], rtol=1e-9)
    assert minimisers(-integrate(d)).size == 0


# name: coefficients, the stationary points of size about one, the minimisers among them best first
DEGENERATE = {
    "constant": ([3, 0, 0, 0, 0], [], []),
    "line": ([3, -1, 0, 0, 0], [], []),
    "parabola": ([0, -1, 1, 0, 0], [0.5], [0.5]),
    "parabola, c4 underflows": ([0, -1, 1, 0, 1e-300], [0.5], [0.5]),
    "parabola, c4 negligible": ([0, -1, 1, 0, 1e-18], [0.5], [0.5]),
    "parabola, c4 negligible and negative": ([0, -1, 1, 0, -1e-18], [0.5], [0.5]),
    "parabola, c3 negligible": ([0, -1, 1, 1e-18, 0], [0.5], [0.5]),
    "cubic": ([0, 0, -3, 1, 0], [0, 2], [2]),
    "cubic, c4 underflows": ([0, 0, -3, 1, 1e-300], [0, 2], [2]),
    "cubic, c4 negligible": ([0, 0, -3, 1, 1e-18], [0, 2], [2]),
    "even": ([1, 0, -2, 0, 1], [-1, 0, 1], [1, -1]),
    "even, c1 round-off of zero": ([1, 1e-18, -2, 0, 1], [-1, 0, 1], [1, -1]),
    "even, c1 underflows": ([1, -1e-300, -2, 0, 1], [-1, 0, 1], [1, -1]),
    "even, c3 round-off of zero": ([1, 0, -2, 1e-16, 1], [-1, 0, 1], [1, -1]),
    "c1 = 0": ([0, 0, 1, -4 / 3, 0.5], [0, 1], [0]),
    "pure fourth power": ([2, 0, 0, 0, 1], [0], [0]),
    "pure cube": ([2, 0, 0, 1, 0], [0], []),
}


@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("height", [1e-100, 1.0, 1e100])
def test_degenerate_coefficients(name, height):
    coefficients, stationary, best = DEGENERATE[name]
    c = height * np.array(coefficients, float)
    found, _ = stationary_points(c)
    # A negligible leading coefficient may bring a root of its own, far away.
    assert np.all(np.diff(found) > 0)
    np.testing.assert_allclose(found[np.abs(found) < 1e6], stationary, rtol=1e-12, atol=1e-15)
    low = minimisers(c)
    assert np.all(np.isfinite(low))
    np.testing.assert_allclose(low[np.abs(low) < 1e6], best, rtol=1e-12, atol=1e-15)


@given(root=nonzero, height=heights)
def test_triple_root(root, height):
    """(s - root)⁴: flat to the fourth order, so the place is known to a cube root of round-off."""
    c = height * np.array([root**4, -4 * root**3, 6 * root**2, -4 * root, 1.0])
    found, _ = stationary_points(c)
    assert 1 <= found.size <= 3
    np.testing.assert_allclose(found, root, rtol=1e-4)
    np.testing.assert_allclose(minimisers(c)[0], root, rtol=1e-4)
    s = float(first_compiled(c * np.sign(root) ** np.arange(5)))
    np.testing.assert_allclose(s, abs(root), rtol=1e-4)


def test_a_far_minimiser_that_is_only_round_off_is_left_out():
    # r2 is round-off: the slope has roots near 1e17, where the value is a difference of 1e34s.
    c = np.array([0.5, -1.0, 0.5, -1e-17, 5e-35])
    assert minimisers(c).size == 1
    np.testing.assert_allclose(minimisers(c), 1.0)


# -- the tie rule ----------------------------------------------------------------------------------


@given(noise=st.lists(st.floats(-1e-15, 1e-15), min_size=5, max_size=5), level=heights)
def test_of_two_equal_minima_the_positive_one_comes_first(noise, level):
    c = np.array([3.0, 0, -2, 0, 1]) + noise
    low = minimisers(level * c)
    np.testing.assert_allclose(low, [1, -1], rtol=1e-12)
    np.testing.assert_array_equal(low, minimisers(level * c))


def test_a_better_minimum_comes_first_wherever_it_is():
    for c1 in (0.1, -0.1):
        best, other = minimisers(np.array([0, c1, -2, 0, 1]))
        assert np.sign(best) == -np.sign(c1) == -np.sign(other)


def test_of_two_equal_positive_minima_the_nearer_one_comes_first():
    np.testing.assert_allclose(minimisers(from_roots(1.0, 2.0, 3.0)), [1, 3], rtol=1e-10)


# -- the first one downhill ------------------------------------------------------------------------


@settings(max_examples=200)
@given(seed=seeds, m=st.sampled_from([1, 2, 3, 10]))
def test_first_downhill_of_a_least_squares_quartic(seed, m):
    c = least_squares(seed, m)
    s = float(first_compiled(c))
    assert s > 0
    turn = next(root for root in reference_roots(c) if root > 0)
    assert s == pytest.approx(turn, rel=1e-9)
    assert np.all(slope(c, s * np.linspace(0, 0.999, 200)) < 0)
    assert evaluate(c, s) <= c[0]


@given(seed=seeds, height=heights, width=widths)
def test_first_downhill_at_any_scale(seed, height, width):
    c = least_squares(seed)
    s = float(first_compiled(rescaled(c, height, width)))
    assert s == pytest.approx(width * float(first_compiled(c)), rel=1e-9)


@pytest.mark.parametrize("name", DEGENERATE)
def test_first_downhill_of_degenerate_coefficients(name):
    c = np.array(DEGENERATE[name][0], float)
    s = float(first_compiled(c))
    ahead = [root for root in DEGENERATE[name][1] if root > 0]
    if c[1] >= 0 or not ahead:
        assert s == 0.0
    else:
        assert s == pytest.approx(ahead[0], rel=1e-12)


@settings(max_examples=100)
@given(seed=seeds, digits=st.integers(0, 30), width=widths)
def test_first_downhill_from_a_saddle(seed, digits, width):
    """The slope at 0 is round-off, the curvature negative: the minimum is not at round-off."""
    _, _, c2, c3, c4 = np.random.default_rng(seed).standard_normal(5)
    c = np.array([1.0, -(10.0**-digits), -abs(c2), c3, abs(c4)])
    s = float(first_compiled(rescaled(c, 1.0, width)))
    # The larger root of the slope without c1, then c1 restored by Newton's method.
    root = (-3 * c3 + np.sqrt(9 * c3**2 + 32 * abs(c2) * abs(c4))) / (8 * abs(c4))
    for _ in range(50):
        root -= slope(c, root) / (2 * c[2] + 6 * c[3] * root + 12 * c[4] * root**2)
    assert s == pytest.approx(width * root, rel=1e-9)
    assert evaluate(c, root) < c[0]


@pytest.mark.parametrize("close", [1e-2, 1e-5, 1e-8])
def test_first_downhill_next_to_an_inflection(close):
    """Slope ((s − 1)² + close) (s − 2): nearly zero at 1, the minimum is at 2."""
    d = np.polynomial.polynomial.polymul([1 + close, -2, 1], [-2, 1])
    s = float(first_compiled(integrate(d)))
    assert s == pytest.approx(2, rel=1e-9)


@given(
    c=st.lists(
        st.one_of(st.just(0.0), nonzero, st.sampled_from([1e-300, -1e-300, 1e-20, 1e100, -1e100])),
        min_size=5,
        max_size=5,
    )
)
@settings(max_examples=60)
def test_nothing_is_ever_nan(c):
    c = np.array(c)
    s = float(first_compiled(c))
    assert np.isfinite(s)
    assert s >= 0
    # In fractions, since the value itself may be beyond float64.
    terms = [Fraction(float(c[k])) * Fraction(s) ** k for k in range(1, 5)]
    assert sum(terms) <= sum(map(abs, terms)) / 10**12
    assert np.all(np.isfinite(stationary_points(c)[0]))
    assert np.all(np.isfinite(minimisers(c)))


def test_first_downhill_is_the_same_under_vmap():
    c = np.stack([least_squares(seed) for seed in range(20)])
    together = jax.jit(jax.vmap(first_downhill))(c)
    one_by_one = [float(first_compiled(row)) for row in c]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-14)
