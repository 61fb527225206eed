"""Smooth objectives of one array: what a local method and the loop that runs it may ask.

A point carries the data that an evaluation left behind, so that nothing is computed twice: the
measurements A(X Xᵀ) of a :class:`~liftless.Problem`, the value of any other function.
"""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact

from liftless._checks import describe, real_number
from liftless._errors import InvalidInput
from liftless._precision import entry
from liftless._types import AnyArray, Scalar

Array = Float[AnyArray, "*shape"]
Number = Float[AnyArray, ""]
#: What a point carries.
Data = Inexact[AnyArray, "..."]

#: Sufficient decrease, and the part of the first slope that may be left, of a searched step.
DECREASE, CURVATURE = 1e-4, 0.9
#: Changes of f below this fraction of it are round-off: the slopes alone then judge a step.
ROUNDOFF = 1e-15
#: Trials of a step.
TRIALS = 60


class Line(eqx.Module):
    """An objective along s ↦ X + s D; a subclass is final.

    ``cost`` is what setting it up costs, and ``data_cost`` what :meth:`data` does.
    """

    cost: ClassVar[float]
    data_cost: ClassVar[float]

    @abc.abstractmethod
    def data(self, s: Scalar) -> Data:
        """What a point at X + s D carries."""

    @abc.abstractmethod
    def search(self) -> tuple[Number, Number | float]:
        """Step downhill, 0 where the line starts uphill, and what finding it cost."""


class Objective(eqx.Module):
    """A twice differentiable function of one real array, by its value and two derivatives.

    A subclass is final and its methods are traceable.  Its arrays are leaves of the module, so
    that one compiled function serves every instance of the same shape.  Value, gradient and
    Hessian product are all that must be defined; the rest is there to be overridden where the
    structure saves work.

    Attributes
    ----------
    data_cost, gradient_cost, product_cost : float
        Applications that :meth:`data`, :meth:`gradient_at` and :meth:`product_at` cost: of A or A*
        to one matrix for a problem, passes through f for any other function.
    """

    data_cost: ClassVar[float] = 1.0
    gradient_cost: ClassVar[float] = 1.0
    product_cost: ClassVar[float] = 2.0

    @abc.abstractmethod
    def value(self, X: Array) -> Number:
        """f(X)."""

    @abc.abstractmethod
    def gradient(self, X: Array) -> Array:
        """∇f(X), of the shape of X."""

    @abc.abstractmethod
    def hessian_product(self, X: Array, D: Array) -> Array:
        """∇²f(X)[D], of the shape of X."""

    def value_and_gradient(self, X: Array) -> tuple[Number, Array]:
        """Both at once; overridden where they share work."""
        return self.value(X), self.gradient(X)

    # -- with the data that a point carries ---------------------------------------------------

    def data(self, X: Array) -> Data:
        """What a point at X carries: here f(X)."""
        return self.value(X)

    def evaluate(self, X: Array) -> tuple[Data, Array]:
        """Carried data and gradient."""
        return self.value_and_gradient(X)

    def value_at(self, y: Data, X: Array) -> Number:
        """f(X) where the carried data are known."""
        del X
        return y

    def excess_at(self, y: Data, X: Array) -> Number:
        """f(X) less the least value conceivable; f(X) itself where that is not known."""
        lower = self.least()
        return self.value_at(y, X) if lower is None else self.value_at(y, X) - lower

    def gradient_at(self, y: Data, X: Array) -> Array:
        """∇f(X) where the carried data are known."""
        del y
        return self.gradient(X)

    def product_at(self, y: Data, X: Array, D: Array) -> Array:
        """∇²f(X)[D] where the carried data are known."""
        del y
        return self.hessian_product(X, D)

    def line_at(self, y: Data, X: Array, D: Array) -> Line:
        """Return the objective along X + s D where the carried data are known."""
        return SearchedLine(self, X, D, self.value_at(y, X))

    # -- for the rules that end a run ---------------------------------------------------------

    def least(self) -> Scalar | None:
        """Least conceivable value of f, or None."""
        return None

    def roundoff(self) -> float:
        """Fraction of :meth:`zero_level` below which an excess is round-off."""
        return ROUNDOFF

    def zero_level(self, X: Array) -> Number:
        """Excess at zero, in an array like X: NaN where the least value is not known."""
        lower = self.least()
        if lower is None:
            return jnp.full((), jnp.nan, jnp.result_type(X))
        return self.value(jnp.zeros_like(X)) - lower

    def usual_size(self) -> float:
        """Size of X that its gradient is judged by where X is shorter and no size is given.

        Zero where zero is stationary anyway, as in every problem of a factor.
        """
        return 1.0

    def scale_at(self, excess: Number, y: Data, X: Array) -> Number:
        """What a change of f is measured by: the excess, or the larger of |f(X)| and |f(0)|."""
        if self.least() is not None:
            return excess
        here, zero = jnp.abs(self.value_at(y, X)), jnp.abs(self.value(jnp.zeros_like(X)))
        return jnp.where(jnp.isfinite(zero), jnp.maximum(here, zero), here)


