"""The outer loop: recovers, escapes, certifies, keeps its books, and is repeatable."""

import jax
import numpy as np
import pytest

from liftless import (
    EntriesOperator,
    GradientDescent,
    InputWarning,
    InvalidInput,
    Logistic,
    MultiStepEscape,
    OracleJump,
    Problem,
    RankOneOperator,
    Stop,
    certify,
    descend,
    make_instance,
    recover,
)


@pytest.fixture(scope="module")
def real():
    return make_instance("real-world")


#: Instances that one default run must recover, with a bound on the applications.
SOLVED = [
    ("real-world", {}, 200),
    ("basic", {}, 200),
    ("pmc", {"n": 6, "eps": 0.1}, 400),
    ("gaussian", {"n": 6, "rank": 2, "ratio": 1.6, "seed": 0}, 2000),
    ("phase", {"n": 6, "ratio": 3.0, "seed": 0}, 2000),
    ("example-1", {}, 400),
    ("example-2", {}, 400),
]


@pytest.mark.parametrize(("name", "parameters", "most"), SOLVED, ids=[s[0] for s in SOLVED])
def test_default_recovers_and_says_so(name, parameters, most):
    instance = make_instance(name, **parameters)
    result = recover(instance.problem)
    assert result.success
    assert result.status == 0
    assert result.certificate.kind == "exact"
    assert instance.distance(result.factor) < 1e-8 * np.sum(instance.truth**2)
    assert result.nfev <= most
    assert result.fun == result.certificate.objective
    np.testing.assert_array_equal(result.matrix, result.x @ result.x.T)


def test_papers_run_gradient_descent_stuck_then_one_escape(real):
    """Fig. 9's course: certificate spurious, escape, certificate exact, truth to 1e-8."""
    start = np.array([[0.3], [0.2], [0.5]])
    method = GradientDescent(0.1)
    stuck = recover(real.problem, start=start, escape=None, method=method)
    assert stuck.certificate.kind == "stationary"
    assert stuck.status == 4
    assert not stuck.success
    np.testing.assert_allclose(np.abs(stuck.x), np.abs(real.points[0].X), atol=1e-6)
    for rule in (
        OracleJump(),
        MultiStepEscape(order=5, steps=150000.0),
        "ladder",
        "multi",
        "lifted",
    ):
        free = recover(real.problem, start=stuck.x, escape=rule, method=method)
        assert free.certificate.kind == "exact"
        assert real.distance(free.x) < 1e-8
        assert len(free.escapes) >= 1
        assert free.escapes[-1].objective_after < 1e-12
        assert free.escapes[0].objective_before == pytest.approx(0.0582892, abs=1e-7)
        assert free.rounds == 1


def test_single_step_does_not_escape_below_the_boundary(real):
    """Its score is .93 there, so it has no candidate, and one round ends uncertified."""
    result = recover(real.problem, start=real.points[0].X, escape="single", rounds=1)
    assert result.escapes == ()
    assert result.certificate.kind == "stationary"


def test_same_seed_same_answer_and_another_seed_is_recorded():
    problem = make_instance("gaussian", n=6, rank=2, ratio=1.15, seed=4).problem
    one, two = (recover(problem, seed=7, budget=1500) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)
    assert (one.nfev, one.nit, one.rounds, one.message) == (
        two.nfev,
        two.nit,
        two.rounds,
        two.message,
    )
    assert [c.summary() for c in one.escapes] == [c.summary() for c in two.escapes]
    assert one.seed == 7


def test_books_are_kept(real):
    rows = []
    result = recover(real.problem, start="random", seed=3, callback=rows.append, trace=True)
    assert rows == list(result.history)
    spent = [row["applications"] for row in rows]
    assert spent == sorted(spent)
    # The certificate and the last digits come after the last local solve.
    assert spent[-1] <= result.nfev <= spent[-1] + 20
    for row in rows:
        if "values" in row:
            assert row["values"][-1] == pytest.approx(row["objective"], rel=1e-9, abs=1e-25)


def test_callback_can_stop_and_the_best_point_is_kept():
    problem = make_instance("gaussian", n=6, rank=2, ratio=1.0, seed=5).problem
    calls = []

    def stop(row):
        calls.append(row)
        if len(calls) == 1:
            raise StopIteration

    result = recover(problem, callback=stop)
    assert len(calls) == 1
    assert result.status == 75
    assert np.any(result.x)
    resumed = recover(problem, start=result.x, budget=300)
    assert resumed.fun <= result.fun * (1 + 1e-9)


