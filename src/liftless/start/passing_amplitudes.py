"""Generalised message passing for squared lengths b_i = ‖w_i‖²: phase retrieval.

The rows w_i of forward(X), for a sensing vector Xᵀ a_i ∈ ℝʳ or its complex kind in ℝ²ʳ, are known
up to their direction.  Given that w_i is Gaussian about ω_i
with variance V_i in each entry, its mean under ‖w_i‖ = √b_i is

    √b_i ρ_q(κ_i) ω_i/‖ω_i‖,   κ_i = √b_i ‖ω_i‖ / V_i,   ρ_q = I_{q/2} / I_{q/2−1},

with q the real dimension of a row and Bessel functions I (von Mises and Fisher); ρ_1 is tanh.  The
variance of the entries of X is kept as one number, and scaled by the lengths for the rows.

For real rows of r = 1 and large n it finds the truth from m > 1.13 n, the least known for any fast
method.

References
----------
Rangan (2011), algorithm 1 with scalar variances; Schniter and Rangan, Compressive phase retrieval
via generalized approximate message passing (2015); Maillard, Loureiro, Krzakala and Zdeborová,
Phase retrieval in high dimensions (2020), for the threshold; Mondelli and Montanari, Fundamental
limits of weak recovery (2019), for the spectral estimate it begins with.
"""

import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.space import Space
from liftless.start.amplitudes import Used
from liftless.start.passing import Numbers, Watch, pass_on

#: Size of the spectral estimate relative to the truth: it is no better than that.
TRUST = 0.5
#: Steps of the recurrence for the ratio of Bessel functions.
DEPTH = 16
#: Least variance and least precision, relative to the prior's.
LEAST = 1e-9


class State(eqx.Module):
    """Estimate of X with the variance of its entries, and the corrected residual of the rows."""

    X: Float[AnyArray, "n r"]
    v: Float[AnyArray, ""]
    g: Float[AnyArray, "m q"]
    watch: Watch


def bessel_ratio(kappa: Float[AnyArray, "..."], q: int) -> Float[AnyArray, "..."]:
    """ρ_q(κ) = I_{q/2}(κ) / I_{q/2−1}(κ) for κ >= 0.

    tanh for q = 1; else by ρ_q = κ/(q + κ ρ_{q+2}) downwards from a bound that holds to second
    order (Ruiz-Antolín and Segura 2016), whose error the recurrence shrinks below 3e-5.
    """
    if q == 1:
        return jnp.tanh(kappa)
    half = q / 2 + DEPTH - 0.5  # ν + 1/2, where ρ is the ratio of orders ν + 1 and ν
    ratio = kappa / (half + jnp.sqrt(half * (half + 1) + kappa * kappa))
    for k in range(DEPTH - 1, -1, -1):
        ratio = kappa / (q + 2 * k + kappa * ratio)
    return ratio


def _step(
    rows: Used, lengths: AnyArray, root: AnyArray, prior: AnyArray, numbers: Numbers, at: State
) -> State:
    """One step: two applications."""
    n, r = at.X.shape
    q = at.g.shape[1]
    # A row that is not used has length zero, and tells nothing.
    V = at.v * jnp.where(lengths > 0, lengths, 1.0)
    omega = rows.forward(at.X) - V[:, None] * at.g
    size = jnp.linalg.norm(omega, axis=1)
    assumed = numbers.noise * V
    ratio = bessel_ratio(root * size / assumed, q)
    mean = (root * ratio / jnp.where(size > 0, size, 1.0))[:, None] * omega
    damp = jnp.where(at.watch.k > 0, numbers.damping, 1.0)
    g = damp * (mean - omega) / V[:, None] + (1 - damp) * at.g
    curvature = (1 - root**2 * (1 - ratio**2) / (q * assumed)) / V
    precision = jnp.maximum(q / r * jnp.sum(lengths * curvature) / n, LEAST / prior)
    keep = prior * precision / (1 + prior * precision)
    X = numbers.damping * keep * (at.X + rows.adjoint(g) / precision) + (1 - numbers.damping) * at.X
    v = numbers.damping * prior / (1 + prior * precision) + (1 - numbers.damping) * at.v
    v = jnp.maximum(v, LEAST * prior)
    return State(X, v, g, at.watch.seen(jnp.sqrt(v / prior)))


