"""Half a sweep of cavity belief propagation: all lines of one side, given the other's messages.

The factor graph has a node x_i ∈ ℝʳ for every line, Gaussian prior 𝒩(0, A), and a factor
𝒩(y; ⟨u_i, v_j⟩, σ²) for every entry.  A message from line j along entry e = (i, j) is the mean v_e
of the posterior of v_j without that entry, its cavity covariance D_e entering only by two numbers:
q_e = u_eᵀ D_e u_e and a surrogate t_e of tr(C_i D_j).  Line i then sees a linear regression

    y_e ≈ v_eᵀ u_i,   variance  s_e = σ² + q_e + t_e,

whose posterior C_i = (A⁻¹ + Σ_e v_e v_eᵀ/s_e)⁻¹, u_i = C_i Σ_e v_e y_e/s_e is exact; so is the
removal of one entry from it, by a rank-one downdate.  Everything a line does needs no other line of
its side, so that the lines are taken chunk by chunk.

A table y_e ≈ a_i + b_j + ⟨u_i, v_j⟩ is of the same kind: its lines are (a_i, 1, u_i) and
(b_j, 1, v_j), the product of two swaps the first two numbers of one, and the second is no unknown.
So effects are learned beside the matrix, with the covariance of both (:func:`partner`).  Of gross
errors a line takes little note: the loss of a misfit z, in predicted deviations, is ½z² up to the
``bound`` c and c²(½ + log z/c) beyond, so that an entry has the weight min(1, c²/z²) (iterative
reweighting, as of Student's t; Huber's weight c/z leaves several times the harm).  Components of
prior zero and message zero stay zero, so that ranks share what is compiled for the widest of them.
"""

import functools
from typing import Any, NamedTuple

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
    centre : array of shape (r,) or None
        Prior mean, of which only that of the effect is learned; None where a line has no effect.
    """

    mean: Float[AnyArray, "places r"]
    cov: Float[AnyArray, "places r r"]
    out: Float[AnyArray, "slots w"]
    prior: Float[AnyArray, "r r"]
    average: Float[AnyArray, "r r"]
    centre: Float[AnyArray, " r"] | None = None


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
    bound : scalar or None
        Predicted deviations from which a misfit is a gross error.
    """

    noise: Scalar
    damping: Scalar
    blind: AnyArray
    early: AnyArray
    bound: Scalar | None = None


class Given(NamedTuple):
    """What every chunk of a half sweep is given."""

    messages: AnyArray
    inverse: AnyArray
    pull: AnyArray | None
    average: AnyArray
    scale: Scalar
    told: Told


class Entries(NamedTuple):
    """Entries of some lines: values, variances of their noise, which there are, messages.

    Attributes
    ----------
    y, spread, mask : arrays of shape (c, d)
    told, old : arrays of shape (c, r + 2, d)
        What the other side says, and what the lines last said.  Components first and slots last:
        sums over the components are then vectors' sums.
    """

    y: AnyArray
    spread: AnyArray
    mask: AnyArray
    told: AnyArray
    old: AnyArray


class Sums(NamedTuple):
    """Sums over the lines or entries of a half sweep."""

    cov: AnyArray
    calibrated: AnyArray
    square: AnyArray
    first: AnyArray
    miss: AnyArray
    foreseen: AnyArray
    bad: AnyArray


def inverse_of_prior(A: Float[AnyArray, "r r"], xp: Any = jnp) -> Float[AnyArray, "r r"]:
    """A⁻¹ with the eigenvalues of A raised to a floor; traceable."""
    values, Q = xp.linalg.eigh(A)
    return (Q / xp.maximum(values, FLOOR * values[-1] + 1e-300)[None, :]) @ Q.T


def partner(x: Float[AnyArray, "..."], axis: int, xp: Any = jnp) -> Float[AnyArray, "..."]:
    """Numbers of a line beside an effect, in the order that the other side's are multiplied with.

    The effect and the constant change places; traceable.
    """
    x = xp.moveaxis(x, axis, 0)
    return xp.moveaxis(xp.concatenate([x[1:2], x[:1], x[2:]]), 0, axis)


