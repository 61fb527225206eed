"""Many entries: how they are laid out by line, and the sums over them, against sparse matrices."""

import jax
import numpy as np
import pytest
from scipy.sparse import coo_array

from liftless._errors import InvalidInput
from liftless.operators import EntriesOperator, RectangularEntries, lines
from liftless.start.belief.layout import planned, rounded, widths

# -- layout ----------------------------------------------------------------------------------------


def test_widths_grow_by_at_most_two_and_hold_the_most():
    ladder = widths(1000)
    assert ladder[:6] == [8, 16, 32, 64, 80, 96]
    assert ladder[-1] >= 1000 > ladder[-2]


@pytest.mark.parametrize("k", [1, 15, 16, 17, 1000, 123457])
def test_rounded_adds_at_most_an_eighth(k):
    assert k <= rounded(k) <= k * 9 / 8 + 1


def test_heavy_lines_do_not_widen_the_others():
    degree = np.r_[np.full(1000, 7), 5000]
    shapes = planned((degree,))
    assert len(shapes.buckets) == 2
    assert shapes.slots < 3 * degree.sum()


# -- kernels ---------------------------------------------------------------------------------------


@pytest.fixture
def many(monkeypatch):
    monkeypatch.setattr(lines, "MANY", 1)


@pytest.mark.parametrize("kind", ["rectangular", "symmetric"])
@pytest.mark.parametrize(
    ("columns", "in_order", "block"),
    [(1, True, 16), (3, False, 64), (3, True, 16), (20, False, 16)],
)
def test_sorted_kernels_against_sparse_matrices(many, monkeypatch, kind, columns, in_order, block):
    monkeypatch.setattr(lines, "BLOCK", block)
    rng = np.random.default_rng(3)
    m, n1, n2 = 40, 7, 5
    weights = rng.standard_normal(m)
    if kind == "rectangular":
        i, j = rng.integers(0, n1, m), rng.integers(0, n2, m)
        i = np.sort(i) if in_order else i
        operator, below = RectangularEntries(i, j, n1, n2, weights), j + n1
    else:
        i, below = rng.integers(0, n1 + n2, (2, m))
        i = np.sort(i) if in_order else i
        operator = EntriesOperator(i, below, n1 + n2, weights)
    assert operator.lines is not None
    assert (operator.lines.first.order is None) == in_order
    n = n1 + n2
    U, V, y = rng.standard_normal((n, columns)), rng.standard_normal((n, columns)), rng.random(m)
    W = (U @ V.T + V @ U.T) / 2
    np.testing.assert_allclose(operator.measure(U, V), weights * W[i, below], rtol=1e-12)
    W = U @ U.T
    np.testing.assert_allclose(operator.measure(U, U), weights * W[i, below], rtol=1e-12)
    S = coo_array((weights * y, (i, below)), shape=(n, n)).toarray()
    np.testing.assert_allclose(operator.backproject(y, V), (S + S.T) @ V / 2, atol=1e-12)
    batch = jax.vmap(operator.backproject, (0, None))(np.stack([y, 2 * y]), V)
    np.testing.assert_allclose(batch[1], (S + S.T) @ V, atol=1e-12)
    _, slope = jax.jvp(lambda y: operator.backproject(y, V), (y,), (y,))
    np.testing.assert_allclose(slope, (S + S.T) @ V / 2, atol=1e-12)
    (back,) = jax.vjp(lambda y: operator.backproject(y, V), y)[1](U)
    np.testing.assert_allclose(back, operator.measure(U, V), atol=1e-12)
    grams = operator.row_grams(np.asarray(y), U[:, :3])
    for k in range(n):
        near = U[np.r_[below[i == k], i[below == k]], :3]
        c = (y * weights**2)[np.r_[np.flatnonzero(i == k), np.flatnonzero(below == k)]]
        np.testing.assert_allclose(grams[k], (near.T * c) @ near, atol=1e-12)
    part = operator.subset(np.array([3, 5]))
    np.testing.assert_allclose(part.backproject(y[[3, 5]], V), part.matrix(y[[3, 5]]) @ V)


def test_positions_beyond_32_bits_are_refused():
    with pytest.raises(InvalidInput, match="at most 2147483647"):
        EntriesOperator([0], [1], 2**31)
