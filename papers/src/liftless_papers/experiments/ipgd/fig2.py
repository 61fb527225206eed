"""Fig. 2: where a perturbation at a strict saddle leads, computed on an instance of sensing."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from liftless.problem import Problem
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.ipgd._paths import (
    distances,
    escape_plane,
    gradient_paths,
    hessians,
    thinned,
    uniform_ball,
)
from liftless_papers.ipgd.deviation import deviation_along
from liftless_papers.ipgd.region import SymmetricRegion, split
from liftless_papers.ipgd.samples import saddle_points
from liftless_papers.ipgd.sensing import gaussian_sensing

#: Order, spectrum, measurements and columns; the saddle has the first eigenvalue alone.
ORDER, SPECTRUM, MEASUREMENTS, COLUMNS = 8, (1.0, 0.5), 600, 5
#: Step, steps, and radii of the perturbations: one that is seen, down to round-off.
STEP, STEPS = 0.1, 1500
RADII = (1e-1, 1e-2, 1e-3, 1e-6, 1e-10, 1e-15)
BIG, TINY = RADII[0], RADII[-1]
#: Radii between which the power law of the residual is measured.
POWER = (1e-3, 1e-10)
#: Angles of the paths in the plane, and draws of a perturbation.
ANGLES = 12
DRAWS: dict[Size, int] = {"smoke": 200, "paper": 1000}


class Saddle(NamedTuple):
    """The instance, its strict saddle of rank one, and the plane of the figure there."""

    problem: Problem
    truth: Float[np.ndarray, "n r"]
    z: Float[np.ndarray, "n q"]
    v: Float[np.ndarray, "n q"]
    w: Float[np.ndarray, "n q"]
    along_v: float
    along_w: float

    @property
    def region(self) -> SymmetricRegion:
        """Rank at most that of the truth."""
        return SymmetricRegion(self.truth.shape[1])


def saddle(seed: int) -> Saddle:
    """Return the saddle of rank one that descent from zero passes."""
    problem, truth = gaussian_sensing(ORDER, SPECTRUM, MEASUREMENTS, COLUMNS, seed)
    z = saddle_points(problem, truth)[1]
    return Saddle(problem, truth, z, *escape_plane(problem, z))


# -- rows -----------------------------------------------------------------------------------------


def plane_rows(s: Saddle) -> tuple[list[Row], list[Row]]:
    """Objective over the plane, and descent from a circle in it, seen from the plane."""
    grid = np.linspace(-0.9, 0.9, 41)
    contour = [
        {"a": float(a), "b": float(b), "f": float(s.problem.objective(s.z + a * s.v + b * s.w))}
        for a in grid
        for b in grid
    ]
    angles = (np.arange(ANGLES) + 0.5) * 2 * np.pi / ANGLES
    circle = np.cos(angles)[:, None, None] * s.v + np.sin(angles)[:, None, None] * s.w
    rows: list[Row] = []
    for radius, name in ((0.3, "large"), (TINY, "infinitesimal")):
        paths = gradient_paths(s.problem, s.z + radius * circle, STEP, STEPS)[0] - s.z
        for k in range(ANGLES):
            pick = thinned(paths.shape[1], 60)
            rows += [
                {
                    "radius": name,
                    "path": k,
                    "a": float(np.sum(paths[k, t] * s.v)),
                    "b": float(np.sum(paths[k, t] * s.w)),
                }
                for t in pick
            ]
    return contour, rows


def draw_rows(s: Saddle, seed: int, count: int) -> list[Row]:
    """Isotropic perturbations: their part that escapes and their part that deviates."""
    rng = np.random.default_rng([seed, 42])
    u = np.linalg.svd(s.v)[0][:, 0]
    free = np.linalg.svd(s.z)[2][1:]
    rows = []
    for xi in uniform_ball(rng, count, *s.z.shape):
        residual = split(s.region, s.z + BIG * xi)[1]
        escape = float(np.linalg.norm(u @ xi @ free.T))
        rows.append({"escape": escape, "deviation": float(np.linalg.norm(residual)) / BIG})
    return rows


def path_rows(s: Saddle, seed: int) -> list[Row]:
    """Descent from one perturbation, scaled to each radius: norms and curvatures on the way."""
    xi = uniform_ball(np.random.default_rng([seed, 43]), 1, *s.z.shape)[0]
    xi = xi / np.linalg.norm(xi)
    starts = np.stack([s.z + radius * xi for radius in RADII])
    paths, values = gradient_paths(s.problem, starts, STEP, STEPS)
    pick = thinned(STEPS + 1)
    rows: list[Row] = []
    for radius, path, value in zip(RADII, paths[:, pick], values[:, pick], strict=True):
        d = deviation_along(s.problem, s.region, path)
        # Both norms of the residual and of what of the signal has left the saddle.
        moved = [float(np.linalg.norm(split(s.region, X)[0] - s.z)) for X in path]
        least = np.linalg.eigvalsh(hessians(s.problem, path))[:, 0]
        far = distances(s.region, path, s.truth)
        rows += [
            {
                "radius": f"{radius:.0e}",
                "gamma": radius,
                "t": int(t),
                "residual": float(d.residual[k]),
                "signal": moved[k],
                "distance": float(far[k]),
                "least": float(least[k]),
                "along": float(-d.first_order[k]),
                "value": float(value[k]),
            }
            for k, t in enumerate(pick)
        ]
    return rows


# -- claims ---------------------------------------------------------------------------------------


def claims(s: Saddle, drawn: list[Row], paths: list[Row]) -> list[Claim]:
    """Judge what the figure and its text say."""
    ends = {row["gamma"]: row for row in paths if row["t"] == STEPS}
    slope = float(np.linalg.norm(s.problem.gradient(s.z)))
    ratio = [row["deviation"] / row["escape"] for row in drawn]
    low, middle, high = (float(q) for q in np.quantile(ratio, (0.05, 0.5, 0.95)))
    most = max(row["deviation"] for row in drawn)
    expected = 1 - s.along_w / s.along_v
    fall = np.log([ends[g]["residual"] for g in POWER])
    power = float((fall[0] - fall[1]) / np.log(POWER[0] / POWER[1]))
    return [
        truth_claim(
            "Fig. 2, (a)",
            "The eigenvectors of negative Hessian eigenvalues lead away from the strict saddle",
            holds=slope < 1e-9 and s.along_v < 0 and max(r["distance"] for r in ends.values()) < 1,
            measured=s.along_v,
            expected="< 0",
            note=f"Least curvature at the saddle of rank one, where the gradient is {slope:.0e}.",
        ),
        truth_claim(
            "Fig. 2, (b)",
            "An isotropic perturbation has comparable parts in both directions",
            holds=low > 0.1 and high < 10,
            measured=middle,
            expected="of order 1",
            note=(
                f"Median of deviation over escape, {low:.2f} to {high:.2f} in 90 % of "
                f"{len(drawn)} draws; the deviating directions are the more."
            ),
        ),
        truth_claim(
            "Sec. 2.1",
            "A perturbation of radius γ adds at most γ to the residual",
            holds=most <= 1 + 1e-9,
            measured=most,
            expected="<= 1",
            note="Residual over γ, largest of the draws.",
        ),
        truth_claim(
            "Fig. 2",
            "A large perturbation escapes but drifts from the region, and the algorithm fails",
            holds=ends[BIG]["distance"] > 100 * ends[1e-6]["distance"],
            measured=ends[BIG]["distance"],
            expected=f"far above the {ends[TINY]['distance']:.0e} at γ = {TINY:.0e}",
            note=(
                f"Distance to the solutions after {STEPS} steps, γ = {BIG:g}. The residual then "
                "falls slowly with the objective, it does not stay."
            ),
        ),
        truth_claim(
            "Sec. 1.2",
            "The effect of the perturbation on the residual can be made arbitrarily small",
            holds=power > 0 and ends[TINY]["residual"] < 1e-12,
            measured=ends[TINY]["residual"],
            expected="falls with γ",
            note=(
                f"Residual after {STEPS} steps at γ = {TINY:.0e}. It goes as γ to the {power:.2f}, "
                "not to the first power: the smaller γ, the longer the escape, and the residual "
                f"grows meanwhile; 1 less the ratio of the two curvatures is {expected:.2f}."
            ),
        ),
    ]


# -- figure ---------------------------------------------------------------------------------------

CAPTION = (
    "Sensing, n = {n}, r = 2, r' = {columns}, spectrum 1, 0.5, seed {seed}, at the strict saddle "
    "of rank one. (a) f over the plane of the lowest curvature ({along_v:.2f}, along a) and a "
    "deviating direction ({along_w:.2f}, along b; b = 0 is the region), with descent from a circle "
    "of radius 0.3 and one of 1e-15: the large ones drift off b = 0, the infinitesimal ones stay "
    "on it. (b) Isotropic draws: both parts are comparable (above the dashed line a draw deviates "
    "more than it escapes). (c) Residual (dashed) and distance to the solutions (solid) along "
    "descent from γ = 0.1 and 1e-15. (d) Least curvature of the Hessian and curvature along the "
    "residual for γ = 1e-15: the first is negative until the signal has left the saddle, and the "
    "second, soon a small part of it, makes the residual grow meanwhile."
)


def _course(radius: float, column: str, label: str, dashed: bool = False) -> Layer:
    where = (("radius", f"{radius:.0e}"),)
    return Layer("paths", "t", column, "line", label, where, dashed=dashed)


class Fig2(Experiment):
    """Escape and deviation at a strict saddle."""

    name = "ipgd-fig2"
    paper = "ipgd"
    title = "Escape and deviation of a perturbation at a strict saddle"
    figures = (
        Figure(
            "directions",
            CAPTION,
            (
                Panel(
                    "(a) the plane of both directions",
                    "a (negative curvature)",
                    "b (deviation)",
                    (
                        Layer("contour", "a", "b", "contour", z="f"),
                        *(
                            Layer(
                                "circle",
                                "a",
                                "b",
                                "path",
                                f"{name} γ, {k // 3 + 1}",
                                (("radius", name), ("path", k)),
                                dashed=name == "large",
                            )
                            for name in ("large", "infinitesimal")
                            for k in range(0, ANGLES, 3)
                        ),
                    ),
                    (Mark("y", 0.0),),
                    legend="outside",
                ),
                Panel(
                    "(b) isotropic perturbations",
                    "escaping part / γ",
                    "residual / γ",
                    (
                        Layer("draws", "escape", "deviation", "points", "draws"),
                        Layer("equal", "escape", "deviation", "curve", "equal", dashed=True),
                    ),
                    legend="outside",
                ),
                Panel(
                    "(c) residual and distance",
                    "iteration t",
                    "norm",
                    (
                        _course(BIG, "distance", "distance, γ = 0.1"),
                        _course(BIG, "residual", "residual, γ = 0.1", True),
                        _course(TINY, "distance", "distance, γ = 1e-15"),
                        _course(TINY, "residual", "residual, γ = 1e-15", True),
                    ),
                    y_scale="log",
                    legend="outside",
                ),
                Panel(
                    "(d) curvature on the way",
                    "iteration t",
                    "curvature",
                    (
                        _course(TINY, "least", "least of the Hessian"),
                        _course(TINY, "along", "along the residual", True),
                    ),
                    (Mark("y", 0.0),),
                    legend="outside",
                ),
            ),
            columns=2,
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """One saddle; more draws of the perturbation at paper size."""
        s = saddle(seed)
        contour, circle = plane_rows(s)
        drawn, paths = draw_rows(s, seed, DRAWS[size]), path_rows(s, seed)
        rows = table("contour", contour) + table("circle", circle) + table("draws", drawn)
        line = [{"escape": x, "deviation": x} for x in (0.0, 0.8)]
        rows += table("equal", line) + table("paths", paths)
        values: dict[str, Any] = {"n": ORDER, "columns": COLUMNS, "seed": seed}
        values |= {"along_v": s.along_v, "along_w": s.along_w}
        return Outcome(rows, claims(s, drawn, paths), values)
