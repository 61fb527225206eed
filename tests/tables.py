"""Tables of cases.  A new operator, loss or regulariser is one row here; every test runs it.

A row carries its own reference, written without the library, and the tolerance it must meet.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pylops
from complex_operators import (
    coded,
    coded_half,
    complex_rank_one,
    complex_rows_of_real,
    hermitian,
    pauli_strings,
    product_bases,
    scanned,
)
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

from liftless.losses import Huber, Logistic, Loss, Squared
from liftless.operators import (
    BlackBoxOperator,
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    RankOneOperator,
    SensingOperator,
    SparseOperator,
    from_linear_operator,
    operator,
    stack,
)
from liftless.problem import Problem
from liftless.regularisers import Balance, Regulariser, Ridge

EXAMPLES = Path(__file__).parents[1] / "examples"
# One shape for most rows and tests: compiling costs more than computing.
N, M, R = 4, 7, 2


def load_example(name):
    """The module ``examples/<name>.py``."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- operators: build(n, m, rng) -> the operator, and its A_i as an array (m, n, n) ----------------


def symmetric(n, m, rng):
    """Random symmetric matrices."""
    A = rng.standard_normal((m, n, n))
    return (A + A.transpose(0, 2, 1)) / 2


def dense(n, m, rng):
    A = symmetric(n, m, rng)
    return DenseOperator.from_matrices(A), A


def dense_single(n, m, rng):
    A = symmetric(n, m, rng)
    return DenseOperator.from_matrices(A, np.float32), A


def entry_matrices(rows, cols, n, weights):
    """Weight k at the symmetrised position k."""
    A = np.zeros((rows.size, n, n))
    A[np.arange(rows.size), rows, cols] += weights / 2
    A[np.arange(rows.size), cols, rows] += weights / 2
    return A


def entries(n, m, rng):
    rows, cols = rng.integers(0, n, (2, m))
    return EntriesOperator(rows, cols, n), entry_matrices(rows, cols, n, np.ones(m))


def weighted_entries(n, m, rng):
    rows, cols = rng.integers(0, n, (2, m))
    weights = rng.standard_normal(m)
    return EntriesOperator(rows, cols, n, weights), entry_matrices(rows, cols, n, weights)


def rank_one(n, m, rng):
    a = rng.standard_normal((m, n))
    return RankOneOperator(a), np.einsum("mi,mj->mij", a, a)


def diagonal(n, m, rng):
    d = rng.standard_normal((m, n))
    return DiagonalOperator(d), np.einsum("mi,ij->mij", d, np.eye(n))


def own(n, m, rng):
    shifts = np.stack([np.roll(np.eye(n), k, axis=1) for k in range(m)])
    operator = load_example("own_operator").LagOperator(n=n, m=m)
    return operator, (shifts + shifts.transpose(0, 2, 1)) / 2


class FourierIntensities(SensingOperator):
    """‖f_kᴴ X‖² for the m frequencies of the transform of X padded to m rows, m even."""

    n: int = eqx.field(static=True)
    m: int = eqx.field(static=True)

    def measure(self, U, V):
        # Real transforms: the frequencies 0 … m/2, those between the ends for two.
        left, right = (jnp.fft.rfft(W, n=self.m, axis=0) for W in (U, V))
        half = jnp.sum(left.real * right.real + left.imag * right.imag, axis=1)
        return jnp.concatenate([half, half[1:-1][::-1]])


def fourier(n, m, rng):
    F = np.exp(-2j * np.pi * np.outer(np.arange(m), np.arange(n)) / m)
    return FourierIntensities(n=n, m=m), np.einsum("ki,kj->kij", F.conj(), F).real


# -- anyone's operators: from functions, from other libraries, from other operators ----------------


def bilinear(A, U, V):
    return jnp.einsum("mij,ir,jr->m", A, U, V)


def function(n, m, rng):
    A = symmetric(n, m, rng)
    return operator(jax.tree_util.Partial(bilinear, A), n, m), A


def quadratic(a, X):
    return jnp.sum((a @ X) ** 2, axis=1)


def quadratic_function(n, m, rng):
    a = rng.standard_normal((m, n))
    return operator(jax.tree_util.Partial(quadratic, a), n), np.einsum("mi,mj->mij", a, a)


