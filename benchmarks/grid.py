"""State estimation of power grids: states found, errors, gross errors, and pandapower beside.

The networks are pandapower's (extra ``grid``).  Without noise unless it says so; readings are
``ll.grid.redundant``'s, of redundancy 2.5 unless another is given; bad starts have magnitudes
of 1 ± .1 and normal angles of deviation .5 about the flat start, or uniform ones.

Usage: python benchmarks/grid.py [flat|start|angles|noise|gross|wrong] [NETWORKS] [SEEDS]
       [FIRST SEED] [REDUNDANCY]
"""

import logging
import sys
import time
import warnings

import numpy as np
import pandapower
from pandapower import networks
from pandapower.estimation import estimate as peer
from scipy.special import ndtr, ndtri

import liftless as ll

CASES = "case14,case57,case118"


def loaded(name):
    net = getattr(networks, name)()
    pandapower.runpp(net, numba=False, calculate_voltage_angles=True, tolerance_mva=1e-9)
    return net, ll.grid.from_pandapower(net)


def start_of(grid, seed, angles):
    rng = np.random.default_rng([seed, 99])
    size = 1 + 0.1 * rng.uniform(-1, 1, grid.n)
    if angles == "uniform":
        return size * np.exp(2j * np.pi * rng.random(grid.n))
    return size * np.exp(1j * (np.angle(grid.flat()) + 0.5 * rng.standard_normal(grid.n)))


def timed(call, *given, **options):
    began = time.process_time()
    return call(*given, **options), time.process_time() - began


def peers_readings(net, readings):
    """Give pandapower the same readings; its injections are loads."""
    net.measurement = net.measurement.iloc[:0]
    for kind, element, side, value, std in zip(
        readings.kind, readings.element, readings.side, readings.value, readings.std, strict=True
    ):
        if side:
            table, index = element.split()
            where = side if table == "line" else {"from": "hv", "to": "lv"}[side]
            pandapower.create_measurement(
                net, str(kind), table, value, std, element=int(index), side=where
            )
        else:
            sign = -1.0 if kind in "pq" else 1.0
            pandapower.create_measurement(net, str(kind), "bus", sign * value, std, int(element))


def peer_state(net, grid, start=None):
    """Voltages of pandapower's weighted least squares; None where it gives up."""
    options = {"zero_injection": "aux_bus", "tolerance": 1e-8, "maximum_iterations": 50}
    if start is None:
        options["init"] = "flat"
    else:
        # It begins at res_bus, whatever wrote that.
        place = [grid.bus(index) for index in net.bus.index]
        net.res_bus["vm_pu"] = np.abs(start)[place]
        net.res_bus["va_degree"] = np.rad2deg(np.angle(start))[place]
        options["init"] = "results"
    try:
        done = peer(net, algorithm="wls", **options)
    except Exception:  # it raises many kinds
        return None
    if not (done["success"] if isinstance(done, dict) else done):
        return None
    table = net.res_bus_est
    v = np.array(table.vm_pu * np.exp(1j * np.deg2rad(table.va_degree)))
    out = np.zeros(grid.n, complex)
    for index, value in zip(table.index, v, strict=True):
        out[grid.bus(index)] = value
    return out


def off(grid, v, truth):
    if v is None or not np.isfinite(v).all():
        return np.inf
    k = grid.slack
    return float(np.abs(v * np.exp(1j * np.angle(truth[k] / v[k])) - truth).max())


