"""Deterministic escapes from spurious points, with the directions a lifted problem would show."""

from liftless.escape.base import Candidate, Escape
from liftless.escape.ladder import Ladder, MultiStepEscape, OracleJump
from liftless.escape.multi_step import Interval, MultiStep
from liftless.escape.oracle import Oracle, oracle
from liftless.escape.scale import best_scale, line_minimisers
from liftless.escape.single_step import (
    BestStep,
    ExactScore,
    PaperScore,
    SingleStep,
    best_step,
    exact_score,
    paper_score,
)

__all__ = [
    "BestStep",
    "Candidate",
    "Escape",
    "ExactScore",
    "Interval",
    "Ladder",
    "MultiStep",
    "MultiStepEscape",
    "Oracle",
    "OracleJump",
    "PaperScore",
    "SingleStep",
    "best_scale",
    "best_step",
    "exact_score",
    "line_minimisers",
    "oracle",
    "paper_score",
]
