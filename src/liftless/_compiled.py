"""A bound on what compiled programs take up.

JAX keeps what it has compiled for as long as the process lives, and a problem of another shape is
another program: 20 to 45 MB each for a recovery, 2.3 GB after 54 shapes.
"""

import threading
from collections.abc import Hashable
from typing import Any

import jax
import numpy as np

#: Shapes whose programs are kept: twenty of four kinds, none of them fitted soon, took 1.16 GB with
#: what JAX takes itself.
MOST = 16

_lock = threading.Lock()
_shapes: set[Hashable] = set()
_cleared = 0


def meet(problem: Any) -> None:
    """Count the shape of a problem, and drop all compiled programs when there are too many.

    Results do not depend on it; what is met again is compiled again, a caller's own programs too.
    JAX's persistent compilation cache, where it is on, makes that quick.
    """
    global _cleared
    leaves, structure = jax.tree.flatten(problem)
    shape = (structure, tuple((np.shape(leaf), str(np.result_type(leaf))) for leaf in leaves))
    with _lock:
        if shape in _shapes:
            return
        full = len(_shapes) >= MOST
        if full:
            _shapes.clear()
            _cleared += 1
        _shapes.add(shape)
    if full:
        jax.clear_caches()


def generation() -> int:
    """How often programs were dropped: what was compiled at another number may not be any more."""
    return _cleared