def flat(names, seeds, redundancy=2.5):
    for name in names:
        net, grid = loaded(name)
        rows = []
        for seed in seeds:
            plan = ll.grid.redundant(grid, redundancy, seed=seed)
            readings = ll.grid.measure(grid, grid.voltage, plan)
            found, seconds = timed(ll.grid.estimate, grid, readings)
            row = [found.distance(grid.voltage), found.steps, seconds]
            if not grid.buses.tolist()[0].startswith("aux"):
                peers_readings(net, readings)
                v, took = timed(peer_state, net, grid)
                row += [off(grid, v, grid.voltage), took]
            rows.append(row)
        worst = np.max(rows, axis=0)
        middle = np.median(rows, axis=0)
        print(
            f"{name}: worst error {worst[0]:.1e}, most steps {worst[1]:.0f}, median CPU seconds "
            f"{middle[2]:.3f}; pandapower error {worst[3]:.1e}, {middle[4]:.3f}",
            flush=True,
        )


def start(names, seeds, redundancy=2.5, angles="normal"):
    for name in names:
        net, grid = loaded(name)
        counts, wrong, spent = np.zeros(3), 0, np.zeros(3)
        for seed in seeds:
            plan = ll.grid.redundant(grid, redundancy, seed=seed)
            readings = ll.grid.measure(grid, grid.voltage, plan)
            v0 = start_of(grid, seed, angles)
            found, seconds = timed(ll.grid.estimate, grid, readings, start=v0, seed=seed)
            good = found.distance(grid.voltage) < 1e-6
            wrong += found.success and not good
            counts[0] += good
            spent[0] += seconds
            # One column again and again from starts of the same kind, for as long.
            began = time.process_time()
            k = 0
            while True:
                one = ll.grid.estimate(
                    grid, readings, start=start_of(grid, 1000 * k + seed, angles), tries=0
                )
                k += 1
                if one.distance(grid.voltage) < 1e-6:
                    counts[1] += 1
                    break
                if time.process_time() - began > seconds:
                    break
            spent[1] += time.process_time() - began
            peers_readings(net, readings)
            v, took = timed(peer_state, net, grid, v0)
            counts[2] += off(grid, v, grid.voltage) < 1e-5
            spent[2] += took
        n = len(seeds)
        print(
            f"{name}, redundancy {redundancy}, {angles} angles: {counts[0]:.0f} of {n} "
            f"(wrong, called a success: {wrong}), restarts of one column {counts[1]:.0f}, "
            f"pandapower {counts[2]:.0f}; mean CPU seconds "
            + ", ".join(f"{x:.2f}" for x in spent / n),
            flush=True,
        )


def noise(names, seeds, redundancy=2.5):
    for name in names:
        _, grid = loaded(name)
        rows = []
        for seed in seeds:
            plan = ll.grid.redundant(grid, redundancy, seed=seed)
            readings = ll.grid.measure(grid, grid.voltage, plan, seed=seed)
            found = ll.grid.estimate(grid, readings)
            # Gauss–Newton from the truth itself.
            best = ll.grid.estimate(grid, readings, start=grid.voltage)
            bad = ll.grid.estimate(grid, readings, start=start_of(grid, seed, "normal"))
            wrong = bad.success and bad.distance(best.voltage) > 1e-4
            errors = [float(np.linalg.norm(grid.voltage - one.voltage)) for one in (found, best)]
            rows.append([errors[0] / errors[1], found.chi2, found.kind == "fitted", wrong])
        ratio, chi2, fitted, wrong = np.array(rows, float).T
        print(
            f"{name}: error over Gauss–Newton's from the truth {ratio.min():.4f} to "
            f"{ratio.max():.4f}, χ²/dof {chi2.mean():.3f} ({chi2.min():.2f} to {chi2.max():.2f}), "
            f"called fitted {fitted.mean():.2f}, wrong, called a success {wrong.sum():.0f}",
            flush=True,
        )


