"""Regularisers of the factor; each is a polynomial of degree at most four along a line."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, is_traced, positive_int, real_array, real_number
from liftless._errors import InvalidInput
from liftless._precision import float64
from liftless._types import AnyArray, Scalar
from liftless.losses import Loss
from liftless.operators import StackedOperator

Factor = Float[AnyArray, "n r"]


class Regulariser(eqx.Module):
    """A nonnegative function of the factor, invariant under X ↦ X Q or not."""

    @abc.abstractmethod
    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """Value at X."""

    @abc.abstractmethod
    def gradient(self, X: Factor) -> Factor:
        """Gradient at X."""

    @abc.abstractmethod
    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Hessian at X applied to D."""

    def curvature(self, X: Factor, D: Factor) -> Float[AnyArray, "n r"]:
        """Positive semidefinite model of the Hessian at X, applied to D.

        The Hessian itself where it is one.
        """
        return self.hessian_product(X, D)

    @abc.abstractmethod
    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        """Coefficients of s ↦ value(X + s D), constant term first."""

    def trace_weight(self) -> Float[AnyArray, ""] | float:
        """Largest known μ with value(X) >= ½ μ tr(X Xᵀ) for every X."""
        return 0.0

    def of_matrix(self) -> bool:
        """Whether the value *is* ½ μ tr(X Xᵀ), a convex function of the matrix."""
        return False

    def check(self, n: int, rank: int) -> None:
        """Raise :class:`InvalidInput` if this does not fit a factor of shape (n, rank)."""
        del n, rank

    def of_width(self, rank: int) -> "Regulariser":
        """Return the same regulariser for factors of another width."""
        del rank
        return self


