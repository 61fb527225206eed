"""Fig. 9: sensing matrices of a real system — one escape with l = 5, and its course."""

import numpy as np

from liftless.instances import Instance, make_instance
from liftless_papers.experiments.base import Experiment, Outcome, Row, Size, columns, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.sod.course.course import (
    Budget,
    Course,
    Ends,
    Factor,
    Jump,
    Simulation,
    basins,
    descend_to_minimum,
    least_ratio,
    run_course,
    run_descent,
    spurious_seed,
    truth_of,
    window_below,
)
from liftless_papers.experiments.sod.course.course_panels import (
    LIFTED_AXIS,
    descent_rows,
    escape_panels,
    leap_rows,
    path_rows,
    point_rows,
)
from liftless_papers.experiments.sod.course.fig9_claims import fig9_claims

#: Section 6.1; ρ and η as in Appendix C.3.
STEPS, ORDER, RHO, ETA = 150000.0, 5, 0.1, 0.1
ORDERS = (3, 5, 7, 9, 11)
BUDGET = Budget(rate=0.1, size=1.0, before=100, after=100)
#: Steps that bring descent to the minimum up to round-off, in addition to the paper's 100.
SETTLE = 2000
COUNT = {"smoke": 40, "paper": 400}

CAPTION = (
    "Six sensing matrices of a real system, (C.2). Gradient descent of step 0.1 from N(0, 1), seed "
    "{seed}: after 100 steps it is {away:.4f} away from the local minimum. From the minimum the γ "
    "point for l = 5, ρ = η = 0.1, t = 150000 is ({x1:.4f}, {x2:.4f}, {x3:.4f}), and 100 more "
    "steps leave an error of {error:.1e}. (a) The jump raises h, {ratio:.4f} times. (d) So it does "
    "the lifted objective: exactly {lifted:.3f} times, and never below 1. The printed decrease is "
    "that of a surrogate, the m diagonal residuals alone ({diagonal:.4f}). (e) The c-term leads "
    "from t = {u_gamma:.0f} on. (f) The path in two projections. (g) h at the two escape points: "
    "only {window_low:.0f} < t < {window_high:.0f} lowers it, and the β point never does. (h) The "
    "exact hˡ stays above its value at X̂ at every order. With the other sign of u_n, which is "
    "free, (d) has {turned:.3f} and {turned_diagonal:.3f}."
)


