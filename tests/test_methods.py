"""The local methods: every one fits easy data, repeats itself, and follows its own formula."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from liftless import (
    DenseOperator,
    InvalidInput,
    Optax,
    Problem,
    SensingOperator,
    Stop,
    descend,
    make_instance,
)
from liftless.descent import (
    ALTO,
    SGD,
    SGLD,
    Alternating,
    BarzilaiBorwein,
    Constant,
    CubicNewton,
    Geometric,
    LevenbergMarquardt,
    Logarithmic,
    Nesterov,
    NoisyProjected,
    SimulatedAnnealing,
    TrustRegion,
    WhitenedLM,
    adam,
    adamw,
)
from liftless.descent.barzilai import secant_step
from liftless.descent.base import Point
from liftless.descent.newton import cubic_step, lanczos
from liftless.descent.schedule import as_schedule

N, R = 4, 2
COLD = Geometric(1e-3, 0.98)

#: Method of a seed; the fraction of h(0) it must reach on easy data, and the iterations it has.
METHODS = {
    "adam": (lambda _: adam(0.05), 1e-16, 2000),
    "adamw": (lambda _: adamw(0.05, 1e-6), 1e-8, 2000),
    "alternating": (lambda _: Alternating(), 1e-16, 300),
    "alto": (lambda _: ALTO(0.05, cooling=0.05), 1e-5, 3000),
    "annealed Langevin": (lambda s: SGLD(0.01, COLD, every=20, seed=s), 1e-16, 400),
    "barzilai-borwein": (lambda _: BarzilaiBorwein(), 1e-16, 300),
    "cubic": (lambda _: CubicNewton(), 1e-16, 40),
    "metropolis": (lambda s: SimulatedAnnealing(0.1, COLD, every=100, seed=s), 1e-2, 30),
    "nesterov": (lambda _: Nesterov(0.01, restart=True), 1e-16, 2000),
    "noisy projected": (lambda s: NoisyProjected(0.02, 4.0, 0.1, every=20, seed=s), 1e-3, 20),
    "sampled projected": (lambda s: NoisyProjected(0.01, 4.0, 0.1, 4, seed=s), 1e-3, 800),
    "sgd": (lambda s: SGD(0.005, 2, every=20, seed=s), 1e-16, 400),
    "sgld": (lambda s: SGLD(0.005, 1e-6, 2, every=20, seed=s), 1e-3, 30),
    "trust region": (lambda _: TrustRegion(), 1e-16, 40),
}
RANDOM = [name for name, (make, _, _) in METHODS.items() if hasattr(make(0), "seed")]


@pytest.fixture(scope="module")
def easy():
    return make_instance("gaussian", n=N, rank=R, m=16, seed=3)


@pytest.fixture(scope="module")
def starts():
    return np.random.default_rng(0).standard_normal((2, N, R))


def run(problem, X, name, seed=0):
    make, level, most = METHODS[name]
    return descend(problem, X, make(seed), Stop(level, 0.0, most))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_fits_and_a_batch_is_a_loop(easy, starts, name):
    batch = run(easy.problem, starts, name)
    assert np.all(batch.status == 1), (batch.message, batch.objective)
    for k, start in enumerate(starts):
        single = run(easy.problem, start, name)
        assert single.iterations == batch.iterations[k]
        assert single.applications == batch.applications[k]
        np.testing.assert_allclose(single.X, batch.X[k], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_repeats_itself(easy, starts, name):
    one, two = (run(easy.problem, starts, name) for _ in range(2))
    np.testing.assert_array_equal(one.X, two.X)


@pytest.mark.parametrize("name", RANDOM)
def test_seeds_and_starts_have_streams_of_their_own(easy, starts, name):
    make, _, _ = METHODS[name]
    stop = Stop(0.0, 0.0, 1)
    one, two = (descend(easy.problem, starts, make(seed), stop).X for seed in (0, 1))
    assert np.all(one != two)
    # The same step from two starts that differ in the last bit alone.
    near = starts[0] + np.array([np.zeros((N, R)), np.full((N, R), 1e-15)])
    ends = descend(easy.problem, near, make(0), stop).X
    assert np.abs(ends[0] - ends[1]).max() > 1e-6


@pytest.mark.parametrize("name", ["alto", "cubic", "metropolis", "noisy projected", "sgld"])
def test_zero_columns_stay_zero_and_change_nothing(easy, starts, name):
    make, _, _ = METHODS[name]
    stop = Stop(0.0, 0.0, 3)
    padded = descend(easy.problem, np.pad(starts, ((0, 0), (0, 0), (0, 1))), make(0), stop).X
    assert np.all(padded[..., R] == 0)
    plain = descend(easy.problem, starts, make(0), stop).X
    np.testing.assert_allclose(padded[..., :R], plain, rtol=1e-6, atol=1e-8)


def test_new_data_and_hyper_parameters_are_no_new_program():
    traces = []

    class Counting(SensingOperator):
        a: np.ndarray

        @property
        def m(self):
            return self.a.shape[0]

        @property
        def n(self):
            return self.a.shape[1]

        def measure(self, U, V):
            traces.append(1)
            return jnp.sum((self.a @ U) * (self.a @ V), axis=1)

    rng = np.random.default_rng(0)
    pairs = [
        (SGD(0.01, 2), SGD(0.02, 2, decay=0.1, noise=0.1, every=3, seed=5)),
        (SGLD(0.01, Constant(0.1)), SGLD(0.02, 0.2, seed=1)),
        (adam(0.01), adamw(0.02, 0.1)),
        (TrustRegion(0.1), TrustRegion(0.2, most=5)),
        (Nesterov(0.01), Nesterov(0.02, 0.5, restart=True)),
    ]
    for first, second in pairs:
        for method, new in ((first, True), (second, False)):
            before = len(traces)
            problem = Problem(Counting(rng.standard_normal((5, 3))), rng.random(5), 1)
            descend(problem, rng.standard_normal((3, 1)), method, Stop(1e-9, 1e-5, 5))
            assert (len(traces) > before) is new, method


# -- deterministic methods -------------------------------------------------------------------------


def test_secant_steps_on_a_quadratic():
    """With gradient H x the two steps are s's/s'Hs and s'Hs/s'H²s: inverse Rayleigh quotients."""
    H, s = np.diag([1.0, 4.0]), np.array([[1.0], [2.0]])
    y = H @ s
    assert float(secant_step(s, y, False)) == pytest.approx(5 / 17)
    assert float(secant_step(s, y, True)) == pytest.approx(17 / 65)
    assert float(secant_step(s, -y, False)) == pytest.approx(np.sqrt(5 / 65))
    assert np.isnan(float(secant_step(s, 0 * y, True)))


@pytest.mark.parametrize("form", ["long", "short"])
def test_barzilai_borwein_is_its_iteration(easy, starts, form):
    kept = descend(
        easy.problem, starts[0], BarzilaiBorwein(form), Stop(0.0, 0.0, 12), history="iterates"
    )
    X, h = kept.history["X"], kept.history["objective"]
    plain = 0
    for k in range(1, 12):
        s, g = X[k] - X[k - 1], easy.problem.gradient(X[k])
        y = g - easy.problem.gradient(X[k - 1])
        step = np.sum(s * s) / np.sum(s * y) if form == "long" else np.sum(s * y) / np.sum(y * y)
        plain += np.allclose(X[k + 1], X[k] - step * g, rtol=1e-8)
        assert h[k + 1] < h[: k + 1].max()
    assert plain >= 6


def test_adam_is_optax(easy, starts):
    stop = Stop(0.0, 0.0, 20)
    for ours, theirs in (
        (adam(0.05), optax.adam(0.05)),
        (adamw(0.05, 0.1), optax.adamw(0.05, weight_decay=0.1)),
    ):
        mine = descend(easy.problem, starts, ours, stop).X
        np.testing.assert_allclose(
            mine, descend(easy.problem, starts, Optax(theirs), stop).X, rtol=1e-9
        )


def test_nesterov_is_its_iteration(easy, starts):
    X = Y = starts[0]
    t, step = 1.0, 0.005
    for _ in range(10):
        X_next = Y - step * easy.problem.gradient(Y)
        t_next = (1 + np.sqrt(1 + 4 * t * t)) / 2
        Y, X, t = X_next + (t - 1) / t_next * (X_next - X), X_next, t_next
    done = descend(easy.problem, starts[0], Nesterov(step), Stop(0.0, 0.0, 10))
    np.testing.assert_allclose(done.X, Y, rtol=1e-10)
    heavy = descend(easy.problem, starts[0], Nesterov(step, 0.0), Stop(0.0, 0.0, 3)).X
    plain = descend(easy.problem, starts[0], SGD(step, None), Stop(0.0, 0.0, 3)).X
    np.testing.assert_allclose(heavy, plain, rtol=1e-10)


def test_alto_steps_have_its_length_and_direction(easy, starts):
    X = starts[0]
    kept = descend(easy.problem, X, ALTO(0.02, decay=0.0), Stop(0.0, 0.0, 2), history="iterates")
    path = kept.history["X"]
    g = [easy.problem.gradient(x) for x in path[:2]]
    # First step: a = .01 g, and the bias-corrected moments of (1 − .05) g are its sign.
    expected = X - 0.02 * np.linalg.norm(X) * np.sign(g[0]) / np.sqrt(X.size)
    np.testing.assert_allclose(path[1], expected, atol=1e-6)
    a = 0.99 * 0.01 * g[0] + 0.01 * (g[1] - g[0])
    first, second = 0.95 * g[0], g[1] - 5 * a
    m = (0.9 * 0.1 * first + 0.1 * second) / (1 - 0.9**2)
    v = (0.99 * 0.01 * first**2 + 0.01 * second**2) / (1 - 0.99**2)
    r = m / np.sqrt(v)
    step = 0.02 * np.linalg.norm(path[1]) * r / np.linalg.norm(r)
    np.testing.assert_allclose(path[2], path[1] - step, atol=1e-5)


@pytest.mark.parametrize("method", [TrustRegion(), CubicNewton()], ids=["trust region", "cubic"])
def test_second_order_methods_leave_a_strict_saddle(method):
    instance = make_instance("example-2", form="paper")
    saddle = instance.points[0]
    assert saddle.kind == "saddle"
    X = saddle.X + 1e-9 * np.random.default_rng(0).standard_normal((2, *saddle.X.shape))
    # The truth is of lower rank than the factor, where no second-order method is quadratic.
    done = descend(instance.problem, X, method, Stop(1e-16, 0.0, 20))
    assert np.all(done.objective < 1e-6 * instance.problem.objective(saddle.X))


def test_the_cubic_step_leaves_the_saddle_itself():
    problem = make_instance("example-2", form="paper").problem
    X = make_instance("example-2", form="paper").points[0].X
    method = CubicNewton()

    @jax.jit
    def once(problem, X):
        point = Point.at(problem, X)
        return method.advance(problem, point, method.init(problem, point))[0].X

    assert problem.objective(np.asarray(once(problem, X))) < 0.95 * problem.objective(X)


@pytest.mark.parametrize("c", [[0.3, -1.0, 0.2], [0.0, 1.0, -0.5], [0.0, 0.0, 0.0], [0.0, 9.0, 1]])
@pytest.mark.parametrize("values", [[-2.0, -1.0, 3.0], [0.5, 1.0, 2.0]])
def test_cubic_model_is_minimised_globally(values, c):
    values, c, w = np.array(values), np.array(c), 0.7
    d = np.asarray(cubic_step(values, c, jnp.asarray(w)))

    def model(d):
        return d @ c + d**2 @ values / 2 + w / 6 * np.sum(d * d, axis=-1) ** 1.5

    size = np.linalg.norm(d)
    np.testing.assert_allclose(c + values * d + w / 2 * size * d, 0, atol=1e-6)
    assert values[0] + w * size / 2 >= -1e-9
    far = np.random.default_rng(0).standard_normal((2000, 3)) * 4
    assert np.all(model(far) >= model(d) - 1e-9)


def test_lanczos_finds_the_ends_of_the_spectrum():
    H = np.diag(np.r_[-3.0, np.linspace(1, 2, 18), 5.0])
    g = np.ones(20)
    values, basis = lanczos(lambda d: jnp.asarray(H) @ d, jnp.asarray(g), 10)
    np.testing.assert_allclose([values[0], values[-1]], [-3, 5], rtol=1e-6)
    np.testing.assert_allclose(basis.T @ basis, np.eye(10), atol=1e-10)
    np.testing.assert_allclose(basis.T @ H @ basis, np.diag(values), atol=1e-10)
    # A space that ends early: the rest is empty.
    values, basis = lanczos(lambda d: jnp.asarray(H) @ d, jnp.eye(20)[0], 4)
    assert float(values[0]) == pytest.approx(-3)
    assert np.linalg.matrix_rank(np.asarray(basis)) == 1


# -- arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: SGD(0.0), "step"),
        (lambda: SGD(0.1, 0), "batch"),
        (lambda: SGD(0.1, noise=-1.0), "noise"),
        (lambda: SGD(0.1, decay=np.inf), "decay"),
        (lambda: SGD(0.1, every=0), "every"),
        (lambda: SGD(0.1, seed=-1), "seed"),
        (lambda: SGD(0.1, seed=2**32), "seed"),
        (lambda: SGLD(0.1, -0.1), "temperature"),
        (lambda: as_schedule("cold"), "temperature"),
        (lambda: as_schedule(None), "temperature"),
        (lambda: SimulatedAnnealing(0.0), "width"),
        (lambda: Geometric(-1.0), "temperature"),
        (lambda: Geometric(1.0, 1.5), "ratio"),
        (lambda: Geometric(1.0, 0.0), "ratio"),
        (lambda: Logarithmic(np.nan), "temperature"),
        (lambda: NoisyProjected(0.1, 0.0), "radius"),
        (lambda: NoisyProjected(0.1, 1.0, -0.5), "noise"),
        (lambda: Nesterov(0.1, 1.0), "momentum"),
        (lambda: adam(-1.0), "step"),
        (lambda: adamw(0.1, -1.0), "decay"),
        (lambda: ALTO(0.1, -200.0), "alpha"),
        (lambda: ALTO(0.1, beta2=1.0), "beta2"),
        (lambda: BarzilaiBorwein("third"), "form"),
        (lambda: BarzilaiBorwein(memory=0), "memory"),
        (lambda: TrustRegion(0.0), "radius"),
        (lambda: CubicNewton(-1.0), "weight"),
        (lambda: CubicNewton(krylov=0), "krylov"),
        (lambda: Alternating(0.0), "tie"),
    ],
)
def test_bad_arguments_are_named(make, argument):
    with pytest.raises(InvalidInput, match=argument):
        make()


def test_what_the_problem_cannot_give_is_refused(easy, starts):
    with pytest.raises(InvalidInput, match="batch"):
        descend(easy.problem, starts[0], SGD(0.1, 17))
    ridged = Problem(easy.problem.operator, easy.problem.b, R, regularisers=(_ridge(),))
    with pytest.raises(InvalidInput, match="squared loss"):
        descend(ridged, starts[0], Alternating())


def _ridge():
    from liftless import Ridge

    return Ridge(0.1)


@pytest.mark.parametrize("method", [LevenbergMarquardt(), WhitenedLM()])
def test_second_order_ends_where_round_off_hides_the_fall(easy, starts, method):
    """Misfits of 1e-8 of the data leave a gradient of round-off that no relative level is above."""
    near = easy.truth + 1e-3 * starts[0]
    problem = easy.problem
    rough = Problem(problem.operator, np.asarray(problem.b) * (1 + 1e-8 * np.cos(np.arange(16))), R)
    done = descend(rough, near, method, Stop(0.0, 0.0, 100))
    assert done.status == 4, done.message
    assert done.iterations < 15
    # The least-squares solution, to first order: what no step can lower.
    J = np.asarray(problem.operator.jacobian(done.X)).reshape(16, -1)
    r = np.asarray(rough.residual(done.X))
    assert np.linalg.norm(J.T @ r) <= 1e-12 * np.linalg.norm(J) * np.linalg.norm(problem.b)


def test_whitened_steps_need_no_blocks():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 2))
    A = rng.standard_normal((30, 6, 6))
    operator = DenseOperator.from_matrices((A + A.transpose(0, 2, 1)) / 2)
    problem = Problem(operator, np.asarray(operator.measure(X, X)), 2)
    start = np.c_[X + 0.1 * rng.standard_normal(X.shape), np.zeros(6)]
    done = descend(problem, start, WhitenedLM(), Stop(max_iterations=60))
    np.testing.assert_allclose(done.X @ done.X.T, X @ X.T, atol=1e-8)
    assert not np.any(done.X[:, 2])
