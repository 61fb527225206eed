"""Descent in the lifted space, in coefficients: the exact projected one and the closed forms."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import positive_int, real_array, real_number
from liftless._errors import InvalidInput
from liftless._precision import double
from liftless._types import AnyArray
from liftless.escape.multi_step import MultiStep
from liftless.lifted.subspace import PARALLEL, LiftedSubspace, _mode

#: Sample counts are padded to a multiple of this, so that few lengths are ever compiled.
_PADDING = 256


@dataclass(frozen=True)
class Path:
    """Points of a descent on span{D_i^{⊗l}}.

    Attributes
    ----------
    steps : array of shape (K,)
        Numbers of steps after which the points were taken.
    W : array of shape (K, k)
        Weights of the unit directions.
    objective : array of shape (K,)
        h^l, printed scaling; infinite where it overflows.
    relative : array of shape (K,)
        h^l over h^l of the first direction's lift.
    """

    steps: Float[np.ndarray, " K"]
    W: Float[np.ndarray, "K k"]
    objective: Float[np.ndarray, " K"]
    relative: Float[np.ndarray, " K"]

    @classmethod
    def of(
        cls,
        subspace: LiftedSubspace,
        steps: Float[np.ndarray, " K"],
        W: Float[np.ndarray, "K k"],
    ) -> "Path":
        """Path through given weights."""
        return cls(steps, W, subspace.objective_path(W), subspace.relative_path(W))


class _Step(NamedTuple):
    """One step v ← v − cubic(v, v, v) + linear v in the scaled weights v = W / unit."""

    unit: np.ndarray
    cubic: np.ndarray
    linear: np.ndarray


def _step(subspace: LiftedSubspace, eta: float) -> _Step:
    """Coefficients of W ← W − η G⁺ pull(W), powers taken once.

    The unit of W_i is the weight at which W_i² D_i D_iᵀ alone is measured as large as b: with it
    the coefficients stay moderate at any order.
    """
    f, k = subspace.form, subspace.size
    own = f.log_scale[np.diagonal(f.index)]
    log_unit = np.where(np.isfinite(own), -own / 2, 0.0)
    scale, T, tau = f.log_scale[f.index], f.T[f.index[..., None, None], f.index], f.tau[f.index]
    lead = math.log(eta) + subspace.log_data + scale + log_unit - log_unit[:, None]
    pair = scale + log_unit + log_unit[:, None]
    cubic = np.exp(lead[..., None, None] + pair) * T
    linear = np.exp(lead) * tau
    mix = subspace.gram_inverse * np.exp(log_unit - log_unit[:, None])
    return _Step(np.exp(log_unit), np.tensordot(mix, cubic, 1).reshape(k, k, k, k), mix @ linear)


@jax.jit
def _run(v: AnyArray, cubic: AnyArray, linear: AnyArray, gaps: AnyArray) -> AnyArray:
    """States after gaps[0], gaps[0] + gaps[1], … steps."""

    def step(_: AnyArray, v: AnyArray) -> AnyArray:
        # One fused sum a step: matrix products would be separate calls and cost three times more.
        powers = v[None, :, None, None] * v[None, None, :, None] * v[None, None, None, :]
        fall = jnp.sum(cubic * powers, axis=(1, 2, 3))
        return v - fall + jnp.sum(linear * v[None, :], axis=1)

    def advance(v: AnyArray, gap: AnyArray) -> tuple[AnyArray, AnyArray]:
        v = jax.lax.fori_loop(0, gap, step, v)
        return v, v

    return jax.lax.scan(advance, v, gaps)[1]


@double
def _states(v: np.ndarray, step: _Step, gaps: np.ndarray) -> Any:
    padded = np.zeros(-(-len(gaps) // _PADDING) * _PADDING, np.int64)
    padded[: len(gaps)] = gaps
    return _run(v, step.cubic, step.linear, padded)[: len(gaps)]


def projected_descent(
    subspace: LiftedSubspace,
    W0: Float[np.ndarray, " k"],
    eta: float,
    steps: int,
    *,
    every: int = 1,
    mode: str = "paper",
) -> Path:
    """Projected gradient descent on h^l (algorithm 1 of the SOD paper without its truncation).

    Parameters
    ----------
    subspace : LiftedSubspace
    W0 : array of shape (k,)
        Weights of the start, :meth:`LiftedSubspace.escaped` in the paper.
    eta : float
        Step size.
    steps, every : int
        Number of steps, and how often a point is kept; the first and the last always are.
    mode : {"paper", "exact"}
        η times the gradient printed in Lemma A.1, or times the true gradient, which is 4 times it.

    Returns
    -------
    Path

    Notes
    -----
    W ← W − η G⁺ ⟨D_i^{⊗l}, ∇⟩ is exact: no term is dropped.  A step is a cubic in k numbers whose
    coefficients are computed once, at every order.  Parallel directions get least-norm updates.
    """
    eta, steps = real_number("eta", eta, above=0.0), positive_int("steps", steps)
    every = positive_int("every", every)
    at = np.arange(0, steps + 1, every)
    if at[-1] != steps:
        at = np.r_[at, steps]
    step = _step(subspace, eta * _mode(mode))
    states = np.asarray(_states(W0 / step.unit, step, np.diff(at, prepend=0)))
    return Path.of(subspace, at.astype(np.float64), states * step.unit)


def truncated_path(form: MultiStep, subspace: LiftedSubspace, t: Any, mode: str = "paper") -> Path:
    """Truncated projected descent from w_escape, in closed form.

    Parameters
    ----------
    form : MultiStep
        Coefficients at the point of the subspace; its order must be the subspace's.
    subspace : LiftedSubspace
        Span{a, b, c} of (5.1).
    t : array of shape (K,)
        Numbers of steps, not necessarily integers.
    mode : {"paper", "linear", "matrix"}
        "paper" is (5.8) as printed, with the rate 1 − ηλ_n^l.  "linear" has the rate that the
        gradient gives, 1 − ηω_l with ω_l = p^l − m^l (:func:`rate`).  "matrix" is the whole linear
        model w − a ← (I − ηK)(w − a), K the printed curvature at a on the span: its error is of
        second order in ρ.

    Returns
    -------
    Path
        Infinite weights and objective where the closed form overflows.
    """
    if form.order != subspace.order:
        raise InvalidInput("form", f"of order {form.order}", f"of order {subspace.order}")
    if subspace.size != 3:
        raise InvalidInput("subspace", f"of {subspace.size} directions", "the span of a, b and c")
    t = real_array("t", t, 1)
    if mode == "paper":
        a, b, c = form.log_terms(t)
        with np.errstate(over="ignore"):
            W = np.stack([np.exp(a), np.exp(b), -np.exp(c)], axis=1)
    elif mode == "linear":
        W = _linear(form, subspace, t)
    elif mode == "matrix":
        W = _matrix(form, subspace, t)
    else:
        raise InvalidInput("mode", repr(mode), "'paper', 'linear' or 'matrix'")
    return Path.of(subspace, t, W)


def rate(subspace: LiftedSubspace) -> tuple[float, float, float]:
    """(p, m, ω_l): p = ⟨A(X̂X̂ᵀ), A(Q)⟩, m = ⟨b, A(Q)⟩ and ω_l = p^l − m^l.

    ω_l = ⟨b, H_3⟩/ρ stands where the SOD paper prints λ_n^l = (p − m)^l, because
    (X̂X̂ᵀ)^{⊗l} − (ZZᵀ)^{⊗l} is not (X̂X̂ᵀ − ZZᵀ)^{⊗l}.
    """
    Y = subspace.products
    p = float(subspace.norms[0] ** 2 * (Y[0, 0] @ Y[1, 1]))
    m = float(subspace.b @ Y[1, 1])
    return p, m, p**subspace.order - m**subspace.order


def _linear(form: MultiStep, subspace: LiftedSubspace, t: np.ndarray) -> np.ndarray:
    """(5.8) with ω_l for λ_n^l."""
    growth = -form.eta * rate(subspace)[2]
    if growth <= -1:
        raise InvalidInput("eta", form.eta, "below 1/omega_l", "The linear rate is not positive.")
    with np.errstate(over="ignore"):
        power = t * math.log1p(growth)
        total = t if growth == 0 else np.expm1(power) / growth
        b = form.rho * np.exp(power)
        lead = form.order * (math.log(form.sigma) + float(_log_of(form.norm_EX)))
        c = -form.eta * form.rho * total * math.exp(lead - (form.order - 1) * math.log(2))
    return np.stack([np.full(t.shape, subspace.start()[0]), b, c], axis=1)


def _matrix(form: MultiStep, subspace: LiftedSubspace, t: np.ndarray) -> np.ndarray:
    """Weights of a + (I − ηK)^t ρ b, through the symmetric form of K on the span."""
    a = subspace.start()
    lengths, Q = np.linalg.eigh(subspace.gram())
    live = lengths > PARALLEL * lengths[-1]
    values, vectors = subspace.curvature(a, "paper")
    offset = subspace.escaped(form.rho) - a
    # Columns of ``vectors`` are orthonormal tensors: these are the offset's components.
    parts = vectors.T @ subspace.gram() @ offset
    rest = offset - Q[:, live] @ (Q[:, live].T @ offset)
    base = 1 - form.eta * values
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        signs = np.where(base < 0, (-1.0) ** np.rint(t)[:, None], 1.0)
        powers = signs * np.exp(t[:, None] * np.log(np.abs(base)))
        # A component that is absent stays so, even where its power overflows.
        grown = np.where(parts == 0, 0.0, powers * parts)
        return a + rest + grown @ vectors.T


def _log_of(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf
