"""Places of points from some of their distances."""

from liftless.distances.locate import locate
from liftless.distances.result import Location, Mirror, Rival

__all__ = ["Location", "Mirror", "Rival", "locate"]
