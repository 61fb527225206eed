"""Rows, weights and stacks of operators: they keep class and structure, or ask through."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_tools import OWN, THIN, VECTORS, A, M, N, R, black_box, outer, thin
from scipy.sparse.linalg import LinearOperator

import liftless as ll
from liftless.operators import AmplitudeOperator
from liftless.operators.around import JoinedOperator, RowsOperator, WeightedOperator


def test_what_can_carry_rows_and_weights_keeps_its_class_and_precision():
    w, rows = np.linspace(-1, 1, M), [3, 3, -1, 0]
    a = VECTORS.real
    i, j = np.random.default_rng(0).integers(0, N, (2, M))
    for op in (
        ll.DenseOperator.from_matrices(A, np.float32),
        ll.EntriesOperator(i, j, N),
        ll.DiagonalOperator(a),
        ll.RectangularEntries(i % 4, j % 2, 4, 2),
        ll.RectangularOperator.from_matrices(A),
        thin(),
    ):
        for made in (op[rows], w * op, 2 * op, ll.stack([op, op[rows]])):
            assert type(made) is type(op)
            for before, after in zip(jax.tree.leaves(op), jax.tree.leaves(made), strict=True):
                assert before.dtype == after.dtype
    vectors = ll.RankOneOperator(a)
    assert type(np.abs(w) * vectors) is ll.RankOneOperator
    assert type(w * vectors) is WeightedOperator
    assert type((2.0 * (w * vectors))[rows]) is WeightedOperator


def test_what_cannot_is_asked_through():
    op, matrices = OWN["PyLops transform"]()
    w = np.random.default_rng(0).uniform(0.5, 2, M)
    live = np.ones(N, bool)
    scaled, some, joined = w * op, op[[5, 1, 5]], ll.stack([op, 3.0 * op])
    assert [type(made) for made in (scaled, some, joined)] == [
        WeightedOperator,
        RowsOperator,
        JoinedOperator,
    ]
    cases = [
        (scaled, w[:, None, None] * matrices),
        (some, matrices[[5, 1, 5]]),
        (joined, np.concatenate([matrices, 3 * matrices])),
    ]
    rng = np.random.default_rng(1)
    for made, wanted in cases:
        X, G = rng.standard_normal((N, R)), rng.standard_normal((made.m, 2 * R))
        rows = np.asarray(made.amplitudes().forward(X))
        y = np.einsum("mij,ir,jr->m", wanted, X, X)
        np.testing.assert_allclose(np.sum(rows**2, axis=1), y, rtol=1e-11)
        back = np.asarray(made.amplitudes().adjoint(G))
        assert np.sum(G * rows) == pytest.approx(np.sum(back * X), rel=1e-11)
        # Of real x and complex a_i the lengths are half of ‖a_i‖² = tr A_i.
        np.testing.assert_allclose(
            made.amplitudes().lengths(), np.trace(wanted, axis1=1, axis2=2) / 2, rtol=1e-11
        )
        np.testing.assert_allclose(
            made.squares(), np.sum(wanted**2, axis=(1, 2)), rtol=1e-10, atol=1e-12
        )
        i, j = made.links(live, np.ones(made.m, bool))
        assert {(0, 0), (0, 1)} <= set(zip(i.tolist(), j.tolist(), strict=True))
    assert (-1.0 * op).amplitudes() is None
    assert ll.stack([op, black_box(A)]).amplitudes() is None
    assert not joined.isotropic()


def test_positive_combinations_pass_through():
    a = VECTORS.real
    vectors, box = ll.RankOneOperator(a), black_box(A)
    minus = -2.0 * vectors
    for made, matrices in (
        (minus, -2 * outer(a)),
        (ll.stack([box, vectors]), np.concatenate([A, outer(a)])),
        (RowsOperator(vectors, np.arange(M)[::-1]), outer(a)[::-1]),
    ):
        w = made.positive_combination()
        assert np.linalg.eigvalsh(np.einsum("m,mij->ij", w, matrices))[0] > 0
    assert RowsOperator(vectors, np.arange(M - 1)).positive_combination() is None
    assert WeightedOperator(vectors, np.arange(M) * 1.0).positive_combination() is None
    assert box.positive_combination() is None


POOL = {
    "dense": (ll.DenseOperator.from_matrices(A), A),
    "sparse": (thin(), THIN),
    "joined": (ll.stack([thin(), ll.DenseOperator.from_matrices(A)]), np.concatenate([THIN, A])),
}


@settings(max_examples=10)
@given(
    name=st.sampled_from(list(POOL)),
    rows=st.lists(st.integers(-M, M - 1), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_rows_and_weights_in_any_order_are_those_of_the_matrices(name, rows, seed):
    op, matrices = POOL[name]
    rng = np.random.default_rng(seed)
    w, v = rng.standard_normal(op.m), rng.standard_normal(len(rows))
    made, wanted = v * (w * op)[rows], (v[:, None, None] * (w[:, None, None] * matrices)[rows])
    X = rng.standard_normal((N, 1))
    with jax.disable_jit():
        got = made.measure(X, X)
    scale = np.abs(wanted).sum() * np.sum(X**2)
    assert np.abs(got - np.einsum("mij,ir,jr->m", wanted, X, X)).max() <= 1e-13 * scale


def test_slices_and_masks_are_rows():
    op = thin()
    X = np.random.default_rng(0).standard_normal((N, R))
    y = ll.measure(op, X, X)
    mask = np.arange(M) % 3 == 0
    np.testing.assert_array_equal(ll.measure(op[5:1:-2], X, X), y[5:1:-2])
    np.testing.assert_array_equal(ll.measure(op[mask], X, X), y[mask])
    np.testing.assert_array_equal(ll.measure(op[jnp.asarray([1, 2])], X, X), y[1:3])


def test_rows_and_weights_inside_a_trace():
    op, matrices = POOL["dense"]
    X = np.random.default_rng(0).standard_normal((N, R))
    y = np.einsum("mij,ir,jr->m", matrices, X, X)
    rows, w = np.array([4, 0]), np.random.default_rng(1).standard_normal(M)
    np.testing.assert_allclose(jax.jit(lambda k: op[k].measure(X, X))(rows), y[rows], rtol=1e-12)
    box = black_box(A)
    np.testing.assert_allclose(jax.jit(lambda k: box[k].measure(X, X))(rows), y[rows], rtol=1e-12)
    np.testing.assert_allclose(jax.jit(lambda w: (w * op).measure(X, X))(w), w * y, rtol=1e-12)
    W = np.stack([w, 2 * w])
    np.testing.assert_allclose(
        jax.vmap(lambda w: (w * op).measure(X, X))(W), W * y, rtol=1e-11, atol=1e-12
    )


def test_a_linear_operator_of_scipy_by_its_functions():
    """As a user writes it: LinearOperator with matvec and rmatvec."""
    op = LinearOperator(
        (M, N),
        matvec=lambda x: VECTORS @ x,
        rmatvec=lambda y: VECTORS.conj().T @ y,
        dtype=complex,
    )
    assert isinstance(ll.from_linear_operator(op, amplitudes=True), AmplitudeOperator)