def inverses(G: Float[AnyArray, "k r r"]) -> Float[AnyArray, "k r r"]:
    """Inverses of positive definite matrices; traceable.

    Scaled to a unit diagonal first, so that no pivot but for round-off is below the reciprocal of
    the condition number; none is taken below :data:`PIVOT`.  Gauss and Jordan without pivots: a few
    plain operations on all matrices at once, half the time of Cholesky factors one by one, and no
    failure.
    """
    root = 1 / jnp.sqrt(jnp.diagonal(G, axis1=1, axis2=2))
    C = _gauss_jordan(G * root[:, :, None] * root[:, None, :])
    return C * root[:, :, None] * root[:, None, :]


def _gauss_jordan(A: Float[AnyArray, "k r r"]) -> Float[AnyArray, "k r r"]:
    at = jnp.arange(A.shape[-1])

    def eliminate(k: AnyArray, A: AnyArray) -> AnyArray:
        here = at == k
        pivot = 1 / jnp.maximum(A[:, k, k], PIVOT)
        row, column = A[:, k] * pivot[:, None], A[:, :, k]
        B = A - column[:, :, None] * row[:, None, :]
        B = jnp.where(here[None, :, None], row[:, None, :], B)
        corner = jnp.where(here[None, :], pivot[:, None], -column * pivot[:, None])
        return jnp.where(here[None, None, :], corner[:, :, None], B)

    return jax.lax.fori_loop(0, A.shape[-1], eliminate, A)


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
    given = given_of(jnp, own, messages, average, told)
    # Old and new beliefs are two arrays: of one the compiler would copy the whole once a chunk.
    empty = tuple(jnp.zeros_like(part) for part in (own.mean, own.cov, own.out))
    state = (*empty, _no_sums(jnp, own))
    for k, bucket in enumerate(side.buckets):
        step = functools.partial(_chunk, side, bucket, own, given)
        state = jax.lax.fori_loop(0, side.chunks[k], step, state)
    mean, cov, out, sums = state
    prior, mid, centre = learned(jnp, own, side.lines, sums, told)
    return Beliefs(mean, cov, out, prior, mid, centre), sums.bad


def _chunk(
    side: Side, bucket: Bucket, own: Beliefs, given: Given, k: AnyArray, state: tuple
) -> tuple:
    """The lines of one chunk."""
    mean, cov, out, sums = state
    d, c, r = bucket.width, bucket.height, given.inverse.shape[0]
    line, slot = bucket.line + k * c, bucket.slot + k * c * d
    cut = jax.lax.dynamic_slice_in_dim
    source = cut(side.source, slot, c * d).reshape(c, d)
    y = cut(side.y, slot, c * d).reshape(c, d)
    spread = side.spread
    if spread.shape[0] > 1:
        spread = cut(spread, slot, c * d).reshape(c, d)
    old = cut(own.out, slot, c * d).reshape(c, d, r + 2).astype(y.dtype)
    at = jnp.asarray(given.messages).at[jnp.maximum(source, 0)]
    told_here = at.get(mode="promise_in_bounds").astype(y.dtype)
    swapped = jnp.swapaxes(told_here, 1, 2), jnp.swapaxes(old, 1, 2)
    entries = Entries(y, spread, (source >= 0).astype(y.dtype), *swapped)
    before = cut(own.mean, line, c), cut(own.cov, line, c)
    u, C, new, more = lines(given, entries, *before)
    sums = Sums(*(total + part for total, part in zip(sums, more, strict=True)))
    put = jax.lax.dynamic_update_slice_in_dim
    out = put(out, jnp.swapaxes(new, 1, 2).reshape(c * d, r + 2).astype(out.dtype), slot, 0)
    return put(mean, u, line, 0), put(cov, C, line, 0), out, sums


