"""What the constants of the state estimation of grids do: each is varied alone, on equal draws.

``search``: from normal and uniform starts with exact readings.  ``agree``: the same with one
reading off by 20 σ, which no χ² ends; a success is the end of the fit from the truth, and gross
errors are taken out as well.  ``rivals``: gross errors of 6 to 30 σ.  ``alarms``: noise and no
error.  ``leverages``: what readings leave in their own residuals where few are redundant.  A wrong
state that is called a success is counted everywhere.  Seeds that reports use are others.

Usage: python benchmarks/grid_choices.py [search|agree|rivals|alarms|leverages] [NETWORKS] [SEEDS]
       [FIRST SEED] [CONSTANTS]
"""

import logging
import sys
import warnings
from contextlib import contextmanager

import numpy as np
from grid import loaded, start_of, timed

import liftless as ll
from liftless.grid import gross, residuals
from liftless.grid import search as searching
from liftless.grid.model import Model

CASES = "case14,case57,case118,case300"
#: What is tried instead of the constants of the search; KICKS and RESTARTS go together.
SEARCH = {
    "SIZES": [(0.25,), (0.5,), (1.0,), (2.0,), (0.5, 1.0), (0.25, 0.5, 1.0, 2.0)],
    "KICKS, RESTARTS": [(12, 0), (9, 3), (6, 6), (3, 9), (0, 12), (3, 3), (12, 12)],
    "WIDE": [10, 20, 40, 80],
    "COARSE": [1e-3, 1e-4, 1e-5, 1e-7],
    "SPREAD": [0.1, 0.5, 1.0, 3.0],
    "STEPS": [30, 60, 120],
}
AGREE = {"AGREE": [2, 3, 4, 6], "SAME": [1e-6, 1e-4, 1e-2]}
RIVALS = [0.0, 2.71, 3.84, 6.63, 10.83]
ALARMS = [0.05, 0.01, 0.001]
CRITICALS = [1e-12, 1e-9, 1e-6, 1e-4]


@contextmanager
def changed(module, **values):
    """Other constants for a while."""
    before = {name: getattr(module, name) for name in values}
    try:
        for name, value in values.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def varied(choices, names):
    """Constants and their values, one at a time."""
    for name, values in choices.items():
        if names and name.split(",")[0] not in names:
            continue
        for value in values:
            keys = name.split(", ")
            yield name, value, dict(zip(keys, value if len(keys) > 1 else (value,), strict=True))


def plans(grid, seeds, redundancy=2.5, noisy=False):
    for seed in seeds:
        plan = ll.grid.redundant(grid, redundancy, seed=seed)
        yield seed, ll.grid.measure(grid, grid.voltage, plan, seed=seed if noisy else None)


def part(grid, readings, redundancy, seed):
    """Random ones of the readings, so many for each unknown."""
    wanted = round(redundancy * (2 * grid.n - 1))
    some = np.random.default_rng([seed, 9]).permutation(readings.m)[:wanted]
    return readings.kept(np.sort(some))


def spoilt(readings, clean, seed, size=20.0):
    """One reading that others check, off by so many deviations; and which."""
    rng = np.random.default_rng([seed, 7])
    k = int(rng.choice(np.flatnonzero(~clean.critical)))
    value = readings.value.copy()
    value[k] += size * readings.std[k] * rng.choice([-1, 1])
    return readings.changed(value), k


def search(names, seeds, constants):
    """Readings without noise: found, wrong ones called a success, seconds."""
    for name in names:
        _, grid = loaded(name)
        draws = list(plans(grid, seeds))
        for angles in ("normal", "uniform"):
            for key, value, constant in varied(SEARCH, constants):
                rows = []
                with changed(searching, **constant):
                    tries = searching.KICKS + searching.RESTARTS
                    for seed, readings in draws:
                        v0 = start_of(grid, seed, angles)
                        found, took = timed(
                            ll.grid.estimate, grid, readings, start=v0, tries=tries, seed=seed
                        )
                        good = found.distance(grid.voltage) < 1e-6
                        rows.append([good, found.success and not good, found.steps, took])
                good, wrong, steps, took = np.array(rows, float).T
                print(
                    f"{name}, {angles}, {key} {value}: {good.sum():.0f} of {good.size}, wrong "
                    f"called a success {wrong.sum():.0f}, steps {steps.mean():.0f}, CPU seconds "
                    f"{took.mean():.3f}, at most {took.max():.2f}",
                    flush=True,
                )


