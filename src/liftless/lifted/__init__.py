"""The lifted problem on a small subspace, in closed form."""

from liftless.lifted.descent import Path, projected_descent, rate, truncated_path
from liftless.lifted.escape import LiftedEscape
from liftless.lifted.saddle import (
    Saddle,
    StepBounds,
    lifted_hessian,
    saddle_along_b,
    step_bounds,
    strict_saddle,
    truncated_step,
)
from liftless.lifted.subspace import LiftedSubspace

__all__ = [
    "LiftedEscape",
    "LiftedSubspace",
    "Path",
    "Saddle",
    "StepBounds",
    "lifted_hessian",
    "projected_descent",
    "rate",
    "saddle_along_b",
    "step_bounds",
    "strict_saddle",
    "truncated_path",
    "truncated_step",
]