def gross(names, seeds, redundancy=2.5):
    """One reading of each draw is off by 20 σ; what its leverage lets be expected is counted too.

    The normalised residual of a reading that takes the share h from itself is 20 √(1 − h) in the
    mean, of deviation 1: it is over the limit with a chance that no test of residuals raises.
    """
    for name in names:
        _, grid = loaded(name)
        seen = named = rivalled = 0
        spent, chances, missed = [], [], []
        for seed in seeds:
            plan = ll.grid.redundant(grid, redundancy, seed=seed)
            readings = ll.grid.measure(grid, grid.voltage, plan, seed=seed)
            clean = ll.grid.estimate(grid, readings)
            rng = np.random.default_rng([seed, 7])
            k = int(rng.choice(np.flatnonzero(~clean.critical)))
            value = readings.value.copy()
            value[k] += 20 * readings.std[k] * rng.choice([-1, 1])
            spoilt = readings.changed(value)
            left = abs(clean.residuals[k]) / clean.normalised[k]  # √(1 − h)
            chances.append(ndtr(20 * left + ndtri(0.005 / readings.m)))
            found, seconds = timed(ll.grid.estimate, grid, spoilt, bad_data=True)
            spent.append(seconds)
            seen += bool(found.gross)
            first = found.gross[0] if found.gross else None
            named += first is not None and first.reading == k
            rivalled += first is not None and k in (first.reading, *first.rivals)
            if first is None or first.reading != k:
                told = "nothing" if first is None else str(first)
                missed.append(f"  seed {seed}: {readings.name(k)} (√(1 − h) {left:.3f}): {told}")
        count = len(seeds)
        print(
            f"{name}, redundancy {redundancy}: one of 20 σ detected {seen} of {count} "
            f"(expected {sum(chances):.2f}), identified {named}, among the rivals named "
            f"{rivalled}; CPU seconds {np.median(spent):.2f}, at most {max(spent):.2f}",
            *missed,
            sep="\n",
            flush=True,
        )


def wrong(names, seeds, redundancy=2.5):
    """Noise, no gross error or one of 20 σ, uniform angles: what is called a success and is wrong.

    With readings taken out, which can make any state fit; without restarts too.
    """
    for name in names:
        _, grid = loaded(name)
        for size in (0.0, 20.0):
            for tries in (0, 12):
                right = told = none = out = 0
                began = time.process_time()
                for seed in seeds:
                    plan = ll.grid.redundant(grid, redundancy, seed=seed)
                    readings = ll.grid.measure(grid, grid.voltage, plan, seed=seed)
                    best = ll.grid.estimate(grid, readings, start=grid.voltage, tries=0)
                    rng = np.random.default_rng([seed, 7])
                    value = readings.value.copy()
                    k = int(rng.choice(np.flatnonzero(~best.critical)))
                    value[k] += size * readings.std[k] * rng.choice([-1, 1])
                    found = ll.grid.estimate(
                        grid,
                        readings.changed(value),
                        start=start_of(grid, seed, "uniform"),
                        tries=tries,
                        bad_data=True,
                        seed=seed,
                    )
                    # Without the one reading, and perhaps with it, the state moves by its error.
                    near = found.distance(grid.voltage) < max(0.05, 3 * best.distance(grid.voltage))
                    right += near
                    told += found.success and not near
                    none += not found.success
                    out = max(out, len(found.gross))
                print(
                    f"{name}, redundancy {redundancy}, error {size:g} σ, {tries} tries: right "
                    f"{right} of {len(seeds)}, wrong called a success {told}, no success {none}, "
                    f"taken out at most {out}, CPU seconds "
                    f"{(time.process_time() - began) / len(seeds):.2f}",
                    flush=True,
                )


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    what = sys.argv[1] if len(sys.argv) > 1 else "flat"
    names = (sys.argv[2] if len(sys.argv) > 2 else CASES).split(",")
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 500
    seeds = range(first, first + count)
    redundancy = float(sys.argv[5]) if len(sys.argv) > 5 else 2.5
    if what == "angles":
        start(names, seeds, redundancy, "uniform")
    else:
        modes = {"flat": flat, "start": start, "noise": noise, "gross": gross, "wrong": wrong}
        modes[what](names, seeds, redundancy)


if __name__ == "__main__":
    main()