def given_of(xp: Any, own: Beliefs, messages: AnyArray, average: AnyArray, told: Told) -> Given:
    """What all lines of a side are given; ``xp`` is NumPy or its twin of JAX."""
    inverse = inverse_of_prior(own.prior, xp)
    pull = None if own.centre is None else inverse @ own.centre
    return Given(messages, inverse, pull, *surrogate(xp, own, average), told)


def surrogate(xp: Any, own: Beliefs, average: AnyArray) -> tuple[AnyArray, Scalar]:
    """Mean covariance D̄ of the other side, in the order of this, and tr(C̄ D̄).

    The surrogate of tr(C_i D_j) is tr(C_i D̄) tr(C̄ D_j)/tr(C̄ D̄).
    """
    if own.centre is not None:
        average = partner(partner(average, 0, xp), 1, xp)
    return average, xp.maximum(xp.sum(own.average * average), 1e-300)


def cavities(xp: Any, s: AnyArray, k: AnyArray, error: AnyArray) -> tuple[AnyArray, AnyArray]:
    """What removing an entry from its own line's posterior changes: a rank-one downdate.

    ``k`` is xᵀ C x and ``error`` what the posterior leaves of y, of variance s.  The cavity mean is
    u − C x · ratio for the first number, the variance that it causes at the other end the second.
    """
    left = xp.maximum(s - k, CAVITY * s)
    return error / left, k + k * k / left


def calibration(xp: Any, mask: AnyArray, error: AnyArray, ratio: AnyArray) -> AnyArray:
    """By what the covariance of each line is raised where there is no noise: χ² should be 1."""
    chi = xp.sum(mask * error * ratio, axis=1) / xp.maximum(xp.sum(mask, axis=1), 1.0)
    return xp.maximum(chi, 1.0) ** CALIBRATION


def _no_sums(xp: Any, own: Beliefs) -> Sums:
    r, kind = own.prior.shape[0], own.mean.dtype
    zero, square = xp.zeros((), kind), xp.zeros((r, r), kind)
    return Sums(square, square, square, xp.zeros(r, kind), zero, zero, zero)


def learned(
    xp: Any, own: Beliefs, count: Scalar, sums: Sums, told: Told
) -> tuple[AnyArray, AnyArray, AnyArray | None]:
    """Prior, mean posterior covariance and prior mean that the sums over all lines give."""
    # The prior of components not yet found shrinks where the misfit is less than foreseen: else
    # expectation and maximisation crawl, and κ = 10⁵ stays at the first component.
    share = xp.where(told.early, 1.0, xp.clip(sums.miss / sums.foreseen, 0.2, 1.0))
    centre, about = own.centre, sums.square
    if centre is not None:
        middle = sums.first / count
        centre = xp.where(xp.arange(middle.shape[0]) == 0, middle, 0.0)
        cross = xp.outer(centre, middle)
        about = about - count * (cross + cross.T - xp.outer(centre, centre))
    prior = (about + share * sums.cov) / count
    good = xp.isfinite(xp.sum(prior)) & xp.isfinite(xp.sum(sums.calibrated))
    prior = xp.where(good, prior, own.prior)
    centre = None if centre is None else xp.where(good, centre, own.centre)
    return prior, xp.where(good, sums.calibrated / count, own.average), centre


