"""The printed multi-step closed form against the paper's table, reference values and mpmath."""

import math
from dataclasses import astuple, replace
from functools import cache
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from liftless._errors import InvalidInput
from liftless.escape import multi_step
from liftless.escape.multi_step import Interval, MultiStep

REAL_MATRICES = np.array(  # (C.2): upper triangles, row by row
    [
        [0.0783, 0.2372, -0.0439, -0.0397, 0.1456, -0.4724],
        [0.0389, 0.0536, -0.0059, 0.4614, -0.3907, 0.2760],
        [0.0293, -0.1456, -0.1656, 0.3257, 0.2528, -0.0078],
        [0.0762, 0.3193, -0.3338, -0.3364, 0.5847, 0.1873],
        [-0.0889, 0.7089, 0.4472, 0.3788, 0.0902, -0.3193],
        [0.4097, 0.1190, 0.2078, 0.2282, -0.2274, 0.4046],
    ]
)[:, [[0, 1, 2], [1, 3, 4], [2, 4, 5]]]
H = math.sqrt(3) / 2
BASIC_MATRICES = np.array([[[1, 0], [0, 0.5]], [[0, H], [H, 0]], [[0, 0], [0, H]]])  # (1.1)
PRINTED_X = np.array([0.2234, 0.0918, 0.5985])


def completion_matrices(eps):
    """Perturbed matrix completion (C.1), n = 3: one symmetrised matrix for each of 9 entries."""
    entries = np.eye(9).reshape(9, 3, 3)
    weights = np.array([[1, 1, eps], [1, 1, 1], [eps, 1, 1]])
    return weights * (entries + entries.swapaxes(1, 2)) / 2


class Point(NamedTuple):
    """A rank-one stationary point x, and the oracle's (lambda_n, u_n, E x) there."""

    A: np.ndarray
    x: np.ndarray
    z: np.ndarray

    def slack(self, x):
        residual = np.einsum("kij,ij->k", self.A, np.outer(x, x) - np.outer(self.z, self.z))
        return np.einsum("kij,k->ij", self.A, residual)

    def descend(self, x, rate=0.1, steps=3000):
        for _ in range(steps):
            x = x - 2 * rate * self.slack(x) @ x
        return x

    def oracle(self):
        values, vectors = np.linalg.eigh(self.slack(self.x))
        u = vectors[:, 0] * np.sign(vectors[np.abs(vectors[:, 0]).argmax(), 0])
        v = self.x / np.linalg.norm(self.x)
        v *= np.sign(v[np.abs(v).argmax()])
        measured = np.einsum("kij,ij->k", self.A, np.outer(u, v) + np.outer(v, u))
        return values[0], u, np.einsum("kij,k->ij", self.A, measured) @ self.x

    def multi_step(self, order):
        lambda_n, _, EX = self.oracle()
        size = float(np.linalg.norm(self.x))
        return MultiStep(float(lambda_n), size, size, float(np.linalg.norm(EX)), order, 0.1, 0.1)


@cache
def example(name):
    if name == "basic":
        return Point(BASIC_MATRICES, np.array([0, math.sqrt(0.5)]), np.array([1.0, 0]))
    if name == "completion":
        a = math.sqrt((1 - 0.3**2) / (1 + 0.3**2))
        return Point(completion_matrices(0.3), a * np.array([1.0, 0, -1]), np.array([1.0, 0, 1]))
    printed = Point(REAL_MATRICES, PRINTED_X, np.array([1.0, 0, 0]))
    return printed if name == "printed" else printed._replace(x=printed.descend(PRINTED_X))


EXAMPLES = ("real", "basic", "completion")

# The log-domain table of the reference, rho = eta = .1, to the printed digits.
REFERENCE = [
    ("real", 5, 1.5e5, 0.715666, -1.71031, 0.0971863, (27129.9, 33926.5), 33926.5),
    ("real", 17, 1e10, 0.873326, -0.993485, 5.83202e-4, (-3.909e16, 4.2031e13), 4.2031e13),
    ("real", 19, 1e12, 0.885867, -1.12467, 2.43556e-4, (-2.577e18, 1.39148e15), 1.39148e15),
    ("real", 101, 1e12, 0.977460, -0.408184, 6.30109e-20, (-1.0824e91, 3.01421e77), 3.01421e77),
    ("basic", 101, 1e12, 0.977693, -0.447195, -7.96131e14, (-1.3595e15, math.inf), math.inf),
    ("completion", 11, 59000.0, 0.813353, -1.23069, 16.7702, (1.0042e7, 36.4091), 6096.46),
    ("completion", 101, 1e12, 0.977460, -0.817114, 1.75213e11, None, 7.2349e20),
]


