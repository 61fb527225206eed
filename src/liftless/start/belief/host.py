"""Sweeps by NumPy: of few entries, for which compiling takes longer than all that is to be done."""

from typing import Any

import numpy as np
from jaxtyping import Float

from liftless.start.belief.layout import Side
from liftless.start.belief.sweep import (
    Beliefs,
    Entries,
    Sums,
    Told,
    given_of,
    learned,
    lines,
)

#: Slots that are taken at once.
CHUNK = 4096


def half_sweep(side: Side, own: Beliefs, other: Beliefs, told: Told) -> tuple[Beliefs, float]:
    """What :func:`liftless.start.belief.sweep.half_sweep` does, on arrays of NumPy.

    For a symmetric matrix ``other`` is ``own``.
    """
    given = given_of(np, own, other.out, other.average, told)
    mean, cov, out = (np.zeros_like(part) for part in (own.mean, own.cov, own.out))
    total: Sums | None = None
    with np.errstate(all="ignore"):
        for k, bucket in enumerate(side.buckets):
            d, step = bucket.width, max(1, CHUNK // bucket.width)
            count = int(side.chunks[k]) * bucket.height
            for first in range(0, count, step):
                some = min(step, count - first)
                at = slice(bucket.line + first, bucket.line + first + some)
                slot = bucket.slot + first * d
                slots = slice(slot, slot + some * d)
                source = side.source[slots].reshape(some, d)
                spread = side.spread
                if spread.shape[0] > 1:
                    spread = spread[slots].reshape(some, d)
                entries = Entries(
                    side.y[slots].reshape(some, d),
                    spread,
                    (source >= 0).astype(float),
                    _swapped(other.out.take(source, axis=0, mode="wrap")),
                    _swapped(own.out[slots].reshape(some, d, -1)),
                )
                mean[at], cov[at], new, more = lines(np, given, entries, own.mean[at], own.cov[at])
                out[slots] = new.swapaxes(1, 2).reshape(some * d, -1)
                total = more if total is None else Sums(*map(np.add, total, more))
        assert total is not None
        prior, average, centre = learned(np, own, side.lines, total, told)
    return Beliefs(mean, cov, out, prior, average, centre), float(total.bad)


def _swapped(x: Any) -> Float[np.ndarray, "c w d"]:
    return np.ascontiguousarray(x.swapaxes(1, 2))