def lines(
    given: Given, entries: Entries, old_mean: AnyArray, old_cov: AnyArray
) -> tuple[AnyArray, AnyArray, AnyArray, Sums]:
    """Posteriors and messages of some lines of about one degree, and their part of the sums."""
    _, inverse, pull, average, scale, told = given
    y, spread, mask = entries.y, entries.spread, entries.mask
    r = inverse.shape[0]
    told_here, old = entries.told, entries.old
    x, kept = told_here[:, :r], old[:, :r]
    fixed = jnp.zeros((1, r), y.dtype)
    if pull is not None:
        # The other's effect is part of what is told, and no unknown of this line belongs to it;
        # its constant is the slope of this line's own.
        fixed = jnp.where(jnp.arange(r) == 1, 1.0, 0.0)[None]
        y = y - x[:, 0]
        x = jnp.concatenate([x[:, 1:2], jnp.zeros_like(x[:, :1]), x[:, 2:]], axis=1)
    trace = jnp.sum(old_cov * average[None], axis=(1, 2))
    q = told_here[:, r] + trace[:, None] * told_here[:, r + 1] / scale
    q = jnp.where(told.blind, 1.0, q)
    s = jnp.maximum(told.noise * spread + q, LEAST)
    miss = y - _dots(kept, x)
    counts = mask
    if told.bound is not None:
        size = told.bound * jnp.sqrt(s + old[:, r])
        share = jnp.minimum(1.0, size / jnp.maximum(jnp.abs(miss), 1e-300)) ** 2
        s, counts = s / jnp.maximum(share, 1e-150), mask * share
    u, C, Cx = _regress(x, y, s, mask, inverse, pull)
    error = y - jnp.sum(x * u[..., None], axis=1)
    ratio, caused = cavities(jnp, s, _dots(Cx, x), error)
    # Of noise, by chance half of the lines have more than they should: to raise those alone is to
    # raise the mean, from which the noise is then told too low and the error bars too wide.
    raised = jnp.where(told.noise > 0, 1.0, calibration(jnp, mask, error, ratio))
    calibrated = C * raised[:, None, None]
    part = jnp.sum(calibrated * average[None], axis=(1, 2))
    fresh = 1 - told.damping
    new = told.damping * kept - Cx * (fresh * ratio)[:, None]
    new = new + (fresh * (u + fixed))[..., None]
    caused = caused * raised[:, None]

    real = jnp.max(mask, axis=1)
    check = jnp.sum(u, axis=1) + jnp.sum((ratio + caused) * mask, axis=1)
    good = jnp.isfinite(check + jnp.sum(calibrated, axis=(1, 2)))
    words = (new, caused[:, None], jnp.broadcast_to(part[:, None, None], caused[:, None].shape))
    new = jnp.concatenate(words, axis=1)
    new = jnp.where(good[:, None, None], new, old)
    u = jnp.where(good[:, None], u, old_mean - fixed) * real[:, None]
    C = jnp.where(good[:, None, None], C, old_cov)
    calibrated = jnp.where(good[:, None, None], calibrated, old_cov)
    sums = Sums(
        jnp.sum(real[:, None, None] * C, axis=0),
        jnp.sum(real[:, None, None] * calibrated, axis=0),
        u.T @ u,
        jnp.sum(u, axis=0),
        jnp.sum(counts * miss**2),
        jnp.sum(counts * (q + old[:, r])),
        jnp.sum(real * ~good),
    )
    return u + fixed * real[:, None], calibrated, new, sums


def _regress(
    x: Float[AnyArray, "c r d"],
    y: Float[AnyArray, "c d"],
    s: Float[AnyArray, "c d"],
    mask: Float[AnyArray, "c d"],
    inverse: Float[AnyArray, "r r"],
    pull: Float[AnyArray, " r"] | None,
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Posterior mean and covariance of each line, and the product of that with what it is told."""
    r = x.shape[1]
    both = jnp.concatenate([x, y[:, None]], axis=1)
    G = (x * (mask / s)[:, None]) @ jnp.swapaxes(both, 1, 2)
    C = inverses(G[..., :r] + inverse[None])
    pulled = G[..., r] if pull is None else G[..., r] + pull[None]
    return jnp.sum(C * pulled[:, None], axis=-1), C, C @ x


def _dots(x: Float[AnyArray, "c r d"], z: Float[AnyArray, "c r d"]) -> AnyArray:
    """Sums of products over the components."""
    return jnp.sum(x * z, axis=1)
