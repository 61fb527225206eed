"""Peers: each solves an easy case, counts what it applies, keeps to its budget, says what fails."""

import dataclasses
import sys

import numpy as np
import pytest

from liftless import (
    DenseOperator,
    InvalidInput,
    Logistic,
    Problem,
    Ridge,
    descend,
    make_instance,
)
from liftless_papers.compare.peers import PEERS, host
from liftless_papers.compare.peers.base import RANDOM_COST, SPECTRAL_COST, Effort

ENTRIES = [name for name, peer in PEERS.items() if peer.families == ("completion",)]
ANY = [name for name, peer in PEERS.items() if peer.families is None]
CONVEX = [name for name in PEERS if name.startswith(("trace", "psd"))]


def easy(seed=3, noise=0.0):
    return make_instance("gaussian", n=6, rank=1, ratio=3.0, seed=seed, noise=noise)


@pytest.mark.parametrize("name", ANY)
def test_every_peer_solves_an_easy_case_the_same_way_twice(name):
    instance = easy()
    one, two = (PEERS[name]().solve(instance.problem, budget=2000, seed=1) for _ in range(2))
    assert one.success, one.message
    assert instance.distance(one.X) < 1e-8
    assert one.objective <= 1.001e-20 * instance.problem.objective(np.zeros((6, 1)))
    assert 0 < one.applications <= 2000
    assert one.starts >= 1
    assert one.seconds > 0
    assert "fitted" in one.message
    np.testing.assert_array_equal(one.X, two.X)
    assert (one.applications, one.starts) == (two.applications, two.starts)


@pytest.mark.parametrize("name", [n for n in ANY if n not in ("liftless", *CONVEX)])
def test_a_tiny_budget_is_kept_and_ends_without_success(name):
    """But for the library's own polish and the conic solvers, whose work is not applications."""
    done = PEERS[name]().solve(easy().problem, budget=10, seed=1)
    assert not done.success
    assert done.applications <= 10
    assert done.X.shape == (6, 1)
    assert np.isfinite(done.objective)
    assert "end" in done.message


@pytest.mark.parametrize("name", ["restarts", "lbfgsb", "manifold-tr", "over-n", "perturbed-gd"])
def test_the_budget_is_kept_where_nothing_fits(name):
    """Random data have no exact fit, so that every search ends with its budget."""
    problem = easy().problem
    b = np.random.default_rng(0).standard_normal(problem.m)
    done = PEERS[name]().solve(Problem(problem.operator, b, 1), budget=300, seed=0)
    assert not done.success
    assert 285 <= done.applications <= 300
    assert "budget" in done.message
    assert done.objective <= b @ b / 2


@pytest.mark.parametrize("name", ["restarts", "lbfgsb", "trace-clarabel", "psd-scs"])
def test_noisy_data_are_done_at_the_level(name):
    instance = easy(noise=0.05)
    level = 1.001 * float(descend(instance.problem, instance.truth).objective)
    assert level > 0
    done = PEERS[name]().solve(instance.problem, budget=2000, seed=0, level=level)
    assert done.success, done.message
    assert 0 < done.objective <= level * (1 + 1e-6)


def test_zero_data_are_fitted_by_zero_at_no_cost():
    problem = Problem(easy().problem.operator, np.zeros(18), 1)
    done = PEERS["restarts"]().solve(problem, budget=100, seed=0)
    assert done.success
    assert (done.applications, done.starts) == (0, 0)
    assert not np.any(done.X)


def test_no_time_means_no_start():
    done = PEERS["restarts"]().solve(easy().problem, budget=1000, seed=0, seconds=1e-9)
    assert not done.success
    assert done.starts == 0
    assert "time" in done.message


@pytest.mark.parametrize(
    ("name", "hessian"), [("lbfgsb", 0), ("manifold-cg", 0), ("manifold-tr", 1)]
)
def test_host_evaluations_are_counted_one_by_one(name, hessian, monkeypatch):
    calls = {"value": 0, "_gradient": 0, "_hessian_product": 0}

    def counting(function, plain):
        def counted(*args):
            calls[function] += 1
            return plain(*args)

        return counted

    for function in calls:
        monkeypatch.setattr(host, function, counting(function, getattr(host, function)))
    done = PEERS[name]().solve(easy().problem, budget=2000, seed=1)
    starts = SPECTRAL_COST + (done.starts - 1) * RANDOM_COST
    paid = calls["value"] + calls["_gradient"] + 3 * calls["_hessian_product"]
    assert done.applications == paid + starts
    assert (calls["_hessian_product"] > 0) == bool(hessian)


