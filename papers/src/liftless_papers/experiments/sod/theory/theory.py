"""Propositions 4.1, 4.2, 5.1 to 5.4 and the lifted saddle, each statement measured."""

from liftless_papers.experiments.base import Experiment, Outcome, Size, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.sod.theory import escape, lift, single, steps
from liftless_papers.experiments.sod.theory.cases import case
from liftless_papers.experiments.sod.theory.lift import Site

#: Name of an example in a row, and how a panel calls it.
_SHOWN = {"basic": "basic, l = 3", "pmc": "completion, l = 11", "real-world": "real-world, l = 5"}


def _path_panel(name: str) -> Panel:
    where = (("case", name),)
    return Panel(
        title=_SHOWN[name],
        x="t (thousand steps)",
        y="h^l(w(t)) / h^l(vec(X)^l)",
        layers=(
            Layer("paths", "thousands", "closed", label="closed form (5.8)", where=where),
            Layer(
                "paths", "thousands", "exact", label="projected descent", where=where, dashed=True
            ),
        ),
        marks=(Mark("y", 1.0, "lifted point"),),
        y_limits=(0.0, 2.5) if name != "real-world" else (0.9, 2.5),
    )


def _error_panel(title: str, x: str, along: str, step: int) -> Panel:
    where = (("along", along), ("step", step))
    return Panel(
        title=title,
        x=x,
        y="error in Frobenius norm",
        layers=(
            Layer("errors", "at", "printed", label="{group}: printed", where=where, group="label"),
            Layer(
                "errors",
                "at",
                "linear",
                label="{group}: linear K",
                where=where,
                group="label",
                dashed=True,
            ),
        ),
        x_scale="log",
        y_scale="log",
    )


class Theory(Experiment):
    """Every statement of the theory that a computation can decide."""

    name = "sod-theory"
    title = "Propositions 4.1, 4.2, 5.1-5.4 and the lifted saddle"
    figures = (
        Figure(
            name="errors",
            caption=(
                "Distance of one exact projected gradient step from the printed truncated step "
                "(solid) and from the linear model with the whole projected curvature K (dashed). "
                "Left: first step, η = {fixed:g}. Right: step {later} to {next}, ρ = η = s. "
                "The printed coefficients err by η ρ (slope 1 left, 2 right); Props. 5.1 and "
                "5.2 claim slopes 2 and 3, which the linear model has."
            ),
            panels=(
                _error_panel("first step", "rho", "rho", 0),
                _error_panel("later step", "s = rho = eta", "both", steps.LATER),
            ),
            columns=2,
            height=3.4,
        ),
        Figure(
            name="curvature",
            caption=(
                "Curvature of h^l at the lifted spurious point along b, over 4 m^l, at every order "
                "l: (p/m)^l - 1 + 2 (stiff/m)^l (left), and with the printed λ_n^l instead "
                "(right). Below zero the lifted point is a strict saddle along b: the basic "
                "example at every l, completion from l = 5 on, the real-world example at none. "
                "The printed formula denies completion at every order."
            ),
            panels=tuple(
                Panel(
                    title=title,
                    x="order l",
                    y="curvature along b / (4 m^l)",
                    layers=(
                        Layer("shown", "order", column, "points", label="{group}", group="case"),
                    ),
                    marks=(Mark("y", 0.0),),
                )
                for title, column in (("exact", "exact"), ("as printed", "printed"))
            ),
            columns=2,
            height=3.2,
        ),
        Figure(
            name="paths",
            caption=(
                "Lifted objective along the truncated closed form (5.8) and along exact projected "
                "descent from the same w_escape, relative to the lifted point. Basic: ρ = 0.1, "
                "η = 0.01. Completion n = 3, ε = 0.3: ρ = 0.3, η = 0.01. Real-world: ρ = "
                "η = 0.1. The closed form falls first and then rises without bound; exact "
                "descent reaches the truth in the first two examples and returns to the lifted "
                "point in the third, where the closed form never goes below it."
            ),
            panels=tuple(_path_panel(name) for name in steps.PATHS),
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """All statements; more sites, points and random problems at paper size."""
        paper = size == "paper"
        examples = [case("basic"), case("real-world"), case("pmc", n=3, eps=0.3)]
        basic, real, pmc = examples
        wide = case("gaussian, r = 2")
        sites = [Site(basic, 3), Site(real, 3), Site(pmc, 3), Site(wide, 3)]
        more = [Site(basic, 5), Site(real, 5)]
        out: list[tuple[str, lift.Parts]] = [
            ("first", lift.first_gradient(sites + more)),
            ("factor", lift.gradient_factor(Site(real, 3), seed)),
            ("stationary", lift.stationarity(sites + more)),
            ("independence", lift.independence(sites)),
            ("dominance", escape.dominance()),
            ("escapes", escape.matrix_decrease()),
            ("conditions", escape.conditions(examples)),
            ("completion", escape.completion_delta()),
            ("rank_one", single.rank_one(sites + more)),
            ("inequality", single.escape_inequality(seed, 40 if paper else 6)),
            ("decrease", steps.decrease((3, 5, 7, 9, 11))),
            ("bounds", steps.sufficiency(40 if paper else 8)),
        ]
        whole = sites + more + ([Site(real, 7), Site(basic, 9), Site(pmc, 5)] if paper else [])
        whole_rows = lift.whole_curvature(whole)
        along = lift.curvature_rows(examples)
        out.append(("curvature", (along, lift.saddle_claims(along, whole_rows))))
        out.append(("whole", (whole_rows, [])))
        out += _steps(sites, 7 if paper else 4, 400 if paper else 150)
        rows = [row for name, (mine, _) in out for row in table(name, mine)]
        shown = [row for row in along if row["odd"] and 3 <= row["order"] <= 21]
        claims = [claim for _, (_, mine) in out for claim in mine]
        values: dict[str, float] = {
            "seed": seed,
            "later": steps.LATER,
            "next": steps.LATER + 1,
        }
        values["fixed"] = steps.FIXED
        return Outcome(rows + table("shown", shown), claims, values)


def _steps(sites: list[Site], points: int, samples: int) -> list[tuple[str, lift.Parts]]:
    """Errors of the truncated steps, and the paths."""
    slopes, errors = steps.error_slopes(sites, points)
    course = steps.course_slopes(sites[1])
    paths = steps.path_rows(samples)
    claims = steps.slope_claims(slopes, course)
    shown = [row for row in errors if not str(row["label"]).startswith("gaussian")]
    return [
        ("slopes", (slopes, claims)),
        ("course", ([course], [])),
        ("errors", (shown, [])),
        ("paths", (paths, [steps.truncation(paths)])),
    ]
