"""Misuse raises one clear error that names the argument, and nothing else."""

import pickle
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from liftless._errors import InvalidInput
from liftless.losses import Logistic
from liftless.operators import (
    BlackBoxOperator,
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    RankOneOperator,
    SensingOperator,
    SparseOperator,
    dot_test,
    from_linear_operator,
    operator,
    rip_estimate,
    stack,
)
from liftless.problem import Problem
from liftless.recovery import recover
from liftless.regularisers import Balance, Ridge
from liftless.space import Hermitian, Rectangular

N, M = 3, 4
GOOD = DiagonalOperator(np.ones((M, N)))
EYES = np.stack([np.eye(N)] * M)


@pytest.fixture(autouse=True)
def without_run_time_shape_checks(monkeypatch):
    """The suite's own checks of types would come before the library's."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def spoiled(shape, value):
    array = np.ones(shape)
    array.flat[-1] = value
    return array


A = np.random.default_rng(0).standard_normal((M, N))
CUBE = np.einsum("mi,mj->mij", A, A)
SPARSE = [csr_array(one) for one in CUBE]


def box(measure=None, backproject=None, n=N, m=M, **options):
    """A black box of the A_i = a_i a_iᵀ, or of other functions."""
    return BlackBoxOperator(
        measure or (lambda U, V: np.sum((A @ U) * (A @ V), axis=1)),
        backproject or (lambda y, V: A.T @ (y[:, None] * (A @ V))),
        n,
        m,
        **options,
    )


def turned(factor):
    """SciPy's operator of A with an adjoint that is none."""
    return LinearOperator((M, N), matvec=lambda x: A @ x, rmatvec=lambda y: factor * (A.T @ y))


class Own(SensingOperator):
    """A subclass whose ``measure`` is a given function."""

    n: int = eqx.field(static=True)
    m: int = eqx.field(static=True)
    function: Callable = eqx.field(static=True)

    def measure(self, U, V):
        return self.function(U, V)


class Loose(SensingOperator):
    """A subclass with a function where arrays belong."""

    function: Callable
    n: int = eqx.field(static=True, default=N)
    m: int = eqx.field(static=True, default=M)

    def measure(self, U, V):
        return self.function(U, V)


def own(function):
    return problem(Own(N, M, function))


def problem(operator=GOOD, b=np.zeros(M), rank=1, **options):  # noqa: B008
    return Problem(operator, b, rank, **options)


