"""Fits that are exact at a wrong matrix, each with the reason: the verdict says what it must."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

import liftless as ll
from liftless.identify import eliminated
from liftless.identify.fit import Fit
from liftless.identify.restricted import Restricted
from liftless.identify.zeros import forced
from liftless.space import Hermitian

RNG = np.random.default_rng(11)
CLIQUES = sorted({(i, j) for b in (range(4), range(3, 7)) for i in b for j in b if i <= j})
ROWS, COLS = (np.array(k) for k in zip(*CLIQUES, strict=True))


def dense(operator):
    """The same A_i as an operator of dense matrices, from its own measurements of units."""
    n = operator.n
    eye = np.eye(n)
    A = np.zeros((operator.m, n, n))
    for i in range(n):
        for j in range(n):
            A[:, i, j] = np.asarray(operator.measure(eye[:, [i]], eye[:, [j]]))
    return ll.DenseOperator.from_matrices(A)


def posed(operator, Z, weights=None, rank=None):
    """Problem whose data are those of Z."""
    y = np.asarray(operator.measure(Z, Z))
    return ll.Problem(operator, y, rank or Z.shape[1], weights=weights)


def check_other(problem, verdict):
    """Check that the counterexample fits and is another matrix."""
    X, Y = verdict.factor, verdict.other
    used = np.asarray(problem.weights) != 0
    here, there = (np.asarray(problem.operator.measure(W, W))[used] for W in (X, Y))
    np.testing.assert_allclose(there, here, atol=1e-7 * np.abs(here).max())
    M, N = problem.space.matrix(X), problem.space.matrix(Y)
    assert np.linalg.norm(M - N) > 1e-4 * np.linalg.norm(M)


def squares():
    a = np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 1, -1], [0, 1, 2]])
    return ll.RankOneOperator(a), np.array([[1.0], [1], [2]]), None


def diagonals():
    return ll.DiagonalOperator(np.eye(2)), np.array([[1.0], [-1.0]]), None


def link_of_weight_zero():
    rows, cols = np.array([0, 0, 1, 2, 2, 3, 1]), np.array([0, 1, 1, 2, 3, 3, 2])
    return ll.EntriesOperator(rows, cols, 4), RNG.standard_normal((4, 1)), np.r_[np.ones(6), 0.0]


def link_of_factor_zero():
    rows, cols = np.array([0, 0, 1, 2, 2, 3, 1]), np.array([0, 1, 1, 2, 3, 3, 2])
    operator = ll.EntriesOperator(rows, cols, 4, np.r_[np.ones(6), 0.0])
    return operator, RNG.standard_normal((4, 1)), None


def zero_row():
    Z = np.ones((7, 1))
    Z[3] = 0
    return ll.EntriesOperator(ROWS, COLS, 7), Z, None


def block_mirrored():
    Z = np.random.default_rng(0).standard_normal((7, 2))
    Z[3] = [1, 0]
    return ll.EntriesOperator(ROWS, COLS, 7), Z, None


def toeplitz():
    g = np.random.default_rng(1)
    A = np.array([scipy.linalg.toeplitz(g.standard_normal(6)) for _ in range(12)])
    return ll.DenseOperator.from_matrices(A), g.standard_normal((6, 1)), None


def five_squares():
    g = np.random.default_rng(2)
    return ll.RankOneOperator(g.standard_normal((5, 5))), g.standard_normal((5, 1)), None


def fourier():
    f = np.exp(-2j * np.pi * np.outer(np.arange(12), np.arange(6)) / 12)
    A = np.real(np.einsum("mi,mj->mij", f.conj(), f))
    z = np.random.default_rng(3).standard_normal((6, 1))
    return ll.DenseOperator.from_matrices(A), z, None


def exchanged():
    """Matrices that do not notice an exchange of two rows, of very different lengths."""
    g = np.random.default_rng(4)
    A, P = g.standard_normal((10, 5, 5)), np.eye(5)[[1, 0, 2, 3, 4]]
    A = A + A.transpose(0, 2, 1)
    Z = g.standard_normal((5, 1))
    Z[0] *= 1e-2
    return ll.DenseOperator.from_matrices(A + P @ A @ P), Z, None


def turned():
    """Matrices that do not notice a reflection across no axis: only a search finds it."""
    g = np.random.default_rng(4)
    A, v = g.standard_normal((10, 5, 5)), g.standard_normal(5)
    A, Q = A + A.transpose(0, 2, 1), np.eye(5) - 2 * np.outer(v, v) / (v @ v)
    return ll.DenseOperator.from_matrices(A + Q @ A @ Q), g.standard_normal((5, 1)), None


AMBIGUOUS = {
    "squares in blocks": (squares, "signs"),
    "diagonals": (diagonals, "signs"),
    "a link of weight zero": (link_of_weight_zero, "signs"),
    "a link of factor zero": (link_of_factor_zero, "signs"),
    "a zero row between": (zero_row, "signs"),
    "a block mirrored": (block_mirrored, "second fit"),
    "Toeplitz": (toeplitz, "second fit"),
    "five squares": (five_squares, "second fit"),
    "Fourier": (fourier, "second fit"),
    "two rows exchanged": (exchanged, "second fit"),
    "turned": (turned, "second fit"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_another_matrix_fits_in_every_storage(name):
    made, finding = AMBIGUOUS[name]
    operator, Z, weights = made()
    for stored in (operator, dense(operator)):
        problem = posed(stored, Z, weights)
        verdict = ll.identifiability(problem, Z)
        assert not verdict.identifiable
        assert verdict.open
        assert finding in verdict.findings
        assert "not identifiable" in verdict.message
        check_other(problem, verdict)


def test_recover_says_it_of_a_wrong_matrix():
    operator, Z, _ = squares()
    result = ll.recover(posed(operator, Z), seed=0)
    assert result.certificate.kind == "exact"
    assert not result.identifiability.identifiable
    assert "Other matrices fit as well" in result.message
    assert "NO: other matrices fit as well" in str(result)


def test_a_rough_fit_is_not_called_determined():
    operator = ll.EntriesOperator([0, 0, 1], [0, 1, 1], 2, [1e9, 1, 1])
    problem = ll.Problem(operator, [1e9, 1.0, 1.0], 1)
    off = ll.identifiability(problem, np.array([[1.0], [1.04]]), fitted=True)
    assert not off.identifiable
    assert not off.open
    assert 0.03 < off.error_estimate < 0.3
    assert "accuracy" in off.answer
    right = ll.identifiability(problem, np.ones((2, 1)), fitted=True)
    assert right.identifiable
    assert right.error_estimate < 1e-12


def test_a_large_weight_is_no_false_alarm():
    operator = ll.EntriesOperator([0, 0, 1], [0, 1, 1], 2, [1e7, 1, 1])
    problem = ll.Problem(operator, [1e7, 1.0, 1.0], 1)
    assert ll.identifiability(problem, np.ones((2, 1)), fitted=True).identifiable


def test_measurements_that_span_no_more_than_the_freedom_say_near_only():
    """One row of a matrix of rank one: unique, but no more equations than unknowns."""
    operator = ll.EntriesOperator(np.zeros(5, int), np.arange(5), 5)
    verdict = ll.identifiability(posed(operator, RNG.standard_normal((5, 1))), np.ones((5, 1)))
    assert not verdict.identifiable
    assert not verdict.open
    assert "few" in verdict.findings
    assert "near this one only" in verdict.message


def test_generic_measurements_are_determined_and_searched():
    A = RNG.standard_normal((14, 5, 5))
    Z = RNG.standard_normal((5, 2))
    verdict = ll.identifiability(posed(ll.DenseOperator.from_matrices(A + A.mT), Z), Z)
    assert verdict.identifiable
    assert (verdict.reach, verdict.answer) == ("everywhere", "yes")


def test_unseen_rows_are_found_at_any_size():
    n = 600
    g = np.random.default_rng(5)
    i, j = g.integers(0, n - 2, (2, 8 * n))
    Z = g.standard_normal((n, 2))
    verdict = ll.identifiability(posed(ll.EntriesOperator(i, j, n), Z), Z, method="none")
    assert verdict.open
    assert "row 598, row 599" in verdict.message
    seen = np.r_[i, n - 2, n - 1, n - 2, n - 1], np.r_[j, 0, 0, 1, 1]
    verdict = ll.identifiability(posed(ll.EntriesOperator(*seen, n), Z), Z, method="none")
    assert not verdict.open


def test_separable_bits_have_no_minimiser():
    g = np.random.default_rng(6)
    A = g.standard_normal((10, 4, 4))
    operator = ll.DenseOperator.from_matrices(A + A.mT)
    Z = 10 * g.standard_normal((4, 1))
    y = np.asarray(operator.measure(Z, Z))
    bits = ll.Problem(operator, (y > 0).astype(float), 1, loss=ll.Logistic())
    verdict = ll.identifiability(bits, Z, fitted=True)
    assert not verdict.identifiable
    assert "no minimiser" in verdict.answer
    frequencies = ll.Problem(operator, 1 / (1 + np.exp(-y / 100)), 1, loss=ll.Logistic())
    assert ll.identifiability(frequencies, Z / 10, fitted=True).identifiable


def test_zero_readings_of_semidefinite_matrices_are_eliminated():
    z = np.r_[np.random.default_rng(25).standard_normal(3), 0, 0, 0][:, None]
    i, j = np.array([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2), (3, 3), (4, 4), (5, 5)]).T
    operator = ll.EntriesOperator(i, j, 6)
    for stored in (operator, dense(operator)):
        verdict = ll.identifiability(posed(stored, z), z)
        assert verdict.identifiable
        assert verdict.factor.shape == (6, 1)
        assert "3 readings of zero leave 3 of 6 dimensions" in verdict.message


def test_elimination_sharpens_a_fit():
    g = np.random.default_rng(7)
    a, z = g.standard_normal((12, 5)), g.standard_normal((5, 1))
    a[:3] -= np.outer((a[:3] @ z)[:, 0], z[:, 0]) / float(np.sum(z * z))
    y = (a @ z)[:, 0] ** 2
    y[:3] = 0
    problem = ll.Problem(ll.RankOneOperator(a), y, 1)
    # Off by 1e-6 where the readings are zero: h is 1e-24.
    blunt = z + 1e-6 * a[:1].T
    sharp = eliminated(Fit(problem, blunt)).X
    assert np.linalg.norm(sharp @ sharp.T - z @ z.T) < 1e-10 * float(np.sum(z * z))
    assert ll.identifiability(problem, sharp, fitted=True).error_estimate < 1e-9


def test_a_zero_reading_of_an_indefinite_matrix_forces_nothing():
    g = np.random.default_rng(8)
    z = np.array([[1.0], [1.0], [0.5]])
    A = g.standard_normal((7, 3, 3))
    A[0] = np.diag([1.0, -1.0, 0.0])
    problem = posed(ll.DenseOperator.from_matrices(A + A.mT), z)
    assert forced(Fit(problem, z)) is None


def test_the_complex_gauge_is_the_space_s_own():
    """|a* z|² of a complex z: open is the phase alone, and real a_i leave the conjugate."""
    g = np.random.default_rng(9)
    a = g.standard_normal((14, 3)) + 1j * g.standard_normal((14, 3))
    stack = np.array([np.r_[row.real, row.imag] for row in a])
    other = np.array([np.r_[-row.imag, row.real] for row in a])
    A = np.einsum("mi,mj->mij", stack, stack) + np.einsum("mi,mj->mij", other, other)
    inner = ll.DenseOperator.from_matrices(A)
    space = Hermitian(3)
    operator = Restricted(inner, np.eye(6), space)
    X = g.standard_normal((6, 1))
    verdict = ll.identifiability(posed(operator, X), X)
    assert verdict.identifiable
    assert (verdict.rank, verdict.dof) == (5, 5)
    # As a real matrix of order six it is no such thing: phases turn it.
    assert not ll.identifiability(posed(inner, X), X).identifiable


@given(st.integers(0, 10**6))
def test_the_verdict_depends_on_no_order_scale_or_repetition(seed):
    g = np.random.default_rng(seed)
    pairs = np.array([(i, j) for i in range(5) for j in range(i, 5)])
    i, j = pairs[np.sort(g.choice(15, 9, replace=False))].T
    Z = g.standard_normal((5, 1)) * (g.random((5, 1)) < 0.8)
    if not Z.any():
        return
    base = ll.identifiability(posed(ll.EntriesOperator(i, j, 5), Z), Z)
    order, size = g.permutation(5), 10.0 ** g.uniform(-3, 3, (5, 1))
    place = np.argsort(order)
    moved = ll.EntriesOperator(place[i], place[j], 5, 10.0 ** g.uniform(-3, 3, 9))
    images = (
        (posed(moved, Z[order]), Z[order]),
        (posed(ll.EntriesOperator(i, j, 5), size * Z), size * Z),
        (posed(ll.EntriesOperator(np.r_[i, i], np.r_[j, j], 5), Z), Z),
    )
    for problem, X in images:
        verdict = ll.identifiability(problem, X)
        assert (verdict.identifiable, verdict.open) == (base.identifiable, base.open)


def test_the_other_fit_is_found_from_either_side():
    """Measurements that a mirror in a plane leaves alone: M and its image, unlike in every row."""
    g = np.random.default_rng([3, 1])
    v = g.standard_normal(6)
    Q = np.eye(6) - 2 * np.outer(v, v) / (v @ v)
    A = g.standard_normal((16, 6, 6))
    A = A + A.mT
    operator = ll.DenseOperator.from_matrices(A + Q @ A @ Q)
    z = g.standard_normal((6, 1)) * np.logspace(0, 2, 6)[:, None]
    for one, other in ((z, Q @ z), (Q @ z, z)):
        verdict = ll.identifiability(posed(operator, one), one, fitted=True)
        assert not verdict.identifiable
        found = verdict.other
        assert np.linalg.norm(found @ found.T - other @ other.T) < 1e-6 * np.sum(z**4) ** 0.5
