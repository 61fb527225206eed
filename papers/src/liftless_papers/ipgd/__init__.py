"""The theory of infinitesimally perturbed gradient descent: rates, regions, constants, checks.

The methods themselves are :class:`liftless.IPGD`, :class:`liftless.IPGDPlus` and
:class:`liftless.PerturbedGD`.
"""

from liftless_papers.ipgd.constants import SensingConstants
from liftless_papers.ipgd.curvature import curvature_range
from liftless_papers.ipgd.deviation import (
    Deviation,
    Growth,
    deviation_along,
    deviation_rate,
    residual_growth,
    step_excess,
)
from liftless_papers.ipgd.formulas import (
    algorithm_constants,
    ipgd_by_formulas,
    perturbed_by_formulas,
)
from liftless_papers.ipgd.region import (
    RectangularRegion,
    Region,
    SparseRegion,
    SymmetricRegion,
    procrustes_distance,
    solution_distance,
    split,
)

__all__ = [
    "Deviation",
    "Growth",
    "RectangularRegion",
    "Region",
    "SensingConstants",
    "SparseRegion",
    "SymmetricRegion",
    "algorithm_constants",
    "curvature_range",
    "deviation_along",
    "deviation_rate",
    "ipgd_by_formulas",
    "perturbed_by_formulas",
    "procrustes_distance",
    "residual_growth",
    "solution_distance",
    "split",
    "step_excess",
]
