"""Oracle quantities, scores and moves against the paper, the reference and dense computations."""

import numpy as np
import pytest
from lifted_tools import point

from liftless import (
    ComplexRankOneOperator,
    DenseOperator,
    Huber,
    InvalidInput,
    Ladder,
    LiftedEscape,
    MultiStepEscape,
    OracleJump,
    Problem,
    SingleStep,
    Stop,
    best_step,
    certify,
    descend,
    exact_score,
    make_instance,
    measure,
    oracle,
    paper_score,
)
from liftless.escape.moves import gamma, replace, swap

#: Instance, its RIP constant, paper's EFS, exact score (reference, section E).
SCORES = [
    ("real-world", 0.8753, 0.22764, 0.93019),
    ("basic", 0.5, 1.0, 1.0),
    ("pmc", 7 / 13, 0.1286, 0.1978),
]


def spurious(name):
    instance = make_instance(name)
    return instance.problem, instance.points[0].X


@pytest.mark.parametrize(("name", "delta", "efs", "exact"), SCORES)
def test_scores_of_the_papers_examples(name, delta, efs, exact):
    o = oracle(*spurious(name))
    assert paper_score(o, delta).efs == pytest.approx(efs, abs=1e-4)
    assert exact_score(o).score == pytest.approx(exact, abs=1e-4)


def test_basic_is_exactly_on_the_boundary():
    """λ = −3/4, σ² = 1/2, ‖A(P)‖² = 3, ⟨A(P), A(Q)⟩ = 0: the score is 1, and nothing falls."""
    o = oracle(*spurious("basic"))
    assert (o.lambda_n, o.sigma**2, o.A_P @ o.A_P) == pytest.approx((-0.75, 0.5, 3.0), rel=1e-12)
    assert exact_score(o).score == pytest.approx(1.0, abs=1e-12)


def test_best_step_of_a_real_factor_of_rank_one_is_the_exact_score():
    problem, X = spurious("real-world")
    o = oracle(problem, X)
    best = best_step(problem, X, o.lambda_n, o.u_n)
    assert best.score == pytest.approx(exact_score(o).score, rel=1e-12)
    assert best.amplitude == 0.0


def test_best_step_of_a_complex_factor_beats_every_other_right_factor():
    """Beside the quartics of h along 300 random u c*, of a factor of rank two."""
    rng = np.random.default_rng(2)
    a = rng.standard_normal((9, 3)) + 1j * rng.standard_normal((9, 3))
    problem = Problem(ComplexRankOneOperator(a), rng.uniform(0, 30, 9), 2)
    X = rng.standard_normal((6, 2)) / 2
    point = certify(problem, X, second_order=False)
    value = point.lambda_n
    u, iu = problem.space.turned(point.u_n)
    assert u @ iu == pytest.approx(0, abs=1e-12)
    best = best_step(problem, X, value, u)

    def quartic(D):
        # Less its slope: the point is no stationary one, which these coefficients do not ask for.
        return np.asarray(problem.along(X, D))[2:]

    def discriminant(c):
        return c[1] ** 2 - 4 * c[0] * c[2]

    units = np.array([np.outer(v, row) for v in (u, iu) for row in np.eye(2)])
    others = [quartic(np.tensordot(c / np.linalg.norm(c), units, axes=1))
              for c in rng.standard_normal((300, 4))]  # fmt: skip
    own = quartic(best.direction)
    assert discriminant(own) >= max(discriminant(c) for c in others)
    assert (best.score > 1) == (discriminant(own) > 0)
    s = best.amplitude
    found = SingleStep().candidates(problem, X, point)
    assert [one.amplitude for one in found] == [s] * (best.score > 1)
    assert 2 * own[0] + 3 * own[1] * s + 4 * own[2] * s * s == pytest.approx(0, abs=1e-9 * own[2])
    with pytest.raises(InvalidInput, match="loss"):
        best_step(Problem(problem.operator, problem.b, 2, loss=Huber(1.0)), X, value, u)


def test_oracle_against_explicit_matrices():
    """E, P and Q formed as dense matrices from the printed A_i."""
    problem, X = spurious("real-world")
    A = np.stack([problem.operator.matrix(row) for row in np.eye(6)])
    o = oracle(problem, X)
    slack = np.einsum("m,mij->ij", np.einsum("mij,ij->m", A, X @ X.T) - problem.b, A)
    values, vectors = np.linalg.eigh(slack)
    assert o.lambda_n == pytest.approx(values[0], rel=1e-12)
    assert abs(o.u_n @ vectors[:, 0]) == pytest.approx(1.0, rel=1e-12)
    P = np.outer(o.u_n, o.v) + np.outer(o.v, o.u_n)
    E = np.einsum("m,mij->ij", np.einsum("mij,ij->m", A, P), A)
    np.testing.assert_allclose(o.EX, E @ X, rtol=1e-12)
    assert pytest.approx(o.u_n @ E @ o.u_n, rel=1e-12) == o.E_Q
    np.testing.assert_allclose(o.sigma * np.outer(o.v, o.q), X, rtol=1e-12)


