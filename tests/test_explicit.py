"""Explicit lifted tensors: the printed gradient, the saddle table, and the closed form's yardstick.

Expected values are from an independent computation with explicit tensors and automatic
differentiation.
"""

from functools import cache

import numpy as np
import pytest

from liftless import Logistic, Problem, Ridge
from liftless._errors import InvalidInput
from liftless.escape import MultiStepEscape, oracle
from liftless.instances import make_instance
from liftless.lifted import LiftedSubspace, projected_descent, truncated_path
from liftless.lifted.explicit import HESSIAN_LIMIT, LIMIT, ExplicitLift, check_size
from liftless_papers.experiments.sod._explicit_cases import case
from liftless_papers.experiments.sod._sub_terms import kron_power

CASES = [
    ("basic", 3),
    ("basic", 5),
    ("real-world", 3),
    ("real-world", 5),
    ("pmc", 3),
    ("gaussian, r = 2", 3),
]


@cache
def point(name):
    return case("pmc", n=3, eps=0.3) if name == "pmc" else case(name)


@cache
def lifted(name, order):
    return ExplicitLift.at(point(name).problem, order)


@pytest.mark.parametrize(("name", "order"), CASES)
def test_printed_gradient_is_a_quarter(name, order):
    lift = lifted(name, order)
    w = np.random.default_rng(order).standard_normal(lift.shape)
    true, printed = lift.gradient(w), lift.printed_gradient(w)
    assert np.linalg.norm(true - 4 * printed) <= 1e-12 * np.linalg.norm(true)
    assert np.sum(true * printed) / np.sum(printed**2) == pytest.approx(4, rel=1e-12)


@pytest.mark.parametrize(("name", "order"), CASES)
def test_the_lift_of_a_spurious_point_is_stationary(name, order):
    lift, c = lifted(name, order), point(name)
    a = lift.lift(c.X)
    # The two parts of the gradient that cancel set its scale.
    part = 4 * lift.pairing(a, kron_power(c.X @ c.X.T, order))
    assert np.linalg.norm(lift.gradient(a)) <= 1e-12 * np.linalg.norm(part)


@pytest.mark.parametrize(
    ("name", "order", "value", "along_b", "least", "cosine"),
    [
        ("basic", 3, 0.984375, -3.515625, -3.515625, 1.0),
        ("basic", 5, 0.9990234375, -3.936768, -3.936768, 1.0),
        ("real-world", 3, 6.469315e-3, 0.02106142, 0.01380565, 0.745),
        ("real-world", 5, 2.458991e-4, 6.27282e-4, 2.58882e-4, 0.708),
        ("pmc", 3, 6.852238, 1.229042, 1.229042, 1.0),
    ],
)
def test_the_saddle_table(name, order, value, along_b, least, cosine):
    lift, c = lifted(name, order), point(name)
    a, b = lift.lift(c.X), lift.lift(c.o.beta_direction).ravel()
    H = lift.hessian(a)
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    assert lift.objective(a) == pytest.approx(value, rel=1e-6)
    assert b @ H @ b == pytest.approx(along_b, rel=1e-5)
    assert values[0] == pytest.approx(least, rel=1e-5)
    assert abs(vectors[:, 0] @ b) == pytest.approx(cosine, abs=1e-3)
    p, m = (float(y @ c.o.A_Q) for y in (c.sense(c.X @ c.X.T), c.b))
    stiff = c.o.sigma**2 * float(c.o.A_P @ c.o.A_P) / 4
    assert b @ H @ b == pytest.approx(4 * (p**order - m**order) + 8 * stiff**order, rel=1e-10)


def test_curvature_along_b_at_rank_two():
    lift, c = lifted("gaussian, r = 2", 3), point("gaussian, r = 2")
    b = lift.lift(c.o.beta_direction).ravel()
    H = lift.hessian(lift.lift(c.X))
    p, m = (float(y @ c.o.A_Q) for y in (c.sense(c.X @ c.X.T), c.b))
    stiff = c.o.sigma**2 * float(c.o.A_P @ c.o.A_P) / 4
    assert b @ H @ b == pytest.approx(4 * (p**3 - m**3) + 8 * stiff**3, rel=1e-10)
    assert np.linalg.eigvalsh((H + H.T) / 2)[0] < 1.5 * (b @ H @ b) < 0


@pytest.mark.parametrize(("name", "order"), CASES)
def test_closed_form_agrees(name, order):
    lift, c = lifted(name, order), point(name)
    subspace = LiftedSubspace.at(c.problem, c.X, order, o=c.o)
    basis = lift.basis(c.X, c.o)
    unit = basis / np.linalg.norm(basis.reshape(3, -1), axis=1).reshape(3, *[1] * order)
    rng = np.random.default_rng(7)
    for _ in range(3):
        W = subspace.start()[0] * rng.standard_normal(3)
        w = np.tensordot(W, unit, 1)
        assert subspace.objective(W) == pytest.approx(lift.objective(w), rel=1e-12)
        # Weights are not unique where b and c are parallel, the projected tensor is.
        explicit = lift.project(lift.gradient(w), basis)
        closed = np.tensordot(subspace.gradient(W), unit, 1)
        assert np.linalg.norm(closed - explicit) <= 1e-10 * np.linalg.norm(explicit)
        pull = np.array([np.sum(D * lift.printed_gradient(w)) for D in unit])
        assert np.linalg.norm(subspace.pull(W) - pull) <= 1e-10 * np.linalg.norm(pull)


