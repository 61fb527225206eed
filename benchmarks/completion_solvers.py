"""The linear solvers of Levenberg–Marquardt: on completions, and the choice between them.

``local`` poses completions on the lines that peeling leaves, begins at the true factor with a
relative error of 10⁻³ on each of its entries (what sweeps leave), and descends to round-off, or
with noise until there is no more to gain: by the library's compiled local descent (``core``),
and by the sparse Levenberg–Marquardt on the host with LSMR to its fixed accuracy (``lsmr``), with
LSMR to an accuracy that follows the misfit (``loose``: the library's own for small completions),
and with a factorisation (``direct``).
Each in a process of its own: processor seconds of the first call, compilation included, and the
median of three further ones; the relative misfit, steps, iterations and seconds of the whole are
told.  ``complete`` times whole calls of ``complete_entries`` so, and the share of local descent.

``choice`` times ten steps with either solver on the patterns of distances, grids and entries,
beside the one that counted operations choose.

Usage: python benchmarks/completion_solvers.py local [--seeds 2] [--seed 910000] [--large]
       python benchmarks/completion_solvers.py complete [--seeds 2] [--seed 920000]
       python benchmarks/completion_solvers.py child --given '[[n1, n2, r, m/dof, kappa, noise],
           seed, "complete", NONZEROS]'
       python benchmarks/completion_solvers.py choice [--seeds 2] [--seed 930000]
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
from completion import instance, symmetric

import liftless as ll
from liftless._precision import double
from liftless.descent.sparse_levenberg import SparseFit, sparse_levenberg
from liftless.descent.sparse_solve import Direct, Iterative, solver_for
from liftless.operators.sparse_rows import SparseRows
from liftless.start.belief import local as descents
from liftless.start.belief.local import Core
from liftless.start.belief.local_sparse import Following
from liftless.start.belief.observed import observed, restricted
from liftless.start.belief.peel import peel
from liftless.start.belief.work import Work

#: n1, n2 (0: symmetric), rank, m/dof, κ, noise.
SMALL = [
    (n1, n2, r, ratio, kappa, noise)
    for n1, n2, r in ((100, 100, 3), (300, 300, 5), (300, 0, 5))
    for ratio, kappa, noise in ((1.5, 10, 0.0), (2.5, 10, 0.0), (1.5, 1e3, 0.0), (2.5, 10, 0.01))
]
LARGE = [
    (1000, 1000, 5, 1.5, 10, 0.0),
    (1000, 1000, 5, 2.5, 10, 0.0),
    (1000, 1000, 5, 2.5, 10, 0.01),
    (5000, 5000, 5, 1.5, 10, 0.0),
    (5000, 5000, 5, 2.5, 10, 0.0),
]
METHODS = ("core", "lsmr", "loose", "direct")
#: Error of the start; calls after the first; unknowns above which nothing is factorised.
OFF, AGAIN, FACTORED = 1e-3, 3, 4000


def problem_of(n1, n2, rank, ratio, kappa, noise, seed):
    """Problem of one draw and its true factor, the same in both sides' sizes."""
    if n2:
        i, j, U, V = instance(n1, n2, rank, ratio, kappa, seed, 0)
        balance = np.sqrt(np.linalg.norm(U, axis=0))
        X = np.concatenate([U / balance, V * balance])
    else:
        i, j, X = symmetric(n1, rank, ratio, kappa, seed)
    y = np.einsum("ek,ek->e", X[i], X[j + n1 if n2 else j])
    level = noise * np.sqrt(np.mean(y * y))
    y = y + level * np.random.default_rng([seed, 1]).standard_normal(y.size)
    operator = ll.RectangularEntries(i, j, n1, n2) if n2 else ll.EntriesOperator(i, j, n1)
    return ll.Problem(operator, y, rank), X


def posed(case, seed):
    """Entries of the lines that peeling leaves, their space, and a start."""
    problem, X = problem_of(*case, seed)
    seen, rms = observed(problem)
    core, _ = peel(seen.rows, seen.cols, problem.n, problem.rank)
    rng = np.random.default_rng([seed, 2])
    X = X[core] / np.sqrt(rms)
    start = X * (1 + OFF * rng.standard_normal(X.shape))
    return restricted(seen, core), problem.space.kept(core), start


