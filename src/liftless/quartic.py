"""Exact minimisation of a quartic c0 + c1 s + c2 s² + c3 s³ + c4 s⁴ along a line."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from liftless._types import AnyArray

Values = Float[AnyArray, "..."] | float

#: Round-off of one operation.
EPS = float(np.finfo(np.float64).eps)


def evaluate(c: Float[AnyArray, " 5"], s: Values) -> Values:
    """Value at ``s`` by Horner's rule (NumPy or JAX)."""
    return (((c[4] * s + c[3]) * s + c[2]) * s + c[1]) * s + c[0]


def slope(c: Float[AnyArray, " 5"], s: Values) -> Values:
    """Derivative at ``s``."""
    return ((4 * c[4] * s + 3 * c[3]) * s + 2 * c[2]) * s + c[1]


def curvature(c: Float[AnyArray, " 5"], s: Values) -> Values:
    """Second derivative at ``s``."""
    return (12 * c[4] * s + 6 * c[3]) * s + 2 * c[2]


def stationary_points(
    c: Float[np.ndarray, " 5"],
) -> tuple[Float[np.ndarray, " k"], Bool[np.ndarray, " k"]]:
    """All real stationary points, ascending, and whether each is a minimum.

    Between two critical points of the slope the slope is monotone, so that a change of its sign
    brackets exactly one root, and bisection over the floating-point numbers finds it to the last
    digit.  No leading or trailing coefficient is ever divided by: roots of any size are found
    side by side, such as one that is round-off of zero next to one of size one.

    Parameters
    ----------
    c : array of shape (5,)
        Coefficients, constant term first.  Any of them may vanish.

    Returns
    -------
    points : array of shape (k,), k <= 3
        Empty for a constant or for a polynomial without a stationary point.  A point where the
        slope touches zero within round-off counts, once.
    minima : array of bool of shape (k,)
        Whether the slope changes from negative to positive there.
    """
    c = np.asarray(c, np.float64)
    d = np.array([c[1], 2 * c[2], 3 * c[3], 4 * c[4]])
    knots = _critical_points(d)
    with np.errstate(over="ignore"):
        values = slope(c, knots)
        sizes = slope(np.abs(c), np.abs(knots))
    signs = np.where(np.abs(values) < 4 * EPS * sizes, 0.0, np.sign(values))
    degree = int(np.flatnonzero(d)[-1]) if np.any(d) else 0
    if degree == 0:
        return np.empty(0), np.empty(0, bool)
    top = np.sign(d[degree])
    most = np.finfo(np.float64).max
    knots = np.concatenate([[-most], knots, [most]])
    signs = np.concatenate([[top * (-1) ** degree], signs, [top]])
    roots, upward = [], []
    for k in range(knots.size - 1):
        if signs[k] * signs[k + 1] < 0:
            root = _bisect(c, knots[k], knots[k + 1], signs[k])
            if np.abs(root) < most:
                roots.append(root)
                upward.append(signs[k] < 0)
        if signs[k + 1] == 0:
            after = signs[k + 2 :][signs[k + 2 :] != 0][0]
            before = signs[: k + 1][signs[: k + 1] != 0][-1]
            if signs[k] != 0 or knots[k + 1] - knots[k] > 1e-6 * np.abs(knots[k + 1]):
                roots.append(knots[k + 1])
                upward.append(before < 0 < after)
    return np.array(roots), np.array(upward, bool)


