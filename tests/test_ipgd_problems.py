"""The seven problems of the IPGD paper against its printed formulas, written out in NumPy."""

import numpy as np
import pytest

from liftless import InvalidInput, OfProblem
from liftless.instances import PROBLEMS, make_ipgd_problem

#: Small sizes of one shape a problem.
SIZES = {"n": 5, "width": 4, "spectrum": (10.0, 5.0)}
SMALL = {
    "ms-sym": SIZES | {"N": 12},
    "ms-rect": SIZES | {"N": 12, "columns": 4},
    "mc-sym": SIZES,
    "mc-rect": SIZES | {"columns": 4},
    "onebit-sym": SIZES,
    "onebit-rect": SIZES | {"columns": 4},
    "sparse": {"d": 6, "N": 8},
}
#: Weight of ‖XᵀX − YᵀY‖².
BALANCE = {"ms": 1 / 16, "mc": 1 / 4, "onebit": 1 / 16}


def literal(made):
    """The printed objective as a NumPy function of the factor, from the data alone."""
    family = made.name.partition("-")[0]
    operator, b, n1 = made.problem.operator, made.problem.b, made.problem.operator.split
    if family == "sparse":
        x = operator.diag[:, : operator.n // 2]

        def squares(X):
            u, v = np.split(X[:, 0], 2)
            return np.sum((b - x @ (u * u - v * v)) ** 2) / len(b)

        return squares
    if family == "ms":
        N = len(b)
        if n1 is None:
            A = np.zeros((N, operator.n, operator.n))
            i, j = np.triu_indices(operator.n)
            # ⟨A, M⟩ of a symmetric M: any split of A_jk + A_kj does.
            A[:, i, j] = operator.packed
        else:
            A = operator.packed.reshape(N, n1, -1)

        def data(M):
            return sum((np.sum(A[i] * M) - b[i]) ** 2 for i in range(N)) / (4 * N)

    elif family == "mc":

        def data(M):
            seen = zip(operator.rows, operator.cols, b, strict=True)
            return sum((M[i, j] - value) ** 2 for i, j, value in seen)

    else:

        def data(M):
            seen = zip(operator.rows, operator.cols, b, strict=True)
            return sum(np.log(1 + np.exp(M[i, j])) - alpha * M[i, j] for i, j, alpha in seen)

    def whole(Z):
        if n1 is None:
            return data(Z @ Z.T)
        X, Y = Z[:n1], Z[n1:]
        return data(X @ Y.T) + BALANCE[family] * np.sum((X.T @ X - Y.T @ Y) ** 2)

    return whole


@pytest.mark.parametrize("name", PROBLEMS)
def test_value_and_gradient_are_the_papers(name):
    made = make_ipgd_problem(name, 3, **SMALL[name])
    assert made.name == name
    f, objective = literal(made), OfProblem(made.problem, made.scale)
    rng = np.random.default_rng(0)
    X, D = 0.7 * rng.standard_normal((2, made.problem.n, made.problem.rank))
    assert objective.value(X) == pytest.approx(f(X), rel=1e-12)
    slope = (f(X + 1e-5 * D) - f(X - 1e-5 * D)) / 2e-5
    gradient = objective.gradient(X)
    assert np.sum(gradient * D) == pytest.approx(slope, rel=1e-7)
    # The truth is a solution, and zero, where every run starts, is stationary.
    size = np.linalg.norm(gradient)
    assert np.linalg.norm(objective.gradient(made.wide_truth)) < 1e-12 * size
    assert not np.any(objective.gradient(0 * X))


# η λ_max(∇²f(X*)) and λ_min(∇²f(0)) of independent draws of these problems.  They are statistics
# of ten seeds, of which an own draw may lie somewhat outside: by ROOM of their size.
ROOM = 0.2
RANGES = {
    "ms-sym": ((1.91, 2.23), (-9.4, -9.4)),
    "ms-rect": ((1.05, 1.09), (-5.2, -5.2)),
    "mc-sym": ((1.06, 1.31), (-32.0, -23.0)),
    "mc-rect": ((0.8, 0.8), (-16.7, -16.7)),
    "onebit-sym": ((0.66, 0.82), (-4.6, -3.6)),
    "onebit-rect": ((1.0, 1.0), (-2.2, -2.2)),
    "sparse": ((0.75, 0.85), (-39.0, -39.0)),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_curvature_at_the_ends(name):
    made = make_ipgd_problem(name, 0)
    problem, X = made.problem, made.wide_truth
    D = np.random.default_rng(1).standard_normal(X.shape)
    for _ in range(60):
        D = made.scale * np.asarray(problem.hessian_product(X, D / np.linalg.norm(D)))
    top = made.printed.step * np.linalg.norm(D)
    # At zero the Hessian is twice the slack, for every column alike.
    flat = np.asarray(problem.slack(0 * X, np.eye(problem.n)))
    least = made.scale * 2 * np.linalg.eigvalsh(flat)[0]
    (low, high), (deep, shallow) = RANGES[name]
    assert low * (1 - ROOM) <= top <= high * (1 + ROOM)
    assert deep * (1 + ROOM) <= least <= shallow * (1 - ROOM)


class TestSizes:
    def test_defaults_are_the_papers(self):
        made = make_ipgd_problem("ms-sym")
        assert (made.problem.n, made.problem.rank, made.rank) == (20, 20, 3)
        assert made.scale == pytest.approx(1 / 2000)
        values = np.linalg.eigvalsh(made.truth @ made.truth.T)[::-1]
        np.testing.assert_allclose(values[:4], [10, 5, 1, 0], atol=1e-12)
        made = make_ipgd_problem("mc-rect")
        assert (made.problem.n, made.problem.m) == (40, 320)
        assert made.problem.regularisers[0].weight == pytest.approx(0.5)
        made = make_ipgd_problem("sparse")
        assert (made.problem.n, made.problem.m, made.rank) == (300, 300, 1)
        theta = made.truth[:150, 0] ** 2 - made.truth[150:, 0] ** 2
        np.testing.assert_allclose(theta[:6], [10, -5, 3, -2, 1, 0], atol=1e-14)
        assert np.linalg.norm(theta) == pytest.approx(11.79, abs=0.005)

    def test_printed_settings(self):
        steps = {name: make_ipgd_problem(name, **SMALL[name]).printed.step for name in PROBLEMS}
        assert steps == {
            "ms-sym": 0.1,
            "ms-rect": 0.1,
            "mc-sym": 0.02,
            "mc-rect": 0.02,
            "onebit-sym": 0.1,
            "onebit-rect": 0.1,
            "sparse": 0.01,
        }
        printed = make_ipgd_problem("ms-rect", **SMALL["ms-rect"]).printed
        assert (printed.gamma, printed.G, printed.F) == (1e-15, 1e-7, 1e-10)
        assert (printed.T_escape, printed.balance) == (50, 1.0)

    def test_the_seed_decides_all(self):
        first, again = (make_ipgd_problem("mc-sym", 4, **SIZES) for _ in range(2))
        other = make_ipgd_problem("mc-sym", 5, **SIZES)
        np.testing.assert_array_equal(first.problem.b, again.problem.b)
        assert not np.array_equal(first.truth, other.truth)
        # Every seed has the same number of entries, so that seeds can be run as one batch.
        assert first.problem.m == other.problem.m == 20

    def test_scale_and_weight_of_the_balance(self):
        """λ‖XᵀX − YᵀY‖² is in the objective's own scale, whatever ``scale`` is."""
        X = np.random.default_rng(0).standard_normal((9, 4))
        gap = X[:5].T @ X[:5] - X[5:].T @ X[5:]
        for scale in (None, 3.0):
            given = SMALL["ms-rect"] | {"scale": scale}
            heavy, none = (
                make_ipgd_problem("ms-rect", **given, balance=weight) for weight in (1.0, 0.0)
            )
            assert none.problem.regularisers == ()
            difference = heavy.problem.objective(X) - none.problem.objective(X)
            assert heavy.scale * difference == pytest.approx(np.sum(gap**2), rel=1e-10)

    def test_binary_draws(self):
        made = make_ipgd_problem("onebit-sym", 0, **SIZES, draws=4)
        assert set(np.unique(made.problem.b * 4)) <= {0.0, 1.0, 2.0, 3.0, 4.0}

    @pytest.mark.parametrize(
        ("name", "given", "argument", "says"),
        [
            ("ms_sym", {}, "name", "Did you mean 'ms-sym'"),
            ("ms-sym", {"probability": 0.5}, "probability", "It takes n, columns"),
            ("ms-sym", {"rectangular": True}, "rectangular", "left out"),
            ("ms-sym", {"columns": 4}, "columns", "symmetric"),
            ("ms-sym", {"N": 0}, "N", ">= 1"),
            ("ms-sym", {"n": 2}, "spectrum", "1 to 2 positive"),
            ("ms-sym", {"spectrum": (1.0, 0.0)}, "spectrum", "positive"),
            ("ms-sym", {"width": 2}, "width", "from 3 to 20"),
            ("ms-sym", {"scale": 0.0}, "scale", "> 0"),
            ("ms-rect", {"balance": -1.0}, "balance", ">= 0"),
            ("mc-sym", {"probability": 1.5}, "probability", "<= 1"),
            ("onebit-sym", {"draws": 0}, "draws", ">= 1"),
            ("sparse", {"d": 3}, "theta", "d = 3"),
            ("sparse", {"seed": -1}, "seed", ">= 0"),
        ],
    )
    def test_bad_argument(self, name, given, argument, says):
        with pytest.raises(InvalidInput) as caught:
            make_ipgd_problem(name, **given)
        assert caught.value.argument == argument
        assert says in str(caught.value)
