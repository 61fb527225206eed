"""Where descent starts: message passing, a reweighted trace penalty, wide or plain factors."""

from liftless.start.message_passing import can_pass, passing_start
from liftless.start.passing import Passing
from liftless.start.reflections import Reflection, reflection_start
from liftless.start.reweighted import STAGE_COST, Reweighting, reweighted_start
from liftless.start.rounds import GENERAL, ISOTROPIC, RANK_ONE, Course, Plain, Plan, course_of
from liftless.start.simple import SMALL, random_start, spectral_start, wide_start
from liftless.start.width import over_width

__all__ = [
    "GENERAL",
    "ISOTROPIC",
    "RANK_ONE",
    "SMALL",
    "STAGE_COST",
    "Course",
    "Passing",
    "Plain",
    "Plan",
    "Reflection",
    "Reweighting",
    "can_pass",
    "course_of",
    "over_width",
    "passing_start",
    "random_start",
    "reflection_start",
    "reweighted_start",
    "spectral_start",
    "wide_start",
]