def test_host_derivatives_are_those_of_the_problem():
    instance = make_instance("gaussian", n=6, rank=1, ratio=3.0, seed=3)
    effort = Effort(instance.problem, 100, 0, 1e-20, 0.0, float("inf"))
    X, D = np.random.default_rng(0).standard_normal((2, 6, 1))
    full = np.sum(instance.problem.b**2) / 2
    at = host.Evaluations(effort)
    assert at.value(X) == pytest.approx(instance.problem.objective(X) / full, rel=1e-12)
    np.testing.assert_allclose(at.gradient(X), instance.problem.gradient(X) / full, rtol=1e-10)
    product = instance.problem.hessian_product(X, D) / full
    np.testing.assert_allclose(at.hessian_product(X, D), product, rtol=1e-10)
    assert effort.account.applications == 5


@pytest.mark.parametrize("name", ["spectral", "lbfgsb", "perturbed-gd"])
def test_new_data_of_the_same_shape_compile_nothing(name, monkeypatch):
    PEERS[name]().solve(easy(seed=1).problem, budget=400, seed=1)
    traces, plain = [], DenseOperator.measure

    def counted(self, U, V):
        traces.append(1)
        return plain(self, U, V)

    monkeypatch.setattr(DenseOperator, "measure", counted)
    assert PEERS[name]().solve(easy(seed=2).problem, budget=2000, seed=2).success
    assert not traces


def test_seeds_give_starts_unrelated_to_the_instance_and_to_each_other():
    """An instance draws its truth from default_rng(seed); a start must not be that draw."""
    efforts = [Effort(easy(seed=s).problem, 100, s, 1e-20, 0.0, float("inf")) for s in (0, 1)]
    starts = [e.start(spectral=False) for e in efforts for _ in range(2)]
    units = np.stack([x.ravel() / np.linalg.norm(x) for x in (*starts, easy(seed=0).truth)])
    assert np.abs(units @ units.T - np.eye(5)).max() < 0.999


def test_registry_names_and_hyper_parameters():
    for name, peer in PEERS.items():
        assert peer.name == name
        assert peer.title
        made = peer()
        assert dataclasses.is_dataclass(made)
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.anything = 1


@pytest.mark.parametrize(
    ("name", "package"),
    [("trace-clarabel", "cvxpy"), ("psd-scs", "scs"), ("manifold-cg", "pymanopt")],
)
def test_a_missing_package_is_named_with_the_cure(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InvalidInput, match=rf"{package}.*pip install 'liftless\[peers\]'"):
        PEERS[name]().solve(easy().problem, budget=100, seed=0)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"budget": 9}, "budget"),
        ({"seed": -1}, "seed"),
        ({"target": float("nan")}, "target"),
        ({"level": -1.0}, "level"),
        ({"seconds": 0.0}, "seconds"),
    ],
)
def test_bad_arguments_are_named(change, argument):
    with pytest.raises(InvalidInput, match=argument):
        PEERS["restarts"]().solve(easy().problem, **({"budget": 100, "seed": 0} | change))


def test_convex_peers_refuse_what_they_cannot_take():
    problem, peer = easy().problem, PEERS["trace-clarabel"]()
    logistic = Problem(problem.operator, np.full(18, 0.5), 1, loss=Logistic())
    penalised = Problem(problem.operator, problem.b, 1, regularisers=(Ridge(0.1),))
    large = make_instance("phase", n=41, ratio=0.1).problem
    for bad, argument in ((logistic, "loss"), (penalised, "regularisers"), (large, "n was 41")):
        with pytest.raises(InvalidInput, match=argument):
            peer.solve(bad, budget=100, seed=0)


@pytest.mark.parametrize("name", CONVEX)
def test_convex_peers_keep_the_row_weights(name):
    """A spoilt row of weight zero changes nothing."""
    instance = easy()
    b, weights = np.array(instance.problem.b), np.linspace(0.5, 2.0, 18)
    b[4], weights[4] = 50.0, 0.0
    problem = Problem(instance.problem.operator, b, 1, weights=weights)
    done = PEERS[name]().solve(problem, budget=500, seed=0)
    assert done.success, done.message
    assert instance.distance(done.X) < 1e-8
