"""What beliefs leave of the entries, and the noise level that this tells."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from liftless._precision import on_device
from liftless._types import AnyArray
from liftless.losses import QUARTILE
from liftless.operators.lines import gathered_products
from liftless.start.belief.layout import Plan, Side, places_of, rounded
from liftless.start.belief.sweep import Beliefs, partner, surrogate

#: Messages from which the noise level is estimated; their median is within a percent.
SAMPLE = 1 << 16
#: The same where no more is compiled, and every sweep of fewer entries counts: within two percent.
SAMPLE_HOST = 1 << 14
#: Entries from which the misfit is read there, within half a percent.
MISFIT_HOST = 1 << 15
#: Median of a squared standard Gaussian.
MEDIAN = QUARTILE**2


class Sample(NamedTuple):
    """Slots, the places of their lines, and how many there are without padding."""

    slots: AnyArray
    places: AnyArray
    used: AnyArray


@functools.partial(jax.jit, static_argnames="middle")
def misfit(
    ends: tuple, y: AnyArray, m: AnyArray, own: Beliefs, other: Beliefs, *, middle: bool
) -> AnyArray:
    """Root mean square of what the means leave of the entries; padding is taken out again.

    ``middle``: that of a Gaussian of the same median, which does not see gross errors.
    """
    i, j = ends
    V = other.mean if other.centre is None else partner(other.mean, 1)
    error = y - gathered_products(i, j, own.mean, V)
    if middle:
        return jnp.sqrt(_median(error * error, m.astype(int)) / MEDIAN)
    error = jnp.where(jnp.arange(y.shape[0]) < m, error, 0.0)
    return jnp.sqrt(jnp.sum(error * error) / m)


def misfit_host(
    i: np.ndarray, j: np.ndarray, y: np.ndarray, own: Beliefs, other: Beliefs, *, middle: bool
) -> float:
    """The same by NumPy, of some entries without padding."""
    V = other.mean if other.centre is None else partner(other.mean, 1, np)
    error = y - np.einsum("ma,ma->m", own.mean.take(i, axis=0), V.take(j, axis=0))
    square = error * error
    return math.sqrt(float(np.median(square)) / MEDIAN if middle else float(np.mean(square)))


def asked(ends: tuple[Any, Any], y: Any, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends and values of the entries that :func:`misfit_host` is read from, always the same."""
    if m <= MISFIT_HOST:
        return *ends, y
    some = np.sort(np.random.default_rng(0).choice(m, MISFIT_HOST, replace=False))
    return ends[0][some], ends[1][some], y[some]


def _median(x: AnyArray, count: AnyArray) -> AnyArray:
    """Median of the first ``count`` numbers; traceable."""
    ordered = jnp.sort(jnp.where(jnp.arange(x.shape[0]) < count, x, jnp.inf))
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


@jax.jit
def noise(side: Side, own: Beliefs, other: Beliefs, sample: Sample) -> Any:
    """σ² that makes the median of the squared misfit what its predicted variance says."""
    return noise_of(jnp, side, own, other, sample)


def noise_of(xp: Any, side: Side, own: Beliefs, other: Beliefs, sample: Sample) -> Any:
    """σ² by NumPy or its twin of JAX."""
    r = own.prior.shape[0]
    slots = sample.slots
    told, old = other.out[side.source[slots]], own.out[slots]
    x = told[:, :r] if own.centre is None else partner(told[:, :r], 1, xp)
    average, scale = surrogate(xp, own, other.average)
    traces = own.cov.reshape(-1, r * r) @ average.reshape(-1).astype(own.cov.dtype)
    trace = traces[sample.places]
    foreseen = told[:, r] + trace * told[:, r + 1] / scale + old[:, r]
    miss = (side.y[slots] - xp.sum(old[:, :r] * x, axis=1)) ** 2
    median = _median if xp is jnp else (lambda x, count: np.median(x[:count]))
    many = side.spread.shape[0] > 1
    spread = median(side.spread[slots], sample.used) if many else side.spread[0]
    found = median(miss, sample.used) / MEDIAN - median(foreseen, sample.used)
    return xp.maximum(0.0, found) / spread


def sampled(side: Side, plan: Plan, *, host: bool, least: int) -> Sample:
    """Slots that the noise level is read from, always the same.

    Padded to sizes of few digits, and to ``least``, where code is compiled for them.
    """
    filled = np.flatnonzero(np.asarray(side.source) >= 0)
    most = SAMPLE_HOST if host else SAMPLE
    if filled.size > most:
        filled = np.sort(np.random.default_rng(0).choice(filled, most, replace=False))
    places = places_of(plan, filled)
    count = np.asarray(filled.size)
    if host:
        return Sample(filled, places, count)
    padding = (0, max(rounded(filled.size), least) - filled.size)
    slots, where = on_device((np.pad(filled, padding), np.pad(places, padding)))
    return Sample(slots, where, count)
