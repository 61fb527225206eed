"""Noisy projected gradient descent of the local-search paper, eq. (4)."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import real_number, traced_whole
from liftless._fields import number
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent.base import Factor, Method, Point
from liftless.descent.sampling import cost_of
from liftless.descent.stochastic import Chance, begin, check_batch, walk
from liftless.descent.stream import check_seed
from liftless.objective import Objective


def project(U: Factor, radius: Scalar) -> Factor:
    """Nearest point of the ball ‖U‖_F <= radius; traceable."""
    length = jnp.linalg.norm(U)
    return U * jnp.minimum(1.0, radius / jnp.where(length > 0, length, 1.0))


class NoisyProjected(Method[Chance]):
    """U ← Proj_b(U − step(Σ_i (⟨A_i, U Uᵀ⟩ − y_i) A_i U + noise·ψ)), ψ uniform with ‖ψ‖_F = 1.

    Eq. (4) of the local-search paper, under which its Theorem 3.3 converges.  The sum is half of
    ∇h, without a factor 4 or 1/m; half of a regulariser's gradient is added to it.

    Parameters
    ----------
    step : float
        η > 0.  κ/(m σ_1) with κ of .1 to .5 for matrices A_i of unit entries.
    radius : float
        b > 0 of the projection; it must be at least ‖U*‖_F.
    noise : float
        1 as printed.
    batch : int, optional
        Sampled measurements a step, their sum scaled by m/batch; None for the whole sum.
    every : int
        Steps an iteration; the stop rule looks this often.
    seed : int

    Notes
    -----
    An operator holds the symmetric part of A_i.  The paper's Gaussian A_i are not symmetric, and
    its A_i U then has an antisymmetric part too, which is no part of the gradient of f.
    """

    step: Scalar
    radius: Scalar
    noise: Scalar
    batch: int | None = eqx.field(static=True)
    every: Whole = number()
    seed: Whole = number(np.uint32)

    def __init__(
        self,
        step: Scalar,
        radius: Scalar,
        noise: Scalar = 1.0,
        batch: int | None = None,
        *,
        every: Whole = 1,
        seed: Whole = 0,
    ) -> None:
        self.step = real_number("step", step, above=0.0)
        self.radius = real_number("radius", radius, above=0.0)
        self.noise = real_number("noise", noise, least=0.0)
        self.batch = check_batch(batch)
        self.every, self.seed = traced_whole("every", every), check_seed(seed)

    @property
    def step_size(self) -> Scalar:
        """The step, by its old name."""
        return self.step

    def init(self, objective: Objective, point: Point) -> Chance:
        """Return the stream of this start."""
        cost_of(objective, self.batch)
        return begin(self.seed, point)

    def advance(self, objective: Objective, point: Point, state: Chance) -> tuple[Point, Chance]:
        """Take ``every`` steps; two applications each, or with a batch as :class:`SGD`."""

        def move(U: Factor, g: Factor, z: Factor, _: Float[AnyArray, ""]) -> Factor:
            psi = z / jnp.linalg.norm(z)
            U = U - self.step * (g / 2 + self.noise * psi)
            return project(U, self.radius)

        return walk(objective, point, state, self.every, self.batch, move)
