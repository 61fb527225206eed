"""Infinitesimally perturbed gradient descent, on any smooth objective of one array."""

from liftless.ipgd.adaptive import Adaptive
from liftless.ipgd.constants import SensingConstants
from liftless.ipgd.curvature import curvature_range
from liftless.ipgd.deviation import (
    Deviation,
    Growth,
    deviation_along,
    deviation_rate,
    residual_growth,
    step_excess,
)
from liftless.ipgd.methods import IPGD, IPGDPlus, Perturbed, PerturbedGD, algorithm_constants
from liftless.ipgd.objective import Objective, OfProblem, Smooth, Stacked, stack
from liftless.ipgd.region import (
    RectangularRegion,
    Region,
    SparseRegion,
    SymmetricRegion,
    procrustes_distance,
    solution_distance,
    split,
)
from liftless.ipgd.result import Descended
from liftless.ipgd.runs import ipgd, ipgd_batch

__all__ = [
    "IPGD",
    "Adaptive",
    "Descended",
    "Deviation",
    "Growth",
    "IPGDPlus",
    "Objective",
    "OfProblem",
    "Perturbed",
    "PerturbedGD",
    "RectangularRegion",
    "Region",
    "SensingConstants",
    "Smooth",
    "SparseRegion",
    "Stacked",
    "SymmetricRegion",
    "algorithm_constants",
    "curvature_range",
    "deviation_along",
    "deviation_rate",
    "ipgd",
    "ipgd_batch",
    "procrustes_distance",
    "residual_growth",
    "solution_distance",
    "split",
    "stack",
    "step_excess",
]
