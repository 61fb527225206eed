"""Complex operators of the table, each with the real matrices that act on [Re Z; Im Z]."""

import numpy as np

from liftless.operators import (
    CodedDiffraction,
    ComplexRankOneOperator,
    HermitianOperator,
    PauliStrings,
    ProductBases,
    ScannedProbe,
)


def real_form(A):
    """[[Re A, −Im A], [Im A, Re A]] of Hermitian matrices."""
    return np.concatenate(
        [np.concatenate([A.real, -A.imag], axis=2), np.concatenate([A.imag, A.real], axis=2)],
        axis=1,
    )


def complex_rows(n, m, rng):
    return rng.standard_normal((m, n)) + 1j * rng.standard_normal((m, n))


def complex_rank_one(n, m, rng):
    a = complex_rows(n // 2, m, rng)
    return ComplexRankOneOperator(a), real_form(np.einsum("mi,mj->mij", a, a.conj()))


def complex_rows_of_real(n, m, rng):
    a = complex_rows(n, m, rng)
    return ComplexRankOneOperator(a, real=True), np.einsum("mi,mj->mij", a, a.conj()).real


def hermitian(n, m, rng):
    A = complex_rows(n // 2 * (n // 2), m, rng).reshape(m, n // 2, n // 2)
    A = A + A.conj().transpose(0, 2, 1)
    return HermitianOperator.from_matrices(A), real_form(A)


def coded_rows(masks):
    """F M_l as matrices, by the transform of unit images; (L, K, n)."""
    L, *shape = masks.shape
    n = int(np.prod(shape))
    units = np.eye(n).reshape(n, 1, *shape) * masks
    axes = tuple(range(2, 2 + len(shape)))
    return np.fft.fftn(units, axes=axes, norm="ortho").reshape(n, L, n).transpose(1, 2, 0)


def coded(n, m, rng):
    """A complex image of n/4 × 2 pixels."""
    pixels = n // 2
    masks = complex_rows(pixels, m // pixels, rng).reshape(-1, pixels // 2 or 1, min(pixels, 2))
    a = coded_rows(masks).reshape(m, pixels).conj()
    return CodedDiffraction(masks), real_form(np.einsum("mi,mj->mij", a, a.conj()))


def coded_half(n, m, rng):
    """A real one of n/2 × 2 pixels of a real mask, with a support of n of a grid of 2 n."""
    masks = rng.standard_normal((m // (2 * (n // 2 + 1)), 2, n))
    support = np.arange(2 * n).reshape(2, n) < n
    F = coded_rows(masks).reshape(-1, 2, n, 2 * n)[..., :n]
    c = np.where(np.isin(np.arange(n // 2 + 1), (0, n / 2)), 1.0, 2.0)
    a = (F[:, :, : n // 2 + 1] * np.sqrt(c)[:, None]).reshape(m, n)
    operator = CodedDiffraction(masks, support=support, real=True, half=True)
    return operator, np.einsum("mi,mj->mij", a.conj(), a).real


def product_bases(n, m, rng):
    """Two qubits, or one, in random settings."""
    q = int(np.log2(n // 2))
    settings = rng.integers(0, 3, (m // 2**q, q))
    one = np.array([[[1, 1], [1, -1]], [[1, 1j], [1, -1j]], [[2**0.5, 0], [0, 2**0.5]]]) / 2**0.5
    v = np.array([[1.0]])[None] * np.ones((len(settings), 1, 1))
    for k in range(q):
        v = np.einsum("soi,spj->sopij", v, one[settings[:, k]]).reshape(len(v), 2 ** (k + 1), -1)
    v = v.reshape(m, n // 2)
    return ProductBases(settings), real_form(np.einsum("mi,mj->mij", v, v.conj()))


def pauli_strings(n, m, rng):
    """Strings of two qubits, or one, with their matrices by products of Kronecker."""
    q = int(np.log2(n // 2))
    letters = {
        "I": np.eye(2),
        "X": [[0, 1], [1, 0]],
        "Y": [[0, -1j], [1j, 0]],
        "Z": [[1, 0], [0, -1]],
    }
    words = ["".join(rng.choice(list("IXYZ"), q)) for _ in range(m)]
    A = np.ones((m, 1, 1))
    for k in range(q):
        one = np.array([letters[word[k]] for word in words])
        A = np.einsum("mij,mkl->mikjl", A, one).reshape(m, 2 ** (k + 1), -1)
    return PauliStrings(words), real_form(A.astype(complex))


def scanned(n, m, rng):
    """A window of two pixels on a complex signal, one of it dark; a matrix by its definition."""
    pixels = n // 2
    probe = complex_rows(1, 2, rng)[:, 0]
    positions = np.r_[0, pixels - 2, rng.integers(0, pixels - 1, m // 2 - 2)]
    if pixels > 3:
        positions = np.r_[np.arange(0, pixels, 2), positions][: m // 2]
    a = np.zeros((m // 2, 2, pixels), complex)
    for k, place in enumerate(positions):
        a[k, :, place : place + 2] = np.fft.fft(np.eye(2), norm="ortho") * probe
    a = a.reshape(m, pixels).conj()
    operator = ScannedProbe(probe, positions, (pixels,))
    return operator, real_form(np.einsum("mi,mj->mij", a, a.conj()))
