"""Processes that run one program in step, each with its part of the data.

What a process decides by its own clock, the others would decide otherwise, and wait for ever in a
sum that it does not take part in.  So the first process's clock counts for all.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

#: Whether the problem at work lies on several processes.
_together = False


def across(tree: Any) -> bool:
    """Whether an array of it has parts on other processes."""
    return jax.process_count() > 1 and any(
        isinstance(leaf, jax.Array) and not leaf.is_fully_addressable
        for leaf in jax.tree.leaves(tree)
    )


@contextlib.contextmanager
def in_step(tree: Any) -> Iterator[bool]:
    """Decide by the first process's clock inside, where ``tree`` lies on several; whether it does.

    Every process must come here with its part of the same data.
    """
    global _together
    before, _together = _together, across(tree)
    try:
        yield _together
    finally:
        _together = before


def of_first(value: float) -> float:
    """Value that the first process has, inside :func:`in_step`; elsewhere as it is."""
    if not _together:
        return value
    from jax.experimental.multihost_utils import broadcast_one_to_all

    return float(broadcast_one_to_all(np.float32(value)))
