"""Rows and panels of the course of an escape: the layout that Figs 8 and 9 have in common."""

from collections.abc import Collection, Mapping

import numpy as np
from jaxtyping import Float, Int

from liftless_papers.experiments.base import Row, columns, table
from liftless_papers.experiments.figures import Layer, Mark, Panel
from liftless_papers.experiments.sod.course.course import (
    Course,
    Factor,
    Jump,
    Values,
    distance,
    distances,
    truth_of,
)

#: Name of the axis of simulated steps.
STEPS_AXIS = "simulated steps t, thousands"
#: Name of the axis of the lifted objective.
LIFTED_AXIS = "hˡ over its value at X̂"
#: Points that the trajectory names; the others would hide it.
DRAWN = ("X̂", "X̌", "Z")
#: Most rows a leg of a descent takes in the tables.
LEG_ROWS = 300


def _thin(length: int) -> Int[np.ndarray, " k"]:
    """Evenly spaced indices with both ends, at most LEG_ROWS + 1 of them."""
    return np.unique(np.linspace(0, length - 1, min(length, LEG_ROWS + 1)).round().astype(int))


def descent_rows(course: Course) -> list[Row]:
    """Both legs: table "descent" with leg, iteration, h, ‖∇h‖, distance, x1, x2, x3.

    The second leg starts at the first jump of the course; its iterations are counted on.
    """
    keys = ("objective", "gradient_norm", "X")
    before = [course.before.history[key] for key in keys]
    after = [course.after.history[key][0] for key in keys]
    return _leg(course, "before", before, 0) + _leg(course, "after", after, len(before[0]) - 1)


def _leg(course: Course, leg: str, history: list[np.ndarray], offset: int) -> list[Row]:
    keep = _thin(len(history[0]))
    h, gradient, X = (values[keep] for values in history)
    return columns(
        "descent",
        leg=leg,
        iteration=keep + offset,
        objective=h,
        gradient=gradient,
        distance=distances(X, truth_of(course.instance)),
        **_coordinates(X),
    )


def _coordinates(X: Float[np.ndarray, "t n r"]) -> dict[str, Values]:
    return {f"x{i + 1}": X[:, i, 0] for i in range(X.shape[1])}


def path_rows(jump: Jump, t: Values) -> list[Row]:
    """The simulated lifted descent: table "path" with both h^l ratios, norms, and h of the points.

    All ratios are to the value at X̂.
    """
    return columns(
        "path",
        t=t,
        thousands=t / 1000,
        lifted=jump.lifted_ratio(t),
        diagonal=jump.diagonal_ratio(t),
        **jump.norms(t),
        gamma_ratio=jump.matrix_ratio("gamma", t),
        beta_ratio=jump.matrix_ratio("beta", t),
    )


def point_rows(
    course: Course, points: Mapping[str, Factor], drawn: Collection[str] = DRAWN
) -> list[Row]:
    """Named points: table "points" with their coordinates, h, ‖∇h‖ and distance to the truth.

    ``drawn`` are those that the trajectory names.
    """
    problem, truth = course.instance.problem, truth_of(course.instance)
    return table(
        "points",
        (
            {
                "point": name,
                "drawn": name in drawn,
                **{f"x{i + 1}": float(x) for i, x in enumerate(X[:, 0])},
                "objective": float(problem.objective(X)),
                "gradient": float(np.linalg.norm(problem.gradient(X))),
                "distance": distance(X, truth),
            }
            for name, X in points.items()
        ),
    )


def leap_rows(course: Course) -> list[Row]:
    """From X̂ to X̌: table "leap" with two rows."""
    ends = np.stack([course.minimum, next(iter(course.jumps.values()))])
    return columns("leap", **_coordinates(ends))


def descent_panel(column: str, title: str, y: str) -> Panel:
    """A quantity against the iteration, before and after the escape."""
    return Panel(
        title=title,
        x="gradient step",
        y=y,
        y_scale="log",
        layers=(
            Layer("descent", "iteration", column, label="before", where=(("leg", "before"),)),
            Layer("descent", "iteration", column, label="after", where=(("leg", "after"),)),
        ),
        marks=(Mark("x", "before_steps", "escape"),),
    )


def course_panels() -> tuple[Panel, ...]:
    """Panels (a) to (c) of the printed figure: h, ‖∇h‖ and the distance to the truth."""
    return (
        descent_panel("objective", "(a) objective", "h(X)"),
        descent_panel("gradient", "(b) gradient", "‖∇h(X)‖"),
        descent_panel("distance", "(c) distance to the truth", "‖X Xᵀ − Z Zᵀ‖"),
    )


def lifted_panel(order: int, limits: tuple[float, float]) -> Panel:
    """Panel (d): h^l on the simulated path, exact and by the surrogate, relative to X̂."""
    return Panel(
        title=f"(d) lifted objective, l = {order}",
        x=STEPS_AXIS,
        y=LIFTED_AXIS,
        layers=(
            Layer("path", "thousands", "lifted", label="exact"),
            Layer("path", "thousands", "diagonal", label="diagonal residuals only", dashed=True),
        ),
        marks=(Mark("y", 1.0), Mark("x", "thousands", "escape")),
        y_limits=limits,
    )


def norms_panel() -> Panel:
    """Panel (e): norms of the three terms of (5.8)."""
    return Panel(
        title="(e) terms of w̃(t)",
        x=STEPS_AXIS,
        y="Frobenius norm",
        y_scale="log",
        layers=tuple(
            Layer("path", "thousands", f"{letter}_term", label=f"{letter}-term") for letter in "abc"
        ),
        marks=(Mark("x", "thousands", "escape"),),
    )


def matrix_panel(scale: str) -> Panel:
    """Objective at the two escape points as t grows, relative to X̂."""
    return Panel(
        title="(g) h at the escape points",
        x=STEPS_AXIS,
        y="h(X̌) / h(X̂)",
        y_scale=scale,
        # Room above the curves for the mark's name.
        y_limits=(None, 30.0) if scale == "log" else (None, None),
        layers=(
            Layer("path", "thousands", "gamma_ratio", label="γ point"),
            Layer("path", "thousands", "beta_ratio", label="β point", dashed=True),
        ),
        marks=(Mark("y", 1.0), Mark("x", "thousands", "escape")),
    )


def trajectory_panel(x: int, y: int, *, equal: bool = True) -> Panel:
    """Panel (f), one projection of the path: descent, leap, descent, and the named points."""
    x_name, y_name, digits = f"x{x}", f"x{y}", " ₁₂₃"
    before, after = (("leg", "before"),), (("leg", "after"),)
    return Panel(
        title=f"(f) path, x{digits[x]} and x{digits[y]}",
        x=f"x{digits[x]}",
        y=f"x{digits[y]}",
        layers=(
            Layer("descent", x_name, y_name, "path", "before", where=before),
            Layer("descent", x_name, y_name, "path", "after", where=after),
            Layer("leap", x_name, y_name, "curve", "escape", dashed=True),
            Layer("points", x_name, y_name, "text", z="point", where=(("drawn", True),)),
        ),
        equal=equal,
    )


def escape_panels(order: int, limits: tuple[float, float], scale: str) -> tuple[Panel, ...]:
    """Panels (a) to (g), which Figs 8 and 9 share.

    ``limits`` are those of the lifted objective in (d), ``scale`` is that of h in (g).
    """
    return (
        *course_panels(),
        lifted_panel(order, limits),
        norms_panel(),
        trajectory_panel(1, 3),
        trajectory_panel(1, 2, equal=False),
        matrix_panel(scale),
    )