def printed_digits(value):
    """Relative size of half a unit in the last digit of a reference value of 4 to 6 digits."""
    digits = f"{value:.10g}".split("e")[0].replace(".", "").strip("-0")
    return 0.6 * 10.0 ** (1 - max(4, min(6, len(digits))))


@pytest.mark.parametrize("row", REFERENCE)
def test_reference_table(row):
    name, order, t, beta, gamma, floor, ends, start = row
    steps = example(name).multi_step(order)
    for got, want in ((steps.beta(t), beta), (steps.gamma(t), gamma), (steps.rho_min, floor)):
        assert got == pytest.approx(want, rel=printed_digits(want))
    assert steps.u_gamma.lower == pytest.approx(start, rel=printed_digits(start))
    assert steps.u_gamma.empty == math.isinf(start)
    assert ends is not None or steps.u_beta.empty
    for got, want in zip(astuple(steps.u_beta), ends or (), strict=ends is not None):
        assert got == pytest.approx(want, rel=printed_digits(want))


@pytest.mark.parametrize("order", [3, 5, 11, 31, 101, 301])
@pytest.mark.parametrize("name", EXAMPLES)
def test_against_many_digits(name, order):
    steps = example(name).multi_step(order)
    # 1 + 1e-300 needs 300 digits, and the result 30 more.
    with mpmath.workdps(800):
        m = mpmath.mp
        lam, sigma, size, pull, _, rho, eta = map(m.mpf, astuple(steps))
        rate = 1 - eta * lam**order
        K = 2 ** (order - 1) * (-lam) ** order / (sigma**order * pull**order)
        right = -m.log(1 - K) / m.log(rate) if K < 1 else m.inf
        left = m.log(size**order / rho) / m.log(rate)
        over_a = m.log(1 + K * size**order / rho) / m.log(rate)
        expected = [(steps.log_rate, m.log(rate)), (steps.rho_min, size**order * (1 - K))]
        expected += zip(astuple(steps.u_beta), (left, right), strict=True)
        expected += [(steps.u_gamma.lower, max(over_a, right))]
        for t in (1.0, 1e3, 1e12, 1e100):
            power = m.mpf(t) * m.log(rate)
            total = m.expm1(power) / (rate - 1)
            log_gamma = m.log((2 * eta * rho * total) ** (m.mpf(1) / order) * sigma / 2)
            log_b = m.log(rho) + power
            log_c = m.log(eta * rho / 2 ** (order - 1) * total * (sigma * pull) ** order)
            expected += [(steps.log_beta(t), log_b / order), (steps.log_gamma(t), log_gamma)]
            expected += zip(steps.log_terms(t), (order * m.log(size), log_b, log_c), strict=True)
        for got, want in expected:
            assert got == want or abs(got / want - 1) < 1e-12, (got, m.nstr(want, 20))


# Table 5: order, t, kind, the two distances and their ratio as printed, sign of the limit.
TABLE_5 = [
    (3, 5000.0, "gamma", "1.08", "0.36", "3.03", "+"),
    (5, 33500.0, "beta", "0.59", "0.66", "0.89", "-"),
    (5, 1e5, "gamma", "0.80", "0.43", "1.86", "+"),
    (5, 5e5, "gamma", "2.00", "1.08", "1.84", "+"),
    (7, 1000.0, "beta", "0.665", "0.601", "1.106", "-"),
    (7, 5000.0, "beta", "0.665", "0.601", "1.106", "-"),
    (7, 33500.0, "beta", "0.665", "0.601", "1.107", "-"),  # prints .600; its ratio says .601
    (7, 1e5, "beta", "0.666", "0.600", "1.109", "-"),
    (7, 5e5, "beta", "0.669", "0.598", "1.119", "-"),
    (7, 2e6, "gamma", "0.754", "0.461", "1.634", "+"),
]


