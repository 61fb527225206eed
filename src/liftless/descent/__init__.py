"""Local methods and the one loop that runs them."""

from liftless.descent.base import Method, Point
from liftless.descent.gradient import GradientDescent, Optax
from liftless.descent.lbfgs import LBFGS
from liftless.descent.levenberg import LevenbergMarquardt
from liftless.descent.loop import STATUS, Descent, Stop, descend

__all__ = [
    "LBFGS",
    "STATUS",
    "Descent",
    "GradientDescent",
    "LevenbergMarquardt",
    "Method",
    "Optax",
    "Point",
    "Stop",
    "descend",
]
