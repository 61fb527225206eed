"""A second exact fit, looked for from independent starts.

Everything else is local or looks for a known cause; this looks for any.  Levenberg–Marquardt from
many starts at once, on the sensing matrices as plain arrays: in the units of the rows of X from
images of X whose rows are turned over at random, and from Gaussian factors; and in units of its own
from Gaussian factors, since the other matrix may be long where X is short (of one pair of fits one
was met by none of 960 scaled starts at the other, and by half of the plain ones).  A search, and no
proof.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from liftless.identify.question import Question

Factor = Float[np.ndarray, "n r"]
Factors = Float[np.ndarray, "k n r"]

#: Starts of one wave, and most of all.
WAVE, MOST = 48, 480
#: Exact fits that end at X itself after which nothing else is expected.  Of 400 starts as few as
#: six ended at the other one of two fits, where their rows are of very different lengths.
ENOUGH = 240
#: Steps from each start, and after how many those without hope are dropped.
STEPS, TURN = 120, 20
#: Least damping: above round-off, for along the gauge the normal matrix is singular.
LEAST = 1e-12
#: Multiply-adds of a search.
WORK = 1.5e9
#: Largest number of unknowns for which it is worth the while: ten times a recovery, and more.
UNKNOWNS = 48
#: Residual relative to b of an exact fit, and of one that is near X.
EXACT, SHARP = 1e-10, 1e-13
#: Matrices differ if they do by the first, relatively; if by less than the second a fit must be
#: sharp, since where h is flat what nearly fits lies far.
APART, NEAR = 1e-4, 1e-2


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes
    ----------
    other : array of shape (n, r) or None
        A scaled factor of another matrix that fits.
    apart : float
        Its distance, relative.
    starts, returned : int
        Starts tried, and how many of them ended at X.
    """

    other: Factor | None
    apart: float
    starts: int
    returned: int


def price(q: Question) -> float:
    """Multiply-adds from one start."""
    m, n = q.A.shape[:2]
    N = q.X.size
    return STEPS / 2 * (m * n * N + m * N * N + N**3)


def affordable(q: Question) -> int:
    """Starts that the work allows; 0 where too few to tell anything."""
    if q.X.size > UNKNOWNS:
        return 0
    most = int(min(MOST, WORK / price(q)))
    return most if most >= WAVE // 2 else 0


def second_fit(q: Question, width: int) -> Found | None:
    """Look for another matrix with the measurements of X; None where that would take long.

    Parameters
    ----------
    q : Question
    width : int
        Columns of the factors, at least those of X: the rank that is asked for.
    """
    q = dataclasses.replace(q, X=np.pad(q.X, ((0, 0), (0, width - q.X.shape[1]))))
    most = affordable(q)
    if not most:
        return None
    rng, even = np.random.default_rng(0), _unscaled(q)
    tried = returned = wave = 0
    while tried < most and returned < ENOUGH:
        count = min(WAVE, most - tried)
        one = even if wave % 2 else q
        starts = _gaussian(q, rng, count) if wave % 2 else _starts(q, rng, count)
        size = max(float(np.linalg.norm(one.b)), 1e-300)
        ends, residual = fitted(one.A, one.b, starts, EXACT / 100 * size)
        tried, wave = tried + count, wave + 1
        for k in np.flatnonzero(residual <= EXACT * size):
            end = ends[k] * (one.lengths / q.lengths)[:, None]
            if one is even and not q.fits(end):
                # Small rows are not fitted to their own round-off.
                continue
            away = q.apart(end)
            if away > NEAR or (away > APART and residual[k] <= SHARP * size):
                return Found(end, away, tried, returned)
            returned += 1
    return Found(None, 0.0, tried, returned)


def _unscaled(q: Question) -> Question:
    """The same question in the units of the matrix."""
    d = q.lengths
    A = q.A / (d[:, None] * d)
    norms = np.sqrt(np.sum(A * A, axis=(1, 2)))
    unit = A / norms[:, None, None]
    return Question(q.space, unit, q.X * d[:, None], np.ones_like(d), q.norms * norms, q.kept)


