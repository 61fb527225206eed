"""Sensing as the local-search paper runs it: Gaussian matrices in single precision, Q Qᵀ truths.

Only the sums A_jk + A_kj of an unsymmetrised Gaussian matrix act on a symmetric one: the packed
row has N(0, 1) on the diagonal and N(0, 2) off it.  In coordinates where the packed dot product
is the Frobenius one these rows are a matrix G of independent standard normals with
p = n(n+1)/2 columns, and every objective ½‖G x − b‖² depends on G through GᵀG alone.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import positive_int, real_number
from liftless._errors import InvalidInput
from liftless.instances.base import LOCAL_SEARCH, Instance, check_size, pairs
from liftless.linalg import fix_signs
from liftless.operators import DenseOperator, matrix, measure
from liftless.problem import Problem

#: Measurements per n r when their number is not given: clear of the paper's transition at 2.
DEFAULT_OVERSAMPLING = 3
#: Alignment, in bytes, of arrays that JAX takes over as they are.
ALIGNMENT = 64


def packed_scale(n: int) -> Float[np.ndarray, " p"]:
    """Standard deviation of each packed entry: 1 on the diagonal, √2 off it."""
    i, j = np.triu_indices(n)
    return np.where(i == j, 1.0, math.sqrt(2.0))


def aligned_zeros(shape: tuple[int, int], dtype: Any) -> Float[np.ndarray, "k p"]:
    """Zeros whose data begin at a multiple of 64 bytes, which JAX then uses without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    first = -raw.ctypes.data % ALIGNMENT
    return raw[first : first + size].view(dtype).reshape(shape)


def explicit_rows(
    rng: np.random.Generator, m: int, n: int, rows: int | None = None
) -> Float[np.ndarray, "k p"]:
    """Packed single-precision rows of ``m`` unsymmetrised Gaussian matrices.

    Parameters
    ----------
    rng : numpy.random.Generator
    m, n : int
        Number of measurements and order.
    rows : int, optional
        Height of the array, at least m; rows beyond m are zero and measure nothing.

    Returns
    -------
    array of shape (rows, n(n+1)/2), float32
        Drawn in place: nothing of that size is ever held in double precision.
    """
    p = n * (n + 1) // 2
    packed = aligned_zeros((m if rows is None else rows, p), np.float32)
    rng.standard_normal(out=packed[:m], dtype=np.float32)
    packed[:m] *= packed_scale(n).astype(np.float32)
    return packed


def triangular_factor(
    rng: np.random.Generator, m: int, p: int, dtype: Any = np.float64
) -> Float[np.ndarray, "p p"]:
    """Upper triangular R for which RᵀR has the law of GᵀG, G of shape (m, p) standard normal.

    Bartlett's decomposition: R_ii² is chi-squared with m − i degrees of freedom (i = 0, 1, …)
    and the entries above the diagonal are standard normal, all independent.

    Parameters
    ----------
    rng : numpy.random.Generator
    m, p : int
        m >= p.
    dtype : {float64, float32}

    Returns
    -------
    array of shape (p, p)
    """
    if m < p:
        raise InvalidInput("m", m, f"at least {p}, the number of columns")
    R = aligned_zeros((p, p), dtype)
    diagonal = np.sqrt(rng.chisquare(m - np.arange(p)))
    for i in range(p):
        rng.standard_normal(out=R[i, i:], dtype=dtype)
        R[i, i] = diagonal[i]
    return R


