"""Half a sweep of cavity belief propagation: all lines of one side, given the other's messages.

The factor graph has a node x_i ∈ ℝʳ for every line, Gaussian prior 𝒩(0, A), and a factor
𝒩(y; ⟨u_i, v_j⟩, σ²) for every entry.  A message from line j along entry e = (i, j) is the mean v_e
of the posterior of v_j without that entry, its cavity covariance D_e entering only by two numbers:
q_e = u_eᵀ D_e u_e and a surrogate t_e of tr(C_i D_j).  Line i then sees a linear regression

    y_e ≈ v_eᵀ u_i,   variance  s_e = σ² + q_e + t_e,

whose posterior C_i = (A⁻¹ + Σ_e v_e v_eᵀ/s_e)⁻¹, u_i = C_i Σ_e v_e y_e/s_e is exact; so is the
removal of one entry from it, by a rank-one downdate.  Everything a line does needs no other line of
its side, so that the lines are taken chunk by chunk.
"""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray, Scalar
from liftless.start.belief.layout import Bucket, Side

#: Least variance of a message, and least share of it that the cavity keeps.
LEAST, CAVITY = 1e-30, 1e-4
#: Least pivot of a matrix of unit diagonal.
PIVOT = 1e-15
#: Eigenvalues of the prior below this fraction of the largest are raised to it.
FLOOR = 1e-15
#: Exponent of the χ² calibration where there is no noise: 1 breaks κ = 10⁵, 0 loses what lies below
#: m/dof = 1.1.
CALIBRATION = 0.5


class Beliefs(eqx.Module):
    """What the lines of one side believe, and what they last told the other side.

    Attributes
    ----------
    mean : array of shape (places, r)
        Posterior mean of every line; zero for padding.
    cov : array of shape (places, r, r)
        Posterior covariance.
    out : array of shape (slots, r + 2)
        Message of every entry: the cavity mean, the variance q that it causes at the other end,
        and the line's part of the surrogate t.
    prior : array of shape (r, r)
        A, learned.
    average : array of shape (r, r)
        Mean posterior covariance of the lines.
    """

    mean: Float[AnyArray, "places r"]
    cov: Float[AnyArray, "places r r"]
    out: Float[AnyArray, "slots w"]
    prior: Float[AnyArray, "r r"]
    average: Float[AnyArray, "r r"]


class Told(NamedTuple):
    """Numbers of a half sweep.

    Attributes
    ----------
    noise, damping : scalar
        σ², and the share of the old message that stays.
    blind : boolean scalar
        Whether the other side has told nothing yet: every message then has variance 1.
    early : boolean scalar
        Whether there are no old messages, so that the prior is learned as it is.
    """

    noise: Scalar
    damping: Scalar
    blind: AnyArray
    early: AnyArray


class _Sums(NamedTuple):
    """Sums over the lines or entries of a half sweep."""

    cov: AnyArray
    calibrated: AnyArray
    square: AnyArray
    miss: AnyArray
    foreseen: AnyArray
    bad: AnyArray


def inverse_of_prior(A: Float[AnyArray, "r r"]) -> Float[AnyArray, "r r"]:
    """A⁻¹ with the eigenvalues of A raised to a floor; traceable."""
    values, Q = jnp.linalg.eigh(A)
    return (Q / jnp.maximum(values, FLOOR * values[-1] + 1e-300)[None, :]) @ Q.T