# argument, what must be in the message, the call
CASES = [
    ("problem", "recover(operator, b, rank)", lambda: recover(np.ones((3, 3)))),
    ("rank", "given with an operator", lambda: recover(GOOD, np.ones(M))),
    ("b", "left out, as rank must be", lambda: recover(problem(), np.ones(M), 1)),
    ("operator", "a SensingOperator", lambda: recover(csr_array(np.eye(3)), np.ones(3), 1)),
    ("problem", "GiB", lambda: recover(EntriesOperator([0], [0], 2**31 - 1), np.ones(1), 1)),
    ("b", "without masked values", lambda: problem(b=np.ma.masked_less(np.arange(M), 2))),
    ("n", "the order of the matrix", lambda: DenseOperator(np.ones((M, 6)))),
    ("packed", "NaN", lambda: DenseOperator(spoiled((M, 6), np.nan), N)),
    ("packed", "infinity", lambda: DenseOperator(spoiled((M, 6), np.inf), N)),
    ("packed", "real numbers", lambda: DenseOperator(1j * np.ones((M, 6)), N)),
    ("packed", "shape (m, 6)", lambda: DenseOperator(np.ones((M, 5)), N)),
    ("packed", "m >= 1", lambda: DenseOperator(np.ones((0, 6)), N)),
    ("packed", "2-dimensional", lambda: DenseOperator(EYES, N)),
    ("n", "integer >= 1", lambda: DenseOperator(np.ones((M, 6)), 0)),
    ("n", "integer >= 1", lambda: DenseOperator(np.ones((M, 6)), 3.0)),
    ("n", "integer >= 1", lambda: DenseOperator(np.ones((M, 1)), True)),
    ("dtype", "float32", lambda: DenseOperator(np.ones((M, 6)), N, np.int32)),
    ("dtype", "float32", lambda: DenseOperator(np.ones((M, 6)), N, "double precision")),
    ("A", "index (3, 2, 2)", lambda: DenseOperator.from_matrices(spoiled((M, N, N), np.nan))),
    ("A", "Hermitian", lambda: DenseOperator.from_matrices(EYES.astype(complex))),
    ("A", "3-dimensional", lambda: DenseOperator.from_matrices(np.eye(N))),
    ("A", "(m, n, n)", lambda: DenseOperator.from_matrices(np.ones((N, N, M)))),
    ("A", "(m, n, n)", lambda: DenseOperator.from_matrices(np.ones((0, N, N)))),
    ("A", "real numbers", lambda: DenseOperator.from_matrices([[[1.0, 2.0], [3.0]]])),
    ("A", "real numbers", lambda: DenseOperator.from_matrices("matrices")),
    ("A", "real numbers", lambda: DenseOperator.from_matrices(None)),
    ("rows", "subtract 1", lambda: EntriesOperator([1, 2, 3], [1, 2, 2], N)),
    ("rows", "out of range (-1)", lambda: EntriesOperator([0, -1], [0, 1], N)),
    ("cols", "from 0 to 2", lambda: EntriesOperator([0, 1], [0, 3], N)),
    ("rows", "whole numbers", lambda: EntriesOperator([0, 0.5], [0, 1], N)),
    ("rows", "whole numbers", lambda: EntriesOperator([0, np.nan], [0, 1], N)),
    ("rows", "whole numbers", lambda: EntriesOperator([0, np.inf], [0, 1], N)),
    ("rows", "whole numbers", lambda: EntriesOperator([True, False], [0, 1], N)),
    ("rows", "whole numbers", lambda: EntriesOperator(["0", "1"], [0, 1], N)),
    ("rows", "at least one", lambda: EntriesOperator([], [], N)),
    ("rows", "at least one", lambda: EntriesOperator([[0, 1]], [0, 1], N)),
    ("cols", "as long as rows", lambda: EntriesOperator([0, 1], [0], N)),
    ("n", "integer >= 1", lambda: EntriesOperator([0], [0], -1)),
    ("weights", "as long as rows", lambda: EntriesOperator([0], [0], N, [1.0, 2.0])),
    ("weights", "NaN", lambda: EntriesOperator([0], [0], N, [np.nan])),
    ("a", "m, n >= 1", lambda: RankOneOperator(np.ones((0, N)))),
    ("a", "Hermitian", lambda: RankOneOperator(np.ones((M, N), complex))),
    ("a", "2-dimensional", lambda: RankOneOperator(np.ones(N))),
    ("a", "infinity", lambda: RankOneOperator(spoiled((M, N), -np.inf))),
    ("diag", "m, n >= 1", lambda: DiagonalOperator(np.ones((M, 0)))),
    ("diag", "NaN", lambda: DiagonalOperator(spoiled((M, N), np.nan))),
    ("operator", "from_matrices", lambda: problem(operator=EYES)),
    ("operator", "SensingOperator", lambda: problem(operator=None)),
    ("operator", "SensingOperator", lambda: problem(operator=DiagonalOperator)),
    ("operator.measure", "NumPy code", lambda: own(lambda U, V: np.sum(np.array(U) * V, axis=1))),
    ("operator.measure", "Python control", lambda: own(lambda U, V: U if U[0, 0] > 0 else V)),
    ("operator.measure", "shape (3, 1)", lambda: own(lambda U, V: U * V)),
    ("operator.measure", "shape (4,)", lambda: own(lambda U, V: jnp.sum(U * V, axis=1))),
    ("operator.measure", "no array", lambda: own(lambda U, V: (U, V))),
    ("operator", "static=True", lambda: problem(Loose(lambda U, V: U))),
    ("b", "shape (4,)", lambda: problem(b=np.zeros(M + 1))),
    ("b", "1-dimensional", lambda: problem(b=np.zeros((M, 1)))),
    ("b", "index (3,)", lambda: problem(b=spoiled(M, np.nan))),
    ("b", "real numbers", lambda: problem(b=np.zeros(M, complex))),
    ("b", "real numbers", lambda: problem(b=["x"] * M)),
    ("b", "signs", lambda: problem(b=np.array([1.0, -1.0, 1.0, -1.0]), loss=Logistic())),
    ("b", "between 0 and 1", lambda: problem(b=np.full(M, 1.01), loss=Logistic())),
    ("rank", "from 1 to 3", lambda: problem(rank=0)),
    ("rank", "from 1 to 3", lambda: problem(rank=N + 1)),
    ("rank", "from 1 to 3", lambda: problem(rank=1.5)),
    ("rank", "from 1 to 3", lambda: problem().with_rank(-1)),
    ("weights", ">= 0", lambda: problem(weights=spoiled(M, -1.0))),
    ("weights", "shape (4,)", lambda: problem(weights=np.ones(M - 1))),
    ("weights", "1-dimensional", lambda: problem(weights=np.ones((M, 1)))),
    ("weights", "NaN", lambda: problem(weights=spoiled(M, np.nan))),
    ("loss", "a Loss", lambda: problem(loss="logistic")),
    ("loss", "a Loss", lambda: problem(loss=Logistic)),
    ("regularisers", "tuple", lambda: problem(regularisers=Ridge(0.1))),
    ("regularisers", "tuple", lambda: problem(regularisers=(0.1,))),
    ("weight", ">= 0", lambda: Ridge(-0.1)),
    ("weight", ">= 0", lambda: Ridge([])),
    ("weight", "NaN", lambda: Ridge(np.nan)),
    ("weight", "2-dimensional", lambda: Ridge(np.ones((1, 1, 1)))),
    ("weight", "real numbers", lambda: Ridge("small")),
    ("weight", "real numbers", lambda: Ridge(1j)),
    ("weight", ">= 0", lambda: Balance(1, -1.0)),
    ("weight", "finite", lambda: Balance(1, np.inf)),
    ("split", "integer >= 1", lambda: Balance(0)),
    ("rank", "integer >= 1", lambda: dot_test(GOOD, rank=0)),
    ("rank", "from 1 to 3", lambda: rip_estimate(GOOD, N + 1)),
    ("starts", "integer >= 1", lambda: rip_estimate(GOOD, 1, starts=0)),
    # functions of JAX
    ("f", "NumPy code", lambda: operator(lambda U, V: np.sum((A @ U) * np.array(V)[:M, 0]), N)),
    ("f", "BlackBoxOperator", lambda: operator(lambda X: np.asarray(X)[:, 0] ** 2, N)),
    ("f", "control flow", lambda: operator(lambda X: X[:, 0] if X[0, 0] > 0 else X[:, 1], N)),
    ("f", "(3, 2)", lambda: operator(lambda U, V: U * V, N)),
    ("f", "(4,)", lambda: operator(lambda U, V: jnp.sum(U * V, axis=1), N, 4)),
    ("f", "complex", lambda: operator(lambda U, V: 1j * jnp.sum(U * V, axis=1), N)),
    ("f", "no array", lambda: operator(lambda U, V: (U, V), N)),
    ("f", "not symmetric", lambda: operator(lambda U, V: U[:2].sum(1) * 0 + U[0] @ V[1], N)),
    ("f", "not linear in U", lambda: operator(lambda U, V: jnp.sum(U**2 * V, axis=1), N)),
    ("f", "for two columns", lambda: operator(lambda U, V: jnp.sum(U, 1) * jnp.sum(V, 1), N)),
    ("f", "not quadratic", lambda: operator(lambda X: jnp.sum(X**2, axis=1) + 1, N)),
    ("f", "not quadratic", lambda: operator(lambda X: jnp.sum(X, axis=1), N)),
    ("f", "not finite", lambda: operator(lambda U, V: jnp.sum(U * V, axis=1) / 0, N)),
    ("f", "arguments U, V, W", lambda: operator(lambda U, V, W: U[0], N)),
    ("f", "arguments none", lambda: operator(lambda *factors: factors[0], N)),
    ("f", "a function", lambda: operator(A, N)),
    ("f", "cannot be told", lambda: operator(iter, N)),
    ("n", "integer >= 1", lambda: operator(lambda X: X[:, 0] ** 2, None)),
    ("n", "6, the rows", lambda: operator(lambda X: X[:, 0] ** 2, 3, space=Hermitian(3))),
    ("space", "a Space", lambda: operator(lambda X: X[:, 0] ** 2, N, space="hermitian")),
    ("cost", "> 0", lambda: operator(lambda X: X[:, 0] ** 2, N, cost=0.0)),
    # NumPy functions
    (
        "backproject",
        "dot test differ by 5.0e-01",
        lambda: box(None, lambda y, V: 0.5 * A.T @ (y[:, None] * (A @ V))),
    ),
    ("backproject", "of shape (3, 2)", lambda: box(None, lambda y, V: A.T @ y)),
    ("measure", "shape (4,)", lambda: box(lambda U, V: (A @ U) * (A @ V))),
    ("measure", "real numbers", lambda: box(lambda U, V: 1j * np.sum((A @ U) * (A @ V), axis=1))),
    ("measure", "not symmetric", lambda: box(lambda U, V: np.sum((A @ U) * (A @ V[::-1]), axis=1))),
    ("measure", "not linear", lambda: box(lambda U, V: np.sum((A @ U) ** 2 * (A @ V), axis=1))),
    ("measure", "two columns", lambda: box(lambda U, V: (A @ U)[:, 0] * (A @ V)[:, 0])),
    ("measure", "JAX", lambda: box(lambda U, V: jnp.sum((A @ U) * (A @ V), axis=1))),
    ("m", "integer >= 1", lambda: box(m=0)),
    ("cost", "> 0", lambda: box(cost=-1.0)),
    # other libraries' operators
    (
        "op.rmatvec",
        "dot test differ by 5.0e-01",
        lambda: from_linear_operator(turned(2.0), amplitudes=True),
    ),
    ("op.rmatvec", "differ by 1.0e+00", lambda: from_linear_operator(turned(0.0), amplitudes=True)),
    ("op", "matvec and rmatvec", lambda: from_linear_operator(A)),
    ("op", "SparseOperator", lambda: from_linear_operator(csr_array(A))),
    ("op", "(m, 1)", lambda: from_linear_operator(aslinearoperator(A))),
    ("op", "(m, 4)", lambda: from_linear_operator(aslinearoperator(A), n=4, amplitudes=True)),
    (
        "op.matvec",
        "complex",
        lambda: from_linear_operator(aslinearoperator(1j * CUBE.reshape(M, -1))),
    ),
    ("order", "by rows", lambda: from_linear_operator(aslinearoperator(A), order="K")),
    (
        "space",
        "Hermitian where",
        lambda: from_linear_operator(aslinearoperator(A), amplitudes=True, space=Rectangular(1, 2)),
    ),
    # sparse matrices
    ("matrices", "from_rows", lambda: SparseOperator.from_matrices(csr_array(A))),
    ("matrices", "empty", lambda: SparseOperator.from_matrices([])),
    ("matrices[1]", "DenseOperator", lambda: SparseOperator.from_matrices([SPARSE[0], CUBE[1]])),
    ("matrices[1]", "(3, 3)", lambda: SparseOperator.from_matrices([SPARSE[0], csr_array(A)])),
    ("values", "index 0", lambda: SparseOperator([0], [0], [0], [np.nan], N)),
    ("values", "space=Hermitian", lambda: SparseOperator([0], [0], [0], [1j], N)),
    ("values", "as long as k", lambda: SparseOperator([0], [0], [0], [1.0, 2.0], N)),
    ("values", "zero throughout", lambda: SparseOperator([0], [0], [0], [0.0], N)),
    ("A", "nonzero entry", lambda: SparseOperator.from_rows(csr_array((M, N * N)))),
    ("i", "from 0 to 2", lambda: SparseOperator([0], [3], [0], [1.0], N)),
    ("k", "from 0 to 1", lambda: SparseOperator([2], [0], [0], [1.0], N, 2)),
    ("k", "at least one", lambda: SparseOperator([], [], [], [], N)),
    ("A", "(m, n²)", lambda: SparseOperator.from_rows(csr_array(np.ones((M, 5))))),
    ("A", "(m, 6)", lambda: SparseOperator.from_rows(csr_array(A), space=Rectangular(2, 3))),
    ("A", "csr_array(A)", lambda: SparseOperator.from_rows(A)),
    (
        "order",
        "by columns",
        lambda: SparseOperator.from_rows(csr_array(CUBE.reshape(M, -1)), order="A"),
    ),
    # rows, multiples, stacks
    ("rows", "op[[k]]", lambda: GOOD[1]),
    ("rows", "from -4 to 3", lambda: GOOD[[4]]),
    ("rows", "out of range (-5)", lambda: GOOD[[-5]]),
    ("rows", "at least one", lambda: GOOD[4:]),
    ("rows", "length 3", lambda: GOOD[np.ones(3, bool)]),
    ("rows", "whole numbers", lambda: GOOD[[0.5]]),
    ("rows", "something is measured", lambda: SparseOperator([0], [0], [0], [1.0], N, 2)[[1]]),
    ("w", "(4,)", lambda: np.ones(3) * GOOD),
    ("w", "finite", lambda: np.inf * GOOD),
    ("w", "finite", lambda: "two" * GOOD),
    ("operators", "empty", lambda: stack([])),
    ("operators[1]", "a SensingOperator", lambda: stack([GOOD, A])),
    (
        "operators[1]",
        "Symmetric(order=3)",
        lambda: stack([GOOD, DiagonalOperator(np.ones((M, 2)))]),
    ),
]


@pytest.mark.parametrize(
    ("argument", "says", "call"), CASES, ids=[f"{k}-{case[0]}" for k, case in enumerate(CASES)]
)
def test_bad_argument(argument, says, call):
    with pytest.raises(InvalidInput) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(f"{argument} was ")
    assert says in message
    assert len(message) < 300
    assert caught.value.argument == argument


def test_the_error_survives_a_process_boundary():
    with pytest.raises(InvalidInput) as caught:
        problem(rank=0)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is InvalidInput
    assert str(copy) == str(caught.value)
    assert copy.argument == "rank"


def test_good_arguments_of_other_types_are_taken():
    """Lists, integers, single precision and whole-number floats mean what they say."""
    accepted = problem(b=[0, 1, 2, 3], rank=np.int64(2), weights=np.ones(M, np.float32))
    assert accepted.b.dtype == accepted.weights.dtype == np.float64
    assert accepted.rank == 2
    assert EntriesOperator([0.0, 2.0], np.array([1, 2], np.uint8), N).rows.tolist() == [0, 2]
    assert np.shape(Ridge(1).weight) == ()
