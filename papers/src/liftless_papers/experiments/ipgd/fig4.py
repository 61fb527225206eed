"""Fig. 4: IPGD+ on low-rank matrix recovery; deviation rate, growth of the residual, distance."""

import numpy as np

from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    number_claim,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Kind, Layer, Mark, Panel
from liftless_papers.experiments.ipgd._paths import (
    GAMMA,
    MATRICES,
    VISIBLE,
    Course,
    course_rows,
    courses,
    summary,
)

#: Problems whose residual at γ = 1e-15 is round-off of X.
BITS = ("onebit-sym", "onebit-rect")
#: Sizes: the paper's, and small ones of the same kind.
SMALL = {
    "ms": {"n": 10, "N": 300},
    "mc": {"n": 10},
    "onebit": {"n": 10},
    "sparse": {"d": 60, "N": 120},
}
#: Draws of each problem.
DRAWS: dict[Size, int] = {"smoke": 1, "paper": 3}
#: Slope of log growth on η r̄, equation (127), and how far off it may be.
SLOPE, OFF = 1 / 3, 0.025
#: Growth, in the logarithm, below which a slope says nothing.
GROWN = 0.3
#: Least residual, relative to round-off of X, that can be told from it.
SEEN = 1e-10


def runs(size: Size, seed: int) -> list[Course]:
    """Every problem at γ = 1e-15, and the 1-bit problems once more at a radius that can be seen."""
    found: list[Course] = []
    for name in (*MATRICES, "sparse"):
        sizes = SMALL[name.partition("-")[0]] if size == "smoke" else {}
        seeds = range(seed, seed + DRAWS[size])
        if name in BITS:
            found += courses(name, seeds[:1], GAMMA, **sizes)
            found += courses(name, seeds, VISIBLE, **sizes)
        else:
            found += courses(name, seeds, GAMMA, **sizes)
    return found


# -- claims ---------------------------------------------------------------------------------------


def claims(found: list[Row]) -> list[Claim]:
    """Judge what the paper says about the figure, from the summaries of the runs."""
    clear = [row for row in found if row["gamma"] == VISIBLE or row["problem"] not in BITS]
    return [
        _converged(found),
        _equal(found),
        *_slopes(clear),
        _bound(found, clear),
        _strong(clear),
        _sparse(clear),
    ]


def _converged(found: list[Row]) -> Claim:
    good = sum(row["certified"] and row["distance"] < 1e-5 for row in found)
    worst = max(row["distance"] for row in found)
    return truth_claim(
        "Fig. 4",
        "IPGD+ stays close to the region and converges to a true solution on every problem",
        holds=good == len(found),
        measured=f"{good} of {len(found)} runs, distance at most {worst:.1e}",
        expected="all",
        note="With the adaptive rule: step, escape time and return follow from curvatures.",
    )


def _equal(found: list[Row]) -> Claim:
    seen = [row for row in found if row["residual"] > SEEN]
    tiny = [row for row in found if row["residual"] <= SEEN]
    worst = max(row["mismatch"] for row in seen)
    ratio = max((row["distance"] / row["residual"] for row in tiny), default=1.0)
    return truth_claim(
        "Fig. 4",
        "The final distance to the solutions precisely matches the residual norm in all instances",
        holds=max(row["mismatch"] for row in found) <= 1e-6,
        changed=worst <= 1e-6,
        measured=worst,
        expected=0.0,
        tolerance=1e-6,
        note=(
            f"Relative, over the {len(seen)} runs with a residual above {SEEN:.0e}. Change: only "
            "there. Below it the distance is round-off of X, up to "
            f"{ratio:.1f} times the residual (1-bit)."
        ),
    )


def _slopes(clear: list[Row]) -> list[Claim]:
    out = []
    for name in (*MATRICES, "sparse"):
        mine = [row for row in clear if row["problem"] == name and row["growth"] > GROWN]
        if not mine:
            continue
        values = [row["slope"] for row in mine]
        first = ", ".join(f"{row['first_order_slope']:.3f}" for row in mine)
        out.append(
            number_claim(
                f"eq. (127), {name}",
                "The logarithm of the growth of the residual is about a third of η r̄",
                float(np.mean(values)),
                SLOPE,
                OFF,
                note=(
                    f"Slopes by seed {', '.join(f'{v:.3f}' for v in values)}, at γ = "
                    f"{mine[0]['gamma']:.0e}. Growth over η Σ (r₋ + r₊): {first}."
                ),
            )
        )
    return out


