"""Measurements by somebody else's code: an FFT behind SciPy's LinearOperator, recovered as is.

A real signal x is seen through four random masks and a Fourier transform of twice its length, of
which a detector keeps the intensities alone (coded diffraction).  No matrix of the measurements is
ever formed.  Run it: ``python examples/anyones_operator.py``.
"""

import numpy as np
from scipy.sparse.linalg import LinearOperator

import liftless as ll

LENGTH, MASKS, SEED = 12, 4, 0


def diffraction(length, masks):
    """Return x ↦ the transforms of the masked signals, one after another, and its adjoint."""
    wide = 2 * length

    def forward(x):
        return np.fft.fft(masks * x.ravel(), n=wide, axis=1).ravel()

    def adjoint(y):
        # The inverse transform is the adjoint over ``wide``.
        back = wide * np.fft.ifft(y.reshape(-1, wide), axis=1)[:, :length]
        return np.sum(masks * back, axis=0)

    shape = (masks.shape[0] * wide, length)
    return LinearOperator(shape, matvec=forward, rmatvec=adjoint, dtype=complex)


def main():
    """Recover the signal up to its sign, and print the verdict."""
    rng = np.random.default_rng(SEED)
    masks = rng.choice([-1.0, 1.0], (MASKS, LENGTH)) * rng.uniform(0.5, 1.5, (MASKS, LENGTH))
    transform = diffraction(LENGTH, masks)
    # What one application of the transform costs, so that a budget is counted rightly.
    work = transform.shape[0] * np.log2(2 * LENGTH)
    operator = ll.from_linear_operator(transform, amplitudes=True, cost=work)
    signal = rng.standard_normal(LENGTH)
    intensities = np.abs(transform.matvec(signal)) ** 2
    result = ll.recover(ll.Problem(operator, intensities, rank=1))
    x = result.x[:, 0]
    error = min(np.linalg.norm(x - s * signal) for s in (1, -1)) / np.linalg.norm(signal)
    print(result.message)
    print(f"relative error of the signal {error:.1e}")
    return result, error


if __name__ == "__main__":
    main()
