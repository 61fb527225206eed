"""Recover a low-rank matrix from linear measurements, and know that it is the right one.

>>> import liftless as ll
>>> problem = ll.make_instance("real-world").problem
>>> result = ll.recover(problem)
>>> result.certificate.kind
'exact'

The public names are loaded when they are first used, so that the command line can print its help
without importing JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

from liftless._errors import InputWarning, InvalidInput
from liftless._version import __version__

if TYPE_CHECKING:
    from liftless.account import Account as Account
    from liftless.certificate import Certificate as Certificate
    from liftless.certificate import certify as certify
    from liftless.cost import CostModel as CostModel
    from liftless.descent import ALTO as ALTO
    from liftless.descent import IPGD as IPGD
    from liftless.descent import LBFGS as LBFGS
    from liftless.descent import SGD as SGD
    from liftless.descent import SGLD as SGLD
    from liftless.descent import Adam as Adam
    from liftless.descent import Alternating as Alternating
    from liftless.descent import BarzilaiBorwein as BarzilaiBorwein
    from liftless.descent import CubicNewton as CubicNewton
    from liftless.descent import Descended as Descended
    from liftless.descent import Descent as Descent
    from liftless.descent import GradientDescent as GradientDescent
    from liftless.descent import IPGDPlus as IPGDPlus
    from liftless.descent import LevenbergMarquardt as LevenbergMarquardt
    from liftless.descent import Method as Method
    from liftless.descent import Nesterov as Nesterov
    from liftless.descent import NoisyProjected as NoisyProjected
    from liftless.descent import Optax as Optax
    from liftless.descent import PerturbedGD as PerturbedGD
    from liftless.descent import Point as Point
    from liftless.descent import SimulatedAnnealing as SimulatedAnnealing
    from liftless.descent import Stop as Stop
    from liftless.descent import TrustRegion as TrustRegion
    from liftless.descent import WhitenedLM as WhitenedLM
    from liftless.descent import adam as adam
    from liftless.descent import adamw as adamw
    from liftless.descent import as_method as as_method
    from liftless.descent import descend as descend
    from liftless.descent import ipgd as ipgd
    from liftless.descent import ipgd_batch as ipgd_batch
    from liftless.descent import solve as solve
    from liftless.escape import Candidate as Candidate
    from liftless.escape import Escape as Escape
    from liftless.escape import Ladder as Ladder
    from liftless.escape import MultiStep as MultiStep
    from liftless.escape import MultiStepEscape as MultiStepEscape
    from liftless.escape import Oracle as Oracle
    from liftless.escape import OracleJump as OracleJump
    from liftless.escape import SingleStep as SingleStep
    from liftless.escape import best_step as best_step
    from liftless.escape import exact_score as exact_score
    from liftless.escape import oracle as oracle
    from liftless.escape import paper_score as paper_score
    from liftless.identify import Evidence as Evidence
    from liftless.identify import Identifiability as Identifiability
    from liftless.identify import Verdict as Verdict
    from liftless.identify import identifiability as identifiability
    from liftless.instances import INSTANCES as INSTANCES
    from liftless.instances import Instance as Instance
    from liftless.instances import make_instance as make_instance
    from liftless.instances import make_ipgd_problem as make_ipgd_problem
    from liftless.io import LoadedProblem as LoadedProblem
    from liftless.io import load_problem as load_problem
    from liftless.io import save_problem as save_problem
    from liftless.lifted import LiftedEscape as LiftedEscape
    from liftless.lifted import LiftedSubspace as LiftedSubspace
    from liftless.lifted import projected_descent as projected_descent
    from liftless.lifted import step_bounds as step_bounds
    from liftless.lifted import strict_saddle as strict_saddle
    from liftless.lifted import truncated_path as truncated_path
    from liftless.losses import Huber as Huber
    from liftless.losses import Logistic as Logistic
    from liftless.losses import Loss as Loss
    from liftless.losses import Poisson as Poisson
    from liftless.losses import Squared as Squared
    from liftless.objective import Objective as Objective
    from liftless.objective import Smooth as Smooth
    from liftless.operators import Amplitudes as Amplitudes
    from liftless.operators import BlackBoxOperator as BlackBoxOperator
    from liftless.operators import CodedDiffraction as CodedDiffraction
    from liftless.operators import ComplexRankOneOperator as ComplexRankOneOperator
    from liftless.operators import DenseOperator as DenseOperator
    from liftless.operators import DiagonalOperator as DiagonalOperator
    from liftless.operators import EntriesOperator as EntriesOperator
    from liftless.operators import HermitianOperator as HermitianOperator
    from liftless.operators import PauliStrings as PauliStrings
    from liftless.operators import ProductBases as ProductBases
    from liftless.operators import RankOneOperator as RankOneOperator
    from liftless.operators import RectangularEntries as RectangularEntries
    from liftless.operators import RectangularOperator as RectangularOperator
    from liftless.operators import ScannedProbe as ScannedProbe
    from liftless.operators import SensingOperator as SensingOperator
    from liftless.operators import ShardedOperator as ShardedOperator
    from liftless.operators import SparseOperator as SparseOperator
    from liftless.operators import backproject as backproject
    from liftless.operators import balanced as balanced
    from liftless.operators import dot_test as dot_test
    from liftless.operators import factors as factors
    from liftless.operators import from_linear_operator as from_linear_operator
    from liftless.operators import matrix as matrix
    from liftless.operators import measure as measure
    from liftless.operators import operator as operator
    from liftless.operators import rip_estimate as rip_estimate
    from liftless.operators import sharded as sharded
    from liftless.operators import sharded_rows as sharded_rows
    from liftless.operators import stack as stack
    from liftless.operators import stacked as stacked
    from liftless.problem import Problem as Problem
    from liftless.recovery import Policy as Policy
    from liftless.recovery import Recovery as Recovery
    from liftless.recovery import recover as recover
    from liftless.regularisers import Balance as Balance
    from liftless.regularisers import Regulariser as Regulariser
    from liftless.regularisers import Ridge as Ridge
    from liftless.regularisers import balance_bound as balance_bound
    from liftless.scaled_problem import OfProblem as OfProblem
    from liftless.space import Hermitian as Hermitian
    from liftless.space import Rectangular as Rectangular
    from liftless.space import Space as Space
    from liftless.space import Symmetric as Symmetric
    from liftless.start import Allowance as Allowance
    from liftless.start import Begun as Begun
    from liftless.start import BeliefPropagation as BeliefPropagation
    from liftless.start import Completion as Completion
    from liftless.start import Course as Course
    from liftless.start import DouglasRachford as DouglasRachford
    from liftless.start import Gaussian as Gaussian
    from liftless.start import MessagePassing as MessagePassing
    from liftless.start import OverParameterised as OverParameterised
    from liftless.start import ReweightedTrace as ReweightedTrace
    from liftless.start import Spectral as Spectral
    from liftless.start import Start as Start
    from liftless.start import VectorPassing as VectorPassing
    from liftless.start import complete_entries as complete_entries
    from liftless.start import course_of as course_of
    from liftless.start import passing_start as passing_start
    from liftless.start import random_start as random_start
    from liftless.start import reflection_start as reflection_start
    from liftless.start import reweighted_start as reweighted_start
    from liftless.start import spectral_start as spectral_start
    from liftless.start import vector_start as vector_start
    from liftless.sweeps import HeldOut as HeldOut
    from liftless.sweeps import ManyStarts as ManyStarts
    from liftless.sweeps import hold_out as hold_out
    from liftless.sweeps import recover_many as recover_many
    from liftless.tables import CompletedTable as CompletedTable
    from liftless.tables import complete as complete

_HOMES: dict[str, tuple[str, ...]] = {
    "liftless.account": ("Account",),
    "liftless.certificate": (
        "Certificate",
        "certify",
    ),
    "liftless.cost": ("CostModel",),
    "liftless.descent": (
        "ALTO",
        "Adam",
        "Alternating",
        "BarzilaiBorwein",
        "CubicNewton",
        "Descended",
        "Descent",
        "GradientDescent",
        "IPGD",
        "IPGDPlus",
        "LBFGS",
        "LevenbergMarquardt",
        "Method",
        "Nesterov",
        "NoisyProjected",
        "Optax",
        "PerturbedGD",
        "Point",
        "SGD",
        "SGLD",
        "SimulatedAnnealing",
        "Stop",
        "TrustRegion",
        "WhitenedLM",
        "adam",
        "adamw",
        "as_method",
        "descend",
        "ipgd",
        "ipgd_batch",
        "solve",
    ),
    "liftless.escape": (
        "Candidate",
        "Escape",
        "Ladder",
        "MultiStep",
        "MultiStepEscape",
        "Oracle",
        "OracleJump",
        "SingleStep",
        "best_step",
        "exact_score",
        "oracle",
        "paper_score",
    ),
    "liftless.identify": (
        "Evidence",
        "Identifiability",
        "Verdict",
        "identifiability",
    ),
    "liftless.instances": (
        "INSTANCES",
        "Instance",
        "make_instance",
        "make_ipgd_problem",
    ),
    "liftless.io": (
        "LoadedProblem",
        "load_problem",
        "save_problem",
    ),
    "liftless.lifted": (
        "LiftedEscape",
        "LiftedSubspace",
        "projected_descent",
        "step_bounds",
        "strict_saddle",
        "truncated_path",
    ),
    "liftless.losses": (
        "Huber",
        "Logistic",
        "Loss",
        "Poisson",
        "Squared",
    ),
    "liftless.objective": (
        "Objective",
        "Smooth",
    ),
    "liftless.operators": (
        "Amplitudes",
        "BlackBoxOperator",
        "CodedDiffraction",
        "ComplexRankOneOperator",
        "DenseOperator",
        "DiagonalOperator",
        "EntriesOperator",
        "HermitianOperator",
        "PauliStrings",
        "ProductBases",
        "RankOneOperator",
        "RectangularEntries",
        "RectangularOperator",
        "ScannedProbe",
        "SensingOperator",
        "ShardedOperator",
        "SparseOperator",
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
    ),
    "liftless.problem": ("Problem",),
    "liftless.recovery": (
        "Policy",
        "Recovery",
        "recover",
    ),
    "liftless.regularisers": (
        "Balance",
        "Regulariser",
        "Ridge",
        "balance_bound",
    ),
    "liftless.scaled_problem": ("OfProblem",),
    "liftless.space": (
        "Hermitian",
        "Rectangular",
        "Space",
        "Symmetric",
    ),
    "liftless.start": (
        "Allowance",
        "Begun",
        "BeliefPropagation",
        "Completion",
        "Course",
        "DouglasRachford",
        "Gaussian",
        "MessagePassing",
        "OverParameterised",
        "ReweightedTrace",
        "Spectral",
        "Start",
        "VectorPassing",
        "complete_entries",
        "course_of",
        "passing_start",
        "random_start",
        "reflection_start",
        "reweighted_start",
        "spectral_start",
        "vector_start",
    ),
    "liftless.sweeps": (
        "HeldOut",
        "ManyStarts",
        "hold_out",
        "recover_many",
    ),
    "liftless.tables": (
        "CompletedTable",
        "complete",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
#: Names of earlier versions.
_RENAMED = {
    "Passing": "MessagePassing",
    "Reflection": "DouglasRachford",
    "Reweighting": "ReweightedTrace",
}
#: Names that are in another distribution.
_ELSEWHERE = {
    **dict.fromkeys(("Attempt", "PEERS", "Peer"), "liftless_papers.compare.peers"),
    **dict.fromkeys(
        ("algorithm_constants", "curvature_range", "deviation_rate"), "liftless_papers.ipgd"
    ),
}

__all__ = ["InputWarning", "InvalidInput", "__version__", *sorted(_HOME)]  # noqa: PLE0604


#: Parts with names of their own, loaded on first use.
_PARTS = ("distances", "grid", "phase", "tomography")


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use."""
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _ELSEWHERE:
        cure = f"it is in {_ELSEWHERE[name]}, of the distribution liftless-papers"
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: {cure}")
    name = _RENAMED.get(name, name)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
