"""Anyone's operators: recovered as the dense one is, in float64 on any thread, or refused."""

import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pylops
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, vstack
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from tables import symmetric

import liftless as ll
from liftless._errors import InputWarning
from liftless.operators import AmplitudeOperator
from liftless.operators.around import JoinedOperator, RowsOperator, WeightedOperator
from liftless.space import Hermitian, Rectangular

N, M, R = 6, 40, 2
RNG = np.random.default_rng(5)
A = symmetric(N, M, RNG)
THIN = A * (RNG.random((M, N, N)) < 0.4)
THIN = (THIN + THIN.transpose(0, 2, 1)) / 2
VECTORS = RNG.standard_normal((M, N)) + 1j * RNG.standard_normal((M, N))
MASKS = [np.diag(RNG.standard_normal(N)) for _ in range(2)]
TRANSFORM = np.concatenate([np.fft.fft(mask, n=M // 2, axis=0) for mask in MASKS])


def outer(vectors):
    """The A_i of |⟨a_i, x⟩|² for real x."""
    return np.einsum("mi,mj->mij", vectors.conj(), vectors).real


def black_box(A):
    return ll.BlackBoxOperator(
        lambda U, V: np.einsum("mij,ir,jr->m", A, U, V),
        lambda y, V: np.einsum("m,mij,jr->ir", y, A, V),
        A.shape[1],
        A.shape[0],
    )


def pylops_transform():
    parts = [
        pylops.signalprocessing.FFT(N, nfft=M // 2, norm="none", dtype="complex128")
        @ pylops.MatrixMult(mask)
        for mask in MASKS
    ]
    op = ll.from_linear_operator(pylops.VStack(parts), amplitudes=True, cost=float(M * 6))
    return op, outer(TRANSFORM)


def product(A, U, V):
    return jnp.einsum("mij,ir,jr->m", A, U, V)


# name -> the operator, and its A_i
OWN = {
    "function": lambda: (ll.operator(jax.tree_util.Partial(product, A), N, M), A),
    "black box": lambda: (black_box(A), A),
    "SciPy on matrices": lambda: (
        ll.from_linear_operator(aslinearoperator(A.reshape(M, -1))),
        A,
    ),
    "SciPy amplitudes": lambda: (
        ll.from_linear_operator(aslinearoperator(VECTORS), amplitudes=True),
        outer(VECTORS),
    ),
    "PyLops transform": pylops_transform,
    "sparse": lambda: (ll.SparseOperator.from_matrices([csr_array(a) for a in THIN]), THIN),
}


@pytest.mark.parametrize("name", OWN)
def test_recovery_is_that_of_the_dense_operator(name):
    op, matrices = OWN[name]()
    truth = np.random.default_rng(1).standard_normal((N, R))
    b = np.einsum("mij,ir,jr->m", matrices, truth, truth)
    dense = ll.recover(ll.Problem(ll.DenseOperator.from_matrices(matrices), b, R))
    result = ll.recover(ll.Problem(op, b, R))
    assert result.certificate.kind == dense.certificate.kind == "exact"
    np.testing.assert_allclose(result.matrix, truth @ truth.T, atol=1e-7)
    assert result.identifiability.identifiable == dense.identifiability.identifiable


# -- NumPy inside compiled code --------------------------------------------------------------------


@pytest.fixture
def without_the_global_switch():
    """JAX as a user has it, whose computations in float64 are contexts of the library's."""
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", True)


def test_float64_on_a_thread_where_the_switch_is_off(without_the_global_switch):
    """Large computations run on threads of their own; here a small one is put on one."""
    n, m = 5, 9
    a = np.random.default_rng(0).standard_normal((m, n))
    seen = set()

    def measure(U, V):
        main = threading.current_thread() is threading.main_thread()
        seen.add((main, U.dtype.name, jax.config.jax_enable_x64))
        return np.sum((a @ U) * (a @ V), axis=1)

    op = ll.BlackBoxOperator(measure, lambda y, V: a.T @ (y[:, None] * (a @ V)), n, m)
    X = np.random.default_rng(1).standard_normal((n, 1))

    @jax.jit
    def powers(op, X):
        def step(_, X):
            X = op.backproject(op.measure(X, X), X)
            return X / jnp.linalg.norm(X)

        return jax.lax.fori_loop(0, 5, step, X)

    with jax.enable_x64(True):
        given = jax.tree.map(jnp.asarray, (op, X))
        compiled = powers.lower(*given).compile()
    seen.clear()
    with ThreadPoolExecutor(1) as pool:
        got = pool.submit(lambda: np.asarray(compiled(*given))).result()
    assert seen == {(False, "float64", False)}
    for _ in range(5):
        X = a.T @ ((a @ X) ** 3)
        X /= np.linalg.norm(X)
    np.testing.assert_allclose(got, X, rtol=1e-12, atol=1e-14)


def both(kind):
    """An operator of NumPy functions, and the dense one of the same matrices."""
    op, matrices = OWN[kind]()
    return op, ll.DenseOperator.from_matrices(matrices)


@pytest.mark.parametrize("kind", ["black box", "SciPy amplitudes"])
def test_derivatives_of_every_kind(kind):
    rng = np.random.default_rng(3)
    X, D, W = rng.standard_normal((3, N, R))
    y = rng.standard_normal(M)

    def energy(op):
        return lambda X: jnp.sum(op.measure(X, X) ** 2) + jnp.sum(op.backproject(y, X) ** 2)

    asked = {
        "gradient": lambda op: jax.jit(jax.grad(energy(op)))(X),
        "forward over reverse": lambda op: jax.jvp(jax.grad(energy(op)), (X,), (D,))[1],
        "reverse over reverse": lambda op: jax.grad(lambda X: jnp.sum(D * jax.grad(energy(op))(X)))(
            X
        ),
        "transposed in U": lambda op: jax.linear_transpose(lambda U: op.measure(U, W), X)(y)[0],
        "transposed in V": lambda op: jax.linear_transpose(lambda V: op.measure(W, V), X)(y)[0],
        "back, transposed in y": lambda op: jax.linear_transpose(lambda y: op.backproject(y, W), y)(
            X
        )[0],
        "back, transposed in V": lambda op: jax.linear_transpose(lambda V: op.backproject(y, V), X)(
            D
        )[0],
    }
    op, dense = both(kind)
    for name, derivative in asked.items():
        np.testing.assert_allclose(
            derivative(op), derivative(dense), rtol=1e-10, atol=1e-10, err_msg=name
        )


@pytest.mark.parametrize("kind", ["black box", "SciPy amplitudes"])
def test_vmap_along_any_axis_of_any_argument(kind):
    rng = np.random.default_rng(3)
    U, V = rng.standard_normal((2, N, R, 3))
    Y = rng.standard_normal((M, 3))
    op, dense = both(kind)
    for axes in ((2, 2), (2, None), (None, 2)):
        given = [W if k is not None else W[:, :, 0] for W, k in zip((U, V), axes, strict=True)]
        one, other = (jax.vmap(o.measure, axes, 1)(*given) for o in (op, dense))
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)
    for axes in ((1, 2), (1, None), (None, 2)):
        y = Y if axes[0] is not None else Y[:, 0]
        V_ = V if axes[1] is not None else V[:, :, 0]
        one, other = (jax.vmap(o.backproject, axes, 2)(y, V_) for o in (op, dense))
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_single_precision_of_the_caller_is_kept():
    op, dense = both("black box")
    X = np.random.default_rng(0).standard_normal((N, R)).astype(np.float32)
    with jax.enable_x64(False):
        y = jax.jit(lambda X: op.measure(X, X))(X)
        assert y.dtype == jnp.float32
        np.testing.assert_allclose(y, dense.measure(X, X), rtol=1e-5, atol=1e-5)


def test_code_compiled_for_one_pair_of_functions_serves_another():
    run = jax.jit(lambda op, X: op.measure(X, X))
    X = np.random.default_rng(0).standard_normal((N, R))
    for scale in (1.0, 2.0):
        got = run(black_box(scale * A), X)
        np.testing.assert_allclose(got, scale * np.einsum("mij,ir,jr->m", A, X, X), rtol=1e-12)
    assert run._cache_size() == 1
    # And both of them at once, as long as they live.
    one, other = black_box(A), black_box(3 * A)
    pair = jax.tree.map(lambda *leaves: np.stack(leaves), one, other)
    got = jax.vmap(run, (0, None))(pair, X)
    np.testing.assert_allclose(got[1], 3 * got[0], rtol=1e-12)
    del other
    with pytest.raises((RuntimeError, ValueError), match="no longer exists"):
        jax.block_until_ready(jax.vmap(run, (0, None))(pair, X))


def test_arguments_are_the_functions_own():
    """A function that writes on what it is given, and keeps it, changes nothing."""
    kept = []

    def measure(U, V):
        kept.append(U)
        U *= 2
        return np.einsum("mij,ir,jr->m", A, U, V) / 2

    op = ll.BlackBoxOperator(measure, lambda y, V: np.einsum("m,mij,jr->ir", y, A, V), N, M)
    X = np.random.default_rng(0).standard_normal((N, R))
    once, again = ll.measure(op, X, X), ll.measure(op, X, X)
    np.testing.assert_array_equal(once, again)
    np.testing.assert_allclose(once, np.einsum("mij,ir,jr->m", A, X, X), rtol=1e-12)


def test_an_operator_of_numpy_functions_does_not_cross_processes():
    import copy
    import pickle

    op = black_box(A)
    X = np.random.default_rng(0).standard_normal((N, R))
    twin = copy.deepcopy(op)
    np.testing.assert_array_equal(ll.measure(op, X, X), ll.measure(twin, X, X))
    with pytest.raises(TypeError, match="built anew"):
        pickle.dumps(op)


def test_jacobian_of_few_measurements_goes_by_rows():
    calls = []

    def backproject(y, V):
        calls.append(1)
        return np.einsum("m,mij,jr->ir", y, A[:3], V)

    op = ll.BlackBoxOperator(lambda U, V: np.einsum("mij,ir,jr->m", A[:3], U, V), backproject, N, 3)
    calls.clear()
    X = np.random.default_rng(0).standard_normal((N, R))
    J = op.jacobian(X)
    np.testing.assert_allclose(J, 2 * np.einsum("mij,jr->mir", A[:3], X), rtol=1e-12)
    assert len(calls) == op.jacobian_cost(R) == 3


def test_a_number_or_a_module_without_matmat_is_taken():
    """Only shape, matvec and rmatvec are needed."""

    class Bare:
        shape = VECTORS.shape

        def matvec(self, x):
            return VECTORS @ x

        def rmatvec(self, y):
            return VECTORS.conj().T @ y

    X = np.random.default_rng(0).standard_normal((N, R))
    op = ll.from_linear_operator(Bare(), amplitudes=True)
    np.testing.assert_allclose(
        ll.measure(op, X, X), np.sum(np.abs(VECTORS @ X) ** 2, axis=1), rtol=1e-12
    )


# -- amplitudes, spaces, costs ---------------------------------------------------------------------


@pytest.mark.parametrize("real", [True, False], ids=["real vectors", "complex vectors"])
@pytest.mark.parametrize("space", [None, Hermitian(N)], ids=["real signal", "complex signal"])
def test_amplitudes_are_the_squared_lengths_and_their_adjoint(real, space):
    a = VECTORS.real if real else VECTORS
    op = ll.from_linear_operator(aslinearoperator(a), amplitudes=True, space=space)
    rng = np.random.default_rng(2)
    X = rng.standard_normal((op.n, R))
    Z = X if space is None else X[:N] + 1j * X[N:]
    np.testing.assert_allclose(ll.measure(op, X, X), np.sum(np.abs(a @ Z) ** 2, axis=1), rtol=1e-12)
    rows = np.asarray(op.amplitudes().forward(X))
    np.testing.assert_allclose(np.sum(rows**2, axis=1), ll.measure(op, X, X), rtol=1e-12)
    G = rng.standard_normal(rows.shape)
    assert np.sum(G * rows) == pytest.approx(np.sum(np.asarray(op.adjoint(G)) * X), rel=1e-12)
    # Mean square of an entry of the rows for independent entries of X: their variance.
    many = np.asarray(op.forward(rng.standard_normal((op.n, 20_000))))
    np.testing.assert_allclose(op.lengths(), np.mean(many**2, axis=1), rtol=0.1)
    assert isinstance(op, ll.Amplitudes)
    assert ll.dot_test(op).passed


def test_matrices_of_every_space_and_order():
    rng = np.random.default_rng(4)
    B = rng.standard_normal((9, 4, 3))
    X = rng.standard_normal((7, R))
    for order in ("C", "F"):
        flat = np.stack([one.ravel(order) for one in B])
        for op in (
            ll.from_linear_operator(aslinearoperator(flat), space=Rectangular(4, 3), order=order),
            ll.SparseOperator.from_rows(csr_array(flat), space=Rectangular(4, 3), order=order),
        ):
            wanted = np.einsum("mij,ir,jr->m", B, X[:4], X[4:])
            np.testing.assert_allclose(ll.measure(op, X, X), wanted, rtol=1e-12)
            assert ll.dot_test(op).passed
    H = rng.standard_normal((9, 4, 4)) + 1j * rng.standard_normal((9, 4, 4))
    H = H + H.conj().transpose(0, 2, 1)
    Z = rng.standard_normal((4, R)) + 1j * rng.standard_normal((4, R))
    X, wanted = np.r_[Z.real, Z.imag], np.einsum("mij,jr,ir->m", H, Z, Z.conj()).real
    for op in (
        ll.from_linear_operator(aslinearoperator(H.conj().reshape(9, -1)), space=Hermitian(4)),
        ll.SparseOperator.from_matrices([csr_array(one) for one in H], space=Hermitian(4)),
    ):
        np.testing.assert_allclose(ll.measure(op, X, X), wanted, rtol=1e-12)
        assert ll.dot_test(op).passed


def test_costs_are_what_was_said_or_counted():
    op = ll.BlackBoxOperator(*black_box(A).kept.functions, N, M, cost=10.0)
    assert op.cost(3) == 30.0
    assert black_box(A).cost(3) == 3.0 * M * N
    linear = aslinearoperator(VECTORS)
    assert ll.from_linear_operator(linear, amplitudes=True, cost=5.0).cost(3) == 2 * 5.0 * 3
    small, large = (OWN["function"]()[0].cost(k) for k in (1, 8))
    assert M * N < small < large
    assert ll.operator(lambda X: jnp.sum(X**2, axis=1), N, cost=4.0).cost(2) == 8.0


# -- sparse ----------------------------------------------------------------------------------------


def thin():
    return ll.SparseOperator.from_matrices([csr_array(a) for a in THIN])


def test_sparse_jacobian_is_the_dense_one():
    op = thin()
    X = np.random.default_rng(0).standard_normal((N, R))
    J = op.sparse_jacobian(X)
    assert J.shape == (M, N * R)
    np.testing.assert_allclose(J.toarray(), np.asarray(op.jacobian(X)).reshape(M, -1), rtol=1e-13)
    # No more is stored than rows of A_i that are not zero.
    assert J.nnz == R * np.count_nonzero(np.any(THIN != 0, axis=2))


def test_rows_of_one_matrix_are_the_list():
    rows = csr_array(vstack([csr_array(a.reshape(1, -1)) for a in THIN]))
    one, other = thin(), ll.SparseOperator.from_rows(rows)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_entries_at_one_place_add_up():
    """(i, j) and (j, i) are one place of a symmetric matrix, and repeated entries are summed."""
    op = ll.SparseOperator([0, 0, 0, 1], [0, 1, 1, 2], [1, 0, 1, 2], [1.0, 2.0, 4.0, 0.5], 3)
    X = np.random.default_rng(0).standard_normal((3, R))
    S = X @ X.T
    np.testing.assert_allclose(
        ll.measure(op, X, X), [3 * S[0, 1] + 4 * S[1, 1], S[2, 2] / 2], rtol=1e-13
    )


def test_an_asymmetric_matrix_is_reported_and_only_its_symmetric_part_seen():
    B = np.random.default_rng(0).standard_normal((M, N, N))
    with pytest.warns(InputWarning, match="not symmetric"):
        op = ll.SparseOperator.from_matrices([csr_array(b) for b in B])
    X = np.random.default_rng(1).standard_normal((N, R))
    np.testing.assert_allclose(ll.measure(op, X, X), np.einsum("mij,ir,jr->m", B, X, X), rtol=1e-11)
    with pytest.warns(InputWarning, match="not Hermitian"):
        ll.SparseOperator.from_matrices([csr_array(1j * B[0])], space=Hermitian(N))


def test_structure_of_sparse_matrices():
    op, dense = thin(), ll.DenseOperator.from_matrices(THIN)
    np.testing.assert_allclose(op.squares(), np.sum(THIN**2, axis=(1, 2)), rtol=1e-12)
    w = op.positive_combination()
    assert np.linalg.eigvalsh(np.einsum("m,mij->ij", w, THIN))[0] > 1e-8
    off = THIN * (1 - np.eye(N))
    assert (
        ll.SparseOperator.from_matrices([csr_array(a) for a in off]).positive_combination() is None
    )
    live, used = np.arange(N) != 2, np.arange(M) < 5
    i, j = op.links(live, used)
    seen = {(int(p), int(q)) for p, q in zip(i, j, strict=True)}
    support = np.any(THIN[:5] != 0, axis=0)
    wanted = {(p, q) for p in range(N) for q in range(p, N) if support[p, q] and 2 not in (p, q)}
    assert seen == wanted
    assert op.amplitudes() is None
    assert not op.isotropic()
    assert dense.isotropic() == op.isotropic()


def test_full_matrices_are_isotropic_however_they_are_stored():
    full = symmetric(N, 60, np.random.default_rng(0))
    assert ll.DenseOperator.from_matrices(full).isotropic()
    assert ll.SparseOperator.from_matrices([csr_array(a) for a in full]).isotropic()
    assert black_box(full).isotropic()
    assert ll.operator(jax.tree_util.Partial(product, full), N).isotropic()
    assert not black_box(outer(VECTORS.real)).isotropic()
    assert not ll.BlackBoxOperator(*black_box(full).kept.functions, N, 60, cost=1e9).isotropic()


def test_sparse_outer_products_have_amplitudes():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((M, N)) * (rng.random((M, N)) < 0.5)
    matrices = np.einsum("mi,mj->mij", a, a)
    found = ll.SparseOperator.from_matrices([csr_array(one) for one in matrices]).amplitudes()
    rows = np.asarray(found.forward(np.eye(N)))
    np.testing.assert_allclose(np.einsum("mi,mj->mij", rows, rows), matrices, atol=1e-12)
    np.testing.assert_allclose(found.lengths(), np.sum(a * a, axis=1), rtol=1e-12)
    X, G = rng.standard_normal((N, R)), rng.standard_normal((M, R))
    rows, back = np.asarray(found.forward(X)), np.asarray(found.adjoint(G))
    assert np.sum(G * rows) == pytest.approx(np.sum(back * X), rel=1e-12)
    for spoil in (lambda B: -B, lambda B: B + np.eye(N), lambda B: B - np.diag(np.diag(B))):
        spoiled = matrices.copy()
        spoiled[3] = spoil(spoiled[3])
        op = ll.SparseOperator.from_matrices([csr_array(one) for one in spoiled])
        assert op.amplitudes() is None


def test_a_wide_factor_is_measured_in_rounds():
    op = thin()
    U, V = np.random.default_rng(0).standard_normal((2, N, 37))
    np.testing.assert_allclose(
        ll.measure(op, U, V), np.einsum("mij,ir,jr->m", THIN, U, V), rtol=1e-11, atol=1e-11
    )
    np.testing.assert_allclose(
        ll.measure(op, U[:, :32], U[:, :32]),
        np.einsum("mij,ir,jr->m", THIN, U[:, :32], U[:, :32]),
        rtol=1e-11,
    )


# -- operators of operators ------------------------------------------------------------------------


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
