"""Operators of every kind that is not stored here, and the matrices that they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pylops
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator
from tables import symmetric

import liftless as ll

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


def thin():
    return ll.SparseOperator.from_matrices([csr_array(a) for a in THIN])