def test_budget_is_respected():
    problem = make_instance("gaussian", n=6, rank=2, ratio=1.0, seed=6).problem
    with pytest.warns(InputWarning, match="inside the first stage"):
        assert recover(problem, budget=10).work <= 100
    for budget in (100, 600):
        result = recover(problem, budget=budget)
        assert result.nfev <= result.work <= 1.1 * budget
        assert result.status in (0, 3, 4)


@pytest.mark.parametrize("power", [-150, -75, 150])
def test_units_change_no_digit(power):
    """The data or the operator a hundred powers of ten away: the same kind and the same matrix."""
    clean = make_instance("phase", n=6, ratio=4.0, seed=1).problem
    base = recover(clean)
    far = 10.0**power
    data = Problem(clean.operator, np.asarray(clean.b) * far, 1)
    for problem, scale in ((data, far), (Problem(far * clean.operator, clean.b, 1), 1 / far)):
        result = recover(problem)
        assert result.kind == base.kind == certify(problem, result.x).kind
        np.testing.assert_allclose(result.matrix / scale, base.matrix, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("how", [lambda b: np.float32(b).astype(float), lambda b: np.round(b, 4)])
@pytest.mark.parametrize("kind", ["phase", "gaussian"])
def test_data_of_few_digits_are_fitted_to_them(kind, how):
    ratio = {"phase": 4.0, "gaussian": 2.0}[kind]
    clean = make_instance(kind, n=6, ratio=ratio, seed=1)
    b = how(np.asarray(clean.problem.b))
    exact = recover(clean.problem)
    result = recover(Problem(clean.problem.operator, b, 1))
    assert (result.kind, result.status) == ("fitted", 0)
    assert result.work <= 2 * exact.work
    assert clean.distance(result.x) <= 10 * result.error_estimate * np.sum(clean.truth**2)


@pytest.mark.parametrize("method", [None, GradientDescent(0.02), "SGD", "adam"])
def test_never_worse_than_the_best_seen(method):
    problem = make_instance("phase", n=6, ratio=4.0, seed=1, noise=0.1).problem
    result = recover(problem, method=method, budget=400, seed=3, trace=True)
    narrow = [row for row in result.history if "columns" not in row and "error" not in row]
    seen = [row["objective"] for row in narrow] + [
        min(r["values"]) for r in narrow if "values" in r
    ]
    assert result.fun <= np.nanmin(seen) * (1 + 1e-9)


def test_separable_signs_have_no_minimiser():
    rows, cols = np.triu_indices(4)
    z = np.array([1.0, -2.0, 1.5, 0.7])
    bits = (np.outer(z, z)[rows, cols] > 0).astype(float)
    problem = Problem(EntriesOperator(rows, cols, 4), bits, 1, loss=Logistic())
    result = recover(problem, budget=300)
    assert (result.kind, result.status) == ("unfinished", 3)
    assert result.certificate.reason == "no minimiser"
    assert "budget" not in result.message


def test_a_point_is_spurious_only_beside_a_lower_one(real):
    X = real.points[0].X
    assert certify(real.problem, X).kind == "stationary"
    assert certify(real.problem, X, other=real.truth).kind == "spurious"
    assert certify(real.problem, X, other=-X).kind == "stationary"


def test_noise_ends_the_search_at_its_level():
    clean = make_instance("phase", n=6, ratio=4.0, seed=1)
    noisy = make_instance("phase", n=6, ratio=4.0, seed=1, noise=0.01)
    result = recover(noisy.problem, noise=0.01)
    assert result.kind == "fitted"
    assert not result.certified
    assert "noise" in result.message
    assert clean.distance(result.x) < 0.1
    # The certified level is that of the noise: the best possible fit lies below it.
    best = descend(noisy.problem, clean.truth, None, Stop(0.0, 1e-10))
    assert best.objective <= result.certificate.noise_level
    # Without it the answer is the same matrix, agreed upon, and the noise is estimated.
    silent = recover(noisy.problem, budget=800)
    assert (silent.kind, silent.status, silent.certified) == ("agreed", 0, False)
    assert silent.agreeing >= 2
    assert silent.sigma_interval[0] <= 0.01 <= silent.sigma_interval[1]
    assert "no proof" in silent.message
    assert noisy.problem.operator.space.distance(silent.x, result.x) < 1e-6
    assert silent.work <= 4 * result.work


def test_fit_within_the_noise_is_descended_to_its_end():
    noisy = make_instance("phase", n=6, ratio=4.0, seed=1, noise=0.01)
    result = recover(noisy.problem, noise=0.01)
    best = descend(noisy.problem, noisy.truth, None, Stop(0.0, 1e-10))
    assert result.fun <= best.objective * (1 + 1e-9)


def test_blas_threads_are_few_meanwhile_and_given_back():
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    problem = make_instance("phase", n=6, ratio=4.0, seed=1).problem
    with threadpool_limits(2, "blas"):
        before, seen = threads(), []
        recover(problem, callback=lambda row: seen.append(threads()))
        assert seen
        assert all(count == 1 for row in seen for count in row)
        assert threads() == before


def test_limits_of_threads_that_overlap_are_given_back():
    """In whatever order the contexts end, as they do in a caller's threads."""
    from threadpoolctl import threadpool_info, threadpool_limits

    from liftless._threads import few_threads

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, "blas"):
        before, first, second = threads(), few_threads(5), few_threads(5)
        for context in (first, second):
            context.__enter__()
        for context in (first, second):
            assert all(count == 1 for count in threads())
            context.__exit__(None, None, None)
        assert threads() == before


