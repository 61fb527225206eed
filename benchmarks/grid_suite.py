"""The estimations of pandapower's own test suite, each done here from ``net.measurement`` as well.

The tests are run with ``estimate`` watched: where pandapower's weighted least squares converges,
the state of liftless from the same table must be the same.  Differences are the largest of all
voltages in service, per unit; zero injections are weighted as pandapower does, or eliminated where
its deviation is 1e-6.

Usage: python benchmarks/grid_suite.py DIRECTORY  (pandapower/test/estimation of its repository)
"""

import importlib
import logging
import pathlib
import sys
import warnings
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandapower.estimation

import liftless as ll
from liftless.grid.rows import predicted

#: Tests that estimate by weighted least squares.
MODULES = ("test_wls_estimation", "test_pmu", "test_conditions")
WEIGHT = 1e-3
ORIGINAL = pandapower.estimation.estimate


class Watch:
    """Stands in for ``estimate``, and compares."""

    def __init__(self):
        self.test = ""
        self.rows = []

    def __call__(self, net, *given, **options):
        before = deepcopy(net)
        done = ORIGINAL(net, *given, **options)
        self.rows.append((self.test, self.compared(before, given, options, done)))
        return done

    def compared(self, net, given, options, done):
        if given or options.get("algorithm", "wls") not in ("wls", "wls_with_zero_constraint"):
            return "another estimator"
        if options.get("fuse_buses_with_bb_switch", "all") != "all":
            return "switches not fused"
        if not (done["success"] if isinstance(done, dict) else done):
            return "pandapower did not converge"
        fine = options | {"tolerance": 1e-10, "maximum_iterations": 100}
        theirs = deepcopy(net)
        try:
            ORIGINAL(theirs, **fine)
        except Exception as error:  # it raises many kinds
            return f"pandapower: {type(error).__name__}"
        exact = options.get("algorithm") == "wls_with_zero_constraint"
        try:
            return self.difference(net, theirs, options.get("zero_injection", "aux_bus"), exact)
        except ll.InvalidInput as error:
            return f"not read: {error}"

    def difference(self, net, theirs, zeros, exact):
        grid = ll.grid.from_pandapower(net)
        aux = np.char.startswith(grid.buses, "aux")
        idle = {"aux_bus": aux, "no_inj_bus": grid.idle | aux}.get(zeros, np.zeros(grid.n, bool))
        if not len(net.trafo3w):
            # The open ends of lines are always injections of zero there, of deviation 1e-6.
            exact, idle = exact or bool(aux.any()), idle | aux
        readings = ll.grid.pandapower_measurements(net, grid)
        readings = readings.kept(readings.kind != "ia")  # not used there
        found = ll.grid.estimate(
            replace(grid, idle=idle), readings, idle="exact" if exact else WEIGHT
        )
        table = theirs.res_bus_est.dropna(subset=["vm_pu", "va_degree"])
        v = np.array(table.vm_pu * np.exp(1j * np.deg2rad(table.va_degree)))
        ours = np.array([found.voltage[grid.bus(index)] for index in table.index])
        # Without angles the reference is each estimator's own.
        turn = np.vdot(ours, v) if len(grid.anchors) == 1 else 1.0
        whole = found.voltage.copy()
        for index, there in zip(table.index, v, strict=True):
            whole[grid.bus(index)] = there
        misfits = [misfit(grid, state, readings) for state in (found.voltage, whole)]
        return float(np.abs(ours * turn / abs(turn) - v).max()), found, misfits


def misfit(grid, v, readings):
    """Σ ((prediction − value)/σ)², angles as angles."""
    return float(np.sum(((predicted(grid, v, readings) - readings.value) / readings.std) ** 2))


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    folder = pathlib.Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    watch = Watch()
    pandapower.estimation.estimate = watch
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            print(f"{name}: {error}")
            continue
        if hasattr(module, "estimate"):
            module.estimate = watch
        if hasattr(module, "pp_dir"):
            module.pp_dir = str(folder.parent.parent)
        for test in [x for x in dir(module) if x.startswith("test_")]:
            watch.test = test
            try:
                getattr(module, test)()
            except Exception as error:  # a test that fails is told
                print(f"  ({name}.{test}: {type(error).__name__} {str(error)[:80]})")
    same = compared = 0
    for test, told in watch.rows:
        if isinstance(told, str):
            print(f"{test}: {told}")
            continue
        difference, found, misfits = told
        compared, same = compared + 1, same + (difference < 1e-6)
        print(
            f"{test}: {difference:.1e}, {found.grid.n} buses, {found.readings.m} readings, "
            f"{found.kind}, χ² {found.chi2:.3g}, observable {bool(found.observable.all())}"
            + (f", Σ r² {misfits[0]:.6g}, of pandapower's state {misfits[1]:.6g}")
            * (difference >= 1e-6)
        )
    print(f"same state to 1e-6: {same} of {compared} estimations that pandapower ends")


if __name__ == "__main__":
    main()
