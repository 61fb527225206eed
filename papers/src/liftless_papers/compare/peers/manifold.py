"""pymanopt's optimisers on the manifold of positive semidefinite matrices of fixed rank."""

import abc
import contextlib
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from jaxtyping import Float

from liftless_papers.compare.peers.base import Effort, Peer, load
from liftless_papers.compare.peers.host import Enough, Evaluations

#: Least step, relative to the norm of the start, below which pymanopt gives a run up.
LEAST_STEP = 1e-14


class Manifold(Peer):
    """An optimiser of pymanopt on PSDFixedRank(n, r), from the spectral start, then Gaussian ones.

    pymanopt stops at the goal, at a stationary point by the rule of every peer, or with the
    budget; its own tolerances are out of the way.  A value costs one application, the gradient
    another, a Hessian product three.
    """

    needs: ClassVar[str | None] = "peers"
    packages: ClassVar[tuple[str, ...]] = ("pymanopt",)

    @abc.abstractmethod
    def optimise(self, problem: Any, X: Float[np.ndarray, "n r"], limits: dict[str, Any]) -> None:
        """Run pymanopt's optimiser from X."""

    def search(self, effort: Effort) -> str:
        """Start, optimise, start again."""
        while not effort.over:
            X = effort.start(spectral=True)
            limits = {
                "max_time": 1e9,
                "max_iterations": effort.budget,
                "max_cost_evaluations": effort.budget,
                "min_gradient_norm": 0.0,
                "min_step_size": LEAST_STEP * float(np.linalg.norm(X)),
                "verbosity": 0,
            }
            # Its formulas divide zero by zero where a step changes nothing; the run ends there.
            with contextlib.suppress(Enough), np.errstate(all="ignore"):
                self.optimise(_pose(Evaluations(effort), X), X, limits)
        return ""


@final
@dataclass(frozen=True)
class TrustRegion(Manifold):
    """Riemannian trust regions with exact Hessian products.

    Parameters
    ----------
    radius : float
        Largest trust region relative to the norm of the start; the first is an eighth of it.

    Notes
    -----
    Absil, Baker and Gallivan (2007).
    """

    name: ClassVar[str] = "manifold-tr"
    title: ClassVar[str] = "pymanopt trust regions, restarted"

    radius: float = 2.0

    def optimise(self, problem: Any, X: Float[np.ndarray, "n r"], limits: dict[str, Any]) -> None:
        """Trust regions, scaled by the start."""
        rule = load(self.name, "pymanopt.optimizers").TrustRegions(**limits)
        rule.run(problem, initial_point=X, Delta_bar=self.radius * float(np.linalg.norm(X)))


@final
@dataclass(frozen=True)
class ConjugateGradient(Manifold):
    """Riemannian conjugate gradients, with pymanopt's own rule and line search."""

    name: ClassVar[str] = "manifold-cg"
    title: ClassVar[str] = "pymanopt conjugate gradients, restarted"

    def optimise(self, problem: Any, X: Float[np.ndarray, "n r"], limits: dict[str, Any]) -> None:
        """Conjugate gradients."""
        rule = load(self.name, "pymanopt.optimizers").ConjugateGradient(**limits)
        rule.run(problem, initial_point=X)


def _pose(evaluations: Evaluations, X: Float[np.ndarray, "n r"]) -> Any:
    """Pose pymanopt's problem on the manifold of X, on the counted evaluations."""
    pymanopt = load("manifold", "pymanopt")
    manifold = load("manifold", "pymanopt.manifolds").PSDFixedRank(*X.shape)
    on = pymanopt.function.numpy(manifold)
    return pymanopt.Problem(
        manifold,
        # Lambdas, for pymanopt reads a signature and takes positional arguments alone.
        on(lambda X: evaluations.value(X)),  # noqa: PLW0108
        euclidean_gradient=on(lambda X: evaluations.gradient(X)),  # noqa: PLW0108
        euclidean_hessian=on(lambda X, D: evaluations.hessian_product(X, D)),  # noqa: PLW0108
    )
