"""The lifted space in closed form, against explicit tensors and independent reference numbers."""

import jax
import numpy as np
import pytest
from lifted_tools import Tensors, closed_form, point, span, unit_tensors

from liftless import InvalidInput, Problem, oracle
from liftless.lifted import (
    LiftedSubspace,
    projected_descent,
    rate,
    saddle_along_b,
    step_bounds,
    strict_saddle,
    truncated_path,
    truncated_step,
)
from liftless.losses import Logistic

#: Closed form against tensors: instance, order.
TINY = [("basic", 3), ("basic", 5), ("real-world", 3), ("real-world", 5), ("pmc", 3), ("r2", 3)]
#: Section A: p, m, stiff, ω_l, λ^l and b'Hb.
CURVATURES = [
    ("basic", 3, 0.25, 1.0, 0.375, -0.984375, -0.421875, -3.515625),
    ("basic", 5, 0.25, 1.0, 0.375, -0.999023, -0.237305, -3.936768),
    ("real-world", 3, 0.0363552, 0.169595, 0.171539, -0.00482989, -0.00236536, 0.02106142),
    ("real-world", 5, 0.0363552, 0.169595, 0.171539, -1.40237e-4, -4.19917e-5, 6.27282e-4),
    ("pmc", 3, 0.759725, 1.09, 0.834862, -0.85653, -0.036027, 1.229042),
]


@pytest.mark.parametrize(("name", "order"), TINY)
def test_against_explicit_tensors(name, order):
    """Objective to 1e-12, projected gradient and ten exact descent steps to 1e-10."""
    subspace, _ = span(name, order)
    problem, _ = point(name)
    tensors = Tensors(problem, order)
    C = unit_tensors(tensors, subspace)
    shape = (subspace.directions[0].size,) * order
    pseudo = np.linalg.pinv(C, rcond=1e-4)
    rng = np.random.default_rng(1)
    for _ in range(3):
        W = rng.standard_normal(3) * subspace.start()[0]
        w = (C @ W).reshape(shape)
        assert subspace.objective(W) == pytest.approx(tensors.objective(w), rel=1e-12)
        printed = tensors.printed_gradient(w).ravel()
        np.testing.assert_allclose(subspace.pull(W), C.T @ printed, rtol=1e-10)
        step, own = C @ pseudo @ printed, C @ subspace.gradient(W, "paper")
        assert np.linalg.norm(own - step) < 1e-10 * np.linalg.norm(step)
        np.testing.assert_allclose(subspace.gradient(W), 4 * subspace.gradient(W, "paper"))
    W0 = subspace.escaped(0.1)
    eta = float(0.01 / max(1.0, np.abs(subspace.curvature(W0)[0]).max()))
    path = projected_descent(subspace, W0, eta, 10)
    w = (C @ W0).reshape(shape)
    for _ in range(10):
        v = w - eta * tensors.printed_gradient(w)
        w = (C @ (pseudo @ v.ravel())).reshape(shape)
    own = C @ path.W[-1]
    assert np.linalg.norm(own - w.ravel()) < 1e-10 * np.linalg.norm(w)
    assert path.objective[-1] == pytest.approx(tensors.objective(w), rel=1e-12)


@pytest.mark.parametrize(("name", "order"), TINY)
def test_gradient_and_hessian_differentiate_the_objective(name, order):
    """Central differences are exact for a quartic up to the third-order term, taken small."""
    subspace, _ = span(name, order)
    rng = np.random.default_rng(2)
    size = subspace.start()[0]
    W, step = rng.standard_normal(3) * size, 1e-4 * size
    slopes, bends = np.zeros(3), np.zeros((3, 3))
    for i, e in enumerate(np.eye(3) * step):
        slopes[i] = subspace.difference(W + e, W - e) / (2 * step)
        bends[i] = 4 * (subspace.pull(W + e) - subspace.pull(W - e)) / (2 * step)
    np.testing.assert_allclose(4 * subspace.pull(W), slopes, rtol=1e-6)
    np.testing.assert_allclose(subspace.hessian(W), bends, rtol=1e-5, atol=1e-9 * bends.max())
    np.testing.assert_allclose(subspace.hessian(W, "paper") * 4, subspace.hessian(W))


