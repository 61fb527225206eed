"""Search for an image on a known support whose plain transform was measured, or behind windows.

Message passing and descent end at wrong images here: a plain transform mixes the pixels too evenly.
Reflections wander until the two sets meet, and hand over to a descent; where that ends at no fit
they go on, until they are twice as near.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from liftless._precision import on_device, single
from liftless.phase.data import Data
from liftless.phase.descent import Books, problem_of
from liftless.start.amplitudes import used_amplitudes
from liftless.start.reflections import READY, STEP_COST, reflect_amplitudes

#: β = 1, Douglas and Rachford's own: other relaxations find less here.
RELAXATION = 1.0
#: Steps between two looks, and most of one image.
CHUNK, STEPS = 100, 5000
#: Distance of the two sets in units of the noise at which a descent is tried: they wander so far
#: from each other about the truth.  Steps between two tries, and most of a noisy image.
WANDER, WAIT, NOISY_STEPS = 6.0, 300, 1500
#: Images that are begun with.
ROUNDS = 20
#: Second word of their seed.
STREAM = 29


def search_support(
    data: Data, books: Books, seed: int, descend: Callable[[np.ndarray], bool]
) -> None:
    """Reflections from random images until a descent from where they are fits the readings.

    Parameters
    ----------
    data : Data
    books : Books
    seed : int
    descend : callable
        Of an image: whether the readings are then explained.
    """
    problem = problem_of(data, np.ones(data.b.size))
    unit = data.mean if books.mixed else 1.0
    kind = np.float32 if books.mixed else np.float64
    rows = used_amplitudes(data.operator, problem)
    rows = on_device(single(rows) if books.mixed else rows)
    b, beta = jnp.asarray(problem.b / unit, kind), jnp.asarray(RELAXATION, kind)
    noisy = data.noise.name != "none"
    first, most = READY, NOISY_STEPS if noisy else STEPS
    if noisy and data.scanned:
        first = data.noise.ready(data.intensity, data.mean)
    elif noisy:
        first = max(READY, WANDER * data.noise.misfit(data.intensity, data.mean))
    for k in range(ROUNDS):
        rng = np.random.default_rng([seed, STREAM, k])
        G = rng.standard_normal((problem.n, 1))
        if data.scanned and k == 0:
            # Behind windows that hold little of an image an even one is a better guess than chance.
            G = np.zeros((problem.n, 1))
            G[: data.operator.order] = math.sqrt(data.total / data.operator.order)
        books.starts += 1
        G = jnp.asarray(G / math.sqrt(unit), kind)
        X, on, taken, ready, rest = G, None, 0, first, 0
        while taken < most and books.left > 2 * CHUNK:
            end = jnp.asarray(taken + CHUNK, kind)
            level = ready if taken >= rest else 0.0
            X, on = reflect_amplitudes(rows, b, G, beta, end, on, jnp.asarray(level, kind))
            gap, before, taken = float(on[1].gap), taken, int(on[1].k)
            cost = STEP_COST * (taken - before)
            books.note("reflections", cost, gap, cost if books.mixed else 0)
            if gap <= level or (noisy and taken >= most > rest):
                if descend(math.sqrt(unit) * np.asarray(X, float)):
                    return
                # Without noise a nearer try is worth its price; noise keeps the sets apart.
                ready, rest = (ready, taken + WAIT) if noisy else (gap / 2, 0)
        if books.left <= 2 * CHUNK:
            descend(math.sqrt(unit) * np.asarray(X, float))
            return