@pytest.mark.parametrize(("order", "t", "kind", "away", "left", "ratio", "sign"), TABLE_5)
def test_table_5_cells(order, t, kind, away, left, ratio, sign):
    point = example("printed")
    steps = point.multi_step(order)
    assert (t in steps.u_beta, t in steps.u_gamma) == (kind == "beta", kind == "gamma")
    _, u, EX = point.oracle()
    # With the largest entries of u_n and v_r positive, the printed signs belong to the minimum
    # -(.2234, .0918, .5985), that is q_r = -1; for the other minimum all of them turn.
    for q in (-1, 1):
        X = q * (steps.beta(t) * u if kind == "beta" else steps.gamma(t) * EX)
        moved = np.linalg.norm(np.outer(point.x, point.x) - np.outer(X, X))
        missing = np.linalg.norm(np.outer(X, X) - np.outer(point.z, point.z))
        for got, want in ((moved, away), (missing, left), (moved / missing, ratio)):
            assert abs(got - float(want)) < 0.51 * 10.0 ** -len(want.split(".")[1])
        limit = -q * float(sign + "1") * point.z
        np.testing.assert_allclose(point.descend(X), limit, atol=1e-6)


def test_table_5_ends():
    steps = {order: example("printed").multi_step(order) for order in (3, 5, 7)}
    assert [round(each.rho_min, 3) for each in steps.values()] == [0.208, 0.097, 0.043]
    assert steps[3].u_beta.empty
    assert round(steps[3].u_gamma.lower, 2) == 2006.17
    assert [round(end, 2) for end in astuple(steps[5].u_beta)] == [26948.72, 33974.73]
    assert steps[7].u_beta.lower < 0  # printed as 0
    assert round(steps[7].u_beta.upper, 2) == round(steps[7].u_gamma.lower, 2) == 1093342.41
    # The remaining points of l = 3; their descent overflows, as printed.
    X = steps[3].gamma(np.array([33500.0, 1e5, 5e5]))[:, None] * example("printed").oracle()[2]
    assert np.sum(X**2, axis=1) == pytest.approx([114.0, 4.08e6, 9.94e33], rel=6e-3)


CONDITIONS = [  # delta, the largest spectral norm, (5.14), (5.17), (5.18)
    ("basic", 0.5, 1.0, math.inf, (1.5, 3.0), -3.8),
    ("real", 0.8753, 0.98195, -0.35, (6.27, 12.5), -0.39),
    ("completion", 0.7 / 1.3, 1.0, -0.27, (11.1, 22.3), -1.4),
]


@pytest.mark.parametrize("row", CONDITIONS)
def test_printed_conditions(row):
    name, delta, xi, order, window, window_order = row
    point = example(name)
    lambda_n, sigma = float(point.oracle()[0]), float(np.linalg.norm(point.x))
    norms = np.linalg.norm(point.A, ord=2, axis=(1, 2))
    assert norms.max() == pytest.approx(xi, abs=1e-5)
    trace = float(point.z @ point.z)
    distance = np.linalg.norm(np.outer(point.x, point.x) - np.outer(point.z, point.z)) ** 2
    m, largest = len(point.A), float(norms.max())
    got = multi_step.dominance_order(lambda_n, sigma, sigma, m, delta, largest)
    assert got == order or abs(got - order) < 0.005
    low, high = multi_step.distance_window(sigma, trace, delta)
    assert (low, high) == pytest.approx(window, rel=4e-3)
    assert distance < low  # (5.17) fails
    got = multi_step.distance_order(float(distance), sigma, trace, delta)
    assert got == pytest.approx(window_order, abs=0.05)


STEPS = MultiStep(-0.5, 0.7, 0.7, 0.4, 5, 0.1, 0.1)


