"""Places of points from some of their distances."""

from liftless.distances.locate import locate
from liftless.distances.result import Location, Mirror

__all__ = ["Location", "Mirror", "locate"]