class Fig9(Experiment):
    """Course of one escape in real-world sensing, and what h and hˡ really do."""

    name = "sod-fig9"
    title = "Real-world sensing: course of one escape"
    figures = (
        Figure(
            name="fig9",
            caption=CAPTION,
            panels=(
                *escape_panels(ORDER, (0.8, 3.2), "linear"),
                Panel(
                    title="(h) exact hˡ at every order",
                    x="simulated steps t / inf U_γ",
                    y=LIFTED_AXIS,
                    x_scale="log",
                    y_limits=(0.9, 2.6),
                    layers=(
                        Layer("orders_path", "share", "lifted", label="l = {group}", group="order"),
                    ),
                    marks=(Mark("y", 1.0),),
                ),
            ),
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Run the course from the first seed >= ``seed`` that descends to the spurious minimum."""
        instance = make_instance("real-world")
        ends = basins(instance, BUDGET, seed, COUNT[size], BUDGET.before)
        settled = basins(instance, BUDGET, seed, COUNT[size], BUDGET.before + SETTLE)
        chosen = spurious_seed(instance, BUDGET, ends)
        before, minimum = descend_to_minimum(instance, BUDGET, chosen)
        jumps = {order: _jump(instance, minimum, order) for order in ORDERS}
        turned = {order: _jump(instance, minimum, order, turned=True) for order in ORDERS}
        main, own = jumps[ORDER], _jump(instance, before.X, ORDER)
        points = {"gamma": main.gamma(STEPS), "beta": main.beta(STEPS)}
        points["own end"] = own.gamma(STEPS)
        course = run_course(instance, BUDGET, chosen, before, minimum, points)
        rest = run_descent(instance.problem, before.X, BUDGET.rate, SETTLE)
        left = float(np.linalg.norm(rest.X - minimum))
        main_row, own_row = _escape_row(course, main, "gamma"), _escape_row(course, own, "own end")
        rows = descent_rows(course) + path_rows(main, np.linspace(1000.0, 200000.0, 200))
        rows += leap_rows(course) + _points(course, main)
        rows += table("escapes", [main_row, _escape_row(course, main, "beta"), own_row])
        rows += _orders_path(jumps) + table("orders", map(_order_row, jumps.values()))
        rows += table("turned", _turned(main, turned[ORDER]))
        rows += table(
            "basins", [_basins(ends, BUDGET.before), _basins(settled, BUDGET.before + SETTLE)]
        )
        values = _values(course, jumps, turned)
        return Outcome(rows, fig9_claims(course, jumps, turned, left, STEPS), values)


def _jump(instance: Instance, X: Factor, order: int, turned: bool = False) -> Jump:
    return Jump.at(instance, X, Simulation(order, RHO, ETA, STEPS), turned=turned)


def _escape_row(course: Course, jump: Jump, name: str) -> Row:
    """One escape: the point, what it does to h and hˡ, and the descent from it."""
    kind, t = "beta" if name == "beta" else "gamma", np.array([STEPS])
    X, errors = course.jumps[name], course.errors(name)
    away = np.linalg.norm(X @ X.T - jump.X @ jump.X.T)
    return {
        "escape": name,
        **{f"x{i + 1}": float(x) for i, x in enumerate(X[:, 0])},
        "ratio": float(jump.matrix_ratio(kind, t)[0]),
        "distance": float(errors[0]),
        "away_over_distance": float(away / errors[0]),
        "error": float(errors[-1]),
        "success_step": course.success_step(name),
        **{k: float(v[0]) for k, v in jump.norms(t).items()},
        "lifted_ratio": float(jump.lifted_ratio(t)[0]),
        "diagonal_ratio": float(jump.diagonal_ratio(t)[0]),
        "lifted_of_point": jump.subspace.rank_one_relative(X),
        "lifted_at_escape_step": float(jump.lifted_ratio(np.array([0.0]))[0]),
    }


def _order_row(jump: Jump) -> Row:
    """What each order l does: ends of U_γ, the least hˡ, and where the γ point lowers h."""
    start = jump.form.u_gamma.lower
    least, at = least_ratio(jump, start * 1e-6, start * 100)
    low, high = jump.steps_where_gamma_lowers()
    diagonal = window_below(jump.diagonal_ratio, start * 1e-3, start * 1e3)
    return {
        "order": jump.form.order,
        "u_beta_from": jump.form.u_beta.lower,
        "u_gamma_from": start,
        "rho_min": jump.form.rho_min,
        "least_lifted": least,
        "least_lifted_at": at,
        "gamma_lowers_from": low,
        "gamma_lowers_to": high,
        "gamma_best": jump.best_ratio("gamma"),
        "beta_best": jump.best_ratio("beta"),
        "diagonal_below_from": diagonal[0],
        "diagonal_below_to": diagonal[1],
    }


def _points(course: Course, main: Jump) -> list[Row]:
    return point_rows(
        course,
        {
            "X̂": main.X,
            "X̌": main.gamma(STEPS),
            "Z": truth_of(course.instance),
            "β": main.beta(STEPS),
            "end of descent": course.before.X,
        },
    )


def _orders_path(jumps: dict[int, Jump]) -> list[Row]:
    """hˡ against t in units of inf U_γ, which puts the orders side by side."""
    share = np.geomspace(1e-2, 1e2, 161)
    rows = []
    for order, jump in jumps.items():
        t = share * jump.form.u_gamma.lower
        rows += columns("orders_path", order=order, share=share, t=t, lifted=jump.lifted_ratio(t))
    return rows


def _turned(main: Jump, turned: Jump) -> list[Row]:
    t = np.array([STEPS])
    return [
        {
            "turned": flag,
            "lifted_ratio": float(jump.lifted_ratio(t)[0]),
            "diagonal_ratio": float(jump.diagonal_ratio(t)[0]),
        }
        for flag, jump in ((False, main), (True, turned))
    ]


def _basins(ends: Ends, steps: int) -> Row:
    return {
        "first_seed": ends.first,
        "starts": int(ends.at_truth.size),
        "steps": steps,
        "truth": float(ends.at_truth.mean()),
        "spurious": float(ends.at_spurious.mean()),
    }


def _values(course: Course, jumps: dict[int, Jump], turned: dict[int, Jump]) -> dict:
    """Numbers of the caption and of the marks."""
    main, t = jumps[ORDER], np.array([STEPS])
    low, high = main.steps_where_gamma_lowers()
    return {
        "seed": course.seed,
        "thousands": STEPS / 1000,
        "before_steps": int(course.before.iterations),
        "away": float(np.linalg.norm(course.before.X - course.minimum)),
        **{f"x{i + 1}": float(x) for i, x in enumerate(main.gamma(STEPS)[:, 0])},
        "error": float(course.errors("gamma")[-1]),
        "ratio": float(main.matrix_ratio("gamma", t)[0]),
        "lifted": float(main.lifted_ratio(t)[0]),
        "diagonal": float(main.diagonal_ratio(t)[0]),
        "turned": float(turned[ORDER].lifted_ratio(t)[0]),
        "turned_diagonal": float(turned[ORDER].diagonal_ratio(t)[0]),
        "u_gamma": main.form.u_gamma.lower,
        "window_low": low,
        "window_high": high,
    }