def test_step_counts():
    assert (STEPS.gamma(0.0), STEPS.log_gamma(0.0)) == (0, -math.inf)
    assert STEPS.beta(0.0) == pytest.approx(0.1**0.2)
    assert (STEPS.beta(1e100), STEPS.gamma(1e100)) == (math.inf, -math.inf)
    total = sum((1 + 0.1 * 0.5**5) ** k for k in range(3))
    assert STEPS.gamma(3.0) == pytest.approx(-0.5 * (0.02 * total) ** 0.2 * 0.7)
    t = np.array([[0.0, 1.0], [7.0, 1e3]])
    for method in (STEPS.beta, STEPS.gamma, STEPS.log_beta, STEPS.log_gamma):
        assert method(t).shape == t.shape
        assert method(t)[1, 0] == method(7.0)
        assert isinstance(method(7.0), float)


def test_no_c_term():
    mute = replace(STEPS, norm_EX=0.0)
    assert (mute.log_K, mute.rho_min, mute.u_beta.upper) == (math.inf, -math.inf, math.inf)
    assert (mute.u_gamma, mute.log_terms(5.0)[2]) == (Interval.nothing(), -math.inf)
    assert mute.u_gamma.empty


def test_rate_below_the_smallest_float():
    tiny = MultiStep(-1e-3, 0.7, 0.7, 0.4, 301, 0.1, 0.1)  # the rate is 1 + 1e-904
    assert tiny.log_rate == 0
    assert tiny.beta(1e100) == pytest.approx(0.1 ** (1 / 301), rel=1e-12)
    # K and log rate both underflow; their quotient does not.
    assert tiny.u_gamma.lower == pytest.approx(2.0**300 / 0.1 / 0.28**301, rel=1e-10)


sizes = st.floats(0.05, 3.0)
orders = st.integers(1, 60).map(lambda k: 2 * k + 1)
lengths = st.floats(0.001, 0.999)
instances = st.builds(
    MultiStep, st.floats(-3.0, -0.02), sizes, sizes, sizes, orders, lengths, lengths
)


@settings(deadline=None)
@given(instances, st.floats(0, 1e12), st.floats(1.001, 10))
def test_beta_increases(steps, t, factor):
    assert steps.log_beta(t * factor) >= steps.log_beta(t)
    assert steps.log_gamma(t * factor) >= steps.log_gamma(t)


@settings(deadline=None)
@given(instances, st.floats(0.01, 0.99))
def test_each_term_leads_in_its_interval(steps, share):
    beta, gamma = steps.u_beta, steps.u_gamma
    assume(not beta.empty or not gamma.empty)
    start = max(beta.lower, 0.0)
    stop = beta.upper if math.isfinite(beta.upper) else 10 * start + 10
    # Inside by more than rounding: the logarithms compared are good to about 1e-12.
    if stop < 1e300 and stop - start > 1e-6 * stop:
        a, b, c = steps.log_terms(start + share * (stop - start))
        assert b > max(a, c) - 1e-10 * (1 + abs(b))
    if gamma.lower < 1e300:
        a, b, c = steps.log_terms(gamma.lower * (1 + share) + share)
        assert c > max(a, b) - 1e-10 * (1 + abs(c))
    if not beta.empty:
        assert beta.upper == pytest.approx(gamma.lower, rel=1e-9)  # equal, also when infinite


BAD = [("lambda_n", 0.0), ("lambda_n", math.nan), ("sigma", 0.0), ("norm_X", math.inf)]
BAD += [("norm_EX", -1.0), ("order", 4), ("order", 1), ("order", True)]
BAD += [("rho", 0.0), ("rho", 1.0), ("eta", -0.1)]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_field(name, value):
    with pytest.raises(InvalidInput, match=f"^{name} was"):
        replace(STEPS, **{name: value})


def test_bad_argument():
    for t in (-1.0, math.nan, np.array([1.0, math.inf])):
        with pytest.raises(InvalidInput, match=r"^t was"):
            STEPS.log_beta(t)
    with pytest.raises(InvalidInput, match=r"^m was"):
        multi_step.dominance_order(-1.0, 1.0, 1.0, 0, 0.5, 1.0)
    with pytest.raises(InvalidInput, match=r"^delta was"):
        multi_step.distance_window(1.0, 1.0, 1.0)
    with pytest.raises(InvalidInput, match=r"^distance_squared was"):
        multi_step.distance_order(0.0, 1.0, 1.0, 0.5)