@pytest.mark.parametrize(
    "setting",
    [
        lambda: jax.debug_nans(True),
        lambda: jax.transfer_guard("disallow"),
        lambda: jax.numpy_dtype_promotion("strict"),
    ],
    ids=["debug_nans", "transfer_guard", "strict_promotion"],
)
def test_a_caller_may_watch_his_own_code(setting):
    """NaN stands for what is absent; three readings of order 3 leave the message passing there."""
    with setting():
        for operator in (RankOneOperator(np.eye(3)), EntriesOperator([0, 1, 0], [0, 1, 1], 3)):
            assert recover(Problem(operator, np.ones(3), 1)).certificate.kind == "exact"


def test_more_columns_than_needed_and_certified_global():
    """Full rank makes the problem convex: noisy data end at a certified global optimum."""
    noisy = make_instance("phase", n=6, ratio=4.0, seed=2, noise=0.5)
    problem = noisy.problem.with_rank(6)
    result = recover(problem)
    assert result.certificate.kind in ("global", "exact")
    assert result.certificate.assumption == "none"
    gap = result.certificate.upper_bound - result.certificate.lower_bound
    assert gap <= 1e-6 * result.fun


def test_zero_measurements_recover_zero():
    problem = Problem(EntriesOperator([0, 1, 2], [0, 1, 2], 3), np.zeros(3), 1)
    with pytest.warns(InputWarning) if problem.m < problem.degrees_of_freedom else no_warning():
        result = recover(problem)
    assert result.success
    assert result.fun == 0


class no_warning:  # noqa: N801
    def __enter__(self):
        return self

    def __exit__(self, *args):
        return False


def test_negative_measurements_have_zero_as_their_optimum():
    """−b on the diagonal of a completion problem: the best PSD matrix is zero."""
    problem = Problem(EntriesOperator([0, 1, 2], [0, 1, 2], 3), -np.ones(3), 1)
    result = recover(problem)
    assert result.certificate.kind == "global"
    assert result.fun == pytest.approx(1.5)
    assert np.all(result.x == 0)


def test_too_few_measurements_warn():
    problem = Problem(EntriesOperator([0], [1], 4), np.ones(1), 1)
    with pytest.warns(InputWarning, match="degrees of freedom"):
        recover(problem, budget=100)


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"start": "zero"}, "start"),
        ({"start": np.ones((2, 1))}, "start"),
        ({"start": np.ones((3, 2))}, "start"),
        ({"start": np.zeros((3, 1))}, "start"),
        ({"escape": "luck"}, "escape"),
        ({"seed": -1}, "seed"),
        ({"budget": 0}, "budget"),
        ({"rounds": 0}, "rounds"),
        ({"noise": -1.0}, "noise"),
        ({"trace_bound": np.nan}, "trace_bound"),
    ],
)
def test_bad_arguments_are_named(real, given, argument):
    with pytest.raises(InvalidInput, match=argument):
        recover(real.problem, **given)
