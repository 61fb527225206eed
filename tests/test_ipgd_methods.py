"""Perturbed descent on functions whose course is known in closed form."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import make_problem

from liftless import InvalidInput, Objective, OfProblem, Smooth
from liftless.descent import IPGD, IPGDPlus, PerturbedGD, ipgd, ipgd_batch, stack
from liftless.descent.descended import FLAT, INVALID, LIMIT, OK, SADDLE, STALLED, UNSTABLE
from liftless.descent.journey import draw
from liftless.descent.rules import escape_time

D = 6
# Least curvature −2 at the saddle 0; minima at ±√2 w, where f = −1 and the curvature is 4 along w.
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


# -- formulas -------------------------------------------------------------------------------------


def test_escape_time():
    # 10⁻⁵ √100 / 10⁻¹⁵ = 10¹¹ at growth 1.5: 62.5 steps.
    assert escape_time(1e-5, -5.0, 1e-15, 0.1, 100) == math.ceil(11 * math.log(10) / math.log(1.5))
    assert escape_time(1e-5, -5.0, 1e-300, 0.1, 100) == math.ceil(
        296 * math.log(10) / math.log(1.5)
    )
    assert escape_time(1e-5, 0.0, 1e-15, 0.1, 100) == 1


def test_draw_is_uniform_in_the_ball():
    counts = jnp.arange(200.0)
    many = jax.jit(jax.vmap(draw, (None, 0, None, None)))
    draws = many(jax.random.key(7), counts, jnp.asarray(2.0), jnp.zeros(3))
    lengths = np.linalg.norm(draws, axis=1)
    # |ξ|³/γ³ is uniform on [0, 1]: mean ½, standard error 0.29/√200.
    assert np.mean(np.power(lengths, 3) / 8) == pytest.approx(0.5, abs=4 * 0.29 / math.sqrt(200))
    assert max(lengths) <= 2.0
    tiny = draw(jax.random.key(7), jnp.asarray(0.0), jnp.asarray(1e-300), jnp.zeros(3))
    assert 0 < np.abs(tiny).max() <= 1e-300


# -- the adaptive rule ----------------------------------------------------------------------------


def test_adaptive_rule_finds_the_minimum_and_certifies_it():
    _, Q = turned(0)
    found = ipgd(make(0), ZERO)
    assert (found.status, found.success) == (OK, True)
    assert found.certified
    assert found.value == pytest.approx(-1.0, abs=1e-14)
    np.testing.assert_allclose(abs(Q[:, 0] @ found.x), math.sqrt(2), rtol=1e-12)
    assert found.step == pytest.approx(0.25, rel=1e-12)
    assert found.checkpoints[0] == (0, pytest.approx(-2.0, rel=1e-12))
    # At the minimum: 1.5 along the eigenvector of −0.5, the least of all.
    assert found.least_curvature == pytest.approx(1.5, rel=1e-9)
    assert found.gradient_norm <= 1e-14 * 2
    assert found.iterations == found.ipgd_iterations + found.local_iterations


def test_growth_along_the_least_curvature_is_one_plus_eta_lambda():
    _, Q = turned(0)
    found = ipgd(make(0), ZERO, record_every=1)
    t, x, marked = (found.history[name] for name in ("t", "x", "perturbed"))
    assert marked.sum() == found.perturbations
    after = x[np.flatnonzero(marked)[0] :]
    along = np.abs(after @ Q[:, 0])
    np.testing.assert_allclose(along[1:20] / along[:19], 1 + 0.25 * 2, rtol=1e-9)
    assert np.linalg.norm(after[0]) <= 1e-15
    np.testing.assert_array_equal(np.diff(t)[~marked[1:]], 1)
    assert t[-1] == found.iterations
    np.testing.assert_array_equal(x[-1], found.x)


@pytest.mark.parametrize("power", [-600, -3, 40])
def test_scaling_the_loss_by_a_power_of_two_changes_no_iterate(power):
    one, other = ipgd(make(0), ZERO), ipgd(make(0, 2.0**power), ZERO)
    np.testing.assert_array_equal(one.x, other.x)
    assert one.iterations == other.iterations
    assert other.value == one.value * 2.0**power
    assert other.message.split(":")[0] == one.message.split(":")[0]


def test_scaling_by_any_factor_changes_round_off_only():
    one, other = ipgd(make(0), ZERO), ipgd(make(0, 1 / 300), ZERO)
    np.testing.assert_allclose(one.x, other.x, rtol=1e-12)


@pytest.mark.parametrize("gamma", [1e-3, 1e-15, 1e-100, 1e-300])
def test_time_grows_with_the_logarithm_of_gamma(gamma):
    found = ipgd(make(0), ZERO, IPGDPlus(gamma))
    assert found.certified
    assert found.value == pytest.approx(-1.0, abs=1e-14)
    # Growth by 1.5 a step from γ to the minimum at √2; the rest takes a few dozen.
    growth = math.log(1 / gamma) / math.log(1.5)
    assert growth - 5 <= found.ipgd_iterations <= 1.1 * growth + 100


def test_step_is_halved_where_the_start_is_flatter_than_the_way():
    """At the inflection the curvatures are .005 at most; at the minimum the largest is 4."""
    spectrum = np.array([-2.0, *[-2 / 3] * 5])
    f = Smooth(well, np.diag(spectrum), 1.0, 0.0)
    found = ipgd(f, (math.sqrt(2 / 3) + 1e-3) * np.eye(D)[0])
    assert found.certified
    assert found.value == pytest.approx(-1.0, abs=1e-12)
    assert found.backtracks >= 7
    assert found.step < 2 / 4


# -- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [False, True])
def test_batch_is_the_loop(together):
    objectives = [make(s) for s in (0, 1, 2)]
    seeds = [5, 6, 7]
    alone = [ipgd(f, ZERO, seed=s) for f, s in zip(objectives, seeds, strict=True)]
    starts = np.zeros((3, D))
    given = stack(objectives) if together else objectives
    batch = ipgd_batch(given, starts, seeds=seeds, together=together)
    for one, other in zip(alone, batch, strict=True):
        np.testing.assert_allclose(other.x, one.x, rtol=0, atol=1e-12 if together else 0)
        assert other.checkpoints[0][0] == one.checkpoints[0][0]
        assert abs(other.iterations - one.iterations) <= (2 if together else 0)
        assert other.seed == one.seed
        assert other.certified


def test_batch_of_starts_in_one_objective():
    starts = np.random.default_rng(0).standard_normal((3, D))
    batch = ipgd_batch(make(0), starts, seeds=[0, 0, 1])
    np.testing.assert_allclose([r.value for r in batch], -1.0, atol=1e-14)
    np.testing.assert_array_equal(batch[1].x, ipgd(make(0), starts[1]).x)


# -- the printed rule -----------------------------------------------------------------------------


def test_literal_algorithm_returns_the_start_and_says_so():
    """1.2⁵⁰ = 9e3 from 1e-15 lowers f by 1e-22 < F."""
    found = ipgd(make(0), ZERO, IPGDPlus(mode="paper", eta=0.1, local_steps=30))
    assert (found.status, found.success, found.certified) == (SADDLE, False, False)
    np.testing.assert_array_equal(found.x, ZERO)
    assert found.ipgd_iterations == 50
    assert found.local_iterations == 31  # t = 0, 1, …, T′
    for words in ("the start", "T_escape = 50", "mode='adaptive'"):
        assert words in found.message


@pytest.mark.parametrize(
    "changes", [{"returned": "x", "local_steps": 400}, {"T_escape": "curvature"}, {"T_escape": 190}]
)
def test_smallest_changes_that_work(changes):
    found = ipgd(make(0), ZERO, IPGDPlus(mode="paper", eta=0.1, **changes))
    assert found.value == pytest.approx(-1.0, abs=1e-12)
    assert found.certified


def test_literal_algorithm_by_hand():
    """Lines 3–12 in NumPy, with the library's own draws."""
    H, _ = turned(0)
    eta, G, F, T, gamma = 0.1, 1e-7, 1e-10, 190, 1e-15

    def value(x):
        return x @ H @ x / 2 + (x @ x) ** 2 / 4

    def gradient(x):
        return H @ x + (x @ x) * x

    x, noise, count, t = ZERO, -T - 1, 0, 0
    while True:
        if np.linalg.norm(gradient(x)) <= G and t - noise > T:
            z = x
            xi = draw(
                jax.random.key(3), jnp.asarray(float(count)), jnp.asarray(gamma), jnp.zeros(D)
            )
            x, noise, count = x + np.asarray(xi), t, count + 1
        if t - noise == T and value(x) - value(z) >= -F:
            break
        x = x - eta * gradient(x)
        t += 1
    found = ipgd(make(0), ZERO, IPGD(eta=eta, G=G, F=F, T_escape=T), seed=3)
    assert (found.iterations, found.perturbations) == (t, count)
    np.testing.assert_allclose(found.x, z, atol=1e-12)


