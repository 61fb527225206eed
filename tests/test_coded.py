"""Coded diffraction: what it measures, vector message passing, carried amplitudes, recovery."""

import numpy as np
import pytest
from scipy.special import ive

import liftless as ll
from liftless.carried import CarriedProblem, orthogonal
from liftless.descent import LBFGS, Stop, descend
from liftless.start import DouglasRachford, VectorPassing, course_of, reflection_start, vector_start
from liftless.start.passing import Numbers
from liftless.start.vector_passing import _begin, _step, readings_of

SHAPE, L = (6, 4), 4


def draw(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def intensities(masks, image):
    axes = tuple(range(1, masks.ndim))
    return np.abs(np.fft.fftn(masks * image, axes=axes, norm="ortho")) ** 2


def complex_case(seed=0):
    rng = np.random.default_rng(seed)
    masks, z = np.exp(2j * np.pi * rng.random((L, *SHAPE))), draw(rng, *SHAPE)
    operator = ll.CodedDiffraction(masks)
    return ll.Problem(operator, intensities(masks, z).ravel(), 1), z


def real_case(seed=0):
    rng = np.random.default_rng(seed)
    masks, x = rng.choice([-1.0, 1.0], (L, *SHAPE)), rng.standard_normal(SHAPE)
    operator = ll.CodedDiffraction(masks, real=True, half=True)
    b, weights = operator.fold(intensities(masks, x))
    return ll.Problem(operator, b, 1, weights=np.sqrt(weights)), x


CASES = {"complex": complex_case, "real": real_case}


def factor_of(operator, image):
    flat = image.reshape(-1, 1)
    return flat.real if operator.real else operator.space.pack(flat)


@pytest.mark.parametrize("name", CASES)
def test_measured_are_the_squared_moduli_of_transforms(name):
    problem, z = CASES[name]()
    operator = problem.operator
    X = factor_of(operator, z)
    np.testing.assert_allclose(problem.measurements(X), problem.b, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(operator.image(X), z, atol=1e-14)
    D = np.asarray(operator.gram())
    np.testing.assert_allclose(operator.back(operator.rows(X)), D[:, None] * X, atol=1e-12)
    # A* of ones is the diagonal of the squared masks, which the certificate's bound rests on.
    np.testing.assert_allclose(
        ll.backproject(operator, operator.positive_combination(), X), D[:, None] * X, atol=1e-12
    )


def test_half_of_the_readings_say_what_all_do():
    """The weighted misfit of a real image, for data that differ at k and −k; one is missing."""
    rng = np.random.default_rng(1)
    masks, x = rng.standard_normal((2, 3, 4)), rng.standard_normal((3, 4))
    b, w = rng.random((2, 3, 4)), rng.random((2, 3, 4))
    w[0, 1, 1] = 0
    operator = ll.CodedDiffraction(masks, real=True, half=True)
    half, weights = operator.fold(b, w)

    def both(image):
        y = ll.measure(operator, image.reshape(-1, 1), image.reshape(-1, 1))
        return np.sum(weights * (y - half) ** 2), np.sum(w * (intensities(masks, image) - b) ** 2)

    (one, whole), (zero, zero_whole) = both(x), both(0 * x)
    assert one - zero == pytest.approx(whole - zero_whole, rel=1e-10)
    assert np.sum(operator.multiplicity()) == b.size


def test_carried_amplitudes_give_the_same_objective():
    """Value, gradient, Hessian and line are the problem's in U = D^½ X; a step takes two."""
    problem, _ = real_case()
    rng = np.random.default_rng(2)
    X, E = rng.standard_normal((2, problem.n, 1))
    carried = CarriedProblem(problem, orthogonal(problem.operator))
    root = carried.root[:, None]
    U, F = root * X, root * E
    assert carried.value(U) == pytest.approx(problem.objective(X), rel=1e-12)
    np.testing.assert_allclose(carried.gradient(U), problem.gradient(X) / root, atol=1e-10)
    np.testing.assert_allclose(
        carried.hessian_product(U, F), problem.hessian_product(X, E) / root, atol=1e-10
    )
    line = carried.line_at(carried.data(U), U, F)
    np.testing.assert_allclose(line.data(0.3), carried.data(U + 0.3 * F), atol=1e-12)
    steps = descend(carried, U, LBFGS(3), Stop(0.0, 0.0, 4))
    assert steps.applications == 2 + 2 * 4


def scalar_step(masks, b, r, v, damping=0.85):
    """The formulas of the module, for a complex image and all readings."""
    root, share = np.sqrt(b), 1 / len(masks)
    kappa = 2 * root * np.abs(r) / v
    ratio = ive(1, kappa) / ive(0, kappa)
    z = root * ratio * r / np.abs(r)
    a = np.mean(b * (1 - ratio**2)) / v
    r2, v2 = (z - a * r) / (1 - a), v * a / (1 - a)
    x = np.sum(masks.conj() * np.fft.ifft2(r2, norm="ortho"), axis=0)
    x = x / np.sum(np.abs(masks) ** 2, axis=0)
    p = np.fft.fft2(masks * x, norm="ortho")
    off = 2 * np.mean((np.abs(p) - root) ** 2)
    q = np.mean(np.abs(p) ** 2)
    bent = (np.sqrt(q**2 + 2 * np.mean((b - np.abs(p) ** 2) ** 2)) - q) / 2
    w = max(share * v2, min(off, bent, np.mean(b))) / (1 - share)
    r = damping * (p - share * r2) / (1 - share) + (1 - damping) * r
    return x, r, (damping * np.sqrt(w) + (1 - damping) * np.sqrt(v)) ** 2, np.sqrt(off / b.mean())


def test_a_step_is_that_of_the_formulas():
    problem, _ = complex_case()
    masks, b = problem.operator.masks, problem.b.reshape(L, *SHAPE)
    given = readings_of(problem)
    G = np.random.default_rng(3).standard_normal((problem.n, 1))
    share = problem.operator.share
    state = _begin(given, G)
    x, r, v, error = scalar_step(masks, b, np.asarray(state.r).reshape(b.shape), float(state.v))
    numbers = Numbers(*(np.asarray(value) for value in (1.0, 0.85, 0.0, 0.1, 30.0, 9.0)))
    after = _step(given, share, numbers, state)
    np.testing.assert_allclose(np.asarray(after.X), factor_of(problem.operator, x), atol=1e-4)
    np.testing.assert_allclose(np.asarray(after.r).reshape(b.shape), r, atol=1e-3)
    assert float(after.v) == pytest.approx(v, rel=1e-3)
    assert float(after.watch.error) == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_start_finds_the_image_from_noise_and_keeps_its_books(name):
    problem, z = CASES[name]()
    plan = VectorPassing(tries=8)
    X, applications, error = vector_start(problem, plan, 1)
    assert error <= plan.ready
    assert plan.suits(problem)
    space, truth = problem.space, factor_of(problem.operator, z)
    assert space.distance(X, truth) < 0.5 * space.size(truth)
    assert vector_start(problem, plan, 1)[1] == applications
    assert vector_start(problem, plan, 1, budget=9)[1] <= 9
    assert course_of(problem).start(0) == VectorPassing()


def test_a_reading_of_weight_zero_does_not_matter():
    problem, _ = complex_case()
    weights, spoilt = np.ones(problem.m), problem.b.copy()
    weights[3], spoilt[3] = 0, 1e6
    found = [
        vector_start(ll.Problem(problem.operator, b, 1, weights=weights), VectorPassing(), 2)[0]
        for b in (problem.b, spoilt)
    ]
    np.testing.assert_array_equal(*found)


def test_reflections_form_no_matrix_where_columns_are_orthogonal():
    problem, z = complex_case()
    X, applications, gap = reflection_start(problem, DouglasRachford(1.0, 3000), 1)
    assert gap <= 0.02
    assert applications % 2 == 1
    space, truth = problem.space, factor_of(problem.operator, z)
    assert space.distance(X, truth) < 0.3 * space.size(truth)


@pytest.mark.slow
def test_recovery_chooses_it_by_the_trait():
    problem, z = complex_case()
    result = ll.recover(problem)
    assert result.kind == "exact"
    assert result.history[0]["event"].startswith("start vector passing")
    space, truth = problem.space, factor_of(problem.operator, z)
    assert space.distance(result.x, truth) < 1e-7 * space.size(truth)


ONES = np.ones((2, 3, 3))
BAD = {
    "one dimension": (lambda: ll.CodedDiffraction(np.ones(4)), "masks was"),
    "five dimensions": (lambda: ll.CodedDiffraction(np.ones((1, 2, 2, 2, 2))), "masks was"),
    "dark pixel": (lambda: ll.CodedDiffraction(ONES * np.eye(3)), r"zero at pixel \(0, 1\) in all"),
    "NaN": (lambda: ll.CodedDiffraction(ONES * np.nan), "masks was not finite"),
    "support": (lambda: ll.CodedDiffraction(ONES, support=np.ones(3, bool)), "support was"),
    "no support": (lambda: ll.CodedDiffraction(ONES, support=np.zeros((3, 3), bool)), "empty"),
    "half": (lambda: ll.CodedDiffraction(ONES, half=True), "half was True with a complex image"),
    "half masks": (lambda: ll.CodedDiffraction(1j * ONES, real=True, half=True), "complex masks"),
    "not orthogonal": (
        lambda: vector_start(ll.make_instance("phase", n=4, m=9).problem, VectorPassing()),
        "orthogonal columns",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    make, culprit = BAD[case]
    with pytest.raises(ll.InvalidInput, match=culprit):
        make()