def _bound(found: list[Row], clear: list[Row]) -> Claim:
    worst = max(row["excess"] for row in clear)
    noise = [row for row in found if row not in clear]
    over = max((row["excess"] for row in noise), default=0.0)
    return truth_claim(
        "eq. (126)",
        "The logarithm of the growth is at most η r̄ / 2, at every iteration",
        holds=max(worst, over) <= 1e-6,
        changed=worst <= 1e-6,
        measured=worst,
        expected="<= 0",
        note=(
            "Largest excess over all iterations; what later perturbations add at once is not "
            f"counted. Change: the 1-bit problems at γ = {VISIBLE:.0e}. At γ = {GAMMA:.0e} their "
            f"residual is round-off of X, and exceeds the bound by {over:.2f}."
        ),
    )


def _strong(clear: list[Row]) -> Claim:
    mine = sorted(clear, key=lambda row: row["total"])
    order = np.argsort(np.argsort([row["growth"] for row in mine]))
    rank = float(np.corrcoef(order, np.arange(order.size))[0, 1])
    return truth_claim(
        "Fig. 4",
        "A larger cumulative deviation rate means faster growth of the residual",
        holds=rank > 0.9,
        measured=rank,
        expected="> 0.9",
        note=f"Rank correlation of η r̄_T and the logarithm of the growth over {order.size} runs.",
    )


def _sparse(clear: list[Row]) -> Claim:
    totals = {
        name: [row["total"] for row in clear if row["problem"] == name]
        for name in (*MATRICES, "sparse")
    }
    mean = {name: float(np.mean(values)) for name, values in totals.items()}
    above = [name for name in MATRICES if mean[name] >= mean["sparse"]]
    return truth_claim(
        "sec. 7, sparse recovery",
        "The cumulative deviation rate is larger than in low-rank recovery",
        holds=not above,
        measured=f"η r̄_T = {mean['sparse']:.1f}",
        expected="the largest",
        note="Means: " + ", ".join(f"{name} {value:.1f}" for name, value in mean.items()) + ".",
    )


# -- figures --------------------------------------------------------------------------------------


def _kind(column: str) -> Kind:
    """What a formula gives is a curve."""
    return "curve" if column in ("half", "third") else "line"


def _panels(
    y: str, layers: tuple[tuple[str, str, bool], ...], scale: str, mark: bool
) -> tuple[Panel, ...]:
    def drawn(name: str) -> tuple[Layer, ...]:
        where = (("problem", name),)
        return tuple(
            Layer("course", "t", column, _kind(column), label, where, dashed=dashed)
            for column, label, dashed in layers
        )

    return tuple(
        Panel(
            f"({letter}) {words}",
            "iteration t",
            y,
            drawn(name),
            (Mark("y", 0.0),) if mark else (),
            y_scale=scale,
        )
        for letter, (name, words) in zip("abcdef", MATRICES.items(), strict=True)
    )


SETTING = (
    "IPGD+ with the adaptive rule from X = 0, n = {n}, r' = n, r = 3, spectrum 10, 5, 1, "
    "γ = 1e-15, seed {seed}."
)


class Fig4(Experiment):
    """Six low-rank problems, and the law of growth on all seven."""

    name = "ipgd-fig4"
    paper = "ipgd"
    title = "Deviation rate, residual growth and distance on six low-rank problems"
    figures = (
        Figure(
            "distance",
            SETTING + " Residual ‖X⊥‖ and distance to the solutions. The distance falls in steps, "
            "one for each singular value, and ends at the residual, except for the 1-bit "
            "problems, whose residual is below the round-off of X.",
            _panels(
                "norm",
                (("distance", "distance", False), ("residual", "residual", True)),
                "log",
                False,
            ),
        ),
        Figure(
            "rate",
            SETTING + " Deviation rate times step, η r(x_t). It is positive while singular values "
            "are still missing (in the 1-bit problems only at first), and the residual grows; it "
            "vanishes at the solution.",
            _panels("η r(x_t)", (("eta_rate", "", False),), "linear", True),
        ),
        Figure(
            "growth",
            SETTING + " Logarithm of the growth of the residual, the bound η r̄_t / 2 of (126) and "
            "η r̄_t / 3. The growth follows the third and never crosses the bound, except for the "
            "1-bit problems, where it is round-off of X (compare γ = 1e-10 in the claims).",
            _panels(
                "log(‖x_t⊥‖ / ‖x_0⊥‖)",
                (("growth", "growth", False), ("half", "η r̄/2", True), ("third", "η r̄/3", True)),
                "linear",
                False,
            ),
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Every problem, with three draws each at paper size."""
        found = runs(size, seed)
        shown = [c for c in found if c.run.seed == seed and c.gamma == GAMMA]
        summaries = [summary(c) for c in found]
        rows = table("runs", summaries)
        rows += table("course", [row for c in shown for row in course_rows(c)])
        return Outcome(rows, claims(summaries), {"n": found[0].path.shape[1], "seed": seed})
