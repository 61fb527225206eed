"""Tables that several tests complete."""

import numpy as np

N1, N2, R = 24, 18, 2


def factors(seed=0, r=R):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N1, r)), rng.standard_normal((N2, r)), rng


def holed(seed=0, share=0.6, noise=0.0):
    """A table of rank 2 with NaN for holes, and the whole of it."""
    U, V, rng = factors(seed)
    M = U @ V.T
    Y = M + noise * rng.standard_normal(M.shape)
    return np.where(rng.random(M.shape) < share, Y, np.nan), M
