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
    from liftless.certificate import Certificate as Certificate, certify as certify
    from liftless.descent import (
        Descent as Descent,
        GradientDescent as GradientDescent,
        LBFGS as LBFGS,
        LevenbergMarquardt as LevenbergMarquardt,
        Method as Method,
        Optax as Optax,
        Stop as Stop,
        descend as descend,
    )
    from liftless.escape import (
        Candidate as Candidate,
        Escape as Escape,
        Ladder as Ladder,
        MultiStep as MultiStep,
        MultiStepEscape as MultiStepEscape,
        Oracle as Oracle,
        OracleJump as OracleJump,
        SingleStep as SingleStep,
        exact_score as exact_score,
        oracle as oracle,
        paper_score as paper_score,
    )
    from liftless.instances import (
        INSTANCES as INSTANCES,
        Instance as Instance,
        make_instance as make_instance,
    )
    from liftless.losses import Logistic as Logistic, Squared as Squared
    from liftless.operators import (
        DenseOperator as DenseOperator,
        DiagonalOperator as DiagonalOperator,
        EntriesOperator as EntriesOperator,
        RankOneOperator as RankOneOperator,
        SensingOperator as SensingOperator,
        backproject as backproject,
        dot_test as dot_test,
        matrix as matrix,
        measure as measure,
        rip_estimate as rip_estimate,
    )
    from liftless.problem import Problem as Problem
    from liftless.recovery import Recovery as Recovery, recover as recover
    from liftless.regularisers import Balance as Balance, Ridge as Ridge

_HOMES: dict[str, tuple[str, ...]] = {
    "liftless.certificate": (
        "Certificate",
        "certify",
    ),
    "liftless.descent": (
        "Descent",
        "GradientDescent",
        "LBFGS",
        "LevenbergMarquardt",
        "Method",
        "Optax",
        "Stop",
        "descend",
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
        "exact_score",
        "oracle",
        "paper_score",
    ),
    "liftless.instances": (
        "INSTANCES",
        "Instance",
        "make_instance",
    ),
    "liftless.losses": (
        "Logistic",
        "Squared",
    ),
    "liftless.operators": (
        "DenseOperator",
        "DiagonalOperator",
        "EntriesOperator",
        "RankOneOperator",
        "SensingOperator",
        "backproject",
        "dot_test",
        "matrix",
        "measure",
        "rip_estimate",
    ),
    "liftless.problem": ("Problem",),
    "liftless.recovery": (
        "Recovery",
        "recover",
    ),
    "liftless.regularisers": (
        "Balance",
        "Ridge",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["InputWarning", "InvalidInput", "__version__", *sorted(_HOME)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