def test_every_triple_and_pair_can_be_asked_for():
    rng = np.random.default_rng(0)
    problem = make_instance("gaussian", n=5, rank=2, seed=1).problem
    X = rng.standard_normal((5, 2))
    V, s, Qt = np.linalg.svd(X, full_matrices=False)
    lowest = np.linalg.eigvalsh(problem.slack(X, np.eye(5)))
    for j in (1, 2):
        for k in (1, 2, 5):
            o = oracle(problem, X, pair=k, triple=j)
            assert o.sigma == pytest.approx(s[j - 1])
            assert o.lambda_n == pytest.approx(lowest[k - 1])
            np.testing.assert_allclose(
                np.outer(o.v, o.q), np.outer(V[:, j - 1], Qt[j - 1]), atol=1e-12
            )
    for bad in ({"pair": 6}, {"triple": 3}, {"pair": 0}):
        with pytest.raises(InvalidInput, match=next(iter(bad))):
            oracle(problem, X, **bad)
    with pytest.raises(InvalidInput, match="X"):
        oracle(problem, np.zeros((5, 2)))


def critical_points(n, r, m, count, rng):
    """Critical points of random problems, minima and saddles alike, by Newton's method."""
    found = []
    while len(found) < count:
        A = rng.standard_normal((m, n, n))
        A = (A + A.transpose(0, 2, 1)) / np.sqrt(8 * m)
        Z = rng.standard_normal((n, r))
        b = np.einsum("mij,ij->m", A, Z @ Z.T)
        X = rng.standard_normal((n, r))
        for _ in range(60):
            res = np.einsum("mij,ij->m", A, X @ X.T) - b
            S = np.einsum("m,mij->ij", res, A)
            J = 2 * np.einsum("mij,jr->mir", A, X).reshape(m, -1)
            H = J.T @ J + 2 * np.kron(S, np.eye(r))
            g = 2 * (S @ X)
            if np.linalg.norm(g) < 1e-12:
                break
            X = X - np.linalg.lstsq(H, g.ravel(), rcond=1e-10)[0].reshape(n, r)
        h = res @ res / 2
        lam = np.linalg.eigvalsh(S)[0]
        regular = np.linalg.norm(g) < 1e-11 and h > 1e-6 * (b @ b) and lam < -1e-6
        if regular and np.linalg.svd(X)[1][-1] > 1e-3:
            found.append((Problem(DenseOperator.from_matrices(A), b, r), X))
    return found


@pytest.mark.parametrize(("n", "r", "m", "count"), [(3, 1, 4, 160), (4, 2, 8, 150)])
def test_exact_score_agrees_with_a_dense_line_search(n, r, m, count):
    """Descent along u qᵀ happens iff the score exceeds one: 310 critical points, no mismatch."""
    rng = np.random.default_rng([n, r, m])
    grid = np.r_[-np.geomspace(1e-3, 10, 4000), np.geomspace(1e-3, 10, 4000)]
    falls = 0
    for problem, X in critical_points(n, r, m, count, rng):
        o = oracle(problem, X)
        exact = exact_score(o)
        y0 = measure(problem.operator, X, X) - problem.b
        y1 = 2 * measure(problem.operator, X, o.beta_direction)
        y2 = measure(problem.operator, o.beta_direction, o.beta_direction)
        h = np.sum((y0 + grid[:, None] * (y1 + grid[:, None] * y2)) ** 2, axis=1) / 2
        start = y0 @ y0 / 2
        assert (h.min() < start * (1 - 1e-10)) == (exact.score > 1), exact
        if exact.score > 1:
            falls += 1
            best = grid[np.argmin(h)]
            assert exact.s_1 < best < exact.s_2
            assert exact.amplitude == pytest.approx(best, rel=2e-2)
            at = problem.objective(X + exact.amplitude * o.beta_direction)
            assert at <= h.min() * (1 + 1e-9)
    assert 20 < falls < count - 5


