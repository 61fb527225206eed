"""Fig. 3: the stuck region at a strict saddle, for a large and for an infinitesimal radius."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from liftless.problem import Problem
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    all_cases,
    number_claim,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.ipgd._paths import escape_plane, gradient_paths
from liftless_papers.ipgd.constants import SensingConstants
from liftless_papers.ipgd.sensing import gaussian_sensing

#: Order, measurements and columns for a truth of rank one and eigenvalue one.
ORDER, MEASUREMENTS, COLUMNS = 4, 1000, 3
#: Accuracy, chance of failure; fall of f that counts as an escape in the figure, over f(0).
EPSILON, CHI, FALL = 0.05, 0.1, 0.1
#: Radii, and relative half width of the stuck region that the two escape times of the image have.
RADII: dict[Size, tuple[float, ...]] = {
    "smoke": (1e-2, 1e-6, 1e-15, 1e-50, 1e-100),
    "paper": (1e-2, 1e-3, 1e-6, 1e-10, 1e-15, 1e-30, 1e-50, 1e-100, 1e-200),
}
PGD, IPGD, SHARE = 1e-2, 1e-15, 0.275
#: Distances along v at which the time of the escape is measured, relative to the radius.
OFFSETS = np.logspace(-9, 0, 46)
#: Side of the images; no line of its grid is at the half width above.
SIDE = 41


class Setting(NamedTuple):
    """The saddle at zero, its plane, and the constants of Proposition 12."""

    problem: Problem
    v: Float[np.ndarray, "n r"]
    w: Float[np.ndarray, "n r"]
    curvature: float
    rho: float
    eta: float
    gap: float
    L: float

    @property
    def d(self) -> int:
        """Number of variables."""
        return self.v.size

    def logs(self, gamma: float, power: int) -> float:
        """log^power(1/γ) + log^power(ρ d Δ_f / (χ ε))."""
        rest = math.log(self.rho * self.d * self.gap / (CHI * EPSILON))
        return (-math.log(gamma)) ** power + rest**power

    def drop(self, gamma: float) -> float:
        """F of Proposition 12."""
        return EPSILON**1.5 / (4608 * math.sqrt(self.rho) * self.logs(gamma, 3))

    def time(self, gamma: float) -> int:
        """T_escape, from the end of the proof of Proposition 12."""
        return math.ceil(4 / (self.eta * math.sqrt(self.rho * EPSILON)) * self.logs(gamma, 1))

    def small(self, gamma: float) -> bool:
        """Whether the radius satisfies Lemma 15, the constant of its O(·) taken as 1."""
        log = math.log(self.rho * self.d * self.gap / (CHI * EPSILON))
        return gamma <= min(math.sqrt(EPSILON / self.rho) / log**4, EPSILON / self.L)

    def width(self, gamma: float) -> float:
        """ω of Lemma 15, with the number of perturbations of (23) for F as above."""
        perturbations = max(1.0, self.gap / self.drop(gamma))
        return math.sqrt(2 * math.pi / (self.d + 1)) * CHI / perturbations * gamma

    def guaranteed(self, omega: float, gamma: float) -> float:
        """Right side of (27)."""
        first = EPSILON**1.5 / (576 * math.sqrt(self.rho)) / math.log(1 / omega) ** 3
        return -first + EPSILON * gamma + self.L / 2 * gamma**2


def setting(seed: int) -> Setting:
    """Instance of rank one, with the constants of Proposition 23."""
    problem, truth = gaussian_sensing(ORDER, (1.0,), MEASUREMENTS, COLUMNS, seed)
    zero = np.zeros((ORDER, COLUMNS))
    v, w, curvature, _ = escape_plane(problem, zero)
    c = SensingConstants.of(truth, COLUMNS)
    gap = float(problem.objective(zero))
    return Setting(problem, v, w, curvature, c.rho, 1 / c.L, gap, c.L)


# -- measurements ---------------------------------------------------------------------------------


def escape_times(
    s: Setting, values: Float[np.ndarray, "k T"], drop: float
) -> Float[np.ndarray, " k"]:
    """First step at which f has fallen by ``drop`` below the saddle; inf if there is none."""
    fallen = values - s.gap <= -drop
    return np.where(fallen.any(axis=1), fallen.argmax(axis=1), np.inf)


def line_rows(s: Setting, size: Size) -> tuple[list[Row], list[Row]]:
    """Time of the escape over the distance along v, and the promises of both lemmas."""
    lines: list[Row] = []
    lemmas: list[Row] = []
    # One length for all radii, so that one compiled function serves them.
    steps = s.time(RADII[size][-1])
    for gamma in RADII[size]:
        half = s.width(gamma) / 2
        starts = np.r_[gamma * OFFSETS, half][:, None, None] * s.v
        values = gradient_paths(s.problem, starts, s.eta, steps)[1]
        times = escape_times(s, values, FALL * s.gap)
        lines += [
            {"gamma": gamma, "label": f"{gamma:.0e}", "offset": float(x), "time": float(t)}
            for x, t in zip(OFFSETS, times[:-1], strict=True)
        ]
        if s.small(gamma):
            lemmas.append(_lemmas(s, gamma, values))
    return lines, lemmas


def _lemmas(s: Setting, gamma: float, values: Float[np.ndarray, "k T"]) -> Row:
    """Lemma 15 on all offsets; Lemma 14 on the pair at ω/2 on either side, the last start."""
    omega, given = s.width(gamma), s.time(gamma)
    times = escape_times(s, values, s.drop(gamma))
    stuck = np.r_[gamma * OFFSETS, omega / 2][times > given]
    within = math.ceil(-2 / (s.eta * math.sqrt(s.rho * EPSILON)) * math.log(omega))
    fall = values[-1, : within + 1].min() - s.gap
    return {
        "gamma": gamma,
        "given": given,
        "omega": omega / gamma,
        "stuck": float(stuck.max(initial=0.0)) / omega,
        "within": within,
        "fall": float(fall),
        "promised": s.guaranteed(omega, gamma),
    }


def cut(rows: list[Row], gamma: float, offset: float) -> float:
    """Escape time at one relative distance, interpolated; from there on no nearer point is out."""
    mine = [row for row in rows if row["gamma"] == gamma]
    x = np.log([row["offset"] for row in mine])
    return float(np.interp(np.log(offset), x, [row["time"] for row in mine]))


def images(s: Setting, rows: list[Row]) -> tuple[list[Row], dict[str, float]]:
    """Escaped or stuck over the disc, for two radii and two escape times."""
    short, long = (cut(rows, gamma, SHARE) for gamma in (PGD, IPGD))
    grid = np.linspace(-1.0, 1.0, SIDE)
    a, b = (part.ravel() for part in np.meshgrid(grid, grid, indexing="ij"))
    inside = a**2 + b**2 <= 1 + 1e-9
    out: list[Row] = []
    steps = math.ceil(long) + 1
    for name, gamma, limit in (("pgd", PGD, short), ("same", IPGD, short), ("ipgd", IPGD, long)):
        starts = gamma * (a[:, None, None] * s.v + b[:, None, None] * s.w)
        values = gradient_paths(s.problem, starts, s.eta, steps)[1]
        times = escape_times(s, values, FALL * s.gap)
        out += [
            {"image": name, "a": float(x), "b": float(y), "out": float(t <= limit) if ok else None}
            for x, y, t, ok in zip(a, b, times, inside, strict=True)
        ]
    return out, {"short": short, "long": long}


# -- claims ---------------------------------------------------------------------------------------


def claims(
    s: Setting, rows: list[Row], lemmas: list[Row], pixels: list[Row], size: Size
) -> list[Claim]:
    """Judge the figure, Lemmas 14 and 15 and the growth of the escape time."""
    radii = np.array(RADII[size])
    narrow = 1 / math.sqrt(s.d)
    times = np.array([cut(rows, g, narrow) for g in radii])
    slope = float(np.polyfit(-np.log(radii), times, 1)[0])
    power = float(np.polyfit(np.log(-np.log(radii)), np.log(times), 1)[0])
    seen = [p for p in pixels if p["out"] is not None]
    share = {
        name: float(np.mean([p["out"] for p in seen if p["image"] == name]))
        for name in ("pgd", "same", "ipgd")
    }
    worst = max(row["stuck"] for row in lemmas)
    said = [row for row in lemmas if row["promised"] < 0]
    weakest = min(row["fall"] / row["promised"] for row in said)
    return [
        _band(pixels),
        truth_claim(
            "Fig. 3",
            "A smaller radius needs more iterations, and then its stuck region is as narrow",
            holds=share["same"] == 0 and abs(share["ipgd"] - share["pgd"]) < 0.02,
            measured=f"{share['pgd']:.2f}, {share['same']:.2f}, {share['ipgd']:.2f}",
            expected="equal first and last, 0 between",
            note="Part of the disc that escapes: large radius, small radius, with more iterations.",
        ),
        number_claim(
            "Sec. 2.1",
            "For a stuck width of γ/√d the time grows poly-logarithmically in 1/γ",
            slope,
            1 / math.log1p(s.eta * -s.curvature),
            0.01,
            relative=True,
            note=(
                f"Steps per unit of log(1/γ), against 1/log(1 + η|λ|); γ from {radii[0]:.0e} to "
                f"{radii[-1]:.0e}. The time goes as log(1/γ) to the {power:.2f}: the first power "
                "for one saddle, where the theorem allows the fourth."
            ),
        ),
        truth_claim(
            "Lemma 15",
            "After T_escape the stuck region is at most ω wide along v",
            holds=worst < 0.5,
            measured=worst,
            expected="< 0.5",
            note=(
                "Largest distance from the saddle over ω that is stuck, of those tried, ω/2 and "
                f"multiples of γ down to {OFFSETS[0]:.0e}; with the constants 4608 and 4 of the "
                f"proof, for the {len(lemmas)} radii that it allows."
            ),
        ),
        truth_claim(
            "Lemma 14",
            "Of two points ω apart along v one falls as (27) says within (2/(η√(ρε))) log(1/ω)",
            holds=all_cases(row["fall"] <= row["promised"] for row in lemmas),
            measured=f"{weakest:.0e} times the promise",
            expected=">= 1",
            note=(
                "For the pair at equal distances from the saddle, and ω of Lemma 15. The right "
                f"side of (27) promises a fall for {len(said)} of the {len(lemmas)} radii; for "
                "larger ones its term ε γ makes it positive."
            ),
        ),
    ]


def _band(pixels: list[Row]) -> Claim:
    """Every line along v meets the stuck region in one interval."""
    gaps, widths = 0, []
    mine = [p for p in pixels if p["image"] == "pgd" and p["out"] is not None]
    for b in sorted({p["b"] for p in mine}):
        line = [p["out"] == 0 for p in sorted(mine, key=lambda p: p["a"]) if p["b"] == b]
        gaps += int(np.sum(np.diff(np.r_[False, line, False].astype(int)) == 1) > 1)
        widths.append(sum(line) * 2 / (SIDE - 1))
    return truth_claim(
        "Fig. 3",
        "The stuck region is a band across the direction of negative curvature",
        holds=gaps == 0 and max(widths) < 1,
        measured=max(widths),
        expected=f"about {2 * SHARE:g}",
        note="Largest width over γ along v; every line meets it in one interval.",
    )


# -- figure ---------------------------------------------------------------------------------------

CAPTION = (
    "Sensing, n = {n}, r = 1, r' = {columns}, seed {seed}, at the strict saddle X = 0 (least "
    "curvature {curvature:.2f}); the disc of radius γ in the plane of v (across) and a deviating "
    "direction w. Dark: stuck, f has not fallen by a tenth within T steps of size 1/L; light: "
    "escaped. (a) γ = 1e-2, T = {short:.0f}. (b) γ = 1e-15 and the same T: all is stuck. (c) γ = "
    "1e-15, T = {long:.0f}: the band is as narrow as in (a), relative to γ. (d) Half width of the "
    "band over γ against T: equal lines, shifted by log(1/γ)/log(1 + η|λ|); the level is 1/√d."
)


def _image(letter: str, name: str, title: str) -> Panel:
    where = (("image", name),)
    layer = Layer("disc", "a", "b", "image", "escaped", where, z="out", z_limits=(0.0, 1.0))
    return Panel(f"({letter}) {title}", "v / γ", "w / γ", (layer,), equal=True)


class Fig3(Experiment):
    """Stuck and escape regions."""

    name = "ipgd-fig3"
    paper = "ipgd"
    title = "Stuck and escape regions at a strict saddle, down to γ = 1e-200"
    figures = (
        Figure(
            "regions",
            CAPTION,
            (
                _image("a", "pgd", "γ = 1e-2"),
                _image("b", "same", "γ = 1e-15, same T"),
                _image("c", "ipgd", "γ = 1e-15, longer T"),
                Panel(
                    "(d) width over time",
                    "escape time T",
                    "half width / γ",
                    (Layer("lines", "time", "offset", "line", "γ = {group}", (), "label"),),
                    (Mark("y", "narrow", "1/√d"),),
                    y_scale="log",
                    legend="outside",
                ),
            ),
            columns=2,
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Images and lines; more radii at paper size."""
        s = setting(seed)
        rows, lemmas = line_rows(s, size)
        pixels, limits = images(s, rows)
        values = {
            "n": ORDER,
            "columns": COLUMNS,
            "seed": seed,
            "curvature": s.curvature,
            "narrow": 1 / math.sqrt(s.d),
        }
        out = table("lines", rows) + table("lemmas", lemmas) + table("disc", pixels)
        return Outcome(out, claims(s, rows, lemmas, pixels, size), values | limits)