def test_row_weights_are_part_of_the_operator():
    problem, X = point("real-world")
    weights = np.linspace(0.5, 1.5, 6)
    weighted = Problem(problem.operator, problem.b, 1, weights=weights)
    subspace = LiftedSubspace.at(weighted, X, 3)
    tensors = Tensors(weighted, 3)
    w = tensors.power(X.ravel())
    assert subspace.objective(subspace.start()) == pytest.approx(tensors.objective(w), rel=1e-12)
    assert subspace.rank_one(X) == pytest.approx(tensors.objective(w), rel=1e-12)


def test_any_number_of_directions():
    problem, X = point("real-world")
    rng = np.random.default_rng(0)
    D = np.concatenate([X[None], rng.standard_normal((4, 3, 1))])
    subspace, tensors = LiftedSubspace.of(problem, D, 3), Tensors(problem, 3)
    W = rng.standard_normal(5)
    w = (unit_tensors(tensors, subspace) @ W).reshape(3, 3, 3)
    assert subspace.objective(W) == pytest.approx(tensors.objective(w), rel=1e-12)
    np.testing.assert_allclose(subspace.weights(subspace.coefficients(W)), W)
    assert subspace.relative(subspace.weights(np.eye(5)[2]), subspace.start()) == pytest.approx(
        subspace.rank_one_relative(D[2])
    )


# -- curvature -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "order", "p", "m", "stiff", "omega", "printed", "bend"), CURVATURES
)
def test_curvature_along_b(name, order, p, m, stiff, omega, printed, bend):
    found = strict_saddle(*point(name), order)
    numbers = (found.p, found.m, found.stiff, found.omega, (found.p - found.m) ** order)
    assert numbers == pytest.approx((p, m, stiff, omega, printed), rel=2e-5)
    assert found.along_b == pytest.approx(bend, rel=2e-6)
    subspace, _ = span(name, order)
    assert subspace.hessian(subspace.start())[1, 1] == pytest.approx(found.along_b, rel=1e-12)
    assert found.is_saddle == (bend < 0)
    assert found.least <= found.along_b + 1e-12 * abs(found.along_b)


def test_stationary_at_the_lifted_point():
    for name in ("basic", "real-world", "pmc"):
        for order in (3, 5, 11):
            subspace, _ = span(name, order)
            a = subspace.start()
            assert np.abs(subspace.pull(a)).max() < 1e-14 * max(1.0, subspace.objective(a))


def test_saddle_orders_along_b():
    """Basic at every order, even ones too; completion from 5 on; the real system at none."""
    odd = range(1, 302, 2)
    sides = {n: strict_saddle(*point(n), 3) for n in ("basic", "real-world", "pmc")}
    rows = {n: [q for q in odd if saddle_along_b(s.p, s.m, s.stiff, q)] for n, s in sides.items()}
    assert rows["basic"] == list(odd)[1:]
    assert rows["pmc"] == list(odd)[2:]
    assert rows["real-world"] == []
    assert all(strict_saddle(*point("basic"), q).is_saddle for q in (2, 4))
    assert strict_saddle(*point("basic"), 2).along_b == pytest.approx(-2.625)


@pytest.mark.parametrize("order", [1, 2, 11, 31, 101])
def test_a_saddle_is_one_at_every_order(order):
    """Curvature 4(.25^l − 1) + 8(.375)^l along b, beside 8(16.25)^l along a: no round-off."""
    found = strict_saddle(*point("basic beside"), order)
    assert (found.p, found.m, found.stiff) == pytest.approx((0.25, 1.0, 0.375))
    assert found.is_saddle == saddle_along_b(0.25, 1.0, 0.375, order) == (order > 1)