def _critical_points(d: np.ndarray) -> np.ndarray:
    """Real roots, ascending, of the derivative d1 + 2 d2 s + 3 d3 s² of the slope."""
    e0, e1, e2 = d[1], d[2], 3 * d[3]  # e0 + 2 e1 s + e2 s²
    mean = float(np.sqrt(abs(e0)) * np.sqrt(abs(e2)))
    size = max(abs(e1), mean)
    if size == 0.0:
        return np.zeros(1) if e2 != 0 else np.empty(0)
    # e1² − e0 e2 in units of size², so that nothing overflows.
    gap = (e1 / size) ** 2 - np.sign(e0) * np.sign(e2) * (mean / size) ** 2
    if gap < 0:
        # A double root that round-off hides is kept: it may be where the slope touches zero.
        return np.array([-e1 / e2]) if gap > -8 * EPS else np.empty(0)
    far = -(e1 + np.copysign(np.sqrt(gap) * size, e1))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        points = np.array([far / e2, e0 / far])
    return np.unique(points[np.isfinite(points)])


def _bisect(c: np.ndarray, low: float, high: float, sign: float) -> float:
    """Root of the slope between two numbers, to the last digit.

    Positive floats are ordered like their bits read as integers, so halving the integers halves
    the number of floats in between: 64 steps at any scale.
    """
    ends = [_rank(low), _rank(high)]
    with np.errstate(over="ignore"):
        while ends[1] - ends[0] > 1:
            middle = (ends[0] + ends[1]) // 2
            ends[0 if slope(c, _unrank(middle)) * sign > 0 else 1] = middle
        pair = np.array([_unrank(end) for end in ends])
        return float(pair[np.argmin(np.abs(slope(c, pair)))])


def _rank(x: float) -> int:
    bits = int(np.float64(abs(x)).view(np.int64))
    return bits if x >= 0 else -bits


def _unrank(k: int) -> float:
    return float(np.copysign(np.int64(abs(k)).view(np.float64), k))


def minimisers(c: Float[np.ndarray, " 5"]) -> Float[np.ndarray, " k"]:
    """Local minimisers, best first; of two equal values the positive one, then the nearer.

    One so far out that its value is nothing but round-off, larger than c[0], is left out.
    """
    c = np.asarray(c, np.float64)
    s, upward = stationary_points(c)
    s = s[upward]
    bare = np.concatenate([[0.0], c[1:]])
    with np.errstate(over="ignore", invalid="ignore"):
        gain = np.asarray(evaluate(bare, s))
        noise = 16 * EPS * evaluate(np.abs(bare), np.abs(s))
        lost = (np.abs(gain) <= noise) & (noise > np.abs(c[0])) & (c[0] != 0)
    keep = np.isfinite(gain) & ~lost
    s, gain = s[keep], gain[keep]
    # Ties are decided on values rounded relative to the largest, so that round-off cannot.
    unit = np.abs(gain).max(initial=0.0) * 1e-12
    rounded = np.round(gain / unit) if unit > 0 else gain
    return s[np.lexsort((np.abs(s), s < 0, rounded))]


def first_downhill(c: Float[AnyArray, " 5"]) -> Float[AnyArray, ""]:
    """Smallest positive stationary point of a quartic that starts downhill; traceable.

    The slope of a quartic with c[4] >= 0 rises, concave, up to its local maximum (or inflection),
    and rises again, convex, from its local minimum (or inflection).  The root sought lies on one
    of the two branches, and the signs at their ends say on which.  Seen from that end every
    coefficient of the slope is nonnegative, so that Newton's method converges from a bound.
    Nothing cancels: a slope c[1] that is round-off at a saddle, and vanishing leading
    coefficients, are ordinary cases.

    Parameters
    ----------
    c : array of shape (5,)
        With c[1] < 0 and bounded below; a negative c[4] is taken for round-off of zero.

    Returns
    -------
    scalar
        0 where the input has no downhill direction or no minimiser.
    """
    d1, d2, d3 = 2 * c[2], 3 * c[3], 4 * jnp.maximum(c[4], 0)

    def value(s: AnyArray) -> AnyArray:
        return ((d3 * s + d2) * s + d1) * s + c[1]

    top, bottom = _branches(d1, d2, d3)
    safe_top = jnp.where(jnp.isfinite(top), jnp.maximum(top, 0), 0.0)
    near = (safe_top > 0) & (value(safe_top) >= 0)
    far = jnp.isfinite(bottom) | (bottom < 0)
    base = jnp.where(near, safe_top, jnp.where(far, jnp.maximum(bottom, 0), 0.0))
    side = jnp.where(near, -1.0, 1.0)
    first = (3 * d3 * base + 2 * d2) * base + d1
    second = side * (3 * d3 * base + d2)
    x = _positive_root(-side * value(base), first, second, d3)
    s = jnp.where(near, jnp.clip(base - x, 0, base), base + x)
    for _ in range(3):
        bend = curvature(c, s)
        trial = s - slope(c, s) / jnp.where(bend > 0, bend, 1.0)
        better = (bend > 0) & (trial > 0) & (jnp.abs(slope(c, trial)) < jnp.abs(slope(c, s)))
        s = jnp.where(better, trial, s)
    return jnp.where((c[1] < 0) & (near | far) & (s > 0) & jnp.isfinite(s), s, 0.0)


