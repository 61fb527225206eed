"""Power grids: the state of a network from readings of it."""

from liftless.grid.estimate import estimate
from liftless.grid.matpower import from_matpower
from liftless.grid.measurements import Measurements, measure, redundant
from liftless.grid.network import Grid
from liftless.grid.pandas_power import from_pandapower
from liftless.grid.pandas_readings import pandapower_measurements
from liftless.grid.result import Estimate, Gross

__all__ = [
    "Estimate",
    "Grid",
    "Gross",
    "Measurements",
    "estimate",
    "from_matpower",
    "from_pandapower",
    "measure",
    "pandapower_measurements",
    "redundant",
]
