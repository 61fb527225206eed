"""Losses, convex in the measurement: value, derivatives, convex conjugate.

Scaling, stated once: the squared loss is ½(y − b)², so that h(X) = ½‖A(XXᵀ) − b‖².
"""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import real_array, real_number
from liftless._errors import InvalidInput
from liftless._types import AnyArray, Scalar

#: Standard deviations at which Huber's estimate is 95 % efficient for Gaussian noise, and the
#: median size of a standard Gaussian.
EFFICIENT, QUARTILE = 1.345, 0.6744897501960817
#: Relative round-off of a multiplier at the end of its range.
ROUNDOFF = 1e-14
Vector = Float[AnyArray, " m"]
Values = Float[AnyArray, "..."]


class Loss(eqx.Module):
    """A loss ℓ(y, b), elementwise, convex in y.

    ``excess`` is ℓ(y, b) − min over y of ℓ(y, b), free of cancellation: it is what descent
    watches, since a value of round-off size in it means a perfect fit for every loss.
    """

    name: ClassVar[str]
    #: Whether ℓ is quadratic in y, so that h along a line is an exact quartic.
    quadratic: ClassVar[bool]
    #: ``excess`` below this fraction of its value at X = 0 is round-off.
    roundoff: ClassVar[float]

    @abc.abstractmethod
    def value(self, y: Vector, b: Vector) -> Vector:
        """ℓ(y, b)."""

    @abc.abstractmethod
    def excess(self, y: Vector, b: Vector) -> Vector:
        """ℓ(y, b) − min over y."""

    @abc.abstractmethod
    def derivative(self, y: Vector, b: Vector) -> Vector:
        """First derivative in y."""

    @abc.abstractmethod
    def second(self, y: Vector, b: Vector) -> Vector:
        """Second derivative in y."""

    @abc.abstractmethod
    def conjugate(self, v: Values, b: Values) -> Values:
        """Convex conjugate sup_y (v y − ℓ(y, b)), +inf outside its domain.

        Of NumPy arrays a NumPy array; traceable.
        """

    def attained(self, b: Vector) -> Any:
        """Whether the least value over y is attained at a finite y; it is unless overridden.

        Of NumPy arrays a NumPy array; traceable.
        """
        return np.ones(np.shape(b), bool)

    @abc.abstractmethod
    def check(self, b: np.ndarray) -> None:
        """Raise :class:`InvalidInput` if ``b`` is not data for this loss."""


class Squared(Loss):
    """ℓ(y, b) = ½(y − b)²."""

    name: ClassVar[str] = "squared"
    quadratic: ClassVar[bool] = True
    # The measured round-off of h is below 1e-26 of h(0); 1e-20 leaves room for ill-conditioning.
    roundoff: ClassVar[float] = 1e-20

    def value(self, y: Vector, b: Vector) -> Vector:
        """½(y − b)²."""
        return (jnp.asarray(y) - b) ** 2 / 2

    def excess(self, y: Vector, b: Vector) -> Vector:
        """½(y − b)², whose least value is 0."""
        return self.value(y, b)

    def derivative(self, y: Vector, b: Vector) -> Vector:
        """The residual y − b."""
        return jnp.asarray(y) - b

    def second(self, y: Vector, b: Vector) -> Vector:
        """Return 1."""
        del b
        return jnp.ones_like(jnp.asarray(y))

    def conjugate(self, v: Values, b: Values) -> Values:
        """½v² + b v."""
        return v * v / 2 + b * v

    def check(self, b: np.ndarray) -> None:
        """Any real data will do."""


