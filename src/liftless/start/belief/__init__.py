"""Cavity belief propagation for matrices of which single entries are known."""

from liftless.start.belief.complete import Schedule, complete_entries
from liftless.start.belief.observed import Observed, check_rank, observed
from liftless.start.belief.peel import Peeled, extend, peel
from liftless.start.belief.propagate import Propagation, graph
from liftless.start.belief.result import ENDS, Completion
from liftless.start.belief.start import BeliefPropagation

__all__ = [
    "ENDS",
    "BeliefPropagation",
    "Completion",
    "Observed",
    "Peeled",
    "Propagation",
    "Schedule",
    "check_rank",
    "complete_entries",
    "extend",
    "graph",
    "observed",
    "peel",
]