def inverses(G: Float[AnyArray, "k r r"]) -> Float[AnyArray, "k r r"]:
    """Inverses of positive definite matrices, by Gauss and Jordan without pivots; traceable.

    Scaled to a unit diagonal first, so that no pivot but for round-off is below the reciprocal of
    the condition number; none is taken below :data:`PIVOT`.  A few plain operations on all matrices
    at once: half the time of Cholesky factors one by one, and no failure.
    """
    r = G.shape[-1]
    root = jax.lax.rsqrt(jnp.diagonal(G, axis1=1, axis2=2))
    at = jnp.arange(r)

    def eliminate(k: AnyArray, A: AnyArray) -> AnyArray:
        here = at == k
        pivot = 1 / jnp.maximum(A[:, k, k], PIVOT)
        row, column = A[:, k] * pivot[:, None], A[:, :, k]
        B = A - column[:, :, None] * row[:, None, :]
        B = jnp.where(here[None, :, None], row[:, None, :], B)
        corner = jnp.where(here[None, :], pivot[:, None], -column * pivot[:, None])
        return jnp.where(here[None, None, :], corner[:, :, None], B)

    scaled = G * root[:, :, None] * root[:, None, :]
    C = jax.lax.fori_loop(0, r, eliminate, scaled)
    return C * root[:, :, None] * root[:, None, :]


@jax.jit
def half_sweep(side: Side, own: Beliefs, other: Beliefs, told: Told) -> tuple[Beliefs, AnyArray]:
    """New beliefs of a side from the messages of the other, and how many lines stayed as they were.

    A line whose numbers are not finite keeps its old beliefs and messages.
    """
    return _half_sweep(side, own, other.out, other.average, told)


@jax.jit
def whole_sweep(side: Side, own: Beliefs, told: Told) -> tuple[Beliefs, AnyArray]:
    """The same for a symmetric matrix, whose lines are their own partners, all at once."""
    return _half_sweep(side, own, own.out, own.average, told)


def _half_sweep(
    side: Side, own: Beliefs, messages: AnyArray, average: AnyArray, told: Told
) -> tuple[Beliefs, AnyArray]:
    r = own.prior.shape[0]
    kind = own.mean.dtype
    scale = jnp.maximum(jnp.sum(own.average * average), 1e-300)
    given = (messages, inverse_of_prior(own.prior), average, scale, told)
    zero, square = jnp.zeros((), kind), jnp.zeros((r, r), kind)
    # Old and new beliefs are two arrays: of one the compiler would copy the whole once a chunk.
    empty = tuple(jnp.zeros_like(part) for part in (own.mean, own.cov, own.out))
    state = (*empty, _Sums(square, square, square, zero, zero, zero))
    for k, bucket in enumerate(side.buckets):
        step = functools.partial(_chunk, side, bucket, own, given)
        state = jax.lax.fori_loop(0, side.chunks[k], step, state)
    mean, cov, out, sums = state
    # The prior of components not yet found shrinks where the misfit is less than foreseen: else
    # expectation and maximisation crawl, and κ = 10⁵ stays at the first component.
    share = jnp.where(told.early, 1.0, jnp.clip(sums.miss / sums.foreseen, 0.2, 1.0))
    prior = (sums.square + share * sums.cov) / side.lines
    good = jnp.isfinite(jnp.sum(prior)) & jnp.isfinite(jnp.sum(sums.calibrated))
    prior = jnp.where(good, prior, own.prior)
    mid = jnp.where(good, sums.calibrated / side.lines, own.average)
    return Beliefs(mean, cov, out, prior, mid), sums.bad


