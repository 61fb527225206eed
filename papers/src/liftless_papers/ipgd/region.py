"""Implicit regions, the split into signal and residual, and the distance to the solutions.

An implicit region 𝓜 is a set of low dimension that the iterates stay close to although nothing
tells them to (section 2 of the IPGD paper).  A point splits as x = x# + x⊥, the signal x# being
its projection onto 𝓜 and the residual x⊥ the rest.  The three regions here are those of section 7
of the paper; the extra constraints of equation (78) on the angle and the norm are left out there.

A region also knows the spectrum of the Hessian at the signal, as far as the residual sees it.
For a factor problem h(X) = f(X Xᵀ) with gradient matrix G = ∇f(X# X#ᵀ), the directions D with
D X#ᵀ = 0 are mapped by the Hessian to themselves, and the second derivative of f never enters:
∇²h(X#)[D] = S D with the symmetric n × n matrix S = 2 G.  Regularisers only add to S.  The
residual is such a direction, so one n × n eigenproblem replaces that of the Hessian.
"""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from liftless._checks import describe, factor, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._precision import entry
from liftless._types import AnyArray
from liftless.operators import DiagonalOperator
from liftless.problem import Problem
from liftless.regularisers import Ridge
from liftless_papers.ipgd.spectra import added_column, diagonal_curvature, lanczos_spectrum

Factor = Float[AnyArray, "n r"]
Spectrum = tuple[Float[AnyArray, " k"], Float[AnyArray, " k"]]


class Region(eqx.Module):
    """An implicit region 𝓜, given by the split it makes and by what solves the problem in it.

    A subclass is final.  It defines :meth:`parts` and :meth:`distance`; :meth:`spectrum` is
    replaced where the structure gives it exactly.  The methods are plain JAX maps in the
    caller's precision; :func:`split` and :func:`solution_distance` are for concrete arrays.
    """

    @abc.abstractmethod
    def parts(self, X: Factor) -> tuple[Factor, Factor]:
        """Signal X# = P_𝓜(X) and residual X⊥ = X − X#, each of shape (n, r)."""

    @abc.abstractmethod
    def distance(self, X: Factor, Z: Float[AnyArray, "n s"]) -> Float[AnyArray, ""]:
        """Distance of X to the solutions in 𝓜, of which Z is one."""

    def spectrum(self, problem: Problem, signal: Factor, residual: Factor) -> Spectrum:
        """Eigenvalues of ∇²h(X#), and the part of ‖X⊥‖² along the eigenvectors of each.

        Parameters
        ----------
        problem : Problem
        signal, residual : arrays of shape (n, r)
            The residual scaled to norm one.

        Returns
        -------
        values, weights : arrays of shape (k,)
            The weights are nonnegative and add up to one.  Here by Lanczos from the residual:
            Ritz values in place of eigenvalues.
        """
        return lanczos_spectrum(lambda D: problem.hessian_product(signal, D), residual)

    def check(self, problem: Problem) -> None:
        """Raise :class:`InvalidInput` where :meth:`spectrum` does not hold for the problem."""
        del problem


class SymmetricRegion(Region):
    """𝓜 = {X : rank X <= rank}: X# is the singular value decomposition cut at ``rank``.

    Parameters
    ----------
    rank : int
        Rank r of the matrix sought; the factor may have more columns.
    """

    rank: int = eqx.field(static=True)

    def __init__(self, rank: int) -> None:
        self.rank = positive_int("rank", rank)

    def parts(self, X: Factor) -> tuple[Factor, Factor]:
        """See :meth:`Region.parts`."""
        return _cut(X, self.rank)

    def distance(self, X: Factor, Z: Float[AnyArray, "n s"]) -> Float[AnyArray, ""]:
        """See :func:`procrustes_distance`."""
        return _procrustes(X, Z)

    def spectrum(self, problem: Problem, signal: Factor, residual: Factor) -> Spectrum:
        """Exact, by one n × n eigenproblem (see the module)."""
        return _left_spectrum(problem, signal, residual)

    def check(self, problem: Problem) -> None:
        """A ridge of several weights does not act from the left alone."""
        _no_uneven_ridge(problem)


