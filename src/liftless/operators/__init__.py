"""Sensing operators: the one bilinear map each problem is made of."""

from liftless.operators.base import Amplitudes, SensingOperator, backproject, matrix, measure
from liftless.operators.check import DotTest, RipEstimate, dot_test, rip_estimate
from liftless.operators.dense import DenseOperator
from liftless.operators.diagonal import DiagonalOperator
from liftless.operators.entries import EntriesOperator
from liftless.operators.rank_one import RankOneOperator
from liftless.operators.rectangular import (
    RectangularEntries,
    RectangularOperator,
    StackedOperator,
    balanced,
    factors,
    stacked,
)

__all__ = [
    "Amplitudes",
    "DenseOperator",
    "DiagonalOperator",
    "DotTest",
    "EntriesOperator",
    "RankOneOperator",
    "RectangularEntries",
    "RectangularOperator",
    "RipEstimate",
    "SensingOperator",
    "StackedOperator",
    "backproject",
    "balanced",
    "dot_test",
    "factors",
    "matrix",
    "measure",
    "rip_estimate",
    "stacked",
]