def _chunk(
    side: Side, bucket: Bucket, own: Beliefs, given: tuple, k: AnyArray, state: tuple
) -> tuple:
    """The lines of one chunk."""
    mean, cov, out, sums = state
    messages, inverse, average, scale, told = given
    d, c, r = bucket.width, bucket.height, inverse.shape[0]
    line, slot = bucket.line + k * c, bucket.slot + k * c * d
    source = jax.lax.dynamic_slice_in_dim(side.source, slot, c * d).reshape(c, d)
    y = jax.lax.dynamic_slice_in_dim(side.y, slot, c * d).reshape(c, d)
    spread = side.spread
    if spread.shape[0] > 1:
        spread = jax.lax.dynamic_slice_in_dim(spread, slot, c * d).reshape(c, d)
    cut = jax.lax.dynamic_slice_in_dim
    old = cut(own.out, slot, c * d).reshape(c, d, r + 2).astype(y.dtype)
    old_cov, old_mean = cut(own.cov, line, c), cut(own.mean, line, c)
    mask = (source >= 0).astype(y.dtype)
    told_here = messages.at[jnp.maximum(source, 0)].get(mode="promise_in_bounds").astype(y.dtype)
    # Components first and slots last: sums over the components are then vectors' sums.
    told_here, old = jnp.swapaxes(told_here, 1, 2), jnp.swapaxes(old, 1, 2)

    x, kept = told_here[:, :r], old[:, :r]
    trace = jnp.sum(old_cov * average[None], axis=(1, 2))
    surrogate = trace[:, None] * told_here[:, r + 1] / scale
    q = jnp.where(told.blind, 1.0, told_here[:, r] + surrogate)
    s = jnp.maximum(told.noise * spread + q, LEAST)
    u, C, cavity, caused, chi = _regress(x, y, s, mask, inverse)
    # Of noise, by chance half of the lines have more than they should: to raise those alone is to
    # raise the mean, from which the noise is then told too low and the error bars too wide.
    raised = jnp.where(told.noise > 0, 1.0, jnp.maximum(chi, 1.0) ** CALIBRATION)
    calibrated = C * raised[:, None, None]
    part = jnp.sum(calibrated * average[None], axis=(1, 2))
    new = told.damping * kept + (1 - told.damping) * cavity
    caused = caused * raised[:, None]

    real = jnp.max(mask, axis=1)
    check = jnp.sum(new * mask[:, None], axis=(1, 2)) + jnp.sum(caused * mask, axis=1)
    good = jnp.isfinite(check + jnp.sum(calibrated, axis=(1, 2)))
    words = (new, caused[:, None], jnp.broadcast_to(part[:, None, None], (c, 1, d)))
    new = jnp.where(good[:, None, None], jnp.concatenate(words, axis=1), old)
    u = jnp.where(good[:, None], u, old_mean) * real[:, None]
    C = jnp.where(good[:, None, None], C, old_cov)
    calibrated = jnp.where(good[:, None, None], calibrated, old_cov)
    miss = mask * (y - jnp.sum(kept * x, axis=1)) ** 2
    sums = _Sums(
        sums.cov + jnp.tensordot(real, C, 1),
        sums.calibrated + jnp.tensordot(real, calibrated, 1),
        sums.square + u.T @ u,
        sums.miss + jnp.sum(miss),
        sums.foreseen + jnp.sum(mask * (q + old[:, r])),
        sums.bad + jnp.sum(real * ~good),
    )
    put = jax.lax.dynamic_update_slice_in_dim
    out = put(out, jnp.swapaxes(new, 1, 2).reshape(c * d, r + 2).astype(out.dtype), slot, 0)
    return put(mean, u, line, 0), put(cov, calibrated, line, 0), out, sums


def _regress(
    x: Float[AnyArray, "c r d"],
    y: Float[AnyArray, "c d"],
    s: Float[AnyArray, "c d"],
    mask: Float[AnyArray, "c d"],
    inverse: Float[AnyArray, "r r"],
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray, AnyArray]:
    """Posterior of each line, its cavity messages, and its χ² per entry, whose mean should be 1."""
    r = x.shape[1]
    both = jnp.concatenate([x, y[:, None]], axis=1)
    G = (x * (mask / s)[:, None]) @ jnp.swapaxes(both, 1, 2)
    C = inverses(G[..., :r] + inverse[None])
    u = jnp.sum(C * G[..., r][:, None], axis=-1)
    Cx = C @ x
    # What removing an entry from its own line's posterior changes: a rank-one downdate.
    k = jnp.sum(Cx * x, axis=1)
    left = jnp.maximum(s - k, CAVITY * s)
    error = y - jnp.sum(x * u[..., None], axis=1)
    ratio = error / left
    cavity = u[..., None] - Cx * ratio[:, None]
    chi = jnp.sum(mask * error * ratio, axis=1) / jnp.maximum(jnp.sum(mask, axis=1), 1.0)
    return u, C, cavity, k + k * k / left, chi