def test_perturbed_gd_without_a_return_runs_to_the_limit():
    method = PerturbedGD(1e-2, eta=0.1, G=1e-3, F=None)
    found = ipgd(make(0), ZERO, method, max_iterations=400)
    assert found.status == LIMIT
    assert found.iterations == 400
    assert found.perturbations >= 6
    returned = ipgd(make(0), ZERO, PerturbedGD(1e-2, eta=0.1))
    assert returned.status == OK
    assert returned.value == pytest.approx(-1.0, abs=1e-10)


# -- ends that are no success ---------------------------------------------------------------------


class Wrong(Objective):
    """A gradient of the wrong sign: no step lowers f."""

    def value(self, x):
        return jnp.sum(x * x) / 2

    def gradient(self, x):
        return -x

    def hessian_product(self, x, d):
        return d


class End(NamedTuple):
    name: str
    status: int
    says: str
    objective: Objective
    x0: np.ndarray
    method: IPGDPlus | IPGD | None = None
    limit: int = 300


def ends():
    bent, lost = make(0, 1.0, np.full(D, 1.0)), make(at=1.0)
    return [
        End("diverges", UNSTABLE, "Halve eta", bent, ZERO + 9.0, IPGD(eta=2.5)),
        End("swings", UNSTABLE, "beyond stability", make(0), ZERO + 0.1, IPGD(eta=0.6)),
        End("no lower bound", UNSTABLE, "no lower bound", make(0, -1.0), ZERO),
        End("not a number", INVALID, "check the data", make(0, np.nan), ZERO),
        End("flat", FLAT, "Start elsewhere", make(0, 1.0, np.zeros(D)), ZERO),
        End("flat, printed", FLAT, "Start elsewhere", make(0, 0.0), ZERO, IPGD(eta=0.1)),
        End("too short", LIMIT, "max_iterations", make(0), ZERO, None, 20),
        End("wrong gradient", STALLED, "No step lowers f", Wrong(), ZERO + 1.0),
        End("lost", LIMIT, "round-off of x", lost, ZERO + 1, IPGDPlus(1e-100)),
    ]


