"""Fig. 8: perturbed matrix completion, n = 3, ε = 0.3 — one escape with l = 11, and its course."""

import numpy as np

from liftless.instances import Instance, make_instance
from liftless_papers.experiments.base import Experiment, Outcome, Row, Size, columns, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.sod.course.course import (
    Budget,
    Course,
    Ends,
    Jump,
    Simulation,
    basins,
    crossing,
    descend_to_minimum,
    least_ratio,
    run_course,
    spurious_seed,
    truth_of,
)
from liftless_papers.experiments.sod.course.course_panels import (
    LIFTED_AXIS,
    STEPS_AXIS,
    descent_rows,
    escape_panels,
    leap_rows,
    path_rows,
    point_rows,
)
from liftless_papers.experiments.sod.course.fig8_claims import fig8_claims

#: Section 6.1.  The text omits ρ and η; the first pair is the one of the published notebook, the
#: second that of Appendix C.3.
STEPS, ORDER = 59000.0, 11
PAIRS = ((0.3, 0.01), (0.1, 0.1), (0.1, 0.01), (0.01, 0.01))
BUDGET = Budget(rate=0.001, size=0.01, before=6000, after=1000)
COUNT = {"smoke": 40, "paper": 400}

CAPTION = (
    "Perturbed completion, n = 3, ε = 0.3. Gradient descent of step 0.001 from 0.01·N(0, 1), seed "
    "{seed}, for 6000 steps ends near the spurious minimum ±({a:.4f}, 0, −{a:.4f}); it is not "
    "±(1, 0, −1). From the minimum the γ point for l = 11, t = 59000 is ±({gamma:.4f}, 0, "
    "{gamma:.4f}), and 1000 more steps leave an error of {error:.1e}. The paper's text omits ρ and "
    "η: here ρ = 0.3, η = 0.01. (d) hˡ falls to {lifted_min:.3f} of its value at t = "
    "{lifted_min_at:.0f} and then rises; at t = 59000 it is {lifted:.4f}. The surrogate of the m "
    "diagonal residuals says {diagonal:.3f}. (e) The c-term leads from t = {u_gamma:.0f} on. "
    "(f) The path in two projections. (g) h at the two escape points: only a window of t lowers "
    "it. (h) The same t with other ρ, η: at ρ = η = 0.1 hˡ is {worst:.0f} times higher. From "
    "{count} random starts {truth_share:.1%} end at the truth, {spurious_share:.1%} at the minimum."
)


