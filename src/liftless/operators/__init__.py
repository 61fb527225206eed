"""Sensing operators: the one bilinear map each problem is made of."""

import importlib
from typing import TYPE_CHECKING, Any

from liftless.operators.base import (
    Amplitudes,
    Orthogonal,
    SensingOperator,
    backproject,
    matrix,
    measure,
)
from liftless.operators.check import DotTest, RipEstimate, dot_test, rip_estimate
from liftless.operators.complex_rank_one import ComplexRankOneOperator
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

if TYPE_CHECKING:
    from liftless.operators.blackbox import BlackBoxOperator
    from liftless.operators.coded import CodedDiffraction
    from liftless.operators.compose import stack
    from liftless.operators.external import AmplitudeOperator, from_linear_operator
    from liftless.operators.function import operator
    from liftless.operators.hermitian import HermitianOperator
    from liftless.operators.on_mesh import ShardedOperator, sharded, sharded_rows
    from liftless.operators.pauli_strings import PauliStrings
    from liftless.operators.product_bases import ProductBases
    from liftless.operators.scanned import ScannedProbe
    from liftless.operators.sparse import SparseOperator

#: Loaded on first use: a problem needs few kinds of operators.
_LATER = {
    "AmplitudeOperator": "external",
    "BlackBoxOperator": "blackbox",
    "CodedDiffraction": "coded",
    "HermitianOperator": "hermitian",
    "PauliStrings": "pauli_strings",
    "ProductBases": "product_bases",
    "ScannedProbe": "scanned",
    "ShardedOperator": "on_mesh",
    "SparseOperator": "sparse",
    "from_linear_operator": "external",
    "operator": "function",
    "sharded": "on_mesh",
    "sharded_rows": "on_mesh",
    "stack": "compose",
}

__all__ = [
    "AmplitudeOperator",
    "Amplitudes",
    "BlackBoxOperator",
    "CodedDiffraction",
    "ComplexRankOneOperator",
    "DenseOperator",
    "DiagonalOperator",
    "DotTest",
    "EntriesOperator",
    "HermitianOperator",
    "Orthogonal",
    "PauliStrings",
    "ProductBases",
    "RankOneOperator",
    "RectangularEntries",
    "RectangularOperator",
    "RipEstimate",
    "ScannedProbe",
    "SensingOperator",
    "ShardedOperator",
    "SparseOperator",
    "StackedOperator",
    "backproject",
    "balanced",
    "dot_test",
    "factors",
    "from_linear_operator",
    "matrix",
    "measure",
    "operator",
    "rip_estimate",
    "sharded",
    "sharded_rows",
    "stack",
    "stacked",
]


def __getattr__(name: str) -> Any:
    """Load an operator's module on first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