class Ridge(Regulariser):
    """½ Σ weight_ij X_ij², with one weight, one a column, or one an entry.

    A single weight μ is the trace penalty ½ μ tr(X Xᵀ).

    Parameters
    ----------
    weight : float or array of shape (r,), (n, r) or (n, 1)
        Nonnegative.

    Raises
    ------
    InvalidInput
        A negative or non-finite weight.

    Notes
    -----
    In a factor of more columns than weights (an over-parameterised start) each further column
    weighs as much as the heaviest; a narrower one takes the first weights.
    """

    weight: Float[AnyArray, "..."] | float

    def __init__(self, weight: Any) -> None:
        array = real_array("weight", weight, min(np.ndim(weight), 2))
        if array.size < 1 or (not is_traced(array) and array.min() < 0):
            raise InvalidInput("weight", describe(weight), "finite and >= 0")
        self.weight = array if array.ndim > 0 or is_traced(array) else float(array)

    def check(self, n: int, rank: int) -> None:
        """One weight, one a column, one a row, or one an entry."""
        shape = np.shape(self.weight)
        row = shape[0] if len(shape) == 2 else 1
        column = shape[-1] if shape else 1
        if row not in (1, n) or column not in (1, rank):
            must = f"a number, or of shape ({rank},), ({n}, {rank}) or ({n}, 1)"
            raise InvalidInput("weight", describe(self.weight), must, "One weight a column of X.")

    def of_width(self, rank: int) -> "Ridge":
        """See the class's notes."""
        if np.ndim(self.weight) == 0:
            return self
        return Ridge(_of_width(self.weight, rank))

    def _scale(self, X: Factor) -> Factor:
        return jnp.broadcast_to(_of_width(jnp.asarray(self.weight), X.shape[1]), X.shape)

    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """½ Σ weight X²."""
        return jnp.sum(self._scale(X) * X * X) / 2

    def gradient(self, X: Factor) -> Factor:
        """Weight times X, elementwise."""
        return self._scale(X) * X

    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Weight times D, elementwise."""
        return self._scale(X) * D

    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        """Return the coefficients of a quadratic."""
        w = self._scale(X)
        zero = jnp.zeros((), jnp.result_type(X))
        return jnp.stack(
            [jnp.sum(w * X * X) / 2, jnp.sum(w * X * D), jnp.sum(w * D * D) / 2, zero, zero]
        )

    def trace_weight(self) -> Float[AnyArray, ""] | float:
        """Return the smallest weight."""
        return jnp.min(jnp.asarray(self.weight))

    def of_matrix(self) -> bool:
        """Whether all weights agree; of several traced ones that is not known."""
        if is_traced(self.weight):
            return jnp.size(self.weight) == 1
        return bool(np.ptp(np.asarray(self.weight)) == 0)


def _of_width(weight: Any, width: int) -> AnyArray:
    """Weights of a column or entry cut to ``width`` columns, or extended by the heaviest."""
    if weight.ndim == 0 or weight.shape[-1] in (1, width):
        return weight
    if weight.shape[-1] > width:
        return weight[..., :width]
    numpy = np if isinstance(weight, np.ndarray) else jnp
    more = numpy.repeat(weight.max(-1, keepdims=True), width - weight.shape[-1], axis=-1)
    return numpy.concatenate([weight, more], axis=-1)


class Balance(Regulariser):
    """¼ weight ‖UᵀU − VᵀV‖_F² of a stacked factor X = [U; V], U its first ``split`` rows.

    It takes away the freedom U → U G, V → V G⁻ᵀ of a rectangular factorisation U Vᵀ, down to
    rotations, and leaves the matrix alone: every U Vᵀ has balanced factors, where it vanishes.

    Parameters
    ----------
    split : int
        Rows of U.
    weight : float
        Nonnegative.  The IPGD paper's λ‖UᵀU − VᵀV‖² is weight 4λ; :meth:`natural` has a weight
        of the data's own scale.
    """

    split: int = eqx.field(static=True)
    weight: Scalar

    def __init__(self, split: int, weight: Scalar = 1.0) -> None:
        self.split = positive_int("split", split)
        self.weight = real_number("weight", weight, least=0.0)

    @classmethod
    def natural(
        cls, operator: StackedOperator, weights: Any = None, loss: Loss | None = None
    ) -> "Balance":
        """Regulariser whose curvature at the solution is that of the data term.

        Parameters
        ----------
        operator : RectangularOperator or RectangularEntries
        weights : array of shape (m,), optional
            Row weights of the problem; 1 if left out.
        loss : Loss, optional
            Squared if left out.

        Notes
        -----
        The weight is c/2, where c is the mean eigenvalue of M ↦ A*(w² ℓ'' A(M)) on n1 × n2
        matrices, with ℓ'' taken at zero.  Where the data term is (c/2)‖U Vᵀ − M*‖², its largest
        curvature at a balanced solution is 2 c σ₁, and so is the regulariser's
        (:func:`balance_bound`); the classical ½‖U Vᵀ − M*‖² + ⅛‖UᵀU − VᵀV‖² is c = 1.  The weight
        scales with the data term when the A_i or the row weights do, and it depends on b in no
        other way than through the loss.
        """
        omega = np.ones(operator.m) if weights is None else real_array("weights", weights, 1) ** 2
        if loss is not None:
            with float64():
                zero = np.zeros(operator.m)
                omega = omega * np.asarray(loss.second(zero, zero))
        return cls(operator.n1, operator.mean_square(omega) / 2)

    def _gap(self, X: Factor, Y: Factor) -> Float[AnyArray, "r r"]:
        """Symmetric bilinear form behind UᵀU − VᵀV."""
        X, Y = jnp.asarray(X), jnp.asarray(Y)
        top = X[: self.split].T @ Y[: self.split]
        gap = top - X[self.split :].T @ Y[self.split :]
        return (gap + gap.T) / 2

    def _signed(self, X: Factor) -> Factor:
        sign = jnp.where(jnp.arange(X.shape[0]) < self.split, 1.0, -1.0)
        return sign[:, None].astype(jnp.result_type(X)) * X

    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """¼ weight ‖UᵀU − VᵀV‖²."""
        return self.weight * jnp.sum(self._gap(X, X) ** 2) / 4

    def gradient(self, X: Factor) -> Factor:
        """Weight times [U; −V] (UᵀU − VᵀV)."""
        return self.weight * self._signed(X) @ self._gap(X, X)

    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Return the derivative of the gradient along D."""
        turned = self._signed(D) @ self._gap(X, X) + 2 * self._signed(X) @ self._gap(X, D)
        return self.weight * turned

    def curvature(self, X: Factor, D: Factor) -> Float[AnyArray, "n r"]:
        """Gauss–Newton part of the Hessian."""
        return 2 * self.weight * self._signed(X) @ self._gap(X, D)

    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        """Return the quartic of ¼ weight ‖g0 + s g1 + s² g2‖²."""
        g0, g1, g2 = self._gap(X, X), 2 * self._gap(X, D), self._gap(D, D)
        terms = [
            jnp.sum(g0 * g0),
            2 * jnp.sum(g0 * g1),
            jnp.sum(g1 * g1) + 2 * jnp.sum(g0 * g2),
            2 * jnp.sum(g1 * g2),
            jnp.sum(g2 * g2),
        ]
        return self.weight * jnp.stack(terms) / 4


def balance_bound(weight: float, sigma: float) -> float:
    """Largest Hessian eigenvalue of :class:`Balance` alone at a balanced factor.

    Parameters
    ----------
    weight : float
        Of the regulariser; the IPGD paper's λ is a quarter of it.
    sigma : float
        Largest singular value σ₁ of U Vᵀ.

    Returns
    -------
    float
        4 weight σ₁ (16 λ σ₁ in the paper's convention).  Gradient descent with step η is unstable
        at the solution unless η < 2/bound, that is η < 1/(2 weight σ₁).

    Notes
    -----
    Attained at D = [u; −v] qᵀ/√2 for the leading singular pair u, v and the column q it has in the
    factor: UᵀU − VᵀV then changes at the rate 2√(2σ₁), and D sees ½ weight times its square.
    """
    return 4 * real_number("weight", weight, least=0.0) * real_number("sigma", sigma, least=0.0)