class Fig8(Experiment):
    """Course of one escape in perturbed completion, and what ρ and η change."""

    name = "sod-fig8"
    title = "Perturbed completion: course of one escape"
    figures = (
        Figure(
            name="fig8",
            caption=CAPTION,
            panels=(
                *escape_panels(ORDER, (0.0, 1.6), "log"),
                Panel(
                    title="(h) exact hˡ with other ρ, η",
                    x=STEPS_AXIS,
                    y=LIFTED_AXIS,
                    x_scale="log",
                    y_scale="log",
                    y_limits=(0.1, 300.0),
                    layers=(
                        Layer(
                            "pairs_path",
                            "thousands",
                            "lifted",
                            label="ρ, η = {group}",
                            group="pair",
                        ),
                    ),
                    marks=(Mark("y", 1.0), Mark("x", "thousands", "t = 59000")),
                ),
            ),
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Run the course from the first seed >= ``seed`` that descends to the spurious minimum."""
        instance = make_instance("pmc")
        ends = basins(instance, BUDGET, seed, COUNT[size], BUDGET.before)
        chosen = spurious_seed(instance, BUDGET, ends)
        before, minimum = descend_to_minimum(instance, BUDGET, chosen)
        jumps = {pair: Jump.at(instance, minimum, _simulation(*pair)) for pair in PAIRS}
        own = Jump.at(instance, before.X, _simulation(*PAIRS[0]))
        points = {f"gamma {p}": jump.gamma(STEPS) for p, jump in jumps.items()}
        points |= {f"beta {p}": jump.beta(STEPS) for p, jump in jumps.items()}
        points["own end"] = own.gamma(STEPS)
        course = run_course(instance, BUDGET, chosen, before, minimum, points)
        main = jumps[PAIRS[0]]
        pairs = [_pair_row(course, pair, jump) for pair, jump in jumps.items()]
        values = _values(course, main, ends, pairs)
        rows = descent_rows(course) + path_rows(main, np.linspace(500.0, 80000.0, 160))
        rows += leap_rows(course) + _points(course, main) + table("pairs", pairs)
        rows += _pairs_path(jumps) + table("basins", [_basins(ends)])
        rows += table("turned", _turned(instance, minimum)) + table("own_end", [_own(course, own)])
        return Outcome(rows, fig8_claims(course, jumps, ends, pairs, STEPS), values)


def _simulation(rho: float, eta: float) -> Simulation:
    return Simulation(ORDER, rho, eta, STEPS)


def _pair_row(course: Course, pair: tuple[float, float], jump: Jump) -> Row:
    """One line of the table of (ρ, η) settings at t = 59000."""
    t = np.array([STEPS])
    norms = {name: float(value[0]) for name, value in jump.norms(t).items()}
    gamma, beta = f"gamma {pair}", f"beta {pair}"
    # Amplitudes at which the two points are ±(1, 0, 1) exactly.
    exact = [1 / abs(float(D[0, 0])) for D in (jump.o.gamma_direction, jump.o.beta_direction)]
    return {
        "rho": pair[0],
        "eta": pair[1],
        "u_gamma_from": jump.form.u_gamma.lower,
        "in_u_gamma": STEPS in jump.form.u_gamma,
        "u_beta_empty": jump.form.u_beta.empty,
        "leading": jump.leading(STEPS),
        **norms,
        "gamma_x1": float(jump.gamma(STEPS)[0, 0]),
        "gamma_ratio": float(jump.matrix_ratio("gamma", t)[0]),
        "gamma_distance": float(course.errors(gamma)[0]),
        "gamma_error": float(course.errors(gamma)[-1]),
        "gamma_success_step": course.success_step(gamma),
        "gamma_steps_to_truth": jump.steps_to_gamma(exact[0]),
        "beta_x1": float(jump.beta(STEPS)[0, 0]),
        "beta_ratio": float(jump.matrix_ratio("beta", t)[0]),
        "beta_error": float(course.errors(beta)[-1]),
        "beta_steps_to_truth": jump.steps_to_beta(exact[1]),
        "lifted_ratio": float(jump.lifted_ratio(t)[0]),
        "diagonal_ratio": float(jump.diagonal_ratio(t)[0]),
    }


def _points(course: Course, main: Jump) -> list[Row]:
    truth = truth_of(course.instance)
    return point_rows(
        course,
        {
            "X̂": main.X,
            "X̌": main.gamma(STEPS),
            "Z": truth,
            "β": main.beta(STEPS),
            "end of descent": course.before.X,
        },
        # X̌ is too close to Z to be named beside it.
        drawn=("X̂", "Z"),
    )


def _pairs_path(jumps: dict[tuple[float, float], Jump]) -> list[Row]:
    t = np.geomspace(1e3, 1e6, 121)
    rows = []
    for (rho, eta), jump in jumps.items():
        pair, lifted = f"{rho:g}, {eta:g}", jump.lifted_ratio(t)
        rows += columns("pairs_path", pair=pair, t=t, thousands=t / 1000, lifted=lifted)
    return rows


def _basins(ends: Ends) -> Row:
    return {
        "first_seed": ends.first,
        "starts": ends.at_truth.size,
        "steps": BUDGET.before,
        "truth": float(ends.at_truth.mean()),
        "spurious": float(ends.at_spurious.mean()),
    }


def _turned(instance: Instance, minimum: np.ndarray) -> list[Row]:
    """hˡ for either sign of u_n: here a symmetry of the problem makes them equal."""
    rows, t = [], np.array([STEPS])
    for turned in (False, True):
        jump = Jump.at(instance, minimum, _simulation(*PAIRS[0]), turned=turned)
        exact, diagonal = float(jump.lifted_ratio(t)[0]), float(jump.diagonal_ratio(t)[0])
        rows.append({"turned": turned, "lifted_ratio": exact, "diagonal_ratio": diagonal})
    return rows


def _own(course: Course, own: Jump) -> Row:
    """Return the same escape from where the descent really stopped, 6000 steps."""
    t = np.array([STEPS])
    return {
        "gradient": float(course.before.gradient_norm),
        "from_minimum": float(np.linalg.norm(course.before.X - course.minimum)),
        "gamma_x1": float(own.gamma(STEPS)[0, 0]),
        "lifted_ratio": float(own.lifted_ratio(t)[0]),
        "diagonal_ratio": float(own.diagonal_ratio(t)[0]),
        "error": float(course.errors("own end")[-1]),
    }


def _values(course: Course, main: Jump, ends: Ends, pairs: list[Row]) -> dict:
    """Numbers of the caption and of the marks."""
    least, at = least_ratio(main, 1e3, STEPS * 2)
    first = pairs[0]
    return {
        "seed": course.seed,
        "thousands": STEPS / 1000,
        "before_steps": int(course.before.iterations),
        "a": abs(float(course.minimum[0, 0])),
        "gamma": abs(first["gamma_x1"]),
        "error": first["gamma_error"],
        "lifted": first["lifted_ratio"],
        "diagonal": first["diagonal_ratio"],
        "lifted_min": least,
        "lifted_min_at": at,
        "lifted_above_one": crossing(main.lifted_ratio, at, 1e6),
        "u_gamma": first["u_gamma_from"],
        "worst": max(row["lifted_ratio"] for row in pairs),
        "count": int(ends.at_truth.size),
        "truth_share": float(ends.at_truth.mean()),
        "spurious_share": float(ends.at_spurious.mean()),
    }
