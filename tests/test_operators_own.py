"""Anyone's operators: recovered as the dense one is, in float64 on any thread, or refused."""

import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_tools import (
    OWN,
    VECTORS,
    A,
    M,
    N,
    R,
    black_box,
)
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

import liftless as ll
from liftless.space import Hermitian, Rectangular


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