def black_box(n, m, rng):
    A = symmetric(n, m, rng)

    def measure(U, V):
        return np.einsum("mij,ir,jr->m", A, U, V)

    return BlackBoxOperator(measure, lambda y, V: np.einsum("m,mij,jr->ir", y, A, V), n, m), A


def scipy_on_matrices(n, m, rng):
    A = rng.standard_normal((m, n, n))
    op = from_linear_operator(aslinearoperator(A.reshape(m, -1)))
    return op, (A + A.transpose(0, 2, 1)) / 2


def scipy_amplitudes(n, m, rng):
    a = rng.standard_normal((m, n)) + 1j * rng.standard_normal((m, n))
    op = from_linear_operator(aslinearoperator(a), amplitudes=True)
    return op, np.einsum("mi,mj->mij", a.conj(), a).real


def pylops_transform(n, m, rng):
    F = np.exp(-2j * np.pi * np.outer(np.arange(m), np.arange(n)) / m)
    op = pylops.signalprocessing.FFT(n, nfft=m, norm="none", dtype="complex128")
    return from_linear_operator(op, amplitudes=True), np.einsum("ki,kj->kij", F.conj(), F).real


def sparse(n, m, rng):
    A = rng.standard_normal((m, n, n)) * (rng.random((m, n, n)) < 0.4)
    A[0, 0, 0] = 1.0  # not zero throughout
    A = (A + A.transpose(0, 2, 1)) / 2
    return SparseOperator.from_matrices([csr_array(a) for a in A]), A


def times(w, A):
    return w[:, None, None] * A


def weighted(n, m, rng):
    op, A = rank_one(n, m, rng)
    w = -rng.uniform(0.5, 2, m)
    return w * op, times(w, A)


def some_rows(n, m, rng):
    op, A = function(n, m + 1, rng)
    index = np.r_[m, rng.integers(0, m + 1, m - 1)]
    return op[index], A[index]


def together(n, m, rng):
    (one, A), (other, B) = sparse(n, 1, rng), quadratic_function(n, m, rng)
    return stack([one, 2.0 * other])[:m], np.concatenate([A, 2.0 * B])[:m]


class OperatorCase(NamedTuple):
    """A row: how it is built, how exact it is, and the shape at which most tests take it."""

    name: str
    build: Callable[..., tuple[SensingOperator, np.ndarray]]
    tolerance: float = 1e-12
    n: int = N
    m: int = M
    #: Further shapes; an operator whose m follows from its n has others than these.
    shapes: tuple[tuple[int, int], ...] = ((1, 1), (2, 1), (3, 5))

    def __call__(self, n=None, m=None, seed=0):
        return self.build(n or self.n, m or self.m, np.random.default_rng(seed))


OPERATORS = [
    OperatorCase("dense", dense),
    OperatorCase("dense float32", dense_single, 1e-5),
    OperatorCase("entries", entries),
    OperatorCase("weighted entries", weighted_entries),
    OperatorCase("rank one", rank_one),
    OperatorCase("complex rank one", complex_rank_one, shapes=((2, 1), (4, 2), (6, 5))),
    OperatorCase("complex rows, real signal", complex_rows_of_real),
    OperatorCase("Hermitian", hermitian, shapes=((2, 1), (4, 2), (6, 5))),
    OperatorCase("coded diffraction", coded, m=8, n=8, shapes=((2, 1), (4, 4), (8, 4))),
    OperatorCase("half of a real one", coded_half, m=6, shapes=((1, 2), (2, 4), (3, 4))),
    OperatorCase("product bases", product_bases, n=8, m=8, shapes=((4, 2), (4, 6), (8, 4))),
    OperatorCase("Pauli strings", pauli_strings, n=8, m=8, shapes=((4, 3), (4, 1), (8, 5))),
    OperatorCase("scanned probe", scanned, m=8, n=8, shapes=((4, 4), (8, 8), (4, 8))),
    OperatorCase("diagonal", diagonal),
    OperatorCase("user's own", own),
    OperatorCase("Fourier", fourier, n=5, m=10, shapes=((1, 2), (2, 4), (3, 6))),
    OperatorCase("function", function),
    OperatorCase("quadratic function", quadratic_function),
    OperatorCase("black box", black_box),
    OperatorCase("SciPy on matrices", scipy_on_matrices),
    OperatorCase("SciPy amplitudes", scipy_amplitudes),
    OperatorCase("PyLops transform", pylops_transform, shapes=((1, 2), (2, 4), (3, 5))),
    OperatorCase("sparse", sparse),
    OperatorCase("weighted", weighted),
    OperatorCase("some rows", some_rows),
    OperatorCase("together", together),
]