def sparse(seen, space, start, method):
    """The sparse Levenberg–Marquardt: relative misfit, steps, iterations."""
    each = np.arange(seen.y.size)
    at = (seen.rows, seen.cols - space.sides[-1].start)
    operator = ll.SparseOperator(each, *at, np.ones(each.size), m=each.size, space=space)
    w = 1 / np.sqrt(seen.spread)
    fit = SparseFit(SparseRows(operator), seen.y, w)
    full = float(np.linalg.norm(w * seen.y))
    width = start.shape[1]
    solver = {"direct": Direct, "lsmr": lambda: Iterative(width),
              "loose": lambda: Following(width, full, np.inf)}[method]()  # fmt: skip
    end = sparse_levenberg(fit, start, damping=1e-6, tolerance=1e-8, solver=solver)
    return missed(seen, end.X), end.steps, getattr(solver, "iterations", 0)


@double
def compiled(seen, space, start):
    """The library's local descent; its iterations are half of the applications of both kinds."""
    X, _, applications = Core(seen, space, start.shape[1]).polish(start)
    return missed(seen, X), None, applications / 2


def missed(seen, X):
    """Relative misfit of a factor."""
    w = 1 / np.sqrt(seen.spread)
    y = np.einsum("ek,ek->e", X[seen.rows], X[seen.cols])
    return float(np.linalg.norm(w * (y - seen.y)) / np.linalg.norm(w * seen.y))


def told(call, *given):
    """Processor seconds of the first call and of further ones, and what it gives."""
    spent = []
    for _ in range(1 + AGAIN):
        began = time.process_time()
        found = call(*given)
        spent.append(time.process_time() - began)
    return {"cold": spent[0], "warm": float(np.median(spent[1:])), "found": found}


def whole(case, seed):
    """A completion, and the seconds of it that are local descent."""
    problem, _ = problem_of(*case, seed)
    plain, local = Work.polish, [0.0]

    def polish(self, *given):
        began = time.process_time()
        out = plain(self, *given)
        local[0] += time.process_time() - began
        return out

    Work.polish = polish
    runs = []

    def call():
        local[0] = 0.0
        done = ll.complete_entries(problem, 0)
        runs.append(local[0])
        return done.misfit, done.end, done.sweeps

    out = told(call)
    Work.polish = plain
    return {**out, "local cold": runs[0], "local warm": float(np.median(runs[1:]))}


def child(case, seed, method, most=None):
    """One measurement; ``most`` replaces the nonzeros up to which a completion is not compiled."""
    if most is not None:
        descents.HOST = most
    if method == "complete":
        out = whole(case, seed)
    else:
        given = posed(case, seed)
        out = told(compiled, *given) if method == "core" else told(sparse, *given, method)
    print(json.dumps(out, default=float))


def fresh(case, seed, method):
    """What a fresh process without a cache of compiled programs tells."""
    env = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    command = [sys.executable, __file__, "child", "--given", json.dumps([case, seed, method])]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def name_of(case):
    n1, n2, rank, ratio, kappa, noise = case
    shape = f"{n1} x {n2}" if n2 else f"symmetric {n1}"
    return f"{shape} | {rank} | {ratio} | {kappa:g} | {noise:g}"