class Logistic(Loss):
    """ℓ(y, b) = log(1 + eʸ) − b y for a frequency 0 <= b <= 1: one-bit measurements.

    The negative log-likelihood of ``b`` as the fraction of ones among Bernoulli draws with mean
    1/(1 + e⁻ʸ) (Davenport et al. 2014; section 7 of the IPGD paper).
    """

    name: ClassVar[str] = "logistic"
    quadratic: ClassVar[bool] = False
    # A relative entropy loses the last half of the digits: its round-off is that of its terms.
    roundoff: ClassVar[float] = 1e-15

    def value(self, y: Vector, b: Vector) -> Vector:
        """log(1 + eʸ) − b y."""
        y = jnp.asarray(y)
        return jax.nn.softplus(y) - b * y

    def excess(self, y: Vector, b: Vector) -> Vector:
        """Relative entropy of b against the predicted mean."""
        y = jnp.asarray(y)
        b = jnp.asarray(b)
        log_b = jnp.log(jnp.where(b > 0, b, 1.0))
        log_1b = jnp.log(jnp.where(b < 1, 1 - b, 1.0))
        gap = b * (log_b - jax.nn.log_sigmoid(y)) + (1 - b) * (log_1b - jax.nn.log_sigmoid(-y))
        return jnp.maximum(gap, 0.0)

    def derivative(self, y: Vector, b: Vector) -> Vector:
        """Predicted mean minus b."""
        return jax.nn.sigmoid(jnp.asarray(y)) - b

    def second(self, y: Vector, b: Vector) -> Vector:
        """Variance of the prediction."""
        del b
        y = jnp.asarray(y)
        return jax.nn.sigmoid(y) * jax.nn.sigmoid(-y)

    def conjugate(self, v: Values, b: Values) -> Values:
        """Negative entropy of p = v + b on [0, 1]."""
        p = v + b
        numpy = np if isinstance(p, np.ndarray) else jnp
        inside = (p >= 0) & (p <= 1)
        p = numpy.clip(p, 0.0, 1.0)
        log_p = numpy.log(numpy.where(p > 0, p, 1.0))
        log_q = numpy.log(numpy.where(p < 1, 1 - p, 1.0))
        return numpy.where(inside, p * log_p + (1 - p) * log_q, numpy.inf)

    def attained(self, b: Vector) -> Any:
        """Frequencies of 0 and 1 are least at infinity."""
        return (b > 0) & (b < 1)

    def check(self, b: np.ndarray) -> None:
        """Frequencies only."""
        if b.min() < 0 or b.max() > 1:
            raise InvalidInput(
                "b",
                f"outside [0, 1] (from {b.min():g} to {b.max():g})",
                "a frequency between 0 and 1 for the logistic loss",
                "Map signs -1, 1 to 0, 1.",
            )


class Huber(Loss):
    """½(y − b)² up to a misfit of ``scale``, linear beyond: for data with gross errors.

    A wrong measurement pulls no harder than one that is off by the scale (Huber 1964).  The scale
    is in units of the weighted data's noise: 1.345 standard deviations lose 5 % where the noise is
    Gaussian.  :meth:`of_residual` takes it from what a first fit leaves.

    Parameters
    ----------
    scale : float
        Positive.

    Raises
    ------
    InvalidInput
        For a scale that is not a positive number.
    """

    name: ClassVar[str] = "huber"
    quadratic: ClassVar[bool] = False
    roundoff: ClassVar[float] = 1e-20

    scale: Scalar

    def __init__(self, scale: Any) -> None:
        self.scale = real_number("scale", scale, above=0.0)

    @classmethod
    def of_residual(cls, residual: Any, efficiency: float = EFFICIENT) -> "Huber":
        """Return the loss whose scale the residual of a fit gives, gross errors among it.

        Parameters
        ----------
        residual : array of shape (m,)
            Of which more than half are noise.
        efficiency : float
            Scale in standard deviations, which are 1.4826 times the median of the sizes.
        """
        sizes = np.abs(real_array("residual", residual, 1))
        middle = float(np.median(sizes))
        if not middle > 0:
            raise InvalidInput("residual", "zero in more than half of its rows", "with noise in it")
        return cls(efficiency * middle / QUARTILE)

    def value(self, y: Vector, b: Vector) -> Vector:
        """½(y − b)², or scale · (|y − b| − ½ scale) beyond the scale."""
        size = jnp.abs(jnp.asarray(y) - b)
        inside = jnp.minimum(size, self.scale)
        return inside * (size - inside / 2)

    def excess(self, y: Vector, b: Vector) -> Vector:
        """The same, since the least value is 0."""
        return self.value(y, b)

    def derivative(self, y: Vector, b: Vector) -> Vector:
        """The residual, no larger than the scale."""
        return jnp.clip(jnp.asarray(y) - b, -self.scale, self.scale)

    def second(self, y: Vector, b: Vector) -> Vector:
        """1 within the scale, and 0 beyond."""
        y = jnp.asarray(y)
        return jnp.where(jnp.abs(y - b) <= self.scale, jnp.ones_like(y), jnp.zeros_like(y))

    def conjugate(self, v: Values, b: Values) -> Values:
        """½v² + b v for |v| up to the scale and its round-off."""
        value = v * v / 2 + b * v
        numpy = np if isinstance(value, np.ndarray) else jnp
        return numpy.where(numpy.abs(v) <= self.scale * (1 + ROUNDOFF), value, numpy.inf)

    def check(self, b: np.ndarray) -> None:
        """Any real data will do."""


