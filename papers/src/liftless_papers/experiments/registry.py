"""Experiments by name: one registration line each, loaded when asked for."""

import difflib
import importlib

from liftless._errors import InvalidInput
from liftless_papers.experiments.base import Experiment

#: Name on the command line -> (module, class, title).
EXPERIMENTS: dict[str, tuple[str, str, str]] = {
    "sod-fig1": ("sod.basic.fig1", "Fig1", "Basic example: stuck descent, one jump to the truth"),
    "sod-fig2": ("sod.basic.fig2", "Fig2", "Landscape of the matrix and of the lifted problem"),
    "sod-fig3": ("sod.success.fig3", "Fig3", "Regions of the single-step escape"),
    "sod-fig4": ("sod.basic.fig4", "Fig4", "Simulated lifted descent in the basic example"),
    "sod-fig5": ("sod.basic.fig5", "Fig5", "The quadratic escape inequality"),
    "sod-fig6": ("sod.basic.fig6", "Fig6", "The truncated path and its escape"),
    "sod-fig7": ("sod.basic.fig7", "Fig7", "Where the second and the third term lead"),
    "sod-fig8": ("sod.course.fig8", "Fig8", "Perturbed completion: course of one escape"),
    "sod-fig9": ("sod.course.fig9", "Fig9", "Real-world sensing: course of one escape"),
    "sod-fig10": ("sod.success.fig10", "Fig10", "Success on perturbed completion, with controls"),
    "sod-table2": ("sod.theory.table2", "Table2", "Terms of the escape inequality"),
    "sod-table3": ("sod.theory.table3", "Table3", "Sub-terms of the lifted gradient"),
    "sod-table4": ("sod.theory.table4", "Table4", "Remainders of the truncated step"),
    "sod-table5": ("sod.course.table5", "Table5", "Orders and steps on real-world sensing"),
    "sod-efs": ("sod.success.efs", "Efs", "Escape feasibility under the Gaussian ensemble"),
    "sod-theory": (
        "sod.theory.theory",
        "Theory",
        "Propositions 4.1, 4.2, 5.1-5.4 and the lifted saddle",
    ),
    "sod-table1": ("sod.table1.table1", "Table1", "Every method of Table 1, tuned, with controls"),
    "sod-cost": ("sod.theory.cost", "Cost", "Explicit lifting against the closed form"),
    "local-fig1": ("local.fig1", "Fig1", "Phase transition with random and SVD starts"),
    "local-theorems": (
        "local.theorems",
        "Theorems",
        "Theorems 3.1, 3.2, 3.4 and 4.1, and the lemmas of Section 4",
    ),
    "local-examples": ("local.examples", "Examples", "Examples 1 and 2, printed and corrected"),
    "local-sgd": ("local.sgd", "Sgd", "Noisy projected descent from random starts, eq. (4)"),
    "ipgd-fig1": ("ipgd.fig1", "Fig1", "Perturbed descent with one column too many"),
    "ipgd-fig2": ("ipgd.fig2", "Fig2", "Escape and deviation of a perturbation at a strict saddle"),
    "ipgd-fig3": (
        "ipgd.fig3",
        "Fig3",
        "Stuck and escape regions at a strict saddle, down to γ = 1e-200",
    ),
    "ipgd-fig4": (
        "ipgd.fig4",
        "Fig4",
        "Deviation rate, residual growth and distance on six low-rank problems",
    ),
    "ipgd-fig5": ("ipgd.fig5", "Fig5", "Course of IPGD+ on sparse recovery"),
    "ipgd-fig6": ("ipgd.fig6", "Fig6", "Growth of the residual and cumulative deviation rate"),
    "ipgd-gamma": ("ipgd.gamma", "Gamma", "Radius of the perturbation from 1e-3 to 1e-100"),
    "ipgd-settings": (
        "ipgd.settings",
        "Settings",
        "Printed constants of IPGD+ and the smallest change that works",
    ),
    "ipgd-theory": (
        "ipgd.theory",
        "Theory",
        "Theorems 2, 5 and 31, Propositions 4, 11 and 23 to 30, and the lemmas",
    ),
    "ipgd-landscape": (
        "ipgd.landscape",
        "LandscapeOfAll",
        "Strict saddle and regularity properties of all seven problems",
    ),
    "own-region": (
        "own.region",
        "Region",
        "Straight lines from a minimum: the region of escape, and what lies in it",
    ),
    "own-families": (
        "own.families",
        "Families",
        "Cheap moves from a minimum: what lowers h, and what leads to the truth",
    ),
    "own-lift": (
        "own.lift",
        "Lift",
        "Lifts of spurious minima: which order makes a strict saddle",
    ),
    "own-ladder": (
        "own.ladder",
        "Rungs",
        "The ladder of escapes: what each rung alone is worth",
    ),
}


def experiment(name: str) -> Experiment:
    """Load an experiment by its name, or raise :class:`InvalidInput` with the nearest names."""
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=3)
        cure = f"Did you mean {', '.join(near)}?" if near else "`liftless list` shows them."
        raise InvalidInput("name", repr(name), "the name of an experiment", cure)
    module, cls, _ = EXPERIMENTS[name]
    return getattr(importlib.import_module(f"liftless_papers.experiments.{module}"), cls)()
