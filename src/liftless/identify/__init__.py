"""What the measurements leave open: detectors that each return evidence, and one verdict."""

from liftless.identify.examine import identifiability
from liftless.identify.flexible import Flexible, flexible
from liftless.identify.groups import free_signs, groups
from liftless.identify.jacobian import MOST, ZERO
from liftless.identify.mirrors import mirrored_part, mirrored_row
from liftless.identify.verdict import FINDINGS, Evidence, Identifiability, Verdict
from liftless.identify.zeros import eliminated

__all__ = [
    "FINDINGS",
    "MOST",
    "ZERO",
    "Evidence",
    "Flexible",
    "Identifiability",
    "Verdict",
    "eliminated",
    "flexible",
    "free_signs",
    "groups",
    "identifiability",
    "mirrored_part",
    "mirrored_row",
]
