"""Figure 6: projected descent, its truncated path, and the escape.  Drawn from computed data."""

from typing import ClassVar

import numpy as np

from liftless_papers.experiments.base import Experiment, Outcome, Row, Size, columns, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.sod.basic.basic import Jump, jump, landscape
from liftless_papers.experiments.sod.basic.truncation import (
    BASIC,
    JUMPS,
    PMC,
    REAL,
    Run,
    decrease_claim,
    end_claims,
    escape_claim,
    reference_claims,
    truncation_claim,
)


def _keep(run: Run, path: str = "") -> tuple[tuple[str, object], ...]:
    return (("example", run.label), ("path", path)) if path else (("example", run.label),)


def _matrix_panel(run: Run, x: str, y: str) -> Panel:
    kind, t = JUMPS[run.label][:2]
    sign = {"beta": "β", "gamma": "γ"}[kind]
    return Panel(
        title=f"{run.label}: matrix space",
        x=x,
        y=y,
        layers=(
            Layer("slice", "x", "y", "image", "∛(h/h(x̂) − 1)", _keep(run), z="shape"),
            Layer("slice", "x", "y", "contour", where=_keep(run), z="shape"),
            Layer("escape", "x", "y", "path", f"{sign} points to t = {t:g}", _keep(run)),
            Layer("after", "x", "y", "path", "descent after the jump", _keep(run)),
            Layer("leap", "x", "y", "curve", label="escape", where=_keep(run), dashed=True),
            Layer("points", "x", "y", "text", where=_keep(run), z="name"),
        ),
        legend="outside",
    )


def _ratio_panel(run: Run, scale: str, limits: tuple[float, float], matrix: bool) -> Panel:
    layers = [
        Layer("course", "t", "relative", label="closed form (5.8)", where=_keep(run, "closed")),
        Layer("course", "t", "relative", label="projected descent", where=_keep(run, "exact")),
    ]
    if matrix:
        where = _keep(run, "matrix")
        layers.append(
            Layer("course", "t", "relative", label="linear model, full K", where=where, dashed=True)
        )
    return Panel(
        title=f"{run.label}: lifted objective, l = {run.order}",
        x="step t",
        y="hˡ(w) / hˡ(ŵ)",
        x_scale="log",
        y_scale=scale,
        y_limits=limits,
        layers=tuple(layers),
        marks=(Mark("y", 1.0),),
    )


FIG = Figure(
    name="sod-fig6",
    caption="A schematic in the paper, drawn here from computed data without randomness (settings "
    "of the published notebooks; the paper's text omits those of the basic example and ρ, η of "
    "completion). Basic: l = 3, ρ = 0.1, η = 0.01; completion (n = 3, ε = 0.3): l = 11, ρ = 0.3, "
    "η = 0.01; real-world: l = 5, ρ = η = 0.1, u_n with the sign whose γ point leans to z. First "
    "row: in the basic example projected descent turns to the truth, while the closed form keeps "
    "the weight of a and overshoots; the escape points (5.15) pass the truth, and {after_basic} "
    "steps of descent from t = 660 end at distance {error_basic:.1e}. Second row: in the "
    "real-world example projected descent returns to ŵ = vec(X̂)^⊗l and only the closed form moves "
    "away; {after_real} steps from its γ point at t = 150000 still end at {error_real:.1e}. Third "
    "row: the lifted objective. In the real-world example it is never below its start; in "
    "completion the closed form is still at its start when projected descent is at the truth.",
    panels=(
        Panel(
            title="basic: weights, l = 3",
            x="weight of a",
            y="weight of b + c",
            layers=(
                Layer("plane", "a", "bc", "image", "∛(hˡ/hˡ(ŵ) − 1)", z="shape"),
                Layer("plane", "a", "bc", "contour", z="shape"),
                Layer(
                    "weights", "a", "bc", "path", "closed form to t = 700", _keep(BASIC, "closed")
                ),
                Layer("weights", "a", "bc", "path", "projected descent", _keep(BASIC, "exact")),
                Layer("plane-points", "a", "bc", "text", z="name"),
            ),
            legend="outside",
        ),
        _matrix_panel(BASIC, "x₁", "x₂"),
        Panel(
            title="real-world: weights, l = 5",
            x="step t",
            y="size of the weight",
            x_scale="log",
            y_scale="log",
            y_limits=(1e-5, 3.0),
            layers=tuple(
                Layer(
                    "weights",
                    "t",
                    name,
                    label=f"{name}, {words}",
                    where=_keep(REAL, path),
                    dashed=path == "exact",
                )
                for path, words in (("closed", "closed form"), ("exact", "descent"))
                for name in ("a", "b", "c")
            ),
            legend="outside",
        ),
        _matrix_panel(REAL, "along x̂/‖x̂‖", "along the rest of z"),
        _ratio_panel(REAL, "linear", (0.99, 1.08), matrix=True),
        _ratio_panel(PMC, "log", (1e-6, 1e2), matrix=False),
    ),
    columns=2,
    height=3.2,
)


