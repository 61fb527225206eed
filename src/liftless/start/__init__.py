"""Where descent starts: message passing, a reweighted trace penalty, wide or plain factors."""

from liftless.start.base import (
    HOPELESS,
    HOPELESS_NEAR,
    HOPELESS_POOR,
    START_COST,
    Allowance,
    Begun,
    Given,
    Start,
    checked,
)
from liftless.start.belief import BeliefPropagation, Completion, complete_entries
from liftless.start.course import (
    AMPLITUDES,
    COMPLETION,
    COMPLETION_LARGE,
    GENERAL,
    ISOTROPIC,
    PLAIN,
    VECTORS,
    Course,
    course_of,
    general_course,
)
from liftless.start.message_passing import MessagePassing, can_pass, passing_start
from liftless.start.plain import Gaussian, OverParameterised, Spectral
from liftless.start.reflections import DouglasRachford, reflection_start
from liftless.start.reweighted import STAGE_COST, ReweightedTrace, reweighted_start
from liftless.start.simple import SMALL, random_start, spectral_start, wide_start
from liftless.start.vector_passing import VectorPassing, vector_start

__all__ = [
    "AMPLITUDES",
    "COMPLETION",
    "COMPLETION_LARGE",
    "GENERAL",
    "HOPELESS",
    "HOPELESS_NEAR",
    "HOPELESS_POOR",
    "ISOTROPIC",
    "PLAIN",
    "SMALL",
    "STAGE_COST",
    "START_COST",
    "VECTORS",
    "Allowance",
    "Begun",
    "BeliefPropagation",
    "Completion",
    "Course",
    "DouglasRachford",
    "Gaussian",
    "Given",
    "MessagePassing",
    "OverParameterised",
    "ReweightedTrace",
    "Spectral",
    "Start",
    "VectorPassing",
    "can_pass",
    "checked",
    "complete_entries",
    "course_of",
    "general_course",
    "passing_start",
    "random_start",
    "reflection_start",
    "reweighted_start",
    "spectral_start",
    "vector_start",
    "wide_start",
]