def _branches(d1: AnyArray, d2: AnyArray, d3: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Where the slope d1 s + d2 s² + d3 s³ ends its concave rise and begins its convex one.

    Its local maximum and minimum, or twice its inflection; -inf or inf where there is none.
    """
    bend = 3 * d3  # its derivative is d1 + 2 d2 s + bend s²
    mean = jnp.sqrt(jnp.abs(d1)) * jnp.sqrt(bend)
    size = jnp.maximum(jnp.abs(d2), mean)
    unit = jnp.where(size > 0, size, 1.0)
    gap = (d2 / unit) ** 2 - jnp.sign(d1) * (mean / unit) ** 2
    sign = jnp.where(d2 < 0, -1.0, 1.0)
    far = -(d2 + sign * jnp.sqrt(jnp.maximum(gap, 0)) * unit)
    some, curved = far != 0, bend > 0
    one = jnp.where(curved, far / jnp.where(curved, bend, 1.0), jnp.sign(far) * jnp.inf)
    other = jnp.where(some, d1 / jnp.where(some, far, 1.0), 0.0)
    inflection = -d2 / jnp.where(curved, bend, 1.0)
    top = jnp.where(gap < 0, inflection, jnp.minimum(one, other))
    bottom = jnp.where(gap < 0, inflection, jnp.maximum(one, other))
    # A straight slope rises everywhere or nowhere.
    straight = jnp.where(d1 > 0, -jnp.inf, jnp.inf)
    line = (d2 == 0) & ~curved
    return jnp.where(line, -jnp.inf, top), jnp.where(line, straight, bottom)


def _positive_root(y: AnyArray, f1: AnyArray, f2: AnyArray, f3: AnyArray) -> AnyArray:
    """Root x >= 0 of f1 x + f2 x² + f3 x³ = y, all nonnegative; inf if there is none.

    The least of the three roots of one term alone is at most three times too large, and Newton's
    method on a convex increasing function then converges from above.
    """
    y = jnp.maximum(y, jnp.finfo(jnp.result_type(y)).tiny)
    f1, f2 = jnp.maximum(f1, 0), jnp.maximum(f2, 0)
    # A plain division, infinite by zero: f1 is often round-off of zero, which compiled code may
    # compute twice, once above zero and once not; two tests of its sign would contradict then.
    x = jnp.minimum(y / f1, jnp.minimum(jnp.sqrt(y / f2), jnp.cbrt(y / f3)))
    z = jnp.where(jnp.isfinite(x), x, 0.0)
    for _ in range(6):
        rise = (3 * f3 * z + 2 * f2) * z + f1
        excess = ((f3 * z + f2) * z + f1) * z - y
        z = jnp.where(rise > 0, z - excess / jnp.where(rise > 0, rise, 1.0), z)
    return jnp.where(jnp.isfinite(x), jnp.clip(z, 0, x), x)
