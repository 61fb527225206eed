"""Operators against their matrices, their adjoint, and their distance from an isometry."""

import ast
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import OPERATORS, M, N, R, load_example, symmetric

from liftless._errors import InputWarning
from liftless.operators import (
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    RankOneOperator,
    SensingOperator,
    backproject,
    check,
    dot_test,
    matrix,
    measure,
    rip_estimate,
)

rows = pytest.mark.parametrize("case", OPERATORS, ids=lambda case: case.name)


def assert_close(actual, wanted, tolerance):
    actual = np.asarray(actual)
    assert actual.dtype == np.float64
    assert actual.shape == wanted.shape
    assert np.linalg.norm(actual - wanted) <= tolerance * max(np.linalg.norm(wanted), 1e-300)


@rows
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_dot_test_passes(case, rank):
    outcome = dot_test(case()[0], rank=rank, tolerance=case.tolerance)
    assert outcome.passed, outcome


@rows
def test_products_are_those_of_the_matrices(case):
    operator, A = case()
    rng = np.random.default_rng(1)
    U, V = rng.standard_normal((2, case.n, R))
    y = rng.standard_normal(case.m)
    assert (operator.n, operator.m) == (case.n, case.m)
    assert_close(measure(operator, U, V), np.einsum("mij,ir,jr->m", A, U, V), case.tolerance)
    assert_close(backproject(operator, y, V), np.einsum("m,mij,jr->ir", y, A, V), case.tolerance)
    assert_close(matrix(operator, y), np.einsum("m,mij->ij", y, A), case.tolerance)
    assert_close(operator.jacobian(U), 2 * np.einsum("mij,jr->mir", A, U), case.tolerance)
    # Numbers that are stored in single precision are squared in it.
    squares = np.asarray(operator.squares(), np.float64)
    assert_close(squares, np.sum(A**2, axis=(1, 2)), max(case.tolerance, 1e-6))


@rows
@settings(max_examples=12)
@given(
    shape=st.sampled_from([(0, 1), (1, 1), (2, 2)]),
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1e-150, 1.0, 1e6]),
)
def test_products_at_any_shape_and_size(case, shape, seed, size):
    which, r = shape
    n, m = case.shapes[which]
    operator, A = case(n, m, seed)
    if case.name == "dense float32" and size < 1:
        size = 1e-10  # its range ends at 1e-38
    rng = np.random.default_rng(seed)
    U, V = size * rng.standard_normal((2, n, r))
    y = rng.standard_normal(m)
    # Relative to the size of the terms: a single measurement may cancel.
    scale = np.linalg.norm(A) * np.linalg.norm(U)
    got = measure(operator, U, V)
    wanted = np.einsum("mij,ir,jr->m", A, U, V)
    assert np.abs(got - wanted).max() <= case.tolerance * scale * np.linalg.norm(V)
    got = backproject(operator, y, U)
    wanted = np.einsum("m,mij,jr->ir", y, A, U)
    assert np.abs(got - wanted).max() <= case.tolerance * scale * np.linalg.norm(y)


class WrongAdjoint(SensingOperator):
    inner: SensingOperator
    n: int = eqx.field(static=True, default=N)
    m: int = eqx.field(static=True, default=M)

    def measure(self, U, V):
        return self.inner.measure(U, V)

    def backproject(self, y, V):
        return 2 * self.inner.backproject(y, V)


class NotSymmetric(SensingOperator):
    inner: SensingOperator
    n: int = eqx.field(static=True, default=N)
    m: int = eqx.field(static=True, default=M)

    def measure(self, U, V):
        return self.inner.measure(U, jnp.roll(V, 1, axis=0))


class NotBilinear(SensingOperator):
    inner: SensingOperator
    n: int = eqx.field(static=True, default=N)
    m: int = eqx.field(static=True, default=M)

    def measure(self, U, V):
        return self.inner.measure(U, V) * jnp.sum(jnp.asarray(U) * V)

    def backproject(self, y, V):
        return self.inner.backproject(y, V)