def gram_rows(rng: np.random.Generator, m: int, n: int) -> Float[np.ndarray, "p p"]:
    """Packed single-precision rows of p measurements that stand for ``m`` >= p of them, exactly.

    Parameters
    ----------
    rng : numpy.random.Generator
    m, n : int
        m >= p = n(n+1)/2.

    Returns
    -------
    array of shape (p, p), float32
        :func:`triangular_factor` in packed coordinates.
    """
    packed = triangular_factor(rng, m, n * (n + 1) // 2, np.float32)
    packed *= packed_scale(n).astype(np.float32)
    return packed


def sensing_rows(rng: np.random.Generator, m: int, n: int) -> Float[np.ndarray, "k p"]:
    """Packed rows with the law of ``m`` measurements: at most n(n+1)/2 of them."""
    return explicit_rows(rng, m, n) if m <= n * (n + 1) // 2 else gram_rows(rng, m, n)


def subspace_truth(
    rng: np.random.Generator, n: int, spectrum: Float[np.ndarray, " r"]
) -> Float[np.ndarray, "n r"]:
    """Factor Q diag(spectrum)^½ with a uniformly random orthonormal Q of shape (n, r)."""
    Q, R = np.linalg.qr(rng.standard_normal((n, spectrum.size)))
    # The signs make Q uniform; Q Qᵀ does not depend on them.
    return Q * np.sign(np.diagonal(R)) * np.sqrt(spectrum)


def sphere_init(
    rng: np.random.Generator, shape: tuple[int, ...], size: float
) -> Float[np.ndarray, "n r"]:
    """Uniform on ‖U‖_F = ``size``, the random initialisation of Theorem 3.3."""
    U = rng.standard_normal(shape)
    return size / float(np.linalg.norm(U)) * U


def svd_init(operator: DenseOperator, b: Any, m: int, rank: int) -> Float[np.ndarray, "n r"]:
    """Best rank-r approximation of (1/m) Σ b_i A_i, the SVD initialisation of Figure 1.

    Parameters
    ----------
    operator : DenseOperator
    b : array of shape (operator.m,)
    m : int
        Measurements that the operator stands for.
    rank : int

    Returns
    -------
    array of shape (n, r)
        Eigenvectors of the symmetric part times the roots of their eigenvalues, where positive.
    """
    return leading_factor(np.asarray(matrix(operator, b)) / m, rank)


def leading_factor(M: Float[np.ndarray, "n n"], rank: int) -> Float[np.ndarray, "n r"]:
    """Factor of the best positive semidefinite approximation of rank at most ``rank``."""
    values, vectors = np.linalg.eigh((M + M.T) / 2)
    top = np.argsort(-values, kind="stable")[:rank]
    return fix_signs(vectors[:, top]) * np.sqrt(np.maximum(values[top], 0.0))


def local_search(
    n: int = 20,
    rank: int = 2,
    m: int | None = None,
    condition: float = 1.0,
    seed: int = 0,
    noise: float = 0.0,
) -> Instance:
    """Single-precision Gaussian sensing of Q diag(s) Qᵀ, Figure 1 of the local-search paper.

    Parameters
    ----------
    n, rank : int
        Order and rank of the truth.
    m : int, optional
        Number of measurements; 3 n r if left out.
    condition : float
        Largest over smallest eigenvalue s of the truth, >= 1; the eigenvalues are equally spaced
        from it down to 1.  At 1 the truth is the projector Q Qᵀ.
    seed : int
        Seed of ``numpy.random.default_rng``.
    noise : float
        Standard deviation of normal noise added to each measurement.

    Notes
    -----
    For m > n(n+1)/2 the problem has n(n+1)/2 rows, drawn so that its objective has exactly the
    law of the m measurements', up to a constant when there is noise.
    """
    n = positive_int("n", n)
    rank = positive_int("rank", rank, most=n)
    m = DEFAULT_OVERSAMPLING * n * rank if m is None else positive_int("m", m)
    seed, noise = positive_int("seed", seed, least=0), real_number("noise", noise, least=0.0)
    condition = real_number("condition", condition, least=1.0)
    check_size(n, None, (min(m, pairs(n)) + 3) * pairs(n))
    rng = np.random.default_rng(seed)
    truth = subspace_truth(rng, n, np.linspace(condition, 1.0, rank))
    operator = DenseOperator(sensing_rows(rng, m, n), n, np.float32)
    b = measure(operator, truth, truth) + noise * rng.standard_normal(operator.m)
    parameters = {
        "n": n,
        "rank": rank,
        "m": m,
        "condition": condition,
        "seed": seed,
        "noise": noise,
    }
    return Instance(
        name="local-search",
        problem=Problem(operator, b, rank),
        truth=truth,
        points=(),
        seed=seed,
        parameters=parameters,
        description=f"{m} single-precision Gaussian measurements, order {n}, rank {rank}",
        reference=f"{LOCAL_SEARCH}, Section 2 and Figure 1",
    )
