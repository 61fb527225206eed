"""Places of points from some of their distances: what is determined, the fit, its errors."""

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from liftless._checks import positive_int
from liftless.descent.sparse_levenberg import sparse_levenberg
from liftless.distances.data import Distances, read
from liftless.distances.fit import fit_of
from liftless.distances.hung import hung, unlikely
from liftless.distances.likeliest import Likeliest, sharpened, with_deviations
from liftless.distances.result import Location, Mirror, Rival
from liftless.distances.rigid import motions, moved_onto
from liftless.distances.rigidity import Rigidity, rigidity
from liftless.distances.search import (
    LAST,
    ROUND_OFF,
    ROUNDS,
    SIGMAS,
    Search,
    anchored,
    connected,
    scaled,
    search,
    unknowns,
)
from liftless.identify.sparse_null import Information
from liftless.linalg import fix_signs

Points = Float[np.ndarray, "n dim"]


def locate(
    pairs: Any,
    d: Any,
    dim: int = 2,
    *,
    anchors: Any = None,
    noise: str = "absolute",
    std: Any = None,
    n: int | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> Location:
    """Find the places of points from distances between some of them.

    Parameters
    ----------
    pairs : array of shape (m, 2)
        Two points a line, by number or by name.
    d : array of shape (m,)
        Their distances, > 0.
    dim : int
        Dimension of the places.
    anchors : dictionary, optional
        Places of points that are known, of ``dim`` coordinates each.
    noise : {"absolute", "relative"}
        Whether ``std`` is in units of ``d``, or a share of it.
    std : float or array of shape (m,), optional
        Standard deviation of the distances; estimated from the fit where it is left out.
    n : int, optional
        Number of points, where some occur in no pair; points are then 0, …, n − 1.
    rounds : int
        Rounds of the search at most.
    seed : int
        Of perturbed starts; the only randomness.

    Returns
    -------
    Location
        The same for the same arguments.

    Raises
    ------
    InvalidInput
        For data or arguments that cannot be used.

    Notes
    -----
    Squared distances are measurements ⟨(e_i − e_j)(e_i − e_j)ᵀ, X Xᵀ⟩ of a matrix of rank ``dim``,
    and anchors fix rows of X.  What is determined follows from the graph alone, for places in
    general position.  The largest determined body is searched for; then the other points
    are put to it.  The last fit is that of the distances themselves, weighted by ``std``.
    """
    began = time.perf_counter()
    seed = positive_int("seed", seed, least=0)
    rounds = positive_int("rounds", rounds)
    data = read(pairs, d, dim, anchors, noise, std, n)
    rigid = rigidity(data.n, data.i, data.j, data.dim, data.anchors)
    found, rivals = _placed(data, rigid, seed, rounds)
    body, where = np.flatnonzero(rigid.determined), found.X[rigid.determined]
    exact, data, X = _sharpened(data, rigid, found)
    # Places of rivals are in the frame that the body had.
    rivals = [
        Rival(body[one.points], moved_onto(one.places, where, X[body]), one.odds) for one in rivals
    ]
    return _told(data, rigid, found, X, exact, tuple(rivals), seed, began)


def _placed(data: Distances, rigid: Rigidity, seed: int, rounds: int) -> tuple[Search, list[Rival]]:
    """Body first, then everything else with the body at rest, then all together."""
    body = rigid.determined
    part, rivals = data.of(body), []
    if part.d.size > 1 and body.sum() > data.dim:
        found = search(part, seed, rounds)
        rivals = _weighed(part, found)
    else:
        found = Search(anchored(part, scaled(part)), 0.0, settled=True)
    if body.all():
        return found, rivals
    X = _around(data, body, found.X)
    fit = fit_of(data)
    held = ~body
    held[data.anchors] = False
    steps = found.steps
    if held.any():  # else what is left are anchors without a distance
        end = sparse_levenberg(replace(fit, free=held), X, steps=LAST)
        X, more = hung(data, held, end.X, seed, rounds)
        steps += end.steps + more
    level = fit.objective(X)
    return Search(X, level, steps, found.rounds, found.settled), rivals


def _weighed(part: Distances, found: Search) -> list[Rival]:
    """Move to the likeliest fit that the noise explains, and say which it does not exclude."""
    known = with_deviations(part, found.X, unknowns(part))
    if not found.settled or found.exact or known is None:
        return []
    likeliest = Likeliest(known, found.X)
    likeliest.sought(found.ends)
    found.X, found.steps = likeliest.best.X, found.steps + likeliest.steps
    return likeliest.rivals()


def _around(data: Distances, body: Bool[np.ndarray, " n"], X: Float[np.ndarray, "b dim"]) -> Points:
    """First places of all points: scaling of each component, moved onto the body."""
    out = np.zeros((data.n, data.dim))
    centre = X.mean(axis=0) if len(X) else np.zeros(data.dim)
    for members in connected(data):
        part = scaled(data.of(members))
        both = members & body
        if both.any():
            where = np.cumsum(body) - 1
            part = moved_onto(part, part[body[members]], X[where[both]])
        else:
            part = part + centre
        out[members] = part
    out[body] = X
    out[data.anchors] = data.places
    return out


def _sharpened(data: Distances, rigid: Rigidity, found: Search) -> tuple[bool, Distances, Points]:
    """Whether the fit is exact, the deviations at the fit, and the best places for distances.

    Where the points outside the body are not fitted it is left at rest: they would bend it.
    """
    fit = fit_of(data)
    zero = fit.objective(np.zeros((data.n, 1)))
    body, X = rigid.determined, found.X
    if unlikely(data, ~body, X).any():
        _, part, steps = sharpened(data.of(body), X[body])
        X = X.copy()
        X[body] = part
        held = ~body
        held[data.anchors] = False
        data = data.reweighted(X)
        end = sparse_levenberg(
            replace(fit_of(data, roots=True), free=held), X, steps=LAST, damping=1e-6
        )
        found.steps += steps + end.steps
        return False, data, _turned(data, end.X)
    end = sparse_levenberg(fit, X, steps=LAST)
    exact = end.objective <= ROUND_OFF * zero
    found.steps += end.steps
    if exact:
        return True, data, _turned(data, end.X)
    data, X, steps = sharpened(data, X)
    found.steps += steps
    return False, data, _turned(data, X)


def _turned(data: Distances, X: Points) -> Points:
    """Places centred and along their principal axes, where no anchors fix them."""
    if not data.anchors.size:
        X = X - X.mean(axis=0)
        U, s, _ = np.linalg.svd(X, full_matrices=False)
        X = np.pad(fix_signs(U) * s, ((0, 0), (0, data.dim - s.size)))
    return X


def _told(
    data: Distances,
    rigid: Rigidity,
    found: Search,
    X: Points,
    exact: bool,
    rivals: tuple[Rival, ...],
    seed: int,
    began: float,
) -> Location:
    from scipy.special import chdtrc

    residuals = (data.lengths(X) - data.d) / data.shape
    sigma, free = _errors(data, rigid, X)
    square, dof = float(residuals @ residuals), data.d.size - free
    chi2 = pvalue = math.nan
    scale = math.sqrt(square / dof) if dof > 0 else math.nan
    if data.std is not None and dof > 0:
        chi2, pvalue = square / dof, float(chdtrc(dof, square))
    kind = "exact" if exact else "fitted"
    if not exact and data.std is not None and square > dof + SIGMAS * math.sqrt(2 * max(dof, 1)):
        kind = "stationary"
    if not exact and data.std is None and not found.settled:
        kind = "stationary"
    if data.std is None:
        sigma[np.isfinite(sigma)] *= 0.0 if exact else scale
    unit = 1.0 if data.std is not None or data.relative else float(np.median(data.d))
    mirrors = tuple(Mirror(points, near) for points, near in rigid.mirrors)
    return Location(
        names=data.names,
        points=X,
        determined=rigid.determined,
        flexible=rigid.flexible,
        mirrors=mirrors,
        rivals=rivals,
        sigma=sigma,
        kind=kind,
        message=_message(data, rigid, kind, rivals),
        noise=0.0 if exact else scale * unit,
        chi2=chi2,
        pvalue=pvalue,
        residuals=residuals,
        pairs=np.stack([data.i, data.j], axis=1),
        anchors=data.anchors,
        steps=found.steps,
        rounds=found.rounds,
        seed=seed,
        seconds=time.perf_counter() - began,
    )


def _errors(data: Distances, rigid: Rigidity, X: Points) -> tuple[Points, int]:
    """Standard deviations of the coordinates in units of the readings', and the free unknowns."""
    sigma = np.full(X.shape, np.inf)
    still = ~rigid.flexible
    sigma[data.anchors] = 0.0
    part = data.of(still)
    free = np.ones(part.n, bool)
    free[part.anchors] = False
    moving = data.dim * int(np.sum(rigid.flexible & ~np.isin(np.arange(data.n), data.anchors)))
    if not free.any() or not part.d.size:
        return sigma, moving
    fit = fit_of(part, roots=True)
    gauge = motions(X[still], part.anchors)[np.repeat(free, data.dim)]
    told = Information(fit.jacobian(X[still]), gauge)
    places = np.flatnonzero(still)[free]
    # In the frame of the body: centre and turn of points that hardly hold are not its.
    body = rigid.determined[places]
    frame = np.repeat(body, data.dim) if body.sum() > data.dim else None
    sigma[places] = np.sqrt(told.variances(frame)).reshape(-1, data.dim)
    count = data.dim * int(free.sum()) - gauge.shape[1]
    # Points that can move have fewer distances than coordinates, as a whole.
    return sigma, count + min(moving, data.d.size - part.d.size)


def _message(data: Distances, rigid: Rigidity, kind: str, rivals: tuple[Rival, ...]) -> str:
    lead = {
        "exact": "Every distance is fitted to round-off.",
        "fitted": "The distances are fitted within their noise."
        if data.std is not None
        else "Several rounds end at one misfit, which tells the noise.",
        "stationary": "NOT fitted: the misfit is more than the noise explains."
        if data.std is not None
        else "No two rounds agree: another fit may be better. Pass more rounds, or std.",
    }[kind]
    words = [lead]
    open_ = int((~rigid.determined).sum())
    if open_:
        words.append(
            f"{open_} of {data.n} points are NOT determined: {int(rigid.flexible.sum())} can move, "
            f"{sum(points.size for points, _ in rigid.mirrors)} have another place. "
            "More distances of these, or anchors, would tell."
        )
    if rivals:
        count = np.unique(np.concatenate([one.points for one in rivals])).size
        words.append(f"Determined, but with another place that noise does not exclude: {count}.")
    if 0 < data.anchors.size <= data.dim:
        words.append("The anchors do not tell the whole from its mirror image.")
    return " ".join(words)