class Poisson(Loss):
    """ℓ(y, b) = y + β − b log(y + β) for a count b >= 0: the likelihood of counts of mean y + β.

    Convex in y.  With weights √N and frequencies b = n/N it is that of N shots, whose total need
    not be constrained: where y sums to one by itself, as probabilities do, so does the minimiser.

    Parameters
    ----------
    background : float
        β > 0, the mean count where y is zero; small by default, so that h(0) is finite.
    """

    background: float = eqx.field(static=True)

    name: ClassVar[str] = "poisson"
    quadratic: ClassVar[bool] = False
    roundoff: ClassVar[float] = 1e-15

    def __init__(self, background: float = 1e-12) -> None:
        if not background > 0:
            raise InvalidInput("background", background, "a number > 0")
        self.background = float(background)

    def _mean(self, y: Vector) -> Vector:
        """Mean count; measurements of a positive semidefinite matrix are never negative."""
        return jnp.maximum(jnp.asarray(y), 0.0) + self.background

    def value(self, y: Vector, b: Vector) -> Vector:
        """Mean − b log(mean)."""
        mean = self._mean(y)
        return mean - b * jnp.log(mean)

    def excess(self, y: Vector, b: Vector) -> Vector:
        """Relative entropy of the count against the mean."""
        mean, b = self._mean(y), jnp.asarray(b)
        # −log1p of the relative difference keeps the digits where count and mean are near.
        off = (mean - b) / jnp.where(b > 0, b, 1.0)
        return jnp.where(b > 0, b * (off - jnp.log1p(jnp.maximum(off, -1 + 1e-300))), mean)

    def derivative(self, y: Vector, b: Vector) -> Vector:
        """1 − b/mean."""
        return 1.0 - b / self._mean(y)

    def second(self, y: Vector, b: Vector) -> Vector:
        """b/mean²."""
        return b / self._mean(y) ** 2

    def conjugate(self, v: Values, b: Values) -> Values:
        """−b − b log((1 − v)/b) − β v for v < 1; attained at the mean b/(1 − v)."""
        numpy = np if isinstance(v + b, np.ndarray) else jnp
        # The mean is no less than β, where y is zero.
        mean = numpy.maximum(b / numpy.where(v < 1, 1.0 - v, 1.0), self.background)
        inside = (v - 1.0) * mean + b * numpy.log(mean) - v * self.background
        return numpy.where(v < 1, inside, numpy.where((v == 1) & (b == 0), 0.0, numpy.inf))

    def check(self, b: np.ndarray) -> None:
        """Counts and frequencies are not negative."""
        if b.min() < 0:
            raise InvalidInput("b", f"negative (least {b.min():g})", "counts >= 0")


#: By the name that files and the command line use.
LOSSES: dict[str, Loss] = {"squared": Squared(), "logistic": Logistic(), "huber": Huber(1.0)}
