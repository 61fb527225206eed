"""Beliefs that go on from others: of more entries, or with more components."""

import math
from typing import Any

import numpy as np

from liftless._memory import aligned_zeros
from liftless.start.belief.layout import places_of, say
from liftless.start.belief.propagate import SMALL, Graph, Propagation
from liftless.start.belief.sweep import Beliefs, partner

#: Least size of a new component.
LEAST = 1e-6
#: Least eigenvalue of a prior, relative to the largest, that is brought to the other side's.
FLOOR = 1e-12


def grown(of: Propagation, rank: int, seed: int, width: int) -> Propagation:
    """Beliefs with more components, as large as the weakest of those that there are.

    What is new begins as in the first messages.

    Parameters
    ----------
    of : Propagation
    rank, seed : int
    width : int
        Components that there shall be room for.
    """
    rng = np.random.default_rng([seed, rank])
    new = slice(of.first + of.rank, of.first + rank)
    at, more = np.arange(new.start, new.stop), rank - of.rank
    size = max(min(of.misfit / math.sqrt(more), of.weakest()), LEAST)
    made = []
    for k, (plan, was) in enumerate(zip(of.graph.plans, of.beliefs, strict=True)):
        mean, cov, out, prior, average, centre = _widened(was, of.first + width)
        prior[at, at] = average[at, at] = size
        cov[:, at, at] = size
        if k == len(of.beliefs) - 1:
            drawn = rng.standard_normal((plan.place.size, more)) * SMALL * math.sqrt(size)
            mean[plan.place, new] = drawn
            say(plan, mean, out, new)
        made.append(Beliefs(mean, cov, out, prior, average, centre))
    return of.with_beliefs(made, rank=rank, width=width)


def retold(of: Propagation, more: Graph) -> Propagation:
    """Beliefs of more entries of the same layout.

    Along an entry that is new a line tells what it believes.
    """
    where = [places_of(plan, np.arange(plan.slots)) for plan in of.graph.plans]
    made = []
    for k, was in enumerate(of.beliefs):
        source = np.asarray(more.sides[k].source)
        new = np.flatnonzero((source >= 0) & (np.asarray(of.graph.sides[k].source) < 0))
        other = 0 if of.symmetric else 1 - k
        mean, out, r = np.asarray(was.mean), np.array(was.out), was.prior.shape[0]
        x = np.asarray(of.beliefs[other].mean)[where[other][source[new]]]
        average = np.asarray(of.beliefs[other].average)
        out[new, :r] = mean[where[k][new]]
        if was.centre is not None:
            x, average = partner(x, 1, np), partner(partner(average, 0, np), 1, np)
            out[new, 1] = 1.0
        cov = np.asarray(was.cov)[where[k][new]]
        out[new, r] = np.einsum("ka,kab,kb->k", x, cov, x)
        out[new, r + 1] = np.sum(cov * average, axis=(1, 2))
        made.append(Beliefs(mean, np.asarray(was.cov), out, was.prior, was.average, was.centre))
    return of.with_beliefs(made, of=more)


def balance(of: Propagation) -> None:
    """Let both sides have the same prior, which is diagonal; nothing that they predict changes.

    Sweeps do not hold the gauge: on a table of very unlike sides one prior grows and the other
    falls by a factor of ten in a few sweeps, until the digits are lost.
    """
    if of.symmetric:
        return
    used = slice(of.first, of.first + of.rank)
    A, B = (np.asarray(b.prior, float)[used, used] for b in of.beliefs)
    if not (np.isfinite(A).all() and np.isfinite(B).all()):
        return
    values, Q = np.linalg.eigh(A)
    root = Q * np.sqrt(np.maximum(values, FLOOR * values[-1]))
    squares, R = np.linalg.eigh(root.T @ B @ root)
    quarter = np.maximum(squares, FLOOR * squares[-1]) ** 0.25
    # Rows u become Tᵀ u and columns T⁻¹ v, so that both priors are the root of the squares.
    T = np.linalg.solve(root.T, R * quarter)
    made = [_turned(b, used, G) for b, G in zip(of.beliefs, (T, np.linalg.inv(T).T), strict=True)]
    of.take(made)


def _turned(of: Beliefs, used: slice, G: np.ndarray) -> Beliefs:
    """Beliefs about Gᵀ x for the components of x."""
    r = of.prior.shape[0]
    whole = np.eye(r)
    whole[used, used] = G
    out = np.array(of.out)
    out[:, :r] = out[:, :r] @ whole.astype(out.dtype)
    mean, cov = np.asarray(of.mean), np.asarray(of.cov)
    turn = whole.astype(mean.dtype)
    mean, cov = mean @ turn, turn.T @ cov @ turn
    prior, average = (whole.T @ np.asarray(S, float) @ whole for S in (of.prior, of.average))
    return Beliefs(mean, cov, out, prior, average, of.centre)


def _widened(of: Beliefs, width: int) -> tuple[Any, ...]:
    """Copies of beliefs, as arrays of NumPy, with room for more numbers of a line."""
    r, out = of.prior.shape[0], np.asarray(of.out)
    width = max(width, r)
    line, square = (0, width - r), ((0, width - r), (0, width - r))
    mean = np.pad(np.asarray(of.mean), ((0, 0), line))
    cov = np.pad(np.asarray(of.cov), ((0, 0), *square))
    wide = aligned_zeros((len(out), width + 2), out.dtype)
    wide[:, :r], wide[:, width:] = out[:, :r], out[:, r:]
    prior, average = (np.pad(np.asarray(part), square) for part in (of.prior, of.average))
    centre = None if of.centre is None else np.pad(np.asarray(of.centre), line)
    return mean, cov, wide, prior, average, centre
