"""Adaptive IPGD+ over seeds: threads, one vectorised batch, one after another, and Python loops.

Five ways to the same descents, on three instances of the IPGD paper's section 7 with other data
for every seed: `ipgd_batch` as it comes (a thread a core), `ipgd_batch(together=True)` (lockstep),
`ipgd` one after another, a Python loop over compiled steps, and a NumPy loop.  The two Python loops
make the same plain steps of the same length, without a look at the curvature, so they are spared
work that the others do.  All sides run alternately in one process; minima over the repeats.

Usage: python benchmarks/ipgd.py [--seeds 10] [--repeats 3] [--json]
"""

import argparse
import json
import os
import time

import jax
import numpy as np

import liftless as ll
from liftless import OfProblem, ipgd, ipgd_batch

SPECTRUM = (10.0, 5.0, 1.0)
N, MEASUREMENTS, DIMENSION = 20, 600, 150


def truth(rng):
    U = np.linalg.qr(rng.standard_normal((N, 3)))[0]
    return (U * SPECTRUM) @ U.T


def sensing(seed):
    rng = np.random.default_rng([seed, 20260])
    M, A = truth(rng), rng.standard_normal((MEASUREMENTS, N, N))
    A = (A + A.transpose(0, 2, 1)) / 2
    flat, b = A.reshape(MEASUREMENTS, -1), np.einsum("aij,ij->a", A, M)

    def gradient(X):
        y = flat @ (X @ X.T).ravel() - b
        return (y @ flat).reshape(N, N) @ X / MEASUREMENTS

    problem = ll.Problem(ll.DenseOperator.from_matrices(A), b, N)
    return OfProblem(problem, 1 / (2 * MEASUREMENTS)), gradient, (N, N)


def completion(seed):
    rng = np.random.default_rng([seed, 20260])
    M, mask = truth(rng), np.zeros(N * N)
    mask[rng.permutation(N * N)[: int(0.8 * N * N)]] = 1
    i, j = np.divmod(np.arange(N * N), N)
    grid = mask.reshape(N, N) + mask.reshape(N, N).T

    def gradient(X):
        return 2 * (grid * (X @ X.T - M)) @ X

    problem = ll.Problem(ll.EntriesOperator(i, j, N), M[i, j], N, weights=mask)
    return OfProblem(problem, 2.0), gradient, (N, N)


def sparse(seed):
    x = np.random.default_rng([seed, 20260]).standard_normal((300, DIMENSION))
    theta = np.r_[10.0, -5.0, 3.0, -2.0, 1.0, np.zeros(DIMENSION - 5)]
    b, both = x @ theta, np.concatenate([x, -x], axis=1)

    def gradient(X):
        r = both @ (X[:, 0] ** 2) - b
        return 4 / 300 * (r @ both)[:, None] * X

    problem = ll.Problem(ll.DiagonalOperator(both), b, 1)
    return OfProblem(problem, 2 / 300), gradient, (2 * DIMENSION, 1)


PROBLEMS = {"matrix sensing": sensing, "completion": completion, "sparse recovery": sparse}


@jax.jit
def one_step(objective, x, eta):
    value, gradient = objective.value_and_gradient(x)
    return x - eta * gradient, value


def stepwise(objectives, start, ends):
    """A Python loop over compiled steps, reading f after each, as a stop rule would."""
    with jax.enable_x64(True):
        for f, end in zip(objectives, ends, strict=True):
            g, x = jax.tree.map(jax.numpy.asarray, f), jax.numpy.asarray(start)
            for _ in range(end.iterations):
                x, value = one_step(g, x, end.step)
                float(value)


def plain(gradients, start, ends):
    """A NumPy loop over the gradient alone."""
    for gradient, end in zip(gradients, ends, strict=True):
        x = start
        for _ in range(end.iterations):
            g = gradient(x)
            np.linalg.norm(g)
            x = x - end.step * g


def measure(name, count, repeats):
    made = [PROBLEMS[name](seed) for seed in range(count)]
    objectives, gradients, shape = [m[0] for m in made], [m[1] for m in made], made[0][2]
    point = 1e-3 * np.random.default_rng(0).standard_normal(shape)
    for f, gradient in zip(objectives, gradients, strict=True):
        np.testing.assert_allclose(gradient(point), f.gradient(point), rtol=1e-9, atol=1e-12)
    start, seeds = np.zeros(shape), list(range(count))
    starts = np.zeros((count, *shape))
    ends = ipgd_batch(objectives, starts, seeds=seeds)
    sides = {
        "threads": lambda: ipgd_batch(objectives, starts, seeds=seeds, together=False),
        "together": lambda: ipgd_batch(objectives, starts, seeds=seeds, together=True),
        "one after another": lambda: [ipgd(f, start, seed=s) for s, f in enumerate(objectives)],
        "loop of compiled steps": lambda: stepwise(objectives, point, ends),
        "NumPy loop": lambda: plain(gradients, point, ends),
    }
    wall = dict.fromkeys(sides, np.inf)
    cpu = dict(wall)
    for repeat in range(repeats + 1):
        for side, run in sides.items():
            began, spent = time.perf_counter(), time.process_time()
            run()
            if repeat:  # the first compiles
                wall[side] = min(wall[side], time.perf_counter() - began)
                cpu[side] = min(cpu[side], time.process_time() - spent)
    return {
        "problem": name,
        "certified": sum(e.certified for e in ends),
        "steps": sum(e.iterations for e in ends),
        "wall_seconds": wall,
        "cpu_seconds": cpu,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(name, options.seeds, options.repeats) for name in PROBLEMS]
    if options.json:
        print(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1))
        return
    for row in rows:
        print(f"{row['problem']}: {row['certified']} certified, {row['steps']} steps in all")
        base = row["wall_seconds"]["threads"]
        for side, seconds in row["wall_seconds"].items():
            cpu = row["cpu_seconds"][side]
            print(f"  {side:24s} {seconds:8.3f} s   {seconds / base:6.2f}   cpu {cpu:8.3f} s")


if __name__ == "__main__":
    main()
