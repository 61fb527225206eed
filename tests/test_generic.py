"""Which measurements look like draws from a continuous law; all but those are searched."""

import numpy as np
import pytest
from scipy.linalg import block_diag, circulant

from liftless import DenseOperator, Problem, RankOneOperator, RectangularOperator, identifiability

N, M, R = 8, 30, 1


def symmetric(A):
    return DenseOperator.from_matrices((A + A.transpose(0, 2, 1)) / 2)


def blocks(rng):
    """Two blocks that no measurement ties, in a basis where nothing shows it."""
    Q = np.linalg.qr(rng.standard_normal((N, N)))[0]
    parts = rng.standard_normal((2, M, N // 2, N // 2))
    return symmetric(np.stack([Q @ block_diag(p, q) @ Q.T for p, q in zip(*parts, strict=True)]))


def heavy(rng):
    A = rng.standard_normal((M, N, N))
    A[:, 0, 1] *= 1e3
    return symmetric(A)


DRAWN = {
    "gaussian": lambda rng: symmetric(rng.standard_normal((M, N, N))),
    "uniform, not centred": lambda rng: symmetric(rng.uniform(1, 2, (M, N, N))),
    "rank one": lambda rng: RankOneOperator(rng.standard_normal((M, N))),
    "rectangular": lambda rng: RectangularOperator.from_matrices(rng.standard_normal((M, 7, 5))),
    "one of three sizes": lambda rng: symmetric(rng.integers(-1, 2, (M, N, N)).astype(float)),
    "signs": lambda rng: RankOneOperator(rng.choice([-1.0, 1.0], (M, N))),
    "circulant": lambda rng: symmetric(np.stack([circulant(c) for c in rng.random((M, N))])),
    "hidden blocks": blocks,
    "one heavy entry": heavy,
    "a zero": lambda rng: symmetric(rng.standard_normal((M, N, N)) * (np.ones((N, N)) - np.eye(N))),
}
GENERIC = ("gaussian", "uniform, not centred", "rank one", "rectangular")


@pytest.mark.parametrize("name", DRAWN)
def test_only_what_looks_drawn_from_a_continuous_law_is_left_unsearched(name):
    rng = np.random.default_rng(5)
    operator = DRAWN[name](rng)
    X = rng.standard_normal((operator.n, R))
    found = identifiability(Problem(operator, np.zeros(operator.m), R), X)
    assert ("generic" in found.findings) == (name in GENERIC)
    if name in GENERIC:
        assert found.answer == "yes"
        assert "drawn at random" in found.message
