"""Second-order methods: trust region (Steihaug) and cubic regularisation.

Both take their model's step as a direction and go to the first minimiser of the exact quartic along
it (or search along it), so that no step is ever refused; how far that is from the model's own step
sets the next radius or weight.  A product with the Hessian of a problem costs three applications.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from liftless._checks import positive_int, real_number, traced_whole
from liftless._fields import number
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent.base import Factor, Method, Point
from liftless.objective import Objective

#: Up to this n r the cubic model is minimised exactly, by an eigendecomposition.
DENSE = 500
#: The model is trusted more above the first ratio of real to foreseen decrease, less below the
#: second.
GOOD, BAD = 0.75, 0.25
#: Halvings that find ‖d‖ of the cubic model.
HALVINGS = 100

#: Conjugate gradients: D, H D, residual, direction, products so far, whether it has ended.
Walk = tuple[Factor, Factor, Factor, Factor, Float[AnyArray, ""], AnyArray]


def _along(
    objective: Objective, point: Point, D: Factor, cost: Float[AnyArray, ""] | float
) -> tuple[Point, Float[AnyArray, ""]]:
    """Go to the first minimiser along D; also the fall of h at D itself."""
    line = objective.line_at(point.y, point.X, D)
    fall = point.excess - objective.excess_at(line.data(1.0), point.X + D)
    length, searched = line.search()
    # At a saddle itself the slope along D is zero, and only the curvature points downhill.
    length = jnp.where((length == 0) & (fall > 0), 1.0, length)
    applications = point.applications + line.cost + 2 * line.data_cost + searched + cost
    there = Point.at(objective, point.X + length * D, line.data(length), applications)
    return there, fall


class TrustRegion(Method[Float[AnyArray, ""]]):
    """Trust-region Newton: the quadratic model within a radius by truncated conjugate gradients.

    Conjugate gradients stop at the radius, at negative curvature (and go on to the radius), or
    when the model's gradient is small: min(½, √(‖g‖/‖g₀‖))‖g‖.

    Parameters
    ----------
    radius : float
        First radius, relative to max(‖X‖_F, 1).
    most : int
        Longest run of conjugate gradients.

    Notes
    -----
    At a stationary point the model's gradient vanishes, and conjugate gradients see no direction:
    a strict saddle is left from beside it, not from the point itself.

    References
    ----------
    Steihaug (1983); Nocedal and Wright, Numerical Optimization, algorithms 4.1 and 7.2; Nocedal
    and Yuan (1998) for the line search in place of refused steps.
    """

    radius: Scalar
    most: Whole = number()

    def __init__(self, radius: Scalar = 0.1, most: Whole = 100) -> None:
        self.radius = real_number("radius", radius, above=0.0)
        self.most = traced_whole("most", most)

    def init(self, objective: Objective, point: Point) -> Float[AnyArray, ""]:
        """Return the first radius."""
        del objective
        return jnp.asarray(self.radius * jnp.maximum(jnp.linalg.norm(point.X), 1.0))

    def advance(
        self, objective: Objective, point: Point, state: Float[AnyArray, ""]
    ) -> tuple[Point, Float[AnyArray, ""]]:
        """One step; three applications, and three for each product with the Hessian."""
        D, HD, count = steihaug(objective, point, state, self.most)
        foreseen = -jnp.sum(point.gradient * D) - jnp.sum(D * HD) / 2
        there, fall = _along(objective, point, D, objective.product_cost * count)
        ratio = fall / jnp.where(foreseen > 0, foreseen, 1.0)
        edge = jnp.linalg.norm(D) >= 0.999 * state
        radius = jnp.where(ratio < BAD, state / 4, state)
        return there, jnp.where((ratio > GOOD) & edge, 2 * state, radius)


def steihaug(
    objective: Objective, point: Point, radius: Float[AnyArray, ""], most: Whole
) -> tuple[Factor, Factor, Float[AnyArray, ""]]:
    """Truncated conjugate gradients on the quadratic model; traceable.

    Returns
    -------
    D, HD : arrays of shape (n, r)
        The step and the Hessian's product with it.
    count : scalar
        Products with the Hessian.
    """
    g = jnp.asarray(point.gradient)
    norm = jnp.linalg.norm(g)
    small = jnp.minimum(0.5, jnp.sqrt(norm)) * norm
    zero = jnp.zeros_like(g)

    def more(at: Walk) -> AnyArray:
        return ~at[5] & (at[4] < most)

    def one(at: Walk) -> Walk:
        D, HD, residual, P, count, _ = at
        HP = objective.product_at(point.y, point.X, P)
        bend, square = jnp.sum(P * HP), jnp.sum(residual * residual)
        length = square / jnp.where(bend > 0, bend, 1.0)
        out = (bend <= 0) | (jnp.linalg.norm(D + length * P) >= radius)
        length = jnp.where(out, _to_edge(D, P, radius), length)
        D, HD, after = D + length * P, HD + length * HP, residual + length * HP
        ratio = jnp.sum(after * after) / square
        done = out | (jnp.linalg.norm(after) <= small)
        return D, HD, after, -after + ratio * P, count + 1, done

    start = (zero, zero, g, -g, jnp.zeros((), g.dtype), norm == 0)
    D, HD, _, _, count, _ = jax.lax.while_loop(more, one, start)
    return D, HD, count


def _to_edge(D: Factor, P: Factor, radius: Float[AnyArray, ""]) -> Float[AnyArray, ""]:
    """Positive s with ‖D + sP‖ = radius."""
    dd, dp, pp = jnp.sum(D * D), jnp.sum(D * P), jnp.sum(P * P)
    gap = jnp.maximum(radius * radius - dd, 0.0)
    root = jnp.sqrt(dp * dp + pp * gap)
    # The form without cancellation for either sign of ⟨D, P⟩.
    safe = jnp.where(pp > 0, pp, 1.0)
    far = jnp.where(dp + root > 0, dp + root, 1.0)
    return jnp.where(dp > 0, gap / far, (root - dp) / safe)


class CubicNewton(Method[Float[AnyArray, ""]]):
    """Cubic regularisation: the step that minimises ⟨g, d⟩ + ½⟨d, Hd⟩ + (w/6)‖d‖³ globally.

    Up to n r = 500 the Hessian is formed and decomposed, which costs n r products; above, the
    model is minimised on a Krylov space of the gradient.  The weight w follows the ratio of real
    to foreseen decrease.

    Parameters
    ----------
    weight : float
        First w > 0.
    krylov : int
        Dimension of the Krylov space, for n r above 500.

    Notes
    -----
    With the whole Hessian the step at a strict saddle itself is along its lowest eigenvector.  A
    Krylov space of a gradient without that direction does not see it.

    References
    ----------
    Nesterov and Polyak (2006); Cartis, Gould and Toint (2011) for the adaptive weight.  The
    local-search paper names the method after its Theorem 3.3.
    """

    weight: Scalar
    krylov: int = eqx.field(static=True)

    def __init__(self, weight: Scalar = 1.0, krylov: int = 30) -> None:
        self.weight = real_number("weight", weight, above=0.0)
        self.krylov = positive_int("krylov", krylov)

    def init(self, objective: Objective, point: Point) -> Float[AnyArray, ""]:
        """Return the first weight."""
        del objective
        return jnp.asarray(self.weight, jnp.result_type(point.X))

    def advance(
        self, objective: Objective, point: Point, state: Float[AnyArray, ""]
    ) -> tuple[Point, Float[AnyArray, ""]]:
        """One step; three applications, and three for each product with the Hessian."""
        shape = point.X.shape
        # Zero columns are padding: the lowest eigenvector must not fill them.
        used = jnp.any(jnp.asarray(point.X) != 0, axis=0, keepdims=True)
        used = (used | ~jnp.any(used)).astype(point.X.dtype)

        def product(d: Array) -> Array:
            D = used * d.reshape(shape)
            return (used * objective.product_at(point.y, point.X, D)).ravel()

        g = jnp.asarray(point.gradient).ravel()
        if g.size <= DENSE:
            H = jax.vmap(product)(jnp.eye(g.size, dtype=g.dtype))
            values, basis = jnp.linalg.eigh((H + H.T) / 2)
            count = g.size
        else:
            count = min(self.krylov, g.size)
            values, basis = lanczos(product, g, count)
        c = basis.T @ g
        d = cubic_step(values, c, state)
        foreseen = -jnp.sum(c * d) - jnp.sum(values * d * d) / 2 - state / 6 * _cube(d)
        # Again: round-off mixes the padding into the null vectors of the rotations.
        D = used * (basis @ d).reshape(shape)
        there, fall = _along(objective, point, D, objective.product_cost * count)
        ratio = fall / jnp.where(foreseen > 0, foreseen, 1.0)
        weight = jnp.where(ratio < BAD, 4 * state, state)
        return there, jnp.where(ratio > GOOD, state / 2, weight)


def _cube(d: Array) -> Array:
    return jnp.linalg.norm(d) ** 3


def cubic_step(
    values: Float[AnyArray, " k"], c: Float[AnyArray, " k"], weight: Float[AnyArray, ""]
) -> Float[Array, " k"]:
    """Minimise ⟨c, d⟩ + ½Σ values d² + (weight/6)‖d‖³ globally; traceable.

    d = −c/(values + s) with s = weight‖d‖/2 >= max(0, −least value), found by halving.  Where c has
    no part along the least eigenvector and s would be too small (the hard case), that eigenvector
    fills the length up.

    Parameters
    ----------
    values : array of shape (k,)
        Eigenvalues, rising.
    c : array of shape (k,)
        Gradient in the eigenvectors.
    weight : scalar
        > 0.

    Returns
    -------
    array of shape (k,)
    """
    values, c = jnp.asarray(values), jnp.asarray(c)
    least = jnp.maximum(0.0, -values[0])
    norm = jnp.linalg.norm(c)
    # At the upper end ‖d‖ <= 2s/weight for certain, for values + s >= s - least.
    high = least + jnp.sqrt(weight * norm / 2)

    def step_at(s: Array) -> Array:
        below = values + s
        return jnp.where(below > 0, -c / jnp.where(below > 0, below, 1.0), 0.0)

    def halve(_: AnyArray, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        long = jnp.linalg.norm(step_at(middle)) > 2 * middle / weight
        return jnp.where(long, middle, low), jnp.where(long, high, middle)

    _, s = jax.lax.fori_loop(0, HALVINGS, halve, (least, high))
    d = step_at(s)
    missing = jnp.maximum((2 * s / weight) ** 2 - jnp.sum(d * d), 0.0)
    side = jnp.where(c[0] > 0, -1.0, 1.0)
    hard = (values[0] < 0) & (s <= least * (1 + 1e-12))
    return jnp.where(hard, d.at[0].add(side * jnp.sqrt(missing)), d)


def lanczos(product: object, g: Array, size: int) -> tuple[Array, Array]:
    """Ritz values (rising) and vectors of the Krylov space of ``g``; traceable.

    Every vector is made orthogonal to all earlier ones twice.  Where the space ends early the
    rest are zero vectors with Ritz value zero, along which the gradient has no part.
    """
    first = g / jnp.where(jnp.linalg.norm(g) > 0, jnp.linalg.norm(g), 1.0)
    Q = jnp.zeros((size, g.size), g.dtype).at[0].set(first)

    def one(k: AnyArray, at: tuple[Array, Array]) -> tuple[Array, Array]:
        Q, W = at
        w = product(Q[k])  # pyright: ignore[reportCallIssue]
        W = W.at[k].set(w)
        rest = w
        for _ in range(2):
            rest = rest - Q.T @ (Q @ rest)
        norm = jnp.linalg.norm(rest)
        kept = norm > 1e-10 * jnp.linalg.norm(w)
        new = jnp.where(kept, rest / jnp.where(kept, norm, 1.0), 0.0)
        return Q.at[jnp.minimum(k + 1, size - 1)].set(jnp.where(k + 1 < size, new, Q[k])), W

    Q, W = jax.lax.fori_loop(0, size, one, (Q, jnp.zeros_like(Q)))
    T = Q @ W.T
    values, vectors = jnp.linalg.eigh((T + T.T) / 2)
    return values, Q.T @ vectors
