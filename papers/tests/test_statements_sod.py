"""Statements of the SOD paper that no experiment judges, by exact small computations."""

import itertools
import math

import numpy as np
import pytest

from liftless.instances import make_instance
from liftless.lifted import LiftedSubspace, step_bounds
from liftless_papers.experiments.own.minima import Points, descend


def power(x, order):
    """X^⊗order as a flat vector."""
    found = np.ones(1)
    for _ in range(order):
        found = np.outer(found, np.ravel(x)).ravel()
    return found


# -- local minima: distance, EFS, curvature --------------------------------------------------------


def family(a, c, d):
    """A_1 = diag(1, a), A_2 = c (e1 e2' + e2 e1'), A_3 = d e2 e2', z = e1, stationary at t e2.

    (1.1) is a = 1/2, c = d = √3/2.  With P/√2, uu', vv' as a basis, δ is exact.
    """
    t2 = a / (a * a + d * d)
    lam = t2 * a - 1
    gains = np.r_[np.linalg.eigvalsh([[1.0, a], [a, a * a + d * d]]), 2 * c * c]
    delta = max(1 - gains.min(), gains.max() - 1)
    return t2, lam, 4 * c * c, delta


def sampled():
    rng = np.random.default_rng(0)
    for a, c, d in rng.uniform(0.05, 1.0, (4000, 3)):
        t2, lam, pp, delta = family(a, c, d)
        if delta < 0.999:
            yield t2, lam, pp, delta


def test_basic_example_is_of_the_family():
    half = 0.75**0.5
    assert family(0.5, half, half) == pytest.approx((0.5, -0.75, 3.0, 0.5))


def test_no_second_order_point_reaches_the_window():
    """D² < (1+δ)/(1−δ) σ² Tr M*, the lower end of (5.17); beyond it is a saddle along u q'."""
    second, saddles = [], []
    for t2, lam, pp, delta in sampled():
        ratio = (1 + t2 * t2) / ((1 + delta) / (1 - delta) * t2)
        (second if 2 * lam + t2 * pp >= 0 else saddles).append(ratio)
    assert min(len(second), len(saddles)) > 100
    assert max(second) < 1
    # Remark 4.2: r_2 is twice that end, and the saddles go beyond it.
    assert max(saddles) > 2


def test_efs_is_at_most_one_at_second_order_points():
    scores = [
        -lam / (t2 * (1 + delta)) for t2, lam, pp, delta in sampled() if 2 * lam + t2 * pp >= 0
    ]
    assert max(scores) <= 1 + 1e-12  # here ⟨A(P), A(Q)⟩ = 0
    rng, best = np.random.default_rng(1), 0.0
    for _ in range(4000):
        # Any products of A(P)/√2 and A(Q), the isometry's bound on their span, the largest NCM.
        B = rng.standard_normal((2, 2)) * rng.uniform(0.1, 1.0, 2)
        gram = B @ B.T
        bound = np.linalg.eigvalsh(gram)[-1]
        efs = gram[0, 0] / bound + gram[0, 1] ** 2 / bound**2
        best = max(best, efs)
    assert 0.99 < best <= 1 + 1e-12


def test_inner_radius_is_beyond_every_minimum():
    """r_1 >= r_2/2 exactly where m(1 + δ)² >= 2."""
    for m, delta in itertools.product((1, 2, 3, 10), (0.0, 0.3, 0.9)):
        inner = 1 - 1 / ((1 + delta) ** 2 * m)
        assert (inner >= 0.5) == (m * (1 + delta) ** 2 >= 2)


def test_bound_on_the_margin():
    """1 − NCM <= 1 − (1−δ)/(1+δ) D²/(2σ² Tr M*), at every stationary point."""
    for t2, lam, _, delta in sampled():
        margin = -lam / (t2 * (1 + delta))
        assert margin >= (1 - delta) / (1 + delta) * (1 + t2 * t2) / (2 * t2) - 1e-12


# -- definitions and lemmas ------------------------------------------------------------------------


def test_isometries():
    """Definition 1.1: the identity with δ = 0, completion with δ = 1 − ε² and no smaller one."""
    problem = make_instance("pmc").problem
    eps = make_instance("pmc").parameters["eps"]
    rng = np.random.default_rng(0)
    gains = []
    for X in rng.standard_normal((200, 3, 1)):
        y = np.asarray(problem.measurements(X))
        gains.append(y @ y / np.sum(X**2) ** 2)
    e1 = np.eye(3)[:, :1]
    assert eps**2 - 1e-12 <= min(gains) <= max(gains) <= 1 + 1e-12
    assert np.sum(np.asarray(problem.measurements(e1)) ** 2) == pytest.approx(1)
    off = np.asarray(problem.operator.measure(np.eye(3)[:, :1], np.eye(3)[:, 2:]))
    assert np.sum(off**2) / 0.5 == pytest.approx(eps**2)