def test_projected_curvature_of_the_real_system():
    subspace, _ = span("real-world", 3, turned=True)
    a, norms = subspace.start(), np.exp(subspace.log_norms_l)
    K = subspace.gram_inverse @ subspace.hessian(a, "paper") * norms / norms[:, None]
    table = [[0.01096, 4e-6, -1.4e-4], [8.3e-4, -0.005213, -0.002351], [-0.0056, 0.06979, 0.02174]]
    np.testing.assert_allclose(K, table, rtol=5e-3, atol=6e-6)
    values, vectors = subspace.curvature(a, "paper")
    np.testing.assert_allclose(values, [0.00406, 0.01062, 0.01282], rtol=2e-3)
    np.testing.assert_allclose(vectors.T @ subspace.gram() @ vectors, np.eye(3), atol=1e-12)


# -- paths ---------------------------------------------------------------------------------------


def test_exact_descent_of_the_basic_example():
    """It reaches the truth where the printed closed form turns away."""
    subspace, _, form = closed_form("basic", 3, 0.1, 0.01)
    path = projected_descent(subspace, subspace.escaped(0.1), 0.01, 1000, every=20)
    a, both = path.W[:, 0], path.W[:, 1] + path.W[:, 2]
    at = {int(t): k for k, t in enumerate(path.steps)}
    assert a[at[200]] == pytest.approx(0.309, abs=5e-4)
    assert a[at[500]] == pytest.approx(0.047, abs=5e-4)
    assert a[at[660]] == pytest.approx(0.012231, abs=5e-6)
    assert a[at[1000]] == pytest.approx(6.9e-4, rel=0.01)
    assert both[at[1000]] == pytest.approx(1.0, abs=2e-4)
    assert path.relative[at[500]] == pytest.approx(0.004, abs=5e-5)
    assert path.relative[at[660]] == pytest.approx(3e-4, rel=0.2)
    t = np.array([0.0, 200, 500, 594, 600, 660, 677, 678, 700])
    closed = truncated_path(form, subspace, t).relative
    known = [0.9822, 0.9308, 0.4384, 0.2153, 0.2176, 0.6304]
    np.testing.assert_allclose(closed[:6], known, atol=6e-5)
    assert closed[6] < 1 < closed[7]
    assert closed[8] == pytest.approx(1.762, abs=1e-3)


def test_lowest_point_of_the_basic_closed_form():
    subspace, _, form = closed_form("basic", 3, 0.1, 0.01)
    closed = truncated_path(form, subspace, np.arange(800.0)).relative
    assert int(np.argmin(closed)) == 594
    assert int(np.flatnonzero(closed > 1)[0]) == 678


def test_exact_descent_of_completion():
    subspace, _, form = closed_form("pmc", 11, 0.3, 0.01)
    assert subspace.rank == 2
    path = projected_descent(subspace, subspace.escaped(0.3), 0.01, 1000, every=400)
    assert path.steps.tolist() == [0, 400, 800, 1000]
    assert path.W[-1, 0] == pytest.approx(2.6e-6, rel=0.02)
    assert path.W[-1, 1] + path.W[-1, 2] == pytest.approx(2**5.5, rel=1e-4)
    closed = truncated_path(form, subspace, np.array([1e3, 1e4, 3e4, 51600, 59000, 1e5]))
    known = [0.99976, 0.9461, 0.5667, 0.2202, 0.2937, 6.25]
    np.testing.assert_allclose(closed.relative, known, rtol=7e-4)
    np.testing.assert_allclose(np.abs(closed.W[4]), [16.77, 0.301, 48.69], rtol=5e-4)
    surrogate = subspace.diagonal(closed.W[4]) / subspace.diagonal(subspace.start())
    assert surrogate == pytest.approx(0.950, abs=5e-4)


