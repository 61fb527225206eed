"""Generalised message passing for rank-one measurements b_i = ‖Xᵀ a_i‖²: phase retrieval.

The rows w_i = Xᵀ a_i ∈ ℝʳ are known up to their direction.  Given that w_i is Gaussian about ω_i
with variance V_i in each entry, its mean under ‖w_i‖ = √b_i is

    √b_i ρ_r(κ_i) ω_i/‖ω_i‖,   κ_i = √b_i ‖ω_i‖ / V_i,   ρ_r = I_{r/2} / I_{r/2−1},

with Bessel functions I (von Mises and Fisher); ρ_1 is tanh.  The variance of the entries of X is
kept as one number, and scaled by ‖a_i‖² for the rows.

For r = 1 and large n it finds the truth from m > 1.13 n, the least known for any fast method.

References
----------
Rangan (2011), algorithm 1 with scalar variances; Schniter and Rangan, Compressive phase retrieval
via generalized approximate message passing (2015); Maillard, Loureiro, Krzakala and Zdeborová,
Phase retrieval in high dimensions (2020), for the threshold; Mondelli and Montanari, Fundamental
limits of weak recovery (2019), for the spectral estimate it begins with.
"""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.start.passing import Numbers, Watch, pass_on

#: Size of the spectral estimate relative to the truth: it is no better than that.
TRUST = 0.5
#: Steps of the recurrence for the ratio of Bessel functions.
DEPTH = 16
#: Least variance and least precision, relative to the prior's.
LEAST = 1e-9


class _State(eqx.Module):
    """Estimate of X with the variance of its entries, and the corrected residual of the rows."""

    X: Float[AnyArray, "n r"]
    v: Float[AnyArray, ""]
    g: Float[AnyArray, "m r"]
    watch: Watch


def bessel_ratio(kappa: Float[AnyArray, "..."], r: int) -> Float[AnyArray, "..."]:
    """ρ_r(κ) = I_{r/2}(κ) / I_{r/2−1}(κ) for κ >= 0.

    tanh for r = 1; else by ρ_r = κ/(r + κ ρ_{r+2}) downwards from a bound that holds to second
    order (Ruiz-Antolín and Segura 2016), whose error the recurrence shrinks below 3e-5.
    """
    if r == 1:
        return jnp.tanh(kappa)
    half = r / 2 + DEPTH - 0.5  # ν + 1/2, where ρ is the ratio of orders ν + 1 and ν
    ratio = kappa / (half + jnp.sqrt(half * (half + 1) + kappa * kappa))
    for k in range(DEPTH - 1, -1, -1):
        ratio = kappa / (r + 2 * k + kappa * ratio)
    return ratio


def _step(
    a: AnyArray, lengths: AnyArray, root: AnyArray, prior: AnyArray, numbers: Numbers, at: _State
) -> _State:
    """One step: two applications."""
    n, r = at.X.shape
    V = at.v * lengths
    omega = a @ at.X - V[:, None] * at.g
    size = jnp.linalg.norm(omega, axis=1)
    assumed = numbers.noise * V
    ratio = bessel_ratio(root * size / assumed, r)
    mean = (root * ratio / jnp.where(size > 0, size, 1.0))[:, None] * omega
    damp = jnp.where(at.watch.k > 0, numbers.damping, 1.0)
    g = damp * (mean - omega) / V[:, None] + (1 - damp) * at.g
    curvature = (1 - root**2 * (1 - ratio**2) / (r * assumed)) / V
    precision = jnp.maximum(jnp.sum(lengths * curvature) / n, LEAST / prior)
    keep = prior * precision / (1 + prior * precision)
    X = numbers.damping * keep * (at.X + a.T @ g / precision) + (1 - numbers.damping) * at.X
    v = numbers.damping * prior / (1 + prior * precision) + (1 - numbers.damping) * at.v
    v = jnp.maximum(v, LEAST * prior)
    return _State(X, v, g, at.watch.seen(jnp.sqrt(v / prior)))


def _spectral_weights(a: AnyArray, b: AnyArray, rank: int) -> tuple[AnyArray, AnyArray, AnyArray]:
    """‖a_i‖² (1 for a row of zeros), the weights of aᵀ diag(weight) a, and the prior variance."""
    m, n = a.shape
    lengths = jnp.sum(a * a, axis=1)
    total = jnp.sum(lengths)
    prior = jnp.sum(jnp.maximum(b, 0.0)) / (jnp.where(total > 0, total, 1.0) * rank)
    lengths = jnp.where(lengths > 0, lengths, 1.0)
    mean = rank * prior * lengths
    z = jnp.maximum(b, 0.0) / jnp.where(mean > 0, mean, 1.0)
    weight = (z - 1) / (z + max(math.sqrt(m / n) - 1, 0.2))
    return lengths, weight / lengths, prior


@functools.partial(jax.jit, static_argnames=("rank",))
def spectral_product(
    a: Float[AnyArray, "m n"], b: Float[AnyArray, " m"], W: AnyArray, rank: int
) -> AnyArray:
    """Product of aᵀ diag(weight) a, whose leading eigenvectors are the spectral estimate."""
    _, weight, _ = _spectral_weights(a, b, rank)
    return a.T @ (weight[:, None] * (a @ W))


@functools.partial(jax.jit, static_argnames=("rank",))
def pass_rank_one(
    a: Float[AnyArray, "m n"],
    b: Float[AnyArray, " m"],
    numbers: Numbers,
    G: AnyArray,
    U: AnyArray | None,
    rank: int,
) -> tuple[AnyArray, Watch]:
    """Run from the spectral estimate, or from it mixed with G.

    Parameters
    ----------
    a : array of shape (m, n)
        Sensing vectors; a row of zeros is left out.
    b : array of shape (m,)
        Negative ones, which only noise makes, count as zero.
    numbers : Numbers
    G : array of shape (n, r)
        Gaussian factor, used in the share ``numbers.fresh``.
    U : array of shape (n, r) or None
        Leading eigenvectors of :func:`spectral_product`; None to compute them here, densely.
    rank : int

    Returns
    -------
    X : array of shape (n, r)
    watch : Watch
        Its steps cost two applications each, and two more at the beginning.
    """
    m, n = a.shape
    lengths, weight, prior = _spectral_weights(a, b, rank)
    b = jnp.maximum(b, 0.0)
    if U is None:
        leading = jnp.linalg.eigh(a.T @ (weight[:, None] * a))[1][:, ::-1][:, :rank]
    else:
        leading = jnp.asarray(U)
    scale = jnp.linalg.norm(leading) / jnp.linalg.norm(G)
    mixed = (1 - numbers.fresh) * leading + numbers.fresh * scale * G
    X = mixed * (TRUST * jnp.sqrt(prior * n * rank) / jnp.linalg.norm(mixed))
    begin = _State(X, prior * (1 - TRUST**2), jnp.zeros((m, rank), X.dtype), Watch.begin(b))
    root = jnp.sqrt(b)
    end = pass_on(lambda at: _step(a, lengths, root, prior, numbers, at), begin, numbers)
    return end.X, end.watch