class Fig6(Experiment):
    """Figure 6 of the SOD paper: what the truncation does."""

    name = "sod-fig6"
    title = "The truncated path and its escape"
    figures: ClassVar[tuple[Figure, ...]] = (FIG,)

    def run(self, size: Size, seed: int) -> Outcome:
        """Evaluate the paths; there is no randomness."""
        del seed
        points = 41 if size == "smoke" else 81
        jumps = {run.label: _jump(run) for run in (BASIC, REAL)}
        rows = [*_plane_rows(points)]
        for run in (BASIC, REAL):
            rows += _slice_rows(run, jumps[run.label], points)
        for run in (BASIC, PMC, REAL):
            rows += _course_rows(run)
        rows += table("jump", [{"example": k, **j.row()} for k, j in jumps.items()])
        claims = [
            *(escape_claim(run, jumps[run.label]) for run in (BASIC, REAL)),
            *(decrease_claim(run) for run in (BASIC, PMC, REAL)),
            *(truncation_claim(run, t) for run, t in ((BASIC, 500), (PMC, 1000), (REAL, 150_000))),
            *end_claims(),
            *reference_claims(long=size == "paper"),
        ]
        values = {
            "after_basic": JUMPS["basic"][3],
            "after_real": JUMPS["real-world"][3],
            "error_basic": jumps["basic"].distance_after,
            "error_real": jumps["real-world"].distance_after,
        }
        return Outcome(rows, claims, values)


def _jump(run: Run) -> Jump:
    kind, t, step, steps = JUMPS[run.label]
    point = run.example.beta_point if kind == "beta" else run.example.gamma_point
    return jump(run.example, kind, point(run.form, t), step, steps)


def _axes(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Axes of the slice: the coordinates for two rows, else X̂ and the rest of the truth."""
    X, Z = run.example.X, run.example.truth
    if len(X) == 2:
        return np.eye(2)[:, :1], np.eye(2)[:, 1:]
    first = X / np.linalg.norm(X)
    second = Z - first * _along(Z, first)
    return first, second / np.linalg.norm(second)


def _along(X: np.ndarray, axis: np.ndarray) -> float:
    return float(np.sum(X * axis))


def _slice_rows(run: Run, leap: Jump, points: int) -> list[Row]:
    example, axes = run.example, _axes(run)
    kind, t_jump = JUMPS[run.label][:2]
    grid = np.linspace(-1.35, 1.35, points)
    x, y, h = landscape(example, *axes, grid, grid)
    shape = np.cbrt(h / example.objective(example.X) - 1)
    rows = columns("slice", example=run.label, x=x, y=y, shape=shape)
    t = np.linspace(0, t_jump, 201) if kind == "beta" else np.geomspace(1, t_jump, 201)
    point = example.beta_point if kind == "beta" else example.gamma_point
    escape = np.stack([point(run.form, float(s)) for s in t])
    for name, path in (("escape", escape), ("after", leap.path)):
        along = [np.sum(path * axis, axis=(1, 2)) for axis in axes]
        rows += columns(name, example=run.label, x=along[0], y=along[1])
    leaps = [example.X, leap.X]
    rows += table(
        "leap",
        [{"example": run.label, "x": _along(X, axes[0]), "y": _along(X, axes[1])} for X in leaps],
    )
    named = {"x̂": example.X, "−x̂": -example.X, "z": example.truth, "−z": -example.truth}
    places = [
        {"example": run.label, "name": k, "x": _along(X, axes[0]), "y": _along(X, axes[1])}
        for k, X in named.items()
    ]
    return rows + table("points", places)


def _plane_rows(points: int) -> list[Row]:
    """The lifted objective of the basic example on its plane; b and c are parallel there."""
    a, bc = np.meshgrid(np.linspace(-0.15, 0.6, points), np.linspace(-0.3, 1.7, points))
    W = np.stack([a.ravel(), bc.ravel(), np.zeros(a.size)], axis=1)
    shape = np.cbrt(BASIC.subspace.relative_path(W) - 1)
    a0 = float(BASIC.subspace.start()[0])
    named = [{"name": "ŵ", "a": a0, "bc": 0.0}, {"name": "truth", "a": 0.0, "bc": 1.0}]
    grid = columns("plane", a=a.ravel(), bc=bc.ravel(), shape=shape)
    return grid + table("plane-points", named)


def _course_rows(run: Run) -> list[Row]:
    """Weights and objective of the closed form and of projected descent."""
    closed = run.closed(np.linspace(0, 700, 351) if run.label == "basic" else run.grid)
    paths = {"closed": closed, "exact": run.exact}
    if run.label == "real-world":
        # A point of positive curvature: elsewhere the linear model grows without bound.
        paths["matrix"] = run.closed(run.grid, "matrix")
    rows: list[Row] = []
    for name, path in paths.items():
        keep = {"example": run.label, "path": name, "t": path.steps}
        rows += columns("course", **keep, relative=path.relative)
        a, b, c = np.abs(path.W.T)
        rows += columns("weights", **keep, a=a, b=b, c=c, bc=run.beside(path.W))
    return rows