def test_the_real_system_at_order_five():
    """Exact descent returns to a; the printed path is above it; the surrogate is below it."""
    subspace, o, form = closed_form("real-world", 5, 0.1, 0.1, turned=True)
    a = subspace.start()
    path = projected_descent(subspace, subspace.escaped(0.1), 0.1, 150_000, every=75_000)
    w = np.abs(subspace.coefficients(path.W[-1]))
    assert np.abs(path.W[-1]) == pytest.approx([0.1072, 0.02117, 0.008617], rel=1e-3)
    assert w[1] == pytest.approx(0.02117, rel=1e-3)
    assert path.relative[-1] == pytest.approx(1.000235, abs=1e-6)
    closed = truncated_path(form, subspace, np.array([0.0, 150_000]))
    assert closed.relative == pytest.approx([1.0261, 2.26707], rel=5e-5)
    assert closed.relative[1] == pytest.approx(2.26707, abs=1e-5)
    np.testing.assert_allclose(np.abs(closed.W[1]), [0.1121, 0.1877, 0.6608], atol=5e-5)
    surrogate = subspace.diagonal(closed.W[1]) / subspace.diagonal(a)
    assert surrogate == pytest.approx(0.919405, abs=1e-6)
    lifted = subspace.rank_one_relative(form.gamma(150_000.0) * o.EX)
    assert lifted == pytest.approx(3.97, abs=5e-3)


def test_linear_models():
    """The printed rate errs by ηρ a step, ω_l by less, the whole matrix by ηρ²."""
    subspace, _, form = closed_form("real-world", 3, 0.01, 0.01, turned=True)
    exact = projected_descent(subspace, subspace.escaped(0.01), 0.01, 1).W[-1]
    assert rate(subspace)[2] == pytest.approx(-0.00482989, rel=1e-5)

    def error(mode):
        W = truncated_path(form, subspace, np.array([1.0]), mode).W[0]
        return float(np.sqrt((W - exact) @ subspace.gram() @ (W - exact)))

    assert error("paper") == pytest.approx(2.24e-7, rel=0.01)
    assert error("matrix") == pytest.approx(5.38e-8, rel=0.01)
    with pytest.raises(InvalidInput, match="mode"):
        truncated_path(form, subspace, np.array([1.0]), "other")


def test_matrix_model_keeps_what_parallel_directions_do_not_see():
    subspace, _, form = closed_form("basic", 3, 1e-6, 0.01)
    t = np.array([0.0, 1.0, 50.0, 300.0])
    model = truncated_path(form, subspace, t, "matrix").W
    exact = projected_descent(subspace, subspace.escaped(1e-6), 0.01, 300).W[[0, 1, 50, 300]]
    np.testing.assert_allclose(model, exact, atol=1e-10)


def test_exact_mode_is_the_printed_one_with_four_times_the_step():
    subspace, _ = span("real-world", 3)
    W = subspace.escaped(0.1)
    one = projected_descent(subspace, W, 0.01, 300, every=100, mode="exact")
    two = projected_descent(subspace, W, 0.04, 300, every=100)
    np.testing.assert_allclose(one.W, two.W, rtol=1e-12)


# -- range and precision -------------------------------------------------------------------------


def test_difference_form_where_values_cancel():
    """h^l(w) − h^l(a) is −120.533 beside two values of 1e34."""
    subspace, _ = span("pmc", 101)
    a = subspace.start()
    assert subspace.difference(subspace.escaped(0.1), a) == pytest.approx(-120.533, abs=5e-4)
    assert subspace.objective(a) > 1e33


@pytest.mark.parametrize("name", ["basic", "real-world", "pmc"])
def test_nothing_overflows_to_order_301(name):
    for order in (51, 101, 301):
        subspace, _ = span(name, order)
        a = subspace.start()
        rho = float(0.1 * a[0])
        W = subspace.escaped(rho)
        assert 0.8 < subspace.relative(W) < 2.0
        assert np.isfinite(subspace.relative(subspace.escaped(0.1)))
        assert np.isfinite(subspace.difference(W, a))
        # A step size on the scale of the curvature, which is 1e-230 or 1e100 by now.
        eta = float(0.01 / np.abs(subspace.curvature(a, "paper")[0]).max())
        path = projected_descent(subspace, W, eta, 50, every=50)
        assert np.isfinite(path.W).all()
        assert subspace.difference(path.W[1], path.W[0], scaled=True) < 0


