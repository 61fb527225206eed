"""Units in which no number over- or underflows: powers of two, and only where they are needed.

b → 2ᵏ b, w → 2ᵛ w and A → 2ʲ A turn the minimiser X into 2^((k−j)/2) X and h into 2^(2(k+v)) h,
exactly: powers of two change no digit.
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from liftless._precision import float64
from liftless.certificate.kinds import Certificate
from liftless.operators import SensingOperator, measure
from liftless.operators.compose import weighted
from liftless.problem import Problem
from liftless.regularisers import Ridge

#: Data between 2 to minus this and to this power are left as they are.
ORDINARY = 60
#: Arrays of an operator within half of these powers make ordinary measurements.
PLAIN = ORDINARY // 2


@dataclasses.dataclass(frozen=True)
class Units:
    """Exponents of what a problem was divided by.

    Attributes
    ----------
    data, weights, factor : int
        Of b, of the row weights, and of X.
    """

    data: int
    weights: int
    factor: int

    def back(self, value: float, *, h: int = 0, x: int = 0, b: int = 0) -> float:
        """Value in the caller's units: ``h``, ``x`` and ``b`` are its powers of each."""
        height = 2 * (self.data + self.weights)
        power = h * height + x * self.factor + b * (self.data + self.weights)
        try:
            return math.ldexp(float(value), power)
        except OverflowError:
            return math.copysign(math.inf, value)

    def inside(self, value: Any, *, x: int = 0, b: int = 0) -> Any:
        """Value of the caller in the units of the problem; None stays None."""
        if value is None:
            return None
        return np.ldexp(value, -(x * self.factor + b * (self.data + self.weights)))

    def outside(self, X: Any) -> Any:
        """Factor in the caller's units."""
        return np.ldexp(X, self.factor)

    def certificate(self, point: Certificate) -> Certificate:
        """Certificate in the caller's units."""
        heights = ("objective", "lower_bound", "upper_bound", "noise_level")
        fields = {name: self.back(getattr(point, name), h=1) for name in heights}
        for name in ("lambda_n", "hessian_least", "hessian_largest"):
            fields[name] = self.back(getattr(point, name), h=1, x=-2)
        fields["gradient_norm"] = self.back(point.gradient_norm, h=1, x=-1)
        fields["assumed_trace"] = self.back(point.assumed_trace, x=2)
        return dataclasses.replace(point, **fields)

    def row(self, row: dict) -> dict:
        """Row of a history in the caller's units."""
        fields: dict[str, Any] = {"objective": self.back(row["objective"], h=1)}
        if "values" in row:
            fields["values"] = np.array([self.back(v, h=1) for v in row["values"]])
        return row | fields


def _exponent(values: Any) -> int:
    """Power of two of the largest magnitude, 0 where it is ordinary, and even."""
    largest = float(np.max(np.abs(np.asarray(values)), initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return 0
    power = math.frexp(largest)[1]
    return 0 if abs(power) <= ORDINARY else power - power % 2


def _largest(leaf: Any) -> float:
    """Largest magnitude of a real or imaginary part; of a sharded array where its parts lie."""
    if isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) > 1:
        with float64():
            return float(_size(leaf))
    array = np.asarray(leaf)
    real = array.view(np.real(array).dtype) if array.dtype.kind == "c" else array
    return float(max(real.max(), -real.min()))


@jax.jit
def _size(a: jax.Array) -> jax.Array:
    return jnp.maximum(jnp.max(jnp.abs(jnp.real(a))), jnp.max(jnp.abs(jnp.imag(a))))


def _operator_exponent(operator: SensingOperator) -> int:
    """The same of the measurements of a matrix of ordinary size."""
    for leaf in jax.tree.leaves(operator):
        if np.dtype(getattr(leaf, "dtype", type(leaf))).kind in "fc" and np.size(leaf):
            largest = _largest(leaf)
            if largest > 0 and abs(math.frexp(largest)[1]) > PLAIN:
                X = np.random.default_rng(0).standard_normal((operator.n, 1))
                return _exponent(measure(operator, X, X))
    return 0


def in_units(problem: Problem) -> tuple[Problem, Units] | None:
    """Same problem with ordinary numbers, and what it was divided by; None where it has them."""
    data = _exponent(problem.b) if problem.loss.quadratic else 0
    weights = _exponent(problem.weights) if problem.loss.quadratic else 0
    operator = _operator_exponent(problem.operator)
    given = [g for g in problem.regularisers if isinstance(g, Ridge)]
    plain = len(given) == len(problem.regularisers)
    if not (data or weights or operator) or not plain:
        return None
    units = Units(data, weights, (data - operator) // 2)
    scaled = problem.operator
    if operator:
        scaled = weighted(scaled, math.ldexp(1.0, -operator))
    height = -2 * (data + weights) + 2 * units.factor
    ridges = tuple(Ridge(np.ldexp(np.asarray(g.weight), height)) for g in given)
    fields = (
        scaled,
        np.ldexp(np.asarray(problem.b, float), -data),
        np.ldexp(np.asarray(problem.weights, float), -weights),
        ridges,
    )

    def parts(p: Problem) -> tuple:
        return p.operator, p.b, p.weights, p.regularisers

    return eqx.tree_at(parts, problem, fields), units
