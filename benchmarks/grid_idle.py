"""Zero injections of idle buses in three ways: elimination, heavy weights, Lagrange multipliers.

One column from the start, with noise: what is left of the zero injections, steps, the condition of
the equations of the last step (in the 1-norm, estimated), CPU seconds of the fit alone, and how far
the states are from the eliminated one.  The multipliers are those of Hachtel's augmented equations
(Abur and Gómez-Expósito, Power System State Estimation, 2004, section 3.6), solved by SuperLU:
plain Gauss–Newton steps without damping, of the magnitudes themselves.

Usage: python benchmarks/grid_idle.py [NETWORKS] [SEEDS] [FIRST SEED] [flat|normal]
"""

import logging
import sys
import warnings

import numpy as np
from grid import loaded, start_of, timed
from scipy.sparse import block_array, csc_array, diags_array
from scipy.sparse.linalg import LinearOperator, norm, onenormest, splu

import liftless as ll
from liftless.descent.sparse_levenberg import SparseFit
from liftless.grid.model import Model, idle_of
from liftless.grid.residuals import sharpened
from liftless.grid.rows import rows_of
from liftless.grid.search import search
from liftless.operators.sparse_rows import SparseRows

CASES = "case57,case118,case300,case1354pegase"
WEIGHTS = (1e-3, 1e-4, 1e-6)
#: Steps of the multipliers, and the largest change of a voltage that ends them.
STEPS, STILL = 30, 1e-9


def condition(A):
    """Condition number in the 1-norm; the inverse's is estimated."""
    solve = splu(csc_array(A))
    back = LinearOperator(
        A.shape, matvec=solve.solve, rmatvec=lambda x: solve.solve(x, "T"), dtype=float
    )
    return float(norm(csc_array(A), 1) * onenormest(back))


def library(grid, readings, v0, idle):
    """Voltages and steps by the library, without what it says of them."""
    model = Model(grid, readings, idle)
    found, steps = search(model, v0, 0.0, 0, 0)
    v, more = sharpened(grid, model, found[0])
    return model, v, steps + more


def constraints(grid, readings, model):
    """Zero injections as rows of the same unknowns, per unit."""
    names = grid.buses[idle_of(grid, readings)]
    zeros = [(kind, str(name), "", 0.0, grid.base) for name in names for kind in ("p", "q")]
    rows = rows_of(grid, ll.grid.Measurements.of(zeros))
    return SparseFit(SparseRows(rows.operator), rows.b, 1 / rows.std, free=model.free)


def augmented(fit, zeros, X):
    """Hachtel's matrix [[R/α, 0, H], [0, 0, C], [Hᵀ, Cᵀ, 0]], α the least of R, and its side."""
    R = fit.w**-2.0
    H = diags_array(1 / fit.w) @ fit.jacobian(X)
    C = zeros.jacobian(X)
    rows = [[diags_array(R / R.min()), None, H], [None, None, C], [H.T, C.T, None]]
    side = [-fit.residual(fit.rows.values(X)) / fit.w, -zeros.residual(zeros.rows.values(X))]
    return csc_array(block_array(rows)), np.concatenate([*side, np.zeros(H.shape[1])])


def multipliers(grid, readings, v0):
    """Voltages, steps and the last matrix; None where the steps do not end."""
    model = Model(grid, readings, None)
    fit, zeros = model.sharp(v0), constraints(grid, readings, model)
    X = model.packed(v0[:, None])
    for k in range(1, STEPS + 1):
        A, side = augmented(fit, zeros, X)
        try:
            d = splu(A).solve(side)[-model.unknowns :]
        except RuntimeError:  # singular
            return None
        X = X + fit.motion(d, 1)
        if not np.isfinite(X).all():
            return None
        if np.abs(d).max() < STILL:
            return model.voltages(X), k, A
    return None


def left(grid, readings, v):
    """Largest injection of an idle bus, per unit."""
    return float(np.abs(grid.injections(v)[idle_of(grid, readings)]).max(initial=0.0))


def compared(grid, readings, v0):
    """Of each way: the state, steps, condition, seconds."""
    ways = {"elimination": "exact"} | {f"weights {w:g}": w for w in WEIGHTS}
    out = {}
    for name, idle in ways.items():
        (model, v, steps), took = timed(library, grid, readings, v0, idle)
        J = model.sharp(v).jacobian(model.packed(v[:, None]))
        out[name] = (v, steps, condition(J.T @ J), took)
    found, took = timed(multipliers, grid, readings, v0)
    out["multipliers"] = None if found is None else (*found[:2], condition(found[2]), took)
    return out


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    given = sys.argv[1:]
    count = int(given[1]) if len(given) > 1 else 10
    first = int(given[2]) if len(given) > 2 else 500
    kind = given[3] if len(given) > 3 else "flat"
    for name in (given[0] if given else CASES).split(","):
        _, grid = loaded(name)
        rows = {}
        for seed in range(first, first + count):
            plan = ll.grid.redundant(grid, 2.5, seed=seed)
            readings = ll.grid.measure(grid, grid.voltage, plan, seed=seed)
            v0 = grid.flat() if kind == "flat" else start_of(grid, seed, kind)
            best = library(grid, readings, grid.voltage, "exact")[1]
            for way, end in compared(grid, readings, v0).items():
                if end is None:
                    rows.setdefault(way, []).append([False])
                    continue
                v, steps, cond, took = end
                off = float(np.abs(grid.turned(v, best) - best).max())
                told = [off < 1e-2, off, left(grid, readings, v), steps, cond, took]
                rows.setdefault(way, []).append(told)
        for way, told in rows.items():
            good = np.array([row for row in told if row[0]], float)
            if not good.size:
                print(f"{name}, {kind}, {way}: right in 0 of {count}", flush=True)
                continue
            worst, middle = good.max(axis=0), np.median(good, axis=0)
            print(
                f"{name}, {kind}, {way}: right in {len(good)} of {count}, off by "
                f"{worst[1]:.1e} at most, zero injections {worst[2]:.1e} at most, most steps "
                f"{worst[3]:.0f}, median condition {middle[4]:.1e}, median CPU seconds "
                f"{middle[5]:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