def test_values_of_the_lifted_points():
    known = {("basic", 3): 0.984375, ("basic", 5): 0.9990234375, ("pmc", 3): 6.852238}
    known |= {("real-world", 3): 6.469315e-3, ("real-world", 5): 2.458991e-4, ("pmc", 11): 5185.05}
    for (name, order), value in known.items():
        subspace, _ = span(name, order)
        assert subspace.objective(subspace.start()) == pytest.approx(value, rel=1e-6)


def test_double_precision_without_the_global_flag():
    expected = span("pmc", 3)[0].objective(np.array([1.0, 0.1, 0.2]))
    with jax.enable_x64(False):
        subspace, _ = span("pmc", 3)
        assert subspace.objective(np.array([1.0, 0.1, 0.2])) == expected
        path = projected_descent(subspace, subspace.escaped(0.1), 0.01, 3)
    assert path.W.dtype == np.float64


def test_overflow_of_the_closed_form_is_infinite():
    subspace, _, form = closed_form("basic", 3, 0.1, 0.1)
    path = truncated_path(form, subspace, np.array([1.0, 1e5]))
    assert np.isfinite(path.relative[0])
    assert path.relative[1] == np.inf
    assert path.objective[1] == np.inf


# -- bounds, misuse ------------------------------------------------------------------------------


def test_truncated_step_is_the_recursion_of_the_closed_form():
    for name, order in (("basic", 3), ("real-world", 5), ("pmc", 11), ("r2", 3)):
        if oracle(*point(name)).lambda_n >= 0:
            continue
        subspace, _, form = closed_form(name, order, 0.1, 0.1)
        W = truncated_path(form, subspace, np.array([7.0, 8.0])).W
        # The step takes λ_n = p − m, which is exact for r = 1, or where b is an eigenvector.
        np.testing.assert_allclose(truncated_step(subspace, W[0], 0.1), W[1], rtol=1e-9)


def test_step_bounds():
    """Within the bounds the objective falls; without a decrease to share there are none."""
    subspace, _ = span("real-world", 5)
    found = step_bounds(subspace, subspace.escaped(0.05), 0.05, 0.05)
    assert found.rho_max > 0.05
    assert found.eta_max > 0.05
    assert found.decrease < 0
    a = subspace.start()
    largest = np.abs(subspace.curvature(a, "paper")[0]).max()
    near = step_bounds(subspace, subspace.escaped(1e-4), 0.05, 1e-4)
    assert abs(near.L - largest) < 1e-2 * largest
    none = step_bounds(subspace, subspace.escaped(0.05), 1e4, 0.05)
    assert (none.rho_max, none.eta_max) == (0.0, 0.0)


def test_misuse():
    problem, X = point("basic")
    with pytest.raises(InvalidInput, match="order"):
        LiftedSubspace.at(problem, X, 0)
    with pytest.raises(InvalidInput, match="directions"):
        LiftedSubspace.of(problem, np.zeros((1, 3, 1)), 3)
    binary = Problem(problem.operator, np.sign(problem.b), 1, loss=Logistic())
    with pytest.raises(InvalidInput, match="loss"):
        LiftedSubspace.at(binary, X, 3)
    subspace, _, form = closed_form("basic", 3, 0.1, 0.1)
    with pytest.raises(InvalidInput, match="form"):
        truncated_path(form, span("basic", 5)[0], np.array([1.0]))
    with pytest.raises(InvalidInput, match="mode"):
        subspace.gradient(subspace.start(), "other")
