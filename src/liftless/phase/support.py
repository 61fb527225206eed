"""Search for an image on a known support whose plain transform was measured, or behind windows.

Message passing and descent end at wrong images here: a plain transform mixes the pixels too evenly.
Reflections wander until the two sets meet, and hand over to a descent; where that ends at no fit
they go on, until they are twice as near.
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from liftless._precision import on_device
from liftless.phase.data import Data
from liftless.phase.descent import Books, problem_of
from liftless.start.amplitudes import used_amplitudes
from liftless.start.reflections import READY, STEP_COST, reflect_amplitudes

#: β = 1, Douglas and Rachford's own: other relaxations find less here.
RELAXATION = 1.0
#: Steps between two looks, and most of one image.
CHUNK, STEPS = 100, 5000
#: Images that are begun with.
ROUNDS = 20
#: Second word of their seed.
STREAM = 29


def search_support(
    data: Data, books: Books, seed: int, descend: Callable[[np.ndarray], Any]
) -> None:
    """Reflections from random images until a descent from where they are fits the readings.

    Parameters
    ----------
    data : Data
    books : Books
    seed : int
    descend : callable
        Of an image; what it returns has ``fitted``.
    """
    problem = problem_of(data, np.ones(data.b.size))
    amplitudes = problem.operator.amplitudes()
    assert amplitudes is not None
    rows = on_device(used_amplitudes(amplitudes, problem))
    b, beta = jnp.asarray(problem.b), jnp.asarray(RELAXATION)
    noisy = data.noise.name != "none"
    first = max(READY, data.noise.ready(data.intensity, data.mean)) if noisy else READY
    for k in range(ROUNDS):
        rng = np.random.default_rng([seed, STREAM, k])
        G = jnp.asarray(rng.standard_normal((problem.n, 1)))
        if data.scanned and k == 0:
            # Behind windows that hold little of an image an even one is a better guess than chance.
            flat = np.zeros((problem.n, 1))
            flat[: data.operator.order] = math.sqrt(data.total / data.operator.order)
            G = jnp.asarray(flat)
        books.starts += 1
        X, on, taken, ready = G, None, 0, first
        while taken < STEPS and books.left > 2 * CHUNK:
            end = jnp.asarray(float(taken + CHUNK))
            X, on = reflect_amplitudes(rows, b, G, beta, end, on, jnp.asarray(ready))
            gap, before, taken = float(on[1].gap), taken, int(on[1].k)
            books.note("reflections", STEP_COST * (taken - before), gap)
            if gap <= ready:
                if descend(np.asarray(X)).fitted or noisy:
                    return
                ready = gap / 2
        if books.left <= 2 * CHUNK:
            descend(np.asarray(X))
            return
