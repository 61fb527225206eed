"""Local methods and the one loop that runs them."""

from liftless.descent.adam import Adam, adam, adamw
from liftless.descent.adaptive import Adaptive
from liftless.descent.alternating import Alternating
from liftless.descent.alto import ALTO
from liftless.descent.barzilai import BarzilaiBorwein
from liftless.descent.base import Method, Point
from liftless.descent.choice import as_method
from liftless.descent.descended import Descended
from liftless.descent.gauss_newton import WhitenedLM
from liftless.descent.gradient import GradientDescent, Optax
from liftless.descent.journeys import Stacked, ipgd, ipgd_batch, stack
from liftless.descent.lbfgs import LBFGS
from liftless.descent.levenberg import LevenbergMarquardt
from liftless.descent.loop import STATUS, Descent, Stop, descend, solve
from liftless.descent.momentum import Nesterov
from liftless.descent.newton import CubicNewton, TrustRegion
from liftless.descent.perturbed import IPGD, IPGDPlus, Perturbed, PerturbedGD
from liftless.descent.projected import NoisyProjected
from liftless.descent.schedule import Constant, Geometric, Logarithmic, Schedule
from liftless.descent.stochastic import SGD, SGLD, SimulatedAnnealing

__all__ = [
    "ALTO",
    "IPGD",
    "LBFGS",
    "SGD",
    "SGLD",
    "STATUS",
    "Adam",
    "Adaptive",
    "Alternating",
    "BarzilaiBorwein",
    "Constant",
    "CubicNewton",
    "Descended",
    "Descent",
    "Geometric",
    "GradientDescent",
    "IPGDPlus",
    "LevenbergMarquardt",
    "Logarithmic",
    "Method",
    "Nesterov",
    "NoisyProjected",
    "Optax",
    "Perturbed",
    "PerturbedGD",
    "Point",
    "Schedule",
    "SimulatedAnnealing",
    "Stacked",
    "Stop",
    "TrustRegion",
    "WhitenedLM",
    "adam",
    "adamw",
    "as_method",
    "descend",
    "ipgd",
    "ipgd_batch",
    "solve",
    "stack",
]