# -- losses: the reference value, and random data --------------------------------------------------


class LossCase(NamedTuple):
    name: str
    loss: Loss
    reference: Callable  # (y, b) -> loss, elementwise, in jnp
    data: Callable  # (m, rng) -> b


LOSSES = [
    LossCase(
        "squared",
        Squared(),
        lambda y, b: (y - b) ** 2 / 2,
        lambda m, rng: rng.standard_normal(m),
    ),
    LossCase(
        "logistic",
        Logistic(),
        lambda y, b: jnp.logaddexp(0.0, y) - b * y,
        lambda m, rng: rng.uniform(0, 1, m),
    ),
    LossCase(
        "huber",
        Huber(0.7),
        lambda y, b: jnp.where(abs(y - b) < 0.7, (y - b) ** 2 / 2, 0.7 * abs(y - b) - 0.245),
        lambda m, rng: rng.standard_normal(m),
    ),
]


# -- regularisers: build(n, r, rng) -> the regulariser, its reference value in jnp, its trace weight


def no_regulariser(n, r, rng):
    return (), lambda X: 0.0, 0.0


def ridge(n, r, rng):
    return (Ridge(0.3),), lambda X: 0.15 * jnp.trace(X @ X.T), 0.3


def ridge_by_column(n, r, rng):
    w = rng.uniform(0.1, 1, r)
    return (Ridge(w),), lambda X: jnp.einsum("r,nr,nr->", w, X, X) / 2, w.min()


def ridge_by_entry(n, r, rng):
    w = rng.uniform(0.1, 1, (n, r))
    return (Ridge(w),), lambda X: jnp.vdot(w, X**2) / 2, w.min()


def balance(n, r, rng):
    def reference(X):
        U, V = X[:1], X[1:]
        return 0.7 * jnp.linalg.norm(U.T @ U - V.T @ V) ** 2 / 4

    return (Balance(1, 0.7),), reference, 0.0


def ridge_and_balance(n, r, rng):
    first, second = ridge(n, r, rng), balance(n, r, rng)
    return first[0] + second[0], lambda X: first[1](X) + second[1](X), 0.3


class RegulariserCase(NamedTuple):
    name: str
    build: Callable[..., tuple[tuple[Regulariser, ...], Callable, float]]


REGULARISERS = [
    RegulariserCase("none", no_regulariser),
    RegulariserCase("ridge", ridge),
    RegulariserCase("ridge by column", ridge_by_column),
    RegulariserCase("ridge by entry", ridge_by_entry),
    RegulariserCase("balance", balance),
    RegulariserCase("ridge and balance", ridge_and_balance),
]


def named(table, name):
    """The row of that name."""
    return next(row for row in table if row.name == name)


class ProblemCase(NamedTuple):
    """A problem from three tables, and its objective of a matrix and a factor, in jnp."""

    problem: Problem
    of_matrix: Callable  # (M) -> the data term and the trace part, a function of M = X Xᵀ
    objective: Callable  # (X) -> everything


def make_problem(name, loss="squared", regulariser="none", weighted=False, seed=0):
    rng = np.random.default_rng(seed)
    A, matrices = named(OPERATORS, name)()
    m, n, _ = matrices.shape
    row = named(LOSSES, loss)
    b = row.data(m, rng)
    w = rng.uniform(0.5, 2, m) if weighted else np.ones(m)
    regularisers, penalty, trace = named(REGULARISERS, regulariser).build(n, R, rng)
    problem = Problem(
        A,
        b,
        R,
        weights=w if weighted else None,
        loss=row.loss,
        regularisers=regularisers,
    )

    def data(matrix):
        return jnp.sum(w**2 * row.reference(jnp.einsum("mij,ij->m", matrices, matrix), b))

    return ProblemCase(
        problem,
        lambda matrix: data(matrix) + trace * jnp.trace(matrix) / 2,
        lambda X: data(X @ X.T) + penalty(X),
    )