def test_rank_one_approximation():
    """Proposition 4.1: within R the distance is max{|σ^l β^l − ρ|, σ^l |α^l − 1|}, and vanishes."""
    v, u, sigma, rho, order = np.eye(3)[0], np.eye(3)[1], 0.7, 0.2, 3
    escape = power(sigma * v, order) + rho * power(u, order)
    for off in (1e-1, 1e-3, 1e-6):
        alpha, beta = 1 + off, (1 - off) * rho ** (1 / order) / sigma
        gap = power(sigma * (alpha * v + beta * u), order) - escape
        along = [abs(gap @ power(x, order)) for x in (u, v)]
        assert along[0] == pytest.approx(abs(sigma**order * beta**order - rho))
        assert along[1] == pytest.approx(sigma**order * abs(alpha**order - 1))
        # On orthogonal powers the nuclear norm is the sum of the weights.
        assert max(along) < 3 * off


def test_products_of_outer_products():
    rng = np.random.default_rng(0)
    P, Q, U, V = rng.standard_normal((4, 3, 3))
    both, other = np.einsum("ij,kl->ijkl", P, Q), np.einsum("ij,kl->ijkl", U, V)
    printed = np.einsum("iajb,kalb->ijkl", both, other)  # modes 2 and 4 of both
    wanted = np.einsum("ik,jl->ijkl", P @ U, Q @ V)
    assert not np.allclose(printed, wanted)
    assert np.allclose(printed, np.einsum("ik,jl->ijkl", P @ U.T, Q @ V.T))
    assert np.allclose(np.einsum("iajb,akbl->ijkl", both, other), wanted)
    assert power(P, 3) @ power(Q, 3) == pytest.approx(np.trace(P.T @ Q) ** 3)


def test_norms_of_tensors_are_norms_of_symmetric_ones():
    skew = np.array([[0.0, 1.0], [-1.0, 0.0]])
    angles = np.linspace(0, math.pi, 50)
    a = np.stack([np.cos(angles), np.sin(angles)], -1)
    assert np.einsum("ki,ij,kj->k", a, skew, a) == pytest.approx(0)
    rng = np.random.default_rng(0)
    S = T = np.eye(3)
    spectral = 1.0
    for _ in range(20):
        S, T = (M + M.T for M in rng.standard_normal((2, 3, 3)))
        spectral, nuclear = np.linalg.norm(S, 2), np.linalg.norm(T, "nuc")
        assert abs(np.sum(S * T)) <= spectral * nuclear + 1e-12
    values, vectors = np.linalg.eigh(S)
    x = vectors[:, np.argmax(abs(values))]
    assert abs(x @ S @ x) == pytest.approx(spectral)  # attained