def _gaussian(q: Question, rng: np.random.Generator, count: int) -> Factors:
    """Gaussian factors about as long as X."""
    out = rng.standard_normal((count, *q.X.shape))
    size = float(np.linalg.norm(q.X * q.lengths[:, None]))
    size = size / np.linalg.norm(out, axis=(1, 2), keepdims=True)
    return out * size * np.exp(0.5 * rng.standard_normal((count, 1, 1)))


def _starts(q: Question, rng: np.random.Generator, count: int) -> Factors:
    """Images of X with rows turned over, and Gaussian factors: scaled as X is, or as M is."""
    n, r = q.X.shape
    out = rng.standard_normal((count, n, r)) / np.sqrt(r)
    for k in range(0, count, 2):
        v = rng.standard_normal(r)
        mirror = np.eye(r) - 2 * np.outer(v, v) / (v @ v)
        turned = rng.random(n) < rng.random()
        image = np.where(turned[:, None], q.X @ mirror, q.X)
        out[k] = image + 0.2 * rng.random() * out[k]
    # In the units of the matrix itself no row is expected to be small.
    plain = out[3::4] / q.lengths[:, None]
    out[3::4] = plain * np.sqrt(n) / np.linalg.norm(plain, axis=(1, 2), keepdims=True)
    # Not all of a size: what is open may be long or short.
    out[1::2] *= np.exp(0.5 * rng.standard_normal((len(out[1::2]), 1, 1)))
    return out


def fitted(
    A: Float[np.ndarray, "m n n"], b: Float[np.ndarray, " m"], X: Factors, level: float
) -> tuple[Factors, Float[np.ndarray, " k"]]:
    """Levenberg–Marquardt on ½‖A(X Xᵀ) − b‖² from several factors; ends, and their residuals.

    A start is left once its residual is below ``level``.
    """
    ends, left = X.copy(), np.full(len(X), np.inf)
    at = np.arange(len(X))
    damping = np.full(len(X), 1e-2)
    pushed, miss = _evaluated(A, b, X)
    for step in range(STEPS):
        cost = np.sum(miss * miss, axis=1)
        left[at] = np.sqrt(cost)
        ends[at] = X
        going = left[at] > level
        if step and step % TURN == 0:
            going &= _hopeful(pushed, miss, X)
        if not going.all():
            at, X, pushed, miss, damping, cost = (
                part[going] for part in (at, X, pushed, miss, damping, cost)
            )
        if not at.size:
            break
        J = 2 * pushed.reshape(len(at), len(b), -1)
        normal = J.transpose(0, 2, 1) @ J
        slope = np.einsum("kmn,km->kn", J, miss)
        top = np.einsum("kii->ki", normal).max(axis=1)
        normal += (damping * top + 1e-300)[:, None, None] * np.eye(normal.shape[1])
        move = np.linalg.solve(normal, -slope[:, :, None])[:, :, 0].reshape(X.shape)
        there, off = _evaluated(A, b, X + move)
        better = np.sum(off * off, axis=1) < cost
        X = np.where(better[:, None, None], X + move, X)
        pushed = np.where(better[:, None, None, None], there, pushed)
        miss = np.where(better[:, None], off, miss)
        damping = np.clip(np.where(better, 0.2, 6.0) * damping, LEAST, 1e6)
    return ends, left


def _evaluated(
    A: Float[np.ndarray, "m n n"], b: Float[np.ndarray, " m"], X: Factors
) -> tuple[Float[np.ndarray, "k m n r"], Float[np.ndarray, "k m"]]:
    """A_i X, and the residuals."""
    m, n = A.shape[:2]
    pushed = (A.reshape(m * n, n) @ X).reshape(len(X), m, n, -1)
    return pushed, np.einsum("kmnr,knr->km", pushed, X) - b


def _hopeful(pushed: np.ndarray, miss: np.ndarray, X: Factors) -> Bool[np.ndarray, " k"]:
    """Whether ‖∇h‖ ‖X‖ / h is not small: else a spurious point is near."""
    slope = 2 * np.einsum("kmnr,km->knr", pushed, miss)
    length = np.sqrt(np.sum(slope**2, axis=(1, 2)) * np.sum(X * X, axis=(1, 2)))
    return length > 1e-2 * np.sum(miss * miss, axis=1)