def test_paper_interval_descends_in_both_sign_cases():
    """(4.6) holds for the step from X̂, left of zero for ⟨E, Q⟩ > 0 and right of it otherwise."""
    rng = np.random.default_rng(8)
    cases = {1: 0, -1: 0}
    for problem, X in critical_points(3, 1, 4, 250, rng):
        o = oracle(problem, X)
        # An upper RIP constant for the two matrices that matter makes (4.4) sufficient.
        delta = max(o.A_P @ o.A_P / 2, o.A_Q @ o.A_Q) - 1
        score = paper_score(o, delta) if 0 <= delta < 1 else None
        if score is None or score.efs <= 1.001:
            continue
        inside = np.linspace(score.rho_1, score.rho_2, 7)[1:-1]
        inside = inside[inside * o.E_Q < 0]  # at a saddle the interval reaches across zero
        values = [problem.objective(X + s * o.beta_direction) for s in inside]
        assert max(values) < problem.objective(X)
        cases[1 if o.E_Q > 0 else -1] += 1
    assert min(cases.values()) >= 3, cases


def test_printed_case_one_rises():
    """At a strict minimum with score > 1 and ⟨E, Q⟩ > 0 the step from −X̂, as printed, goes up."""
    rng = np.random.default_rng(4)
    seen = 0
    for problem, X in critical_points(3, 1, 4, 400, rng):
        o = oracle(problem, X)
        exact = exact_score(o)
        strict = o.lambda_n + o.sigma**2 * (o.A_P @ o.A_P) / 2 > 0
        if exact.score > 1 and strict and o.E_Q > 0:
            assert exact.s_1 < exact.amplitude < exact.s_2 < 0
            step = exact.amplitude * o.beta_direction
            before = problem.objective(X)
            assert problem.objective(X + step) < before < problem.objective(-X + step)
            seen += 1
    assert seen >= 1


def test_paper_score_refuses_a_constant_outside_the_unit_interval():
    o = oracle(*spurious("real-world"))
    for delta in (-0.1, 1.0, np.nan):
        with pytest.raises(InvalidInput, match="delta"):
            paper_score(o, delta)


def test_gamma_amplitude_is_the_closed_form():
    """s² = ⟨A(DDᵀ), b⟩ / ‖A(DDᵀ)‖², computed here from explicit matrices."""
    problem, X = spurious("real-world")
    o = oracle(problem, X)
    (move,) = gamma(problem, X, certify(problem, X), o)
    y = measure(problem.operator, move.direction, move.direction)
    assert move.amplitude**2 == pytest.approx(y @ problem.b / (y @ y), rel=1e-12)
    assert move.objective_at == pytest.approx(problem.objective(move.point), rel=1e-14)


def test_swap_drops_each_triple_in_turn():
    problem = make_instance("gaussian", n=5, rank=2, seed=3).problem
    X = descend(problem, np.random.default_rng(1).standard_normal((5, 2))).X + 0.3
    V, s, Qt = np.linalg.svd(X, full_matrices=False)
    u = certify(problem, X).u_n
    found = swap(problem, X, certify(problem, X), u)
    assert [c.note for c in found] == ["triple=2", "triple=1"]
    for move, j in zip(found, (1, 0), strict=True):
        kept = X - s[j] * np.outer(V[:, j], Qt[j])
        np.testing.assert_allclose(move.base, kept, atol=1e-12)
        grid = np.linspace(0, 5, 20001)
        line = problem.along(kept, move.direction)
        h = np.polyval(line[::-1], grid)
        assert move.amplitude == pytest.approx(grid[np.argmin(h)], abs=5e-4)


def test_replace_has_no_empty_column():
    """One negative eigenvalue and r = 2: descent could not leave a column of zeros."""
    problem, X = point("basic beside")
    values = np.linalg.eigvalsh(
        problem.operator.matrix(measure(problem.operator, X, X) - problem.b)
    )
    assert values == pytest.approx([-0.75, 0, 0], abs=1e-12)
    (move,) = replace(problem, X, certify(problem, X), width=3)
    sizes = np.linalg.norm(move.point, axis=0) ** 2
    assert move.point.shape == (3, 3)
    assert sizes / sizes.max() == pytest.approx([1.0, 0.3, 0.3])


def test_replace_takes_the_negative_part_where_it_fills_a_factor():
    problem, X = spurious("real-world")
    slack = problem.operator.matrix(measure(problem.operator, X, X) - problem.b)
    negative = np.sum(np.linalg.eigvalsh(slack) < -1e-12)
    (move,) = replace(problem, X, certify(problem, X), width=3)
    assert move.point.shape == (3, negative)


