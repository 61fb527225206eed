"""A sensing operator whose two maps are NumPy functions."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt

from liftless._checks import positive_int, real_number
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator
from liftless.operators.host import Kept, Sizes, backproject_p, bind, called, measure_p
from liftless.operators.probe import check_adjoint, check_measure
from liftless.operators.sampled import sampled_isotropic
from liftless.operators.spaces import resolved
from liftless.space import Space


class BlackBoxOperator(SensingOperator):
    """A(M) and A*(y) V computed by NumPy code of yours, called from inside compiled code.

    Parameters
    ----------
    measure : callable
        ``measure(U, V)`` = A(½(U Vᵀ + V Uᵀ)) of shape (m,) for float64 arrays of shape (n, r) and
        any r: bilinear and symmetric.
    backproject : callable
        ``backproject(y, V)`` = A*(y) V = Σ_i y_i A_i V of shape (n, r), with symmetric A_i.
    n, m : int
        Rows of the factors, and number of measurements.
    cost : float, optional
        Multiply-adds of one measurement of a single column, m n by default: it says how the
        budget of a search is spent and which starts are worth their price.
    space : Space, optional
        What the factor stands for: symmetric matrices U Uᵀ by default.

    Raises
    ------
    InvalidInput
        A wrong shape or type, a map that is not of that form, or a ``backproject`` that is not the
        adjoint of ``measure``: tried on random factors, with eight calls, and said by the number
        that the test gave.

    Notes
    -----
    The functions get arrays of their own and may write on them.  They may be called from another
    thread than yours, and must not call JAX, which could wait for itself (pass a function of JAX
    to :func:`liftless.operator`).
    """

    number: UInt[AnyArray, ""]
    kept: Kept = eqx.field(static=True)
    sizes: Sizes = eqx.field(static=True)
    work: Float[AnyArray, ""]
    form: Space = eqx.field(static=True)

    def __init__(
        self,
        measure: Callable[[np.ndarray, np.ndarray], Any],
        backproject: Callable[[np.ndarray, np.ndarray], Any],
        n: int | None,
        m: int,
        *,
        cost: float | None = None,
        space: Space | None = None,
    ) -> None:
        self.form = resolved(n, space)
        n, m = self.form.n, positive_int("m", m)
        self.sizes = Sizes(n, m)
        self.kept = Kept(self.sizes, measure, backproject)
        self.number = self.kept.number
        work = m * n if cost is None else real_number("cost", cost, above=0.0)
        # No static field: operators of another cost share their compiled code.
        self.work = np.asarray(work, np.float64)
        X = np.random.default_rng(2).standard_normal((2, n, 2))
        forward = partial(called, "measure", measure, (m,))
        back = partial(called, "backproject", backproject, (n, 2))
        check_measure("measure", forward, n)
        check_adjoint("backproject", lambda U: forward(U, X[1]), lambda y: back(y, X[1]), X[0])

    @property
    def space(self) -> Space:
        """See :meth:`SensingOperator.space`."""
        return self.form

    @property
    def n(self) -> int:
        """Rows of a factor."""
        return self.form.n

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.sizes.m

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`; one call."""
        return bind(measure_p, self.number, self.sizes, U, V)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`; one call."""
        return bind(backproject_p, self.number, self.sizes, y, V)

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`; by rows where these are fewer than unknowns."""
        X = jnp.asarray(X)
        if self.m > X.size:
            return super().jacobian(X)
        return jax.lax.map(lambda e: 2 * self.backproject(e, X), jnp.eye(self.m, dtype=X.dtype))

    def jacobian_cost(self, rank: int) -> int:
        """Return the number of calls: one a row or one an unknown."""
        return min(self.m, self.n * rank)

    def isotropic(self) -> bool:
        """See :meth:`SensingOperator.isotropic`; by some of the A_i, where they cost little."""
        return sampled_isotropic(self)

    def cost(self, columns: int) -> float:
        """See :meth:`SensingOperator.cost`; what was said at the beginning."""
        return float(self.work) * columns
