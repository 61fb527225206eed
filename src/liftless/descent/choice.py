"""What may be passed as a local method, and what it stands for."""

import inspect
from typing import Any

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless.descent.adam import Adam, adamw
from liftless.descent.alternating import Alternating
from liftless.descent.alto import ALTO
from liftless.descent.barzilai import BarzilaiBorwein
from liftless.descent.base import Method
from liftless.descent.gauss_newton import WhitenedLM
from liftless.descent.gradient import GradientDescent, Optax
from liftless.descent.lbfgs import LBFGS
from liftless.descent.levenberg import LevenbergMarquardt
from liftless.descent.momentum import Nesterov
from liftless.descent.newton import CubicNewton, TrustRegion
from liftless.descent.scaled import ScaledGradientDescent
from liftless.descent.stochastic import SGD, SGLD, SimulatedAnnealing

#: Methods that need no argument, by the name that stands for them with their usual parameters.
NAMES: dict[str, Any] = {
    maker.__name__: maker
    for maker in (
        ALTO,
        Adam,
        Alternating,
        BarzilaiBorwein,
        CubicNewton,
        GradientDescent,
        LBFGS,
        LevenbergMarquardt,
        Nesterov,
        SGD,
        SGLD,
        ScaledGradientDescent,
        SimulatedAnnealing,
        TrustRegion,
        WhitenedLM,
        adamw,
    )
}


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


_BY_PLAIN_NAME = {_plain(name): maker for name, maker in NAMES.items()}


def as_method(method: Any) -> Method:
    """Return the local method that ``method`` stands for.

    Parameters
    ----------
    method : Method, subclass of Method, str, optax.GradientTransformation or None
        A method as it is; a class or its name ("LBFGS", "levenberg-marquardt": case and
        punctuation do not count) with its usual parameters; an optax transformation as
        :class:`Optax`; None for :class:`LBFGS`.

    Returns
    -------
    Method

    Raises
    ------
    InvalidInput
        Anything else, or a class that needs arguments.
    """
    if method is None:
        return LBFGS()
    if isinstance(method, Method):
        return method
    if isinstance(method, str) and _plain(method) in _BY_PLAIN_NAME:
        return _BY_PLAIN_NAME[_plain(method)]()
    if isinstance(method, type) and issubclass(method, Method):
        return _of_class(method)
    if hasattr(method, "init") and hasattr(method, "update"):
        return Optax(method)
    must = f"a Method, an optax transformation, or one of {', '.join(NAMES)}"
    raise InvalidInput("method", describe(method), must, "Pass LBFGS(), say.")


def _of_class(method: type[Method]) -> Method:
    """Return an instance with the usual parameters."""
    needed = [
        p.name
        for p in inspect.signature(method).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if needed or inspect.isabstract(method):
        cure = f"Write {method.__name__}({', '.join(needed)}) with values of your own."
        raise InvalidInput("method", f"the class {method.__name__}", "a method of values", cure)
    return method()