@pytest.mark.parametrize(
    ("family", "kinds"),
    [("gaussian", ["replace", "swap", "gamma"]), ("phase", ["replace", "lift", "swap", "gamma"])],
)
def test_rungs_of_the_ladder(family, kinds):
    """Two more columns where every A_i is positive semidefinite, else γ for several pairs."""
    problem = make_instance(family, n=5, rank=2, seed=3).problem
    X = np.random.default_rng(1).standard_normal((5, 2)) * [1.0, 0.4]
    certificate = certify(problem, X)
    assert certificate.lambda_n < 0
    found = [c.kind for c in Ladder().candidates(problem, X, certificate)]
    assert list(dict.fromkeys(found)) == kinds
    slack = problem.operator.matrix(measure(problem.operator, X, X) - problem.b)
    values = np.linalg.eigvalsh(slack)
    several = 2 * min(3, np.sum(values < 1e-3 * values[0]))
    assert found.count("gamma") == (1 if "lift" in kinds else several)


ESCAPES = [Ladder(), OracleJump(), SingleStep(), MultiStepEscape(order=5), LiftedEscape()]


@pytest.mark.parametrize("rule", ESCAPES, ids=lambda rule: type(rule).__name__)
def test_candidates_are_deterministic_finite_and_keep_their_word(rule):
    for name in ("basic", "pmc", "real-world"):
        problem, X = spurious(name)
        certificate = certify(problem, X)
        first, second = (list(rule.candidates(problem, X, certificate)) for _ in range(2))
        assert [c.summary() for c in first] == [c.summary() for c in second]
        for c in first:
            np.testing.assert_array_equal(c.point, c.base + c.amplitude * c.direction)
            assert c.objective_at == pytest.approx(problem.objective(c.point), rel=1e-12)
            assert c.objective_before == certificate.objective
            assert c.objective_after is None


@pytest.mark.parametrize("rule", ESCAPES, ids=lambda rule: type(rule).__name__)
def test_nothing_to_leave_at_a_certified_point(rule):
    instance = make_instance("real-world")
    Z = instance.truth
    certificate = certify(instance.problem, Z)
    # At the truth λ_n is round-off of either sign: with λ_n >= 0 there is no candidate at all.
    if certificate.lambda_n >= 0:
        assert list(rule.candidates(instance.problem, Z, certificate)) == []
    zero = np.zeros_like(Z)
    assert list(rule.candidates(instance.problem, zero, certify(instance.problem, zero))) == []


@pytest.mark.parametrize("name", ["pmc", "real-world", "basic"])
@pytest.mark.parametrize("rule", [Ladder(), OracleJump()], ids=["ladder", "jump"])
def test_one_escape_leads_to_the_truth(name, rule):
    instance = make_instance(name)
    problem, X = instance.problem, instance.points[0].X
    candidate = next(iter(rule.candidates(problem, X, certify(problem, X))))
    after = descend(problem, candidate.point, None, Stop(max_iterations=4000))
    assert after.objective < 1e-18 * problem.objective(np.zeros_like(X))


def test_multi_step_automatic_steps_lie_inside_and_match_norms():
    """Just inside U_γ the γ point has the norm of X̂ (reference, section D)."""
    problem, X = spurious("pmc")
    for order in (3, 5, 11):
        rule = MultiStepEscape(order=order)
        (c,) = rule.candidates(problem, X, certify(problem, X))
        assert c.kind == "multi-gamma"
        assert np.linalg.norm(c.point) == pytest.approx(np.linalg.norm(X), rel=1e-3)


def test_multi_step_figure_nine_and_table_five():
    """h(X̌)/h(X̂) of the printed settings: 1.2505 in Fig. 9; none where the a-term leads."""
    problem, X = spurious("real-world")
    certificate = certify(problem, X)
    (c,) = MultiStepEscape(order=5, steps=150000.0).candidates(problem, X, certificate)
    assert c.kind == "multi-gamma"
    assert c.objective_at / c.objective_before == pytest.approx(1.2505, abs=5e-5)
    expected = np.array([0.890877, -0.158397, -0.168866])
    np.testing.assert_allclose(np.abs(c.point.ravel()), np.abs(expected), atol=5e-7)
    (b,) = MultiStepEscape(order=5, steps=33500.0).candidates(problem, X, certificate)
    assert b.kind == "multi-beta"
    assert b.objective_at / b.objective_before == pytest.approx(1.090, abs=5e-4)
    assert MultiStepEscape(order=5, steps=1000.0).candidates(problem, X, certificate) == []


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: MultiStepEscape(order=4), "order"),
        (lambda: MultiStepEscape(rho=1.5), "rho"),
        (lambda: MultiStepEscape(eta=0.0), "eta"),
        (lambda: MultiStepEscape(steps=-1.0), "steps"),
        (lambda: SingleStep(mode="paper"), "delta"),
        (lambda: SingleStep(mode="other"), "mode"),
    ],
)
def test_bad_hyper_parameters_are_named(make, argument):
    with pytest.raises(InvalidInput, match=argument):
        make()
