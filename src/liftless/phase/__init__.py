"""Images from the lengths of their transforms: phase retrieval."""

from liftless.phase.result import Retrieval
from liftless.phase.retrieve import retrieve

__all__ = ["Retrieval", "retrieve"]
