"""Local methods and the one loop that runs them."""

from liftless.descent.adam import Adam, adam, adamw
from liftless.descent.alternating import Alternating
from liftless.descent.alto import ALTO
from liftless.descent.barzilai import BarzilaiBorwein
from liftless.descent.base import Method, Point
from liftless.descent.choice import as_method
from liftless.descent.gradient import GradientDescent, Optax
from liftless.descent.lbfgs import LBFGS
from liftless.descent.levenberg import LevenbergMarquardt
from liftless.descent.loop import STATUS, Descent, Stop, descend, solve
from liftless.descent.momentum import Nesterov
from liftless.descent.newton import CubicNewton, TrustRegion
from liftless.descent.projected import NoisyProjected
from liftless.descent.schedule import Constant, Geometric, Logarithmic, Schedule
from liftless.descent.stochastic import SGD, SGLD, SimulatedAnnealing

__all__ = [
    "ALTO",
    "LBFGS",
    "SGD",
    "SGLD",
    "STATUS",
    "Adam",
    "Alternating",
    "BarzilaiBorwein",
    "Constant",
    "CubicNewton",
    "Descent",
    "Geometric",
    "GradientDescent",
    "LevenbergMarquardt",
    "Logarithmic",
    "Method",
    "Nesterov",
    "NoisyProjected",
    "Optax",
    "Point",
    "Schedule",
    "SimulatedAnnealing",
    "Stop",
    "TrustRegion",
    "adam",
    "adamw",
    "as_method",
    "descend",
    "solve",
]