class Undefined(SensingOperator):
    inner: SensingOperator
    n: int = eqx.field(static=True, default=N)
    m: int = eqx.field(static=True, default=M)

    def measure(self, U, V):
        return jnp.nan * self.inner.measure(U, V)


class Nothing(SensingOperator):
    inner: SensingOperator
    n: int = eqx.field(static=True, default=N)
    m: int = eqx.field(static=True, default=M)

    def measure(self, U, V):
        return 0 * self.inner.measure(U, V)

    def backproject(self, y, V):
        return self.inner.backproject(y, V)


@pytest.mark.parametrize(
    ("wrong", "identity"),
    [
        (WrongAdjoint, "adjoint"),
        (NotSymmetric, "symmetry"),
        (NotBilinear, "bilinearity"),
        (Undefined, "symmetry"),
        (Nothing, "adjoint"),
    ],
)
def test_dot_test_finds_a_wrong_operator(wrong, identity):
    outcome = dot_test(wrong(OPERATORS[0]()[0]))
    assert not outcome.passed
    assert not getattr(outcome, identity) <= 1e-2  # or NaN


def test_own_operator_example_is_short_and_passes(capsys):
    example = load_example("own_operator")
    source = Path(example.__file__).read_text()
    (node,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert node.end_lineno - node.lineno + 1 <= 15
    assert example.main().passed
    assert "passed" in capsys.readouterr().out


# -- structure -------------------------------------------------------------------------------------


def all_entries(n):
    return np.indices((n, n)).reshape(2, -1)


POSITIVE = {
    "dense, full span": lambda rng: DenseOperator.from_matrices(symmetric(N, 12, rng)),
    "dense, with identity": lambda rng: DenseOperator.from_matrices(
        np.concatenate([symmetric(N, 2, rng), 3 * np.eye(N)[None]])
    ),
    "entries, all": lambda rng: EntriesOperator(*all_entries(N), N),
    "entries, negative weights": lambda rng: EntriesOperator(
        *all_entries(N), N, rng.standard_normal(N * N)
    ),
    "rank one, spanning": lambda rng: RankOneOperator(rng.standard_normal((N, N))),
    "diagonal": lambda rng: DiagonalOperator(rng.standard_normal((N + 1, N))),
}
NONE = {
    "dense, traceless": lambda rng: DenseOperator.from_matrices(
        symmetric(N, M, rng) * (1 - np.eye(N))
    ),
    "entries, a diagonal one missing": lambda rng: EntriesOperator(*all_entries(N)[:, 1:], N),
    "entries, weight zero": lambda rng: EntriesOperator(
        *all_entries(N), N, np.r_[0.0, np.ones(N * N - 1)]
    ),
    "rank one, too few": lambda rng: RankOneOperator(rng.standard_normal((N - 1, N))),
    "diagonal, a column zero": lambda rng: DiagonalOperator(
        rng.standard_normal((N, N)) * (np.arange(N) > 0)
    ),
}


@pytest.mark.parametrize("name", POSITIVE)
def test_positive_combination_is_positive_definite(name):
    operator = POSITIVE[name](np.random.default_rng(0))
    w = operator.positive_combination()
    assert w.shape == (operator.m,)
    assert np.linalg.eigvalsh(matrix(operator, w))[0] > 1e-8


@pytest.mark.parametrize("name", NONE)
def test_no_positive_combination(name):
    assert NONE[name](np.random.default_rng(0)).positive_combination() is None


def test_entries_ij_and_ji_are_the_same():
    rng = np.random.default_rng(0)
    i, j = rng.integers(0, N, (2, M))
    U, V = rng.standard_normal((2, N, R))
    y = rng.standard_normal(M)
    one, other = EntriesOperator(i, j, N), EntriesOperator(j, i, N)
    np.testing.assert_allclose(measure(one, U, V), measure(other, U, V), rtol=1e-14)
    np.testing.assert_allclose(backproject(one, y, V), backproject(other, y, V), rtol=1e-14)
    np.testing.assert_allclose(measure(one, U, U), (U @ U.T)[i, j], rtol=1e-13)


def test_asymmetric_matrices_are_reported_and_symmetrised():
    A = np.random.default_rng(0).standard_normal((M, N, N))
    with pytest.warns(InputWarning, match="asymmetric"):
        operator = DenseOperator.from_matrices(A)
    same = DenseOperator.from_matrices((A + A.transpose(0, 2, 1)) / 2)
    np.testing.assert_allclose(operator.packed, same.packed, rtol=1e-15)


# -- restricted isometry ---------------------------------------------------------------------------


def isometry(n):
    i, j = np.triu_indices(n)
    return DenseOperator(np.diag(np.where(i == j, 1.0, np.sqrt(2))), n)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_isometry_has_delta_zero(rank):
    found = rip_estimate(isometry(3), rank, starts=2)
    assert max(found.delta_lower, found.delta_upper, found.scaled_upper) < 1e-12


def test_perturbed_completion_has_the_known_constant():
    """Entries weighted by 1 or eps: |A(M)|²/|M|² fills [eps², 1], and rank two reaches eps²."""
    eps = 0.3
    weights = np.array([[1, 1, eps], [1, 1, 1], [eps, 1, 1]]).ravel()
    operator = EntriesOperator(*all_entries(3), 3, weights)
    found = [rip_estimate(operator, rank, starts=2) for rank in (1, 2, 3)]
    for estimate in found:
        assert eps**2 - 1e-12 <= estimate.low < estimate.high <= 1 + 1e-12
        assert estimate.certified
        assert estimate.delta_upper == pytest.approx(0.91, abs=1e-12)
        assert estimate.scaled_upper == pytest.approx(0.91 / 1.09, abs=1e-12)
        assert estimate.delta_lower <= estimate.delta_upper + 1e-12
    for attained in found[1:]:
        assert attained.delta_lower == pytest.approx(0.91, abs=1e-9)
        assert attained.scaled_lower == pytest.approx(0.834862, abs=1e-6)
    assert found[0].delta_lower < 0.91 - 0.1  # no rank-one matrix has an off-diagonal pair alone


@pytest.mark.parametrize("rank", [1, 2])
def test_no_sampled_quotient_leaves_the_extremes_found(rank):
    n = 3
    A = symmetric(n, 8, np.random.default_rng(3))
    operator = DenseOperator.from_matrices(A)
    found = rip_estimate(operator, rank, starts=3)
    wider = rip_estimate(operator, rank + 1, starts=3)
    assert wider.low <= found.low * (1 + 1e-9)
    assert wider.high >= found.high * (1 - 1e-9)
    assert found.delta_lower <= found.delta_upper * (1 + 1e-12)
    X = np.random.default_rng(4).standard_normal((4000, n, rank))
    signs = np.where(np.arange(4000) % 2, 1.0, -1.0)[:, None] ** np.arange(rank)
    S = np.einsum("kir,kr,kjr->kij", X, signs, X)
    quotients = (np.einsum("mij,kij->km", A, S) ** 2).sum(1) / (S**2).sum((1, 2))
    assert found.low * (1 - 1e-9) <= quotients.min() <= 1.5 * found.low + 0.1 * found.high
    assert 0.9 * found.high <= quotients.max() <= found.high * (1 + 1e-9)


def test_without_the_dense_search_the_upper_bound_is_left_open(monkeypatch):
    # Traceless matrices: A(I) = 0, where a search started at the identity would stay.
    operator = EntriesOperator([0, 0, 1], [1, 2, 2], 3, [1.0, 2.0, 3.0])
    full = rip_estimate(operator, 2, starts=2)
    monkeypatch.setattr(check, "FULL_LIMIT", 2)
    found = rip_estimate(operator, 2, starts=2)
    assert found.delta_upper is None
    assert found.scaled_upper is None
    assert not found.certified
    assert found.high == pytest.approx(full.high, rel=1e-6)
    assert found.high == pytest.approx(4.5, rel=1e-6)