def _spectral_weights(
    rows: Used, b: AnyArray, n: int, q: int, rank: int
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Lengths (0 for a row that is not used), spectral weights, and the prior variance."""
    lengths = rows.lengths()
    root = rows.roots(b)
    total = jnp.sum(lengths)
    prior = jnp.sum(root**2) / (jnp.where(total > 0, total, 1.0) * q)
    used = lengths > 0
    safe = jnp.where(used, lengths, 1.0)
    z = root**2 / (jnp.where(prior > 0, prior, 1.0) * q * safe)
    # Real numbers a row of X and a measurement.
    ratio = math.sqrt(b.shape[0] * q / rank / n)
    weight = (z - 1) / (z + max(ratio - 1, 0.2))
    return lengths, jnp.where(used, weight, 0.0) / safe, prior


def _row_dimension(rows: Used, n: int, rank: int, dtype: Any) -> int:
    """Real numbers in a row of forward(X) for X of so many columns."""
    return jax.eval_shape(rows.forward, jax.ShapeDtypeStruct((n, rank), dtype)).shape[1]


@functools.partial(jax.jit, static_argnames=("rank",))
def spectral_product(rows: Used, b: Float[AnyArray, " m"], W: AnyArray, rank: int) -> AnyArray:
    """Product of forward* diag(weight) forward, whose leading eigenvectors are the estimate."""
    q = _row_dimension(rows, W.shape[0], rank, W.dtype)
    _, weight, _ = _spectral_weights(rows, b, W.shape[0], q, rank)
    return rows.adjoint(weight[:, None] * rows.forward(W))


def pass_amplitudes(
    rows: Used,
    space: Space,
    b: Float[AnyArray, " m"],
    numbers: Numbers,
    G: AnyArray,
    U: AnyArray | None,
    rank: int,
    at: State | None = None,
) -> tuple[AnyArray, State]:
    """Run from the spectral estimate, or from it mixed with G, or on from a state; traceable.

    Parameters
    ----------
    rows : Used
        The map whose rows have lengths √b_i.
    space : Space
        Of the factor.
    b : array of shape (m,)
    numbers : Numbers
    G : array of shape (n, r)
        Gaussian factor, used in the share ``numbers.fresh``.
    U : array of shape (n, r) or None
        Leading eigenvectors of :func:`spectral_product`; None to compute them here, densely.
    rank : int
    at : State, optional

    Returns
    -------
    X : array of shape (n, r)
    state : State
        The steps of its ``watch`` cost two applications each, and two more at the beginning.
    """
    n = G.shape[0]
    q = _row_dimension(rows, n, rank, G.dtype)
    lengths, weight, prior = _spectral_weights(rows, b, n, q, rank)
    root = rows.roots(b)
    first = Watch.begin(b)
    begin = at
    if begin is None:
        begin = _begin(rows, space, weight, prior, first, numbers, G, U, q, rank)
    end = pass_on(lambda at: _step(rows, lengths, root, prior, numbers, at), begin, numbers)
    return end.X, end


def _begin(
    rows: Used,
    space: Space,
    weight: AnyArray,
    prior: AnyArray,
    watch: Watch,
    numbers: Numbers,
    G: AnyArray,
    U: AnyArray | None,
    q: int,
    rank: int,
) -> State:
    n = G.shape[0]
    if U is None:
        # Each column of the identity by itself, since forward may lay its columns side by side.
        eye = jnp.eye(n, dtype=G.dtype)
        product = lambda e: rows.adjoint(weight[:, None] * rows.forward(e[:, None]))[:, 0]  # noqa: E731
        leading = space.leading(jax.vmap(product, in_axes=1, out_axes=1)(eye), rank)
    else:
        leading = jnp.asarray(U)
    scale = jnp.linalg.norm(leading) / jnp.linalg.norm(G)
    mixed = (1 - numbers.fresh) * leading + numbers.fresh * scale * G
    X = mixed * (TRUST * jnp.sqrt(prior * n * rank) / jnp.linalg.norm(mixed))
    g = jnp.zeros((weight.shape[0], q), X.dtype)
    return State(X, prior * (1 - TRUST**2), g, watch)