class SearchedLine(Line):
    """Any objective along a line, where no exact minimiser is at hand.

    The step is found by doubling and halving until it lowers f by 1e-4 of what the slope promises
    and leaves at most 0.9 of the slope, the weak conditions of Wolfe.  Where f changes by no more
    than its round-off, the slope alone judges.

    References
    ----------
    Lewis and Overton (2013), algorithm 2.6, for the bracket; Hager and Zhang (2005) for the form
    of the first condition near a minimum.
    """

    objective: Objective
    X: Array
    D: Array
    first: Number

    cost: ClassVar[float] = 0.0
    data_cost: ClassVar[float] = 1.0

    def data(self, s: Scalar) -> Data:
        """What a point at X + s D carries."""
        return self.objective.data(self.X + s * self.D)

    def value_and_slope(self, s: Scalar) -> tuple[Number, Number]:
        """f(X + s D) and its derivative in s."""
        value, gradient = self.objective.value_and_gradient(self.X + s * self.D)
        return value, jnp.sum(gradient * self.D)

    def search(self) -> tuple[Number, Number]:
        """See the class; every trial costs a value and a gradient."""
        first = jnp.asarray(self.first)
        _, slope = self.value_and_slope(jnp.zeros_like(first))
        noise = ROUNDOFF * jnp.abs(first)

        def trial(at: tuple) -> tuple:
            low, high, s, _, count = at
            value, bend = self.value_and_slope(s)
            fallen = value <= first + DECREASE * s * slope
            flat = (value <= first + noise) & (bend <= (2 * DECREASE - 1) * slope)
            lower = fallen | flat
            done = lower & (bend >= CURVATURE * slope)
            low, high = jnp.where(lower, s, low), jnp.where(lower, high, s)
            further = jnp.where(jnp.isfinite(high), (low + high) / 2, 2 * low)
            return low, high, jnp.where(done, s, further), done, count + 1

        def more(at: tuple) -> AnyArray:
            return ~at[3] & (at[4] < TRIALS) & (slope < 0)

        zero = jnp.zeros_like(first)
        begin = (zero, jnp.full_like(first, jnp.inf), jnp.ones_like(first), jnp.asarray(False), 0)
        low, _, s, done, count = jax.lax.while_loop(more, trial, begin)
        cost = self.objective.data_cost + self.objective.gradient_cost
        return jnp.where(done, s, low), (count + 1) * jnp.asarray(cost, first.dtype)


class Smooth(Objective):
    """Any JAX function ``f(X, *args)``, differentiated automatically.

    Parameters
    ----------
    function : callable
        Takes the array and ``args``; returns a scalar.  It is part of the compiled function's
        identity: keep one function and change ``args``.
    args : array or float
        Data of the function, traced.
    lower : float, optional
        A value that f never falls below.  With it a run can end at a fit, where f − lower is
        small beside its value at zero.

    Examples
    --------
    >>> import numpy as np
    >>> f = Smooth(lambda x, H: x @ H @ x / 2, np.diag([1.0, -2.0]))
    >>> float(f.value(np.array([1.0, 1.0])))
    -0.5
    """

    function: Callable[..., Any] = eqx.field(static=True)
    args: tuple[Any, ...]
    lower: Scalar | None

    def __init__(self, function: Any, *args: Any, lower: Any = None) -> None:
        if not callable(function):
            must, cure = "a JAX function of one array", "Pass the function, not its value."
            raise InvalidInput("function", describe(function), must, cure)
        self.function = function
        self.args = tuple(np.asarray(a) if isinstance(a, (int, float, list)) else a for a in args)
        self.lower = None if lower is None else real_number("lower", lower)

    @entry
    def value(self, X: Array) -> Number:
        """f(X)."""
        return self.data(X)

    @entry
    def gradient(self, X: Array) -> Array:
        """∇f(X)."""
        return self.gradient_at(self.data(X), X)

    @entry
    def hessian_product(self, X: Array, D: Array) -> Array:
        """∇²f(X)[D], the derivative of the gradient along D."""
        return self.product_at(self.data(X), X, D)

    def data(self, X: Array) -> Data:
        """f(X); traceable."""
        return self.function(X, *self.args)

    def gradient_at(self, y: Data, X: Array) -> Array:
        """∇f(X); traceable."""
        del y
        return jax.grad(self.function)(X, *self.args)

    def product_at(self, y: Data, X: Array, D: Array) -> Array:
        """∇²f(X)[D]; traceable."""
        del y
        slope = jax.grad(self.function)
        return jax.jvp(lambda at: slope(at, *self.args), (X,), (D,))[1]

    def value_and_gradient(self, X: Array) -> tuple[Number, Array]:
        """f(X) and ∇f(X) from one reverse pass."""
        return jax.value_and_grad(self.function)(X, *self.args)

    def least(self) -> Scalar | None:
        """The given bound."""
        return self.lower


# Compiled functions remember their tracing, so that a second look at a shape costs nothing.
_probe = jax.jit(lambda objective, X: objective.value_and_gradient(X))


def check_objective(value: Any, X: AnyArray) -> Objective:
    """Return an objective that gives a scalar and a gradient of the shape at arrays like ``X``."""
    if not isinstance(value, Objective):
        must = "a Problem or another Objective"
        raise InvalidInput("objective", describe(value), must, "Wrap a JAX function as Smooth(f).")
    try:
        # The JAX types are those of the caller's precision context.
        out: Any = _probe.eval_shape(value, jax.ShapeDtypeStruct(X.shape, jnp.result_type(X)))
    except (TypeError, ValueError) as error:
        must = f"differentiable at an array of shape {X.shape} of x0, with a scalar value"
        raise InvalidInput("objective", f"not ({str(error).splitlines()[0]})", must) from error
    if out[0].shape != () or out[1].shape != X.shape:
        shapes = f"of value shape {out[0].shape} and gradient shape {out[1].shape}"
        raise InvalidInput("objective", shapes, f"scalar, with a gradient of shape {X.shape}")
    return value
