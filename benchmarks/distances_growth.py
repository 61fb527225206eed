"""Constants of growing bodies, one at a time: bodies put together by one growth, and seconds.

The points are those of ``distances.py``.  A body counts where the descent from the best of its ways
is exact, or with noise is as likely as the descent from the truth.

Usage: python benchmarks/distances_growth.py [SEEDS] [FIRST SEED] [MODULE.NAME …]
"""

import sys
import time

import numpy as np
from distances import drawn

from liftless.distances import growth, joined, search
from liftless.distances.data import read
from liftless.distances.fit import fit_of
from liftless.distances.likeliest import deviance, sharpened
from liftless.distances.rigidity import rigidity

#: Points, mean degree and relative noise.
CASES = ((200, 8, 0.0), (200, 12, 0.05))
STUDY = {
    (growth, "WIDTH"): (50, 100, 200, 400),
    (growth, "PLAIN"): (0, 50, 100),
    (growth, "BEHIND"): (15.0, 30.0, 60.0, 120.0),
    (growth, "LEAST"): (1e-5, 1e-4, 1e-3, 1e-2),
    (growth, "CLOSE"): (0.0, 3.0, 10.0, 30.0),
    (growth, "HOPS"): (2, 3, 5),
    (growth, "STEPS"): (1, 3, 6),
    (joined, "TURNS"): (8, 12, 24, 48),
    (joined, "STEPS"): (8, 15, 30),
    (joined, "THESE"): (8, 32, 100),
    (search, "WAYS"): (1, 4, 8, 16),
}


def body_of(n, degree, noise, seed):
    X, pairs, d = drawn(n, degree, seed, noise)
    data = read(pairs, d, 2, None, "relative", noise or 1e-6, n)
    body = rigidity(n, data.i, data.j, 2).determined
    return data.of(body), X[body]


def put_together(data, truth, noise):
    """Whether one growth and the descent from its ways find the body."""
    fit = fit_of(data)
    grown = growth.Growth(data)
    first = grown.simplex(np.ones(data.n, bool), grown.order)
    found = search.Search(np.zeros((data.n, 2)), np.inf)
    main, others = joined.assembled(grown, [first])
    X = search._best(fit, search.completed(data, fit, main, others), found)
    if not noise:
        end = search.sparse_levenberg(fit, X, steps=search.LAST)
        return end.objective <= search.ROUND_OFF * fit.objective(np.zeros((data.n, 1)))
    here, mine, _ = sharpened(data, X)
    near, there, _ = sharpened(data, truth)
    return deviance(here, mine) <= deviance(near, there) + 0.1


def measured(bodies):
    good, began = [], time.process_time()
    for data, truth, noise in bodies:
        good.append(put_together(data, truth, noise))
    return sum(good), (time.process_time() - began) / len(bodies)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    sets = [
        [(*body_of(n, degree, noise, seed), noise) for seed in range(first, first + count)]
        for n, degree, noise in CASES
    ]
    print(f"seeds {first} to {first + count - 1}; (points, mean degree, noise): {CASES}")
    wanted = sys.argv[3:]
    for (module, name), values in STUDY.items():
        where = module.__name__.rsplit(".", 1)[1]
        if wanted and f"{where}.{name}" not in wanted:
            continue
        kept = getattr(module, name)
        for value in values:
            setattr(module, name, value)
            told = [measured(bodies) for bodies in sets]
            ends = ", ".join(f"{good} of {count} in {spent:.2f} s" for good, spent in told)
            print(f"{where}.{name} {value:g}{' *' if value == kept else ''}: {ends}", flush=True)
        setattr(module, name, kept)


if __name__ == "__main__":
    main()
