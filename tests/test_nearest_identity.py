"""The combination of the A_i nearest the identity, against NumPy's least squares."""

import numpy as np
import pytest

from liftless.linalg import OutOfTime, ticking
from liftless.operators import identity
from liftless.operators.dense import packed_indices

N = 4


def _rows(m, seed=3):
    rng = np.random.default_rng(seed)
    i, j = packed_indices(N)
    scale = np.where(i == j, 1.0, np.sqrt(0.5))
    return rng.standard_normal((m, i.size)), scale, (i == j) * 1.0


@pytest.mark.parametrize("m", [6, 10, 40])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("most", [np.inf, 0.0])
def test_nearest_identity_is_the_least_squares_fit(m, repeated, most, monkeypatch):
    monkeypatch.setattr(identity, "CHECK", most)
    rows, scale, goal = _rows(m)
    if repeated:
        rows[-1] = rows[0]
    w = identity.nearest_identity(rows, scale, goal)
    expected = np.linalg.lstsq((rows * scale).T, goal, rcond=1e-10)[0]
    fit, best = (w @ (rows * scale), expected @ (rows * scale))
    tight = 1e-9 if most else 10 * identity.CLOSE
    assert np.linalg.norm(fit - best) <= tight * np.linalg.norm(goal)
    if most or not repeated:
        assert np.allclose(w, expected, atol=tight * 10)


def test_an_iterated_fit_ends_when_the_time_is_over(monkeypatch):
    monkeypatch.setattr(identity, "CHECK", 0.0)

    def tick(work=0):
        raise OutOfTime

    with ticking(tick), pytest.raises(OutOfTime):
        identity.nearest_identity(*_rows(8))