class RectangularRegion(Region):
    """𝓜 = {[U; V] : rank U <= rank, rank V <= rank}: each block cut at ``rank``.

    Parameters
    ----------
    rank : int
        Rank r of the matrix U Vᵀ sought.
    split : int
        Rows of U in the stacked factor X = [U; V].

    Notes
    -----
    The spectrum is exact when U# and V# share their row space, as they do on balanced iterates;
    then it is that of [[0, G], [Gᵀ, 0]] (plus the balance term), whose eigenvalues are ± the
    singular values of G.
    """

    rank: int = eqx.field(static=True)
    split: int = eqx.field(static=True)

    def __init__(self, rank: int, split: int) -> None:
        self.rank = positive_int("rank", rank)
        self.split = positive_int("split", split)

    def parts(self, X: Factor) -> tuple[Factor, Factor]:
        """See :meth:`Region.parts`."""
        top, below = _cut(X[: self.split], self.rank), _cut(X[self.split :], self.rank)
        signal = jnp.concatenate([top[0], below[0]])
        return signal, jnp.concatenate([top[1], below[1]])

    def distance(self, X: Factor, Z: Float[AnyArray, "n s"]) -> Float[AnyArray, ""]:
        """One orthogonal matrix for both blocks; Z = [U*; V*] must be balanced."""
        return _procrustes(X, Z)

    def spectrum(self, problem: Problem, signal: Factor, residual: Factor) -> Spectrum:
        """By one eigenproblem of the order of the stacked factor."""
        return _left_spectrum(problem, signal, residual)

    def check(self, problem: Problem) -> None:
        """The blocks must fill the factor; see also :meth:`SymmetricRegion.check`."""
        if self.split >= problem.n:
            raise InvalidInput("split", self.split, f"less than the order {problem.n}")
        _no_uneven_ridge(problem)


class SparseRegion(Region):
    """𝓜 = {x : x_i = 0 off the support}, for sparse recovery with the factor [u; v].

    Parameters
    ----------
    support : array of shape (n,)
        True where an entry may be nonzero: u_i where θ*_i > 0 and v_i where θ*_i < 0, the region
        of section 7.  ``SparseRegion.of(truth)`` reads it off a true factor.
    """

    support: Bool[AnyArray, " n"]

    def __init__(self, support: Bool[AnyArray, " n"]) -> None:
        self.support = np.asarray(support)

    @classmethod
    def of(cls, truth: Factor) -> "SparseRegion":
        """Return the region of the nonzero rows of ``truth``, of shape (n, r)."""
        return cls(np.any(real_array("truth", truth, 2) != 0, axis=1))

    def parts(self, X: Factor) -> tuple[Factor, Factor]:
        """See :meth:`Region.parts`."""
        inside = jnp.asarray(self.support)[:, None]
        X = jnp.asarray(X)
        zero = jnp.zeros((), X.dtype)
        return jnp.where(inside, X, zero), jnp.where(inside, zero, X)

    def distance(self, X: Factor, Z: Float[AnyArray, "n s"]) -> Float[AnyArray, ""]:
        """Only the signs of the entries are free: ‖|X| − |Z|‖_F."""
        return jnp.linalg.norm(jnp.abs(X) - jnp.abs(Z))

    def spectrum(self, problem: Problem, signal: Factor, residual: Factor) -> Spectrum:
        """Exact: off the support the Hessian is the diagonal 2 diag G."""
        values = diagonal_curvature(problem, signal)
        return values.ravel(), (residual * residual).ravel()

    def check(self, problem: Problem) -> None:
        """The sensing matrices must be diagonal, and no regulariser may couple the entries."""
        if not isinstance(problem.operator, DiagonalOperator) or not all(
            isinstance(g, Ridge) for g in problem.regularisers
        ):
            was = type(problem.operator).__name__
            must = "a problem of a DiagonalOperator, with no regulariser but Ridge"
            raise InvalidInput("problem", was, must, "Take SymmetricRegion, or your own Region.")
        if self.support.shape != (problem.n,):
            raise InvalidInput("support", describe(self.support), f"of shape ({problem.n},)")