@pytest.mark.parametrize("end", ends(), ids=lambda end: end.name)
def test_no_end_is_silent(end):
    found = ipgd(end.objective, end.x0, end.method, max_iterations=end.limit)
    assert found.status == end.status, found.message
    assert end.says in found.message
    assert (found.success, found.certified) == (False, False)


# -- problems, and bad arguments ------------------------------------------------------------------


def test_of_problem_is_the_scaled_objective():
    problem = make_problem("dense").problem
    X, E = np.random.default_rng(0).standard_normal((2, problem.n, problem.rank))
    f = OfProblem(problem, 0.25)
    assert f.value(X) == 0.25 * problem.objective(X)
    np.testing.assert_allclose(f.gradient(X), 0.25 * problem.gradient(X), rtol=1e-14)
    np.testing.assert_allclose(
        f.hessian_product(X, E), 0.25 * problem.hessian_product(X, E), rtol=1e-14
    )
    for one, other in zip(
        f.value_and_gradient(jnp.asarray(X)), (f.value(X), f.gradient(X)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def bad_calls():
    f = make(0)
    two = np.zeros((2, D))
    return [
        ("gamma", lambda: IPGDPlus(0.0)),
        ("gamma", lambda: IPGDPlus(-1.0)),
        ("gamma", lambda: IPGDPlus(math.nan)),
        ("gamma", lambda: IPGDPlus(5e-324)),
        ("gamma", lambda: IPGD(0.0, eta=0.1)),
        ("mode", lambda: IPGDPlus(mode="exact")),
        ("eta", lambda: IPGDPlus(mode="paper")),
        ("eta", lambda: IPGDPlus(eta=0.1)),
        ("eta", lambda: IPGD(eta=0.0)),
        ("returned", lambda: IPGD(eta=0.1, returned="y")),
        ("T_escape", lambda: IPGD(eta=0.1, T_escape=0)),
        ("T_escape", lambda: IPGD(eta=0.1, T_escape="soon")),
        ("G", lambda: PerturbedGD(eta=0.1, G=0.0)),
        ("local_steps", lambda: IPGDPlus(local_steps=-1)),
        ("function", lambda: Smooth(3.0)),
        ("problem", lambda: OfProblem(f)),
        ("scale", lambda: OfProblem(make_problem("dense").problem, 0.0)),
        ("objective", lambda: ipgd(np.sin, ZERO)),
        ("objective", lambda: ipgd(f, np.zeros(D + 1))),
        ("objective", lambda: ipgd(Smooth(jnp.sin), ZERO)),
        ("x0", lambda: ipgd(f, ZERO + np.nan)),
        ("x0", lambda: ipgd(f, 1.0)),
        ("method", lambda: ipgd(f, ZERO, "ipgd")),
        ("seed", lambda: ipgd(f, ZERO, seed=-1)),
        ("max_iterations", lambda: ipgd(f, ZERO, max_iterations=0)),
        ("record_every", lambda: ipgd(f, ZERO, record_every=-1)),
        ("seeds", lambda: ipgd_batch(f, two, seeds=[0])),
        ("objectives", lambda: ipgd_batch([f], two, seeds=[0, 1])),
        ("objectives", lambda: stack([])),
    ]


@pytest.mark.parametrize(("argument", "call"), bad_calls(), ids=lambda v: str(v)[:12])
def test_bad_argument_is_named(argument, call):
    with pytest.raises(InvalidInput) as caught:
        call()
    assert caught.value.argument == argument
