"""Every figure and table of the papers: run, measured, judged."""

from liftless_papers.experiments.base import (
    CHANGED,
    FAILS,
    HOLDS,
    SIZES,
    Claim,
    Experiment,
    Outcome,
    Row,
    columns,
    number_claim,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.registry import EXPERIMENTS, experiment

__all__ = [
    "CHANGED",
    "EXPERIMENTS",
    "FAILS",
    "HOLDS",
    "SIZES",
    "Claim",
    "Experiment",
    "Figure",
    "Layer",
    "Mark",
    "Outcome",
    "Panel",
    "Row",
    "columns",
    "experiment",
    "number_claim",
    "table",
    "truth_claim",
]