def test_bound_of_the_normal_operator():
    """Lemma A.8 with ‖A(M)‖² in place of (1 + δ)‖M‖², for any M."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        A = rng.standard_normal((4, 3, 3))
        A, M = A + A.swapaxes(1, 2), rng.standard_normal((3, 3))
        y = np.einsum("ijk,jk->i", A, M)
        left = np.linalg.norm(np.einsum("i,ijk->jk", y, A), 2) ** 2
        assert left <= 4 * max(np.linalg.norm(a, 2) for a in A) ** 2 * (y @ y) + 1e-9


def test_gradient():
    problem = make_instance("real-world").problem
    X, step = np.random.default_rng(0).standard_normal((3, 1)), 1e-5
    central = [
        (float(problem.objective(X + e)) - float(problem.objective(X - e))) / (2 * step)
        for e in step * np.eye(3)[:, :, None]
    ]
    assert np.asarray(problem.gradient(X)).ravel() == pytest.approx(central, rel=1e-6)


def test_lifted_objective_of_a_lifted_factor():
    """(2.1), (P2): with the permutation tensor, h^l(vec(X)^⊗l) = ‖A(XX')^⊗l − b^⊗l‖², l = 2."""
    rng = np.random.default_rng(0)
    A, X, Z = rng.standard_normal((3, 2, 2)), *rng.standard_normal((2, 2, 2))
    A = A + A.swapaxes(1, 2)
    mode = np.eye(4).reshape(2, 2, 4)
    w = np.einsum("a,b->ab", X.ravel(), X.ravel())
    lifted = np.einsum("ipa,jqb,ab->ipjq", mode, mode, w)
    assert np.allclose(lifted, np.einsum("ip,jq->ipjq", X, X))
    M = np.einsum("ipjq,kplq->ikjl", lifted, lifted)
    y, b = (np.einsum("mij,ip,jp->m", A, U, U) for U in (X, Z))
    residual = np.einsum("mik,njl,ikjl->mn", A, A, M) - np.outer(b, b)
    assert np.sum(residual**2) == pytest.approx(np.sum((np.outer(y, y) - np.outer(b, b)) ** 2))


@pytest.mark.parametrize("order", [3, 5])
def test_projected_step_lowers_the_lifted_objective(order):
    """(B.2), (B.3), with L the largest curvature on the segment."""
    made = make_instance("real-world")
    span = LiftedSubspace.at(made.problem, made.points[0].X, order)
    for rho, eta in itertools.product((0.01, 0.1), (0.01, 0.3)):
        W = span.escaped(rho)
        bounds = step_bounds(span, W, eta, rho, mode="exact")
        assert eta < 2 / bounds.L
        moved = W - eta * span.gradient(W, "exact")
        assert span.difference(moved, W) <= -bounds.Delta * (1 - 1e-9) < 0


#: Weights α, β, γ of a sub-term of Table 3 as powers of β and γ, whether a symmetric pair halves
#: it, and the printed expression of −η times it: sign, powers of ρ, η and of 2^(1−l).
TERMS = {
    "H_1^2": ((0, 1), False, (1, 1, 2, 1)),
    "H_2^2": ((2, 0), False, (-1, 2, 1, 0)),
    "H_2^3": ((2, 0), True, (-1, 2, 1, 1)),
    "H_2^4": ((3, 0), False, (-1, 3, 1, 0)),
    "H_2^5": ((1, 1), True, (1, 2, 2, 2)),
    "H_2^6": ((2, 1), False, (1, 3, 2, None)),  # 2^(1−2l), no power of 2^(1−l)
    "H_3^1": ((0, 1), True, (1, 1, 2, 2)),
    "H_3^2": ((0, 2), False, (-1, 2, 3, 2)),
    "H_3^3": ((1, 1), True, (1, 2, 2, 2)),
    "H_3^4": ((1, 2), False, (-1, 3, 3, 2)),
    "H_3^5": ((0, 2), True, (-1, 2, 3, 3)),
    "H_3^6": ((0, 3), False, (-1, 2, 4, 3)),
    "H_4^1": ((1, 1), True, (1, 2, 2, 2)),
    "H_4^2": ((2, 1), True, (-1, 3, 2, 2)),
    "H_4^3": ((1, 2), True, (-1, 4, 3, 3)),
}


def test_expressions_of_table_4():
    wrong = set()
    for name, ((betas, gammas), halved, printed) in TERMS.items():
        # β = ρ(…), γ = −ηρ 2^(1−l)(…); −η in front.
        right = (-((-1) ** gammas), betas + gammas, 1 + gammas, gammas + halved)
        if right != printed:
            wrong.add(name)
    assert wrong == {"H_2^6", "H_3^6", "H_4^2", "H_4^3"}


def test_one_column_too_many_is_slow():
    """Section 2.2: descent on ‖XX' − M*‖² is linear with r columns, like 1/t with r + 1."""
    truth, rng = np.diag([1.0, 0.0, 0.0]), np.random.default_rng(0)
    errors = {}
    for columns in (1, 2):
        X = 0.5 * rng.standard_normal((3, columns))
        for t in range(4001):
            gap = X @ X.T - truth
            errors[columns, t] = float(np.linalg.norm(gap))
            X = X - 0.1 * gap @ X
    assert errors[1, 2000] < 1e-12
    assert errors[2, 2000] / errors[2, 4000] == pytest.approx(2, rel=0.1)


def operators(rng, count, ratio):
    """Operators on symmetric 3 × 3 matrices with A*A between 1 − δ and 1 + δ, both attained."""
    low, high = 2 / (1 + ratio), 2 * ratio / (1 + ratio)
    turned = np.linalg.qr(rng.standard_normal((count, 6, 6)))[0]
    gains = np.where(rng.random((count, 6)) < 0.8, high, low)
    gains[:, 0], gains[:, -1] = high, low
    i, j = np.triu_indices(3)
    A = np.zeros((count, 6, 3, 3))
    A[:, :, i, j] = np.sqrt(gains)[:, :, None] * turned * np.where(i == j, 1, 0.5**0.5)
    A[:, :, j, i] = A[:, :, i, j]
    return A


@pytest.mark.parametrize(("ratio", "spurious"), [(3.82, False), (200.0, True)])
def test_over_parameterised_minima(ratio, spurious):
    """r_search = 2 > ((1+δ)/(1−δ) − 1)²/4 up to 1 + 2√2; δ of rank three is that of n = 3."""
    assert ((ratio - 1) ** 2 / 4 < 2) != spurious
    rng = np.random.default_rng(0)
    Z, X = rng.standard_normal((400, 3, 1)), rng.standard_normal((400, 3, 2))
    ends = descend(Points(operators(rng, 400, ratio), Z, X))
    assert (not ends.true.all()) == spurious


def test_a_constant_of_twice_half_the_order_leaves_nothing_to_relax():
    """r >= n/2: an isometry of rank 2r >= n is one of all matrices; n = 3, r = 2, δ = .9998."""
    (A,) = operators(np.random.default_rng(0), 1, 1e4)
    rows = A.reshape(6, 9)
    Z = np.random.default_rng(1).standard_normal((3, 2))
    found = np.linalg.lstsq(rows, rows @ (Z @ Z.T).ravel(), rcond=None)[0].reshape(3, 3)
    assert np.allclose(found, Z @ Z.T, atol=1e-9)