def local(cases, seeds):
    print(
        "| size | r | m/dof | kappa | noise | method | cold s | warm s | misfit | steps | inner |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for case in cases:
        for method in METHODS:
            if method == "direct" and (case[0] + case[1]) * case[2] > FACTORED:
                continue
            runs = [fresh(case, seed, method) for seed in seeds]
            cold, warm = (np.median([run[k] for run in runs]) for k in ("cold", "warm"))
            misfit = max(run["found"][0] for run in runs)
            steps, inner = ([run["found"][k] for run in runs] for k in (1, 2))
            print(
                f"| {name_of(case)} | {method} | {cold:.2f} | {warm:.3f} | {misfit:.2e} | "
                f"{steps} | {inner} |",
                flush=True,
            )


def complete(cases, seeds):
    print(
        "| size | r | m/dof | kappa | noise | cold s | of it local | warm s | of it local | end |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases:
        runs = [fresh(case, seed, "complete") for seed in seeds]
        names = ("cold", "local cold", "warm", "local warm")
        cold, first, warm, again = (np.median([run[k] for run in runs]) for k in names)
        ends = [run["found"][1] for run in runs]
        print(
            f"| {name_of(case)} | {cold:.2f} | {first:.2f} | {warm:.3f} | {again:.3f} | {ends} |",
            flush=True,
        )


def near(fit, X, rng, name):
    """A pattern: its name, the fit, and a start near its fit."""
    return name, fit, X * (1 + 0.05 * rng.standard_normal(X.shape))


def patterns(seed):
    """Fits of distances, entries and grids."""
    from liftless.distances.data import read
    from liftless.distances.search import fit_of

    rng = np.random.default_rng(seed)
    for n in (200, 500, 1000, 2000):
        for dim in (2, 3):
            for degree in (8, 15):
                X = rng.random((n, dim))
                ball = np.pi if dim == 2 else 4 * np.pi / 3
                gap = np.linalg.norm(X[:, None] - X[None], axis=2)
                pairs = np.argwhere(np.triu(gap < (degree / (n * ball)) ** (1 / dim), 1))
                data = read(pairs, gap[tuple(pairs.T)], dim, None, "relative", 0.01, n)
                yield near(fit_of(data), X, rng, f"distances {n}, dim {dim}, degree {degree}")
    for n, rank, ratio in ((100, 2, 1.5), (100, 3, 2.5), (200, 3, 1.5), (400, 2, 2.5)):
        seen, space, start = posed((n, n, rank, ratio, 10, 0.0), seed)
        each = np.arange(seen.y.size)
        at = (seen.rows, seen.cols - space.sides[-1].start)
        operator = ll.SparseOperator(each, *at, np.ones(each.size), m=each.size, space=space)
        fit = SparseFit(SparseRows(operator), seen.y, np.ones(each.size))
        yield near(fit, start, rng, f"entries {n} x {n}, r {rank}, m/dof {ratio}")
    yield from grids(seed, rng)


def grids(seed, rng):
    """Fits of one and of two columns of voltages of pandapower's networks."""
    try:
        from grid import loaded
    except ImportError:
        return
    from liftless.grid.model import Model

    for case in ("case57", "case300", "case1354pegase", "case2869pegase"):
        _, grid = loaded(case)
        plan = ll.grid.redundant(grid, 2.5, seed=seed)
        readings = ll.grid.measure(grid, grid.voltage, plan, seed=seed)
        model = Model(grid, readings)
        for fit, columns in ((model.fit, 1), (model.wide, 2)):
            kick = rng.standard_normal((grid.n, columns)) * (np.arange(columns) > 0)
            X = model.packed(grid.voltage[:, None] * (np.arange(columns) == 0) + 0.1 * kick)
            yield near(fit, X, rng, f"{case}, {columns} column(s)")


def choice(seeds):
    print("| pattern | unknowns | direct s | lsmr s | iterations a step | chosen | its s/better |")
    print("|---|---|---|---|---|---|---|")
    for seed in seeds:
        for name, fit, X in patterns(seed):
            began = time.process_time()
            chosen = solver_for(fit.rows, X.shape[1], fit.free, fit.basis)
            looked = time.process_time() - began
            spent, counted = {}, Iterative(X.shape[1])
            for solver in (Direct(), counted):
                began = time.process_time()
                end = sparse_levenberg(fit, X, steps=10, solver=solver)
                spent[solver.name] = (time.process_time() - began) / end.steps
            ratio = spent[chosen.name] / min(spent.values())
            unknowns = fit.unknowns * X.shape[1]
            print(
                f"| {name} | {unknowns} | {spent['direct']:.4f} | {spent['LSMR']:.4f} | "
                f"{counted.iterations / end.steps:.0f} | {chosen.name} ({looked:.3f} s) | "
                f"{ratio:.2f} |",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("local", "complete", "choice", "child"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--given")
    args = parser.parse_args()
    if args.what == "child":
        return child(*json.loads(args.given))
    own = {"local": 910_000, "complete": 920_000, "choice": 930_000}[args.what]
    first = own if args.seed is None else args.seed
    seeds = range(first, first + args.seeds)
    cases = LARGE if args.large else SMALL
    if args.what == "choice":
        return choice(seeds)
    return local(cases, seeds) if args.what == "local" else complete(cases, seeds)


if __name__ == "__main__":
    main()
