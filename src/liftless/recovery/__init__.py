"""Recovery: starts, local solves, certificates and escapes, until the answer is certified."""

from liftless.descent.prices import step_price
from liftless.recovery.effort import Effort
from liftless.recovery.loop import ESCAPES, STARTS, recover
from liftless.recovery.policy import Policy
from liftless.recovery.prices import finishes
from liftless.recovery.result import (
    CERTIFIED,
    INTERRUPTED,
    NOT_CONVERGED,
    UNCERTIFIED,
    Recovery,
)

__all__ = [
    "CERTIFIED",
    "ESCAPES",
    "INTERRUPTED",
    "NOT_CONVERGED",
    "STARTS",
    "UNCERTIFIED",
    "Effort",
    "Policy",
    "Recovery",
    "finishes",
    "recover",
    "step_price",
]