@pytest.mark.parametrize("mode", ["paper", "exact"])
@pytest.mark.parametrize(("name", "order"), CASES)
def test_ten_projected_steps_agree(name, order, mode):
    lift, c = lifted(name, order), point(name)
    subspace = LiftedSubspace.at(c.problem, c.X, order, o=c.o)
    path = lift.algorithm_one(c.X, c.o, 0.1, 0.01, 10, truncate=False, mode=mode)
    closed = projected_descent(subspace, subspace.escaped(0.1), 0.01, 10, mode=mode)
    unit = lift.basis(c.X, c.o)
    unit = unit / np.linalg.norm(unit.reshape(3, -1), axis=1).reshape(3, *[1] * order)
    for t in range(11):
        explicit, W = np.tensordot(path.W[t], unit, 1), closed.W[t]
        off = np.linalg.norm(np.tensordot(W, unit, 1) - explicit)
        assert off <= 1e-10 * np.linalg.norm(explicit)
    assert closed.objective == pytest.approx(path.objective, rel=1e-10)
    assert np.all(path.dropped == 0)


@pytest.mark.parametrize(("name", "order"), CASES)
def test_algorithm_one_is_the_printed_closed_form(name, order):
    lift, c = lifted(name, order), point(name)
    path = lift.algorithm_one(c.X, c.o, 0.1, 0.1, 4)
    form = MultiStepEscape(order, 0.1, 0.1).closed_form(c.X, c.o)
    subspace = LiftedSubspace.at(c.problem, c.X, order, o=c.o)
    closed = truncated_path(form, subspace, np.arange(5.0))
    assert pytest.approx(closed.W, rel=1e-10) == path.W
    assert path.objective == pytest.approx(closed.objective, rel=1e-10)
    assert np.all(path.dropped[1:] > 0)


def test_projection_is_idempotent_with_parallel_tensors():
    lift, c = lifted("basic", 3), point("basic")
    basis = lift.basis(c.X, c.o)
    assert np.linalg.matrix_rank(basis.reshape(3, -1), tol=1e-8) == 2
    w = np.random.default_rng(0).standard_normal(lift.shape)
    once = lift.project(w, basis)
    assert lift.project(once, basis) == pytest.approx(once, abs=1e-14)
    assert lift.project(basis[2], basis) == pytest.approx(basis[2], abs=1e-14)
    assert np.abs(np.tensordot(basis, w - once, 3)).max() < 1e-14


def test_residual_of_the_truth_vanishes_and_the_lift_is_a_power():
    lift, c = lifted("gaussian, r = 2", 3), point("gaussian, r = 2")
    truth = lift.lift(c.Z)
    assert truth[1, 2, 5] == pytest.approx(np.prod(c.Z.ravel()[[1, 2, 5]]))
    assert lift.residual(truth) == pytest.approx(np.zeros((6, 6, 6)), abs=1e-12)
    assert lift.objective(np.zeros(lift.shape)) == pytest.approx(float(c.b @ c.b) ** 3)


def test_row_weights_count():
    problem = make_instance("real-world").problem
    weights = np.linspace(0.5, 2, problem.m)
    weighted = Problem(problem.operator, problem.b, 1, weights=weights)
    lift, X = ExplicitLift.at(weighted, 3), point("real-world").X
    assert lift.b == pytest.approx(weights * problem.b)
    o = oracle(weighted, X)
    subspace = LiftedSubspace.at(weighted, X, 3, o=o)
    assert lift.objective(lift.lift(X)) == pytest.approx(subspace.objective(subspace.start()))


@pytest.mark.parametrize(
    ("sizes", "words"),
    [((3, 6, 1, 13), f"(n r)^l <= {LIMIT}"), ((3, 6, 1, 9), "max(n^2, m)^l")],
)
def test_refuses_what_does_not_fit(sizes, words):
    with pytest.raises(InvalidInput) as error:
        check_size(*sizes)
    assert error.value.argument == "order"
    assert words in str(error.value)
    assert "largest that fits is 8" in str(error.value)


def test_bad_arguments():
    problem = make_instance("real-world").problem
    lift, c = lifted("real-world", 3), point("real-world")
    with pytest.raises(InvalidInput, match="order"):
        ExplicitLift.at(problem, 0)
    with pytest.raises(InvalidInput, match="regularisers"):
        ExplicitLift.at(Problem(problem.operator, problem.b, 1, regularisers=(Ridge(0.1),)), 3)
    binary = (problem.b > 0).astype(float)
    with pytest.raises(InvalidInput, match="loss"):
        ExplicitLift.at(Problem(problem.operator, binary, 1, loss=Logistic()), 3)
    with pytest.raises(InvalidInput, match=r"w was .* of shape"):
        lift.objective(np.zeros((3, 3, 4)))
    with pytest.raises(InvalidInput, match="mode"):
        lift.algorithm_one(c.X, c.o, 0.1, 0.1, 1, mode="both")
    with pytest.raises(InvalidInput, match=f"<= {HESSIAN_LIMIT}"):
        ExplicitLift.at(problem, 6).hessian(np.zeros((3,) * 6))