# -- entry points for concrete arrays -------------------------------------------------------------


@entry
def split(region: Region, X: Factor) -> tuple[Factor, Factor]:
    """Signal X# and residual X⊥ of a point, equation (6) and before.

    Parameters
    ----------
    region : Region
    X : array of shape (n, r)

    Returns
    -------
    signal, residual : arrays of shape (n, r)
    """
    return region.parts(X)


@entry
def _distance(region: Region, X: Factor, Z: Float[AnyArray, "n s"]) -> Float[AnyArray, ""]:
    return region.distance(X, Z)


def solution_distance(region: Region, X: Any, Z: Any) -> float:
    """dist(X, 𝒳_𝓜): distance of X to the solutions in the region, of which Z is one.

    Parameters
    ----------
    region : Region
    X : array of shape (n, r)
    Z : array of shape (n, s), s <= r
        A true factor; balanced for a rectangular region.
    """
    return float(_distance(region, *_pair(X, Z, isinstance(region, SparseRegion))))


@entry
def _procrustes_entry(X: Factor, Z: Float[AnyArray, "n s"]) -> Float[AnyArray, ""]:
    return _procrustes(X, Z)


def procrustes_distance(X: Any, Z: Any) -> float:
    """Least ‖X − Z O‖_F over s × r matrices O with orthonormal rows.

    Parameters
    ----------
    X : array of shape (n, r)
    Z : array of shape (n, s), s <= r
        For a rectangular problem both are stacked, and one O turns both blocks.

    Notes
    -----
    O is the polar factor of Zᵀ X, and the difference is formed.  The formula through the nuclear
    norm of Zᵀ X cancels: it cannot see a distance below 1e-8 of the size of X.
    """
    return float(_procrustes_entry(*_pair(X, Z, False)))


# -- parts ----------------------------------------------------------------------------------------


def _pair(X: Any, Z: Any, same: bool) -> tuple[Any, Any]:
    X = real_array("X", X, 2)
    Z = factor("Z", Z, X.shape[0])
    if Z.shape[1] > X.shape[1] or (same and Z.shape != X.shape):
        must = f"of shape {X.shape}" if same else f"of at most {X.shape[1]} columns"
        raise InvalidInput("Z", describe(Z), must, "Drop its zero columns.")
    return X, Z


def _cut(X: Factor, rank: int) -> tuple[Factor, Factor]:
    """Singular value decomposition up to ``rank``, and the rest of it."""
    U, s, Vt = jnp.linalg.svd(jnp.asarray(X), full_matrices=False)
    return (U[:, :rank] * s[None, :rank]) @ Vt[:rank], (U[:, rank:] * s[None, rank:]) @ Vt[rank:]


def _procrustes(X: Factor, Z: Float[AnyArray, "n s"]) -> Float[AnyArray, ""]:
    P, _, Qt = jnp.linalg.svd(jnp.asarray(Z).T @ jnp.asarray(X), full_matrices=False)
    return jnp.linalg.norm(jnp.asarray(X) - jnp.asarray(Z) @ (P @ Qt))


def _left_spectrum(problem: Problem, signal: Factor, residual: Factor) -> Spectrum:
    S = added_column(problem, signal)
    values, vectors = jnp.linalg.eigh((S + S.T) / 2)
    return values, jnp.sum((vectors.T @ residual) ** 2, axis=1)


def _no_uneven_ridge(problem: Problem) -> None:
    for g in problem.regularisers:
        if isinstance(g, Ridge) and np.ndim(g.weight) > 0:
            must = "a problem whose Ridge has one weight for all entries"
            raise InvalidInput("problem", "a Ridge of several weights", must)