def agree(names, seeds, constants):
    """One gross error: χ² says of no end that it is the right one, their agreement does."""
    for name in names:
        _, grid = loaded(name)
        draws = []
        for seed, readings in plans(grid, seeds, noisy=True):
            clean = ll.grid.estimate(grid, readings, start=grid.voltage)
            bad, k = spoilt(readings, clean, seed)
            draws.append((seed, bad, k, ll.grid.estimate(grid, bad, start=grid.voltage, tries=0)))
        for angles in ("normal", "uniform"):
            for key, value, constant in varied(AGREE, constants):
                rows = []
                with changed(searching, **constant):
                    for seed, bad, k, best in draws:
                        v0 = start_of(grid, seed, angles)
                        found, took = timed(
                            ll.grid.estimate, grid, bad, start=v0, bad_data=True, seed=seed
                        )
                        near = found.distance(grid.voltage) < 2 * best.distance(grid.voltage) + 1e-3
                        named = bool(found.gross) and found.gross[0].reading == k
                        rows.append(
                            [near, found.success and not near, named, len(found.gross), took]
                        )
                near, wrong, named, out, took = np.array(rows, float).T
                print(
                    f"{name}, {angles}, one of 20 σ, {key} {value}: near the truth {near.sum():.0f}"
                    f" of {near.size}, wrong called a success {wrong.sum():.0f}, identified "
                    f"{named.sum():.0f}, taken out {out.mean():.1f} (at most {out.max():.0f}), CPU "
                    f"seconds {took.mean():.2f}",
                    flush=True,
                )


def rivals(names, seeds, _):
    """Whether the wrong reading is the one taken out, or among its rivals; how many these are.

    On all the readings, and on a random part of redundancy 1.6, where there are critical pairs.
    """
    for name in names:
        _, grid = loaded(name)
        for redundancy in (2.5, 1.6):
            rows = {value: [] for value in RIVALS}
            for seed, more in plans(grid, seeds, noisy=True):
                readings = more if redundancy == 2.5 else part(grid, more, redundancy, seed)
                clean = ll.grid.estimate(grid, readings, start=grid.voltage, tries=0)
                size = np.random.default_rng([seed, 8]).uniform(6, 30)
                bad, k = spoilt(readings, clean, seed, size)
                for value in RIVALS:
                    with changed(gross, RIVAL=value):
                        found = ll.grid.estimate(grid, bad, tries=0, bad_data=True)
                    if found.gross:
                        one = found.gross[0]
                        rows[value].append([one.reading == k, k in one.rivals, len(one.rivals)])
            for value, told in rows.items():
                named, rival, count = np.array(told, float).T
                print(
                    f"{name}, redundancy {redundancy}, RIVAL {value}: of {named.size} detected "
                    f"identified {named.sum():.0f}, a rival {rival.sum():.0f}, neither "
                    f"{np.sum(named + rival == 0):.0f}; rivals {count.mean():.2f} in the mean, "
                    f"none in {np.mean(count == 0):.2f}",
                    flush=True,
                )


def alarms(names, seeds, _):
    """False alarms of χ² and of the largest normalised residual.

    CRITICAL on a random part of the readings, of redundancy 1.6, where many check little.
    """
    trials = [(gross, "ALARM", value, None) for value in ALARMS]
    trials += [(residuals, "CRITICAL", value, 1.6) for value in CRITICALS]
    for name in names:
        _, grid = loaded(name)
        for module, key, value, redundancy in trials:
            told = []
            for seed, more in plans(grid, seeds, noisy=True):
                readings = more if redundancy is None else part(grid, more, redundancy, seed)
                with changed(module, **{key: value}):
                    found = ll.grid.estimate(grid, readings, tries=0)
                    cleaned = ll.grid.estimate(grid, readings, tries=0, bad_data=True)
                told.append([found.kind == "stationary", len(cleaned.gross) > 0])
            share = np.mean(told, axis=0)
            print(
                f"{name}, {key} {value}, {len(told)} draws of noise alone: χ² calls "
                f"{share[0]:.4f} not explained, {share[1]:.4f} lose a reading",
                flush=True,
            )


def leverages(names, seeds, _):
    """Shares 1 − h at the truth: those that are round-off, and the least that are not.

    Of the readings of redundancy 2.5 a random part is kept; what that leaves open may be anything.
    """
    for name in names:
        _, grid = loaded(name)
        for redundancy in (0.8, 1.0, 1.2, 1.6):
            shares, plain = [], []
            for seed, more in plans(grid, seeds):
                seen = residuals.seen_at(
                    Model(grid, part(grid, more, redundancy, seed)), grid.voltage
                )
                J = seen.model.sharp(seen.v).jacobian(seen.model.packed(seen.v[:, None]))
                shares.append(residuals.left_in(J, seen.told))
                plain.append(1 - seen.told.leverages())
            left, rough = np.concatenate(shares), np.concatenate(plain)
            small = left <= residuals.CRITICAL
            print(
                f"{name}, redundancy {redundancy}: {small.sum()} critical of {left.size} readings, "
                f"1 − h at most {left[small].max(initial=0.0):.1e} (by plain subtraction "
                f"{np.abs(rough[small]).max(initial=0.0):.1e}), of the others at least "
                + ", ".join(f"{x:.1e}" for x in np.sort(left[~small])[:3]),
                flush=True,
            )


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    given = sys.argv[1:]
    what = given[0] if given else "search"
    names = (given[1] if len(given) > 1 else CASES).split(",")
    count = int(given[2]) if len(given) > 2 else 20
    first = int(given[3]) if len(given) > 3 else 6000
    constants = given[4].split(",") if len(given) > 4 else []
    modes = {
        "search": search,
        "agree": agree,
        "rivals": rivals,
        "alarms": alarms,
        "leverages": leverages,
    }
    modes[what](names, range(first, first + count), constants)


if __name__ == "__main__":
    main()
