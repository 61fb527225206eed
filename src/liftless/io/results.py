"""What a recovery found: one flat record, for JSON and for files."""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._version import __version__
from liftless.io.write import write_arrays
from liftless.problem import Problem
from liftless.recovery import Recovery
from liftless.space import Rectangular, Space, Symmetric

#: Most entries of a rectangular matrix that a result holds whole.
LARGEST_MATRIX = 10**7
#: Most undetermined lines that a record lists; it counts them all.
LISTED = 1000

#: What a recovery took over from its certificate.
_FROM_CERTIFICATE = (
    "kind",
    "certified",
    "reason",
    "objective",
    "relative_objective",
    "lower_bound",
    "upper_bound",
    "assumption",
    "gradient_norm",
    "relative_gradient",
    "lambda_n",
    "hessian_least",
    "noise_level",
)


def result_fields(
    problem: Problem, recovery: Recovery, truth: Float[np.ndarray, "n s"] | None = None
) -> dict[str, Any]:
    """Describe a recovery by scalars, and its escapes by a list of such descriptions.

    Parameters
    ----------
    problem : Problem
    recovery : Recovery
    truth : array of shape (n, s), optional
        Adds ``distance`` ‖X Xᵀ − Z Zᵀ‖_F and ``relative_distance``, the same over ‖Z Zᵀ‖_F;
        for a rectangular matrix those of U Vᵀ.

    Returns
    -------
    dict
        For a rectangular matrix also its sides ``n1`` and ``n2``, the ``singular_values`` of U Vᵀ
        and ``imbalance``, ‖UᵀU − VᵀV‖_F over ‖UᵀU‖_F + ‖VᵀV‖_F.
    """
    certificate = recovery.certificate
    unique = recovery.identifiability
    looked = unique if recovery.known is None else recovery.known
    identifiable = None if unique is None else unique.identifiable
    if recovery.known is not None and recovery.known.lines.size:
        identifiable = False
    fields = {name: getattr(certificate, name) for name in _FROM_CERTIFICATE}
    fields |= {
        "certified": bool(certificate.certified),
        "semidefinite": certificate.semidefinite,
    }
    fields |= {
        "n": problem.n,
        "m": problem.m,
        "rank": problem.rank,
        "applications": recovery.nfev,
        "iterations": recovery.nit,
        "rounds": recovery.rounds,
        "agreeing": recovery.agreeing,
        "effective_rank": recovery.effective_rank,
        "sigma": recovery.sigma,
        "sigma_interval": list(recovery.sigma_interval),
        "error_estimate": recovery.error_estimate,
        "seconds": recovery.seconds,
        "seed": recovery.seed,
        "precision": recovery.precision,
        "applications_single": recovery.nfev_single,
        "identifiable": identifiable,
        "determined": None if looked is None else looked.answer,
        "undetermined_lines": [int(k) for k in recovery.undetermined[:LISTED]],
        "undetermined_count": int(recovery.undetermined.size),
        "noise_estimate": math.nan if recovery.completion is None else recovery.completion.sigma,
        "rank_shown": None if recovery.completion is None else recovery.completion.rank,
        "jacobian_rank": None if looked is not unique or unique is None else unique.rank,
        "degrees_of_freedom": problem.degrees_of_freedom,
        "status": recovery.status,
        "success": recovery.success,
        "message": recovery.message,
        "escapes": [candidate.summary() for candidate in recovery.escapes],
        "version": __version__,
    }
    space = problem.operator.space
    if isinstance(space, Rectangular):
        fields |= _rectangular(recovery.x, space)
    return fields | distances(recovery.x, truth, space)


def _rectangular(X: Float[np.ndarray, "n r"], space: Rectangular) -> dict[str, Any]:
    U, V = space.unpack(X)
    size = float(np.linalg.norm(U.T @ U) + np.linalg.norm(V.T @ V))
    return {
        "n1": space.n1,
        "n2": space.n2,
        "singular_values": [float(s) for s in space.spectrum(X)],
        "imbalance": float(np.linalg.norm(U.T @ U - V.T @ V)) / size if size > 0 else 0.0,
    }


def distances(
    X: Float[np.ndarray, "n r"], truth: Float[np.ndarray, "n s"] | None, space: Space
) -> dict[str, float]:
    """Distance of the matrix from the truth, absolute and relative; empty without a truth."""
    if truth is None:
        return {}
    distance, size = space.distance(X, truth), space.size(truth)
    return {
        "distance": distance,
        "relative_distance": distance / size if size > 0 else math.nan,
    }


def save_result(
    path: str | os.PathLike,
    recovery: Recovery,
    fields: Mapping[str, Any],
    *,
    hdf5: bool = False,
) -> None:
    """Write the factor and the fields of :func:`result_fields` to ``.npz`` or ``.mat``.

    A rectangular result has ``U`` and ``V``, and it and a Hermitian one, up to ten million entries,
    ``matrix`` as well.  ``course`` is the JSON text of the events: what was done, h after it,
    applications so far.

    Parameters
    ----------
    path : path
        Written whole or not at all.
    recovery : Recovery
    fields : dict
        Text becomes an array of no dimensions, a list its JSON text, None NaN.
    hdf5 : bool
        Whether a .mat file is of version 7.3 (extra ``hdf5``).

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    arrays = {name: _array(value) for name, value in fields.items()}
    X = np.asarray(recovery.x)
    space = recovery.space
    found = {"factor": recovery.factor}
    if isinstance(space, Rectangular):
        found["U"], found["V"] = space.unpack(X)
    if not isinstance(space, Symmetric) and math.prod(space.shape) <= LARGEST_MATRIX:
        found["matrix"] = recovery.matrix
    found["course"] = _array(
        [[row["event"], row["objective"], row["applications"]] for row in recovery.history]
    )
    write_arrays(path, found | arrays, hdf5=hdf5)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, list) and value and all(isinstance(one, float) for one in value):
        return np.array(value)
    if isinstance(value, (list, tuple, dict)):
        value = json.dumps(plain(value), allow_nan=False)
    return np.asarray(math.nan if value is None else value)


def plain(value: Any) -> Any:
    """Return ``value`` in the types of JSON; NaN and infinities become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
