"""Sweeps by NumPy: of few entries, for which compiling takes longer than all that is to be done.

What :mod:`liftless.start.belief.sweep` says is done here in as few passes over the messages as can
be, for the passes are what takes the time: components come first and slots last, so that sums over
the components are vectors' sums, and what is gathered is worked on in place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless.start.belief.layout import Side
from liftless.start.belief.sweep import (
    LEAST,
    PIVOT,
    Beliefs,
    Sums,
    Told,
    calibration,
    cavities,
    given_of,
    learned,
)

#: Slots that are taken at once, and lines whose posteriors are computed at once.
CHUNK, LINES = 4096, 1024
#: Order up to which many matrices are inverted at once, in half the time that LAPACK takes for one
#: after the other; larger ones fall out of the cache.
TOGETHER = 16


@dataclass(frozen=True)
class _Given:
    """What every chunk is given, in the precision of the messages."""

    messages: Float[np.ndarray, "slots w"]
    inverse: Float[np.ndarray, "r r"]
    pull: Float[np.ndarray, " r"] | None
    average: Float[np.ndarray, " rr"]
    scale: float
    noise: float
    damping: float
    blind: bool
    bound: float | None

    @classmethod
    def of(cls, own: Beliefs, other: Beliefs, told: Told) -> "_Given":
        """What half a sweep is given, priors and numbers brought to that precision."""
        given, kind = given_of(np, own, other.out, other.average, told), own.mean.dtype
        return cls(
            np.asarray(other.out),
            np.asarray(given.inverse, kind),
            None if given.pull is None else np.asarray(given.pull, kind),
            np.ravel(given.average).astype(kind),
            float(given.scale),
            float(told.noise),
            float(told.damping),
            bool(told.blind),
            None if told.bound is None else float(told.bound),
        )


def half_sweep(side: Side, own: Beliefs, other: Beliefs, told: Told) -> tuple[Beliefs, float]:
    """What :func:`liftless.start.belief.sweep.half_sweep` does, on arrays of NumPy.

    For a symmetric matrix ``other`` is ``own``.  In the precision of the beliefs; priors, which
    are few numbers, are double.
    """
    mean, cov, out = (np.zeros_like(part) for part in (own.mean, own.cov, own.out))
    counts, misses = np.zeros((3, len(mean))), np.zeros(2)
    with np.errstate(all="ignore"):
        given = _Given.of(own, other, told)
        for some in _together(_chunks(side, own, given)):
            C = inverses(np.concatenate([one.precision(given) for one in some]))
            first = 0
            for one in some:
                stop = first + len(one.y)
                misses += one.misses
                new, counts[:, one.at] = one.finish(given, own, C[first:stop], mean, cov)
                out[one.slots].reshape(*one.y.shape, -1)[...] = new.swapaxes(1, 2)
                first = stop
        sums = _sums(mean, cov, counts, misses, given.pull is not None)
        prior, average, centre = learned(np, own, side.lines, sums, told)
    return Beliefs(mean, cov, out, prior, average, centre), float(sums.bad)


def _chunks(side: Side, own: Beliefs, given: _Given) -> Iterator["_Lines"]:
    """The lines, a few of about one degree at a time."""
    kind, many = own.mean.dtype, side.spread.shape[0] > 1
    y, spread, sources = np.asarray(side.y, kind), np.asarray(side.spread, kind), side.source
    trace = np.asarray(own.cov).reshape(len(own.mean), -1) @ given.average
    for k, bucket in enumerate(side.buckets):
        d, step = bucket.width, max(1, CHUNK // bucket.width)
        count = int(side.chunks[k]) * bucket.height
        for first in range(0, count, step):
            some = min(step, count - first)
            at = slice(bucket.line + first, bucket.line + first + some)
            slots = slice(bucket.slot + first * d, bucket.slot + (first + some) * d)
            source = np.asarray(sources[slots]).reshape(some, d)
            yield _Lines(
                at,
                slots,
                _swapped(given.messages.take(source, axis=0, mode="wrap")),
                _swapped(own.out[slots].reshape(some, d, -1)),
                y[slots].reshape(some, d),
                spread[slots].reshape(some, d) if many else spread,
                (source >= 0).astype(kind),
                trace[at],
            )


def _together(chunks: Iterator["_Lines"]) -> Iterator[list["_Lines"]]:
    """Chunks of so many lines that vectors over them are long."""
    some: list[_Lines] = []
    for one in chunks:
        some.append(one)
        if sum(len(part.y) for part in some) >= LINES:
            yield some
            some = []
    if some:
        yield some


def _swapped(x: Any) -> Float[np.ndarray, "c w d"]:
    return np.ascontiguousarray(x.swapaxes(1, 2))


@dataclass
class _Lines:
    """Some lines of about one degree, as in :func:`liftless.start.belief.sweep.lines`.

    Attributes
    ----------
    at, slots : slice
        Where they and their messages are.
    x, old : arrays of shape (c, r + 2, d)
        What the other side says, which is worked on in place, and what the lines last said.
    y, spread, mask : arrays of shape (c, d)
        Values, variances of their noise, and which there are.
    trace : array of shape (c,)
        Products of the old covariances with the other side's mean one.
    s : array of shape (c, d)
        Variances of the values, each seen from its line.
    pulled : array of shape (c, r)
        Right-hand sides.
    misses : array of shape (2,)
        Sums of squared misfits, and of what they were foreseen to be.
    """

    at: slice
    slots: slice
    x: Float[np.ndarray, "c w d"]
    old: Float[np.ndarray, "c w d"]
    y: Float[np.ndarray, "c d"]
    spread: Float[np.ndarray, "..."]
    mask: Float[np.ndarray, "c d"]
    trace: Float[np.ndarray, " c"]
    s: Float[np.ndarray, "c d"] = field(init=False)
    pulled: Float[np.ndarray, "c r"] = field(init=False)
    misses: Float[np.ndarray, " 2"] = field(init=False)

    def precision(self, given: _Given) -> Float[np.ndarray, "c r r"]:
        """Inverse posterior covariances."""
        r, old, mask = given.inverse.shape[0], self.old, self.mask
        x = self.x[:, :r]
        q = self.x[:, r] + (self.trace / given.scale)[:, None] * self.x[:, r + 1]
        q = np.ones_like(q) if given.blind else q
        if given.pull is not None:
            # The other's effect is part of what is told, and no unknown of this line belongs to
            # it; its constant is the slope of this line's own.
            self.y = self.y - x[:, 0]
            x[:, 0], x[:, 1] = x[:, 1], 0.0
        s = np.maximum(given.noise * self.spread + q, LEAST)
        miss, foreseen, counts = self.y - _dots(old[:, :r], x), q + old[:, r], mask
        if given.bound is not None:
            size = given.bound * np.sqrt(s + old[:, r])
            share = np.minimum(1.0, size / np.maximum(np.abs(miss), LEAST)) ** 2
            s, counts = s / np.maximum(share, LEAST), mask * share
        self.misses = np.array([np.vdot(counts * miss, miss), np.vdot(counts, foreseen)])
        self.s = s
        # The value beside the components: matrix and right-hand side are one product.
        self.x[:, r] = self.y
        G = (x * (mask / s)[:, None]) @ self.x[:, : r + 1].swapaxes(1, 2)
        self.pulled = G[..., r] if given.pull is None else G[..., r] + given.pull
        return G[..., :r] + given.inverse

    def finish(
        self, given: _Given, own: Beliefs, C: np.ndarray, mean: np.ndarray, cov: np.ndarray
    ) -> tuple[Float[np.ndarray, "c w d"], Float[np.ndarray, "3 c"]]:
        """Write posteriors; return messages, and of each line what :func:`_sums` is given."""
        r, at, s, mask = given.inverse.shape[0], self.at, self.s, self.mask
        x = self.x[:, :r]
        u, Cx = (C @ self.pulled[..., None])[..., 0], C @ x
        error = self.y - (u[:, None] @ x)[:, 0]
        ratio, caused = cavities(np, s, _dots(Cx, x), error)
        part, raised = C.reshape(len(C), -1) @ given.average, np.ones_like(self.trace)
        if not given.noise > 0:
            raised = calibration(np, mask, error, ratio)
            C, part, caused = C * raised[:, None, None], part * raised, caused * raised[:, None]
        check = np.sum(u, axis=1) + np.sum((ratio + caused) * mask, axis=1) + C.sum(axis=(1, 2))
        if given.pull is not None:
            u[:, 1] = 1.0

        new, fresh = np.empty_like(self.old), 1 - given.damping
        np.multiply(Cx, (-fresh * ratio)[:, None], out=new[:, :r])
        new[:, :r] += (fresh * u)[..., None]
        if given.damping:
            new[:, :r] += given.damping * self.old[:, :r]
        new[:, r], new[:, r + 1] = caused, part[:, None]
        real, bad = np.max(mask, axis=1), ~np.isfinite(check)
        if bad.any():
            # Lines of no finite numbers keep what they had.
            new[bad], raised[bad] = self.old[bad], 1.0
            u[bad], C[bad] = own.mean[at][bad], own.cov[at][bad]
        mean[at], cov[at] = u * real[:, None], C
        return new, np.stack([real, real / raised, real * bad])


def _sums(
    mean: np.ndarray, cov: np.ndarray, counts: np.ndarray, misses: np.ndarray, beside: bool
) -> Sums:
    """Sums over lines; of each whether it is, that over what raised it, and whether it is lost."""
    real, calm, bad = counts
    r, flat = mean.shape[1], cov.reshape(len(cov), -1)
    u = mean.astype(float)
    if beside:
        u[:, 1] = 0.0
    raised = whole = (real.astype(cov.dtype) @ flat).reshape(r, r).astype(float)
    if np.any(calm != real):
        whole = (calm.astype(cov.dtype) @ flat).reshape(r, r).astype(float)
    return Sums(whole, raised, u.T @ u, u.sum(axis=0), misses[0], misses[1], bad.sum())


def inverses(G: Float[np.ndarray, "k r r"]) -> Float[np.ndarray, "k r r"]:
    """Inverses of positive definite matrices, scaled to a unit diagonal first."""
    least = PIVOT if G.dtype == np.float64 else float(np.finfo(G.dtype).eps)
    if G.shape[-1] <= TOGETHER:
        return _gauss_jordan(G, least)
    root = 1 / np.sqrt(np.diagonal(G, axis1=1, axis2=2))
    A = G * (root[:, :, None] * root[:, None, :])
    try:
        C = np.linalg.inv(A + least * np.eye(G.shape[-1], dtype=A.dtype))
    except np.linalg.LinAlgError:
        # Lines of no finite numbers keep what they had.
        return np.full(A.shape, np.nan, A.dtype)
    C *= root[:, :, None] * root[:, None, :]
    return C


def _gauss_jordan(G: Float[np.ndarray, "k r r"], least: float) -> Float[np.ndarray, "k r r"]:
    """The same without pivots, as in :mod:`liftless.start.belief.sweep`, the matrices last."""
    A = np.ascontiguousarray(np.moveaxis(G, 0, -1))
    root = 1 / np.sqrt(np.einsum("aak->ak", A))
    A *= root[:, None]
    A *= root
    change = np.empty_like(A)
    for k in range(len(A)):
        pivot = 1 / np.maximum(A[k, k], least)
        row, column = A[k] * pivot, A[:, k].copy()
        row[k], column[k] = pivot, 0.0
        A[:, k] = 0.0
        A -= np.multiply(column[:, None], row, out=change)
        A[k] = row
    A *= root[:, None]
    A *= root
    return np.ascontiguousarray(np.moveaxis(A, -1, 0))


def _dots(x: Float[np.ndarray, "c r d"], z: Float[np.ndarray, "c r d"]) -> np.ndarray:
    """Sums of products over the components."""
    return np.einsum("crd,crd->cd", x, z)
