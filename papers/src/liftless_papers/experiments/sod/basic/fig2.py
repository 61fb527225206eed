"""Figure 2: does lifting turn a spurious minimum into a saddle?  Drawn from computed data."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from liftless.lifted import LiftedSubspace, Path, Saddle, projected_descent, strict_saddle
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    all_cases,
    columns,
    number_claim,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.sod.basic.basic import SUCCESS, Example, landscape, plain_path

#: Escape step of every lifted descent.
RHO = 0.1
#: Orders for which the curvature along b is compared.
ORDERS = tuple(range(1, 26))


@dataclass(frozen=True)
class Slice:
    """One example and order, with what is drawn of it.

    Attributes
    ----------
    name, label : str
        Name of the instance, and in legends.
    order : int
    offset : float
        Start 0.3 X̂ + offset · second axis of descent in the matrix space.
    rate, steps : float, int
        Its step size and number of steps.
    eta, lifted_steps : float, int
        The same for projected descent in the lifted plane.
    """

    name: str
    label: str
    order: int
    offset: float
    rate: float
    steps: int
    eta: float
    lifted_steps: int

    @cached_property
    def example(self) -> Example:
        """The example at its spurious point."""
        given = {"n": 3, "eps": 0.3} if self.name == "pmc" else {}
        return Example.named(self.name, **given)

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit factors of the slice: X̂ and the part of the truth orthogonal to it."""
        first = self.example.X / np.linalg.norm(self.example.X)
        second = self.example.truth - first * float(np.sum(first * self.example.truth))
        return first, second / np.linalg.norm(second)

    @cached_property
    def saddle(self) -> Saddle:
        """Curvature at vec(X̂)^{⊗l}."""
        example = self.example
        return strict_saddle(example.problem, example.X, self.order, o=example.oracle)

    @cached_property
    def plane(self) -> LiftedSubspace:
        """Span of a and b alone."""
        example = self.example
        directions = [example.X, example.oracle.beta_direction]
        return LiftedSubspace.of(example.problem, directions, self.order, ("a", "b"))

    @cached_property
    def path(self) -> Float[np.ndarray, "p n r"]:
        """Descent in the matrix space."""
        first, second = self.axes
        X0 = 0.3 * np.linalg.norm(self.example.X) * first + self.offset * second
        return plain_path(self.example.problem, X0, self.rate, self.steps)

    @cached_property
    def lifted_path(self) -> Path:
        """Projected descent in the plane from a + ρ b, 200 points of it."""
        start = self.plane.escaped(RHO)
        every = max(self.lifted_steps // 200, 1)
        return projected_descent(self.plane, start, self.eta, self.lifted_steps, every=every)

    @property
    def key(self) -> str:
        """Name of the example with the order."""
        return f"{self.label}, l = {self.order}"


SLICES = (
    Slice("basic", "basic", 3, 0.01, 0.01, 500, 0.01, 2000),
    Slice("pmc", "completion", 5, 0.05, 0.01, 500, 0.001, 20_000),
    Slice("real-world", "real-world", 3, 0.05, 0.1, 500, 0.1, 20_000),
)
#: Judged, and drawn along b, but not as landscapes.
OTHERS = (
    Slice("pmc", "completion", 3, 0.05, 0.01, 500, 0.001, 20_000),
    Slice("real-world", "real-world", 5, 0.05, 0.1, 500, 0.1, 500_000),
)
#: Reference values of the curvature along b, for every slice.
REFERENCE = {
    ("basic", 3): -3.515625,
    ("completion", 5): None,
    ("real-world", 3): 0.02106142,
    ("completion", 3): 1.229042,
    ("real-world", 5): 6.27282e-4,
}


def _panels(s: Slice) -> tuple[Panel, Panel]:
    keep = (("example", s.key),)
    shown = "∛(h/h(x̂) − 1)"
    matrix = Panel(
        title=f"{s.label}: matrix space",
        x="along x̂/‖x̂‖",
        y="along the rest of z",
        layers=(
            Layer("matrix", "x", "y", "image", shown, keep, z="shape"),
            Layer("matrix", "x", "y", "contour", where=keep, z="shape"),
            Layer("matrix-path", "x", "y", "path", "gradient descent", keep),
            Layer("matrix-points", "x", "y", "text", where=keep, z="name"),
        ),
        legend="outside",
    )
    lifted = Panel(
        title=f"{s.label}: lifted, l = {s.order}",
        x="weight of a",
        y="weight of b",
        layers=(
            Layer("lifted", "a", "b", "image", "∛(hˡ/hˡ(ŵ) − 1)", keep, z="shape"),
            Layer("lifted", "a", "b", "contour", where=keep, z="shape"),
            Layer("lifted-path", "a", "b", "path", "projected descent", keep),
            Layer("lifted-points", "a", "b", "text", where=keep, z="name"),
        ),
        legend="outside",
    )
    return matrix, lifted


FIG = Figure(
    name="sod-fig2",
    caption="A schematic in the paper, drawn here from computed data without randomness. Left: h "
    "on the plane through 0, x̂ and z of the factors (completion with n = 3, ε = 0.3), with "
    "gradient descent from beside 0.3 x̂ (step sizes 0.01, 0.01, 0.1; 500 steps), projected on the "
    "plane. Right: hˡ on the plane of a = vec(x̂)^⊗l = ŵ and b = vec(u_n q_rᵀ)^⊗l, with projected "
    "descent from a + 0.1 b (η = 0.01, 0.001, 0.1; 2000, 20000 and 20000 steps). Colours show the "
    "cube root of the relative change from the spurious point, so that its sign and the shape "
    "nearby are seen. In the first two examples ŵ is a saddle and descent goes to the truth; in "
    "the real-world example ŵ stays a minimum and descent returns to it. In the basic example x̂ "
    "itself is a degenerate saddle, on a plateau.",
    panels=tuple(panel for s in SLICES for panel in _panels(s)),
    columns=2,
    height=3.3,
)

ALONG = Figure(
    name="sod-fig2-along",
    caption="Where lifting makes a saddle. Left: (mˡ − pˡ)/(2·stiffˡ), which must exceed 1 for "
    "negative curvature along b; p = ⟨A(X̂X̂ᵀ), A(u uᵀ)⟩, m = ⟨b, A(u uᵀ)⟩, "
    "stiff = σ²‖A(P)‖²/4. It grows with the order l in the basic and in the completion example "
    "(n = 3, ε = 0.3), and stays below 1 in the real-world one: no order to 25 makes a saddle "
    "along b there. Right: hˡ along b from ŵ.",
    panels=(
        Panel(
            title="Condition for a saddle along b",
            x="order l",
            y="(mˡ − pˡ) / (2 stiffˡ)",
            y_scale="log",
            y_limits=(1e-2, 1e4),
            layers=(Layer("condition", "order", "ratio", label="{group}", group="example"),),
            marks=(Mark("y", 1.0, "saddle above"),),
        ),
        Panel(
            title="Along b",
            x="weight of b / ‖x̂‖ˡ",
            y="hˡ/hˡ(ŵ) − 1",
            layers=(Layer("along", "s", "change", label="{group}", group="example"),),
            marks=(Mark("y", 0.0),),
            y_limits=(-0.15, 0.15),
            legend="outside",
        ),
    ),
    columns=2,
)


class Fig2(Experiment):
    """Figure 2 of the SOD paper: landscapes of the matrix and of the lifted problem."""

    name = "sod-fig2"
    title = "Landscape of the matrix and of the lifted problem"
    figures: ClassVar[tuple[Figure, ...]] = (FIG, ALONG)

    def run(self, size: Size, seed: int) -> Outcome:
        """Evaluate the slices, the paths and the curvatures; there is no randomness."""
        del seed
        points = 41 if size == "smoke" else 81
        rows = [row for s in SLICES for row in _landscape_rows(s, points)]
        slices = (*SLICES, *OTHERS)
        rows += [row for s in slices for row in _along_rows(s)]
        condition = _condition_rows()
        rows += table("saddle", [_saddle_row(s) for s in slices]) + condition
        claims = [
            _general_claim(slices, condition),
            *(_saddle_claim(s) for s in slices),
            *(_traverse_claim(s) for s in slices),
            *(_trap_claim(s) for s in SLICES),
            *_reference_claims(slices),
            *_even_claims(),
        ]
        return Outcome(rows, claims, {})


def _shape(h: np.ndarray, base: float) -> np.ndarray:
    return np.cbrt(h / base - 1)


def _landscape_rows(s: Slice, points: int) -> list[Row]:
    example, (first, second) = s.example, s.axes
    size, base = float(np.linalg.norm(example.X)), example.objective(example.X)
    truth = [float(np.sum(axis * example.truth)) for axis in (first, second)]
    edge = 1.25 * max(size, *map(abs, truth))
    grid = np.linspace(-edge, edge, points)
    x, y, h = landscape(example, first, second, grid, grid)
    flat = s.path.reshape(len(s.path), -1)
    rows = columns("matrix", example=s.key, x=x, y=y, shape=_shape(h, base))
    rows += columns("matrix-path", example=s.key, x=flat @ first.ravel(), y=flat @ second.ravel())
    named = {"x̂": (size, 0.0), "−x̂": (-size, 0.0), "z": truth, "−z": [-c for c in truth]}
    rows += table(
        "matrix-points",
        [{"example": s.key, "name": k, "x": p[0], "y": p[1]} for k, p in named.items()],
    )
    return rows + _lifted_rows(s, points)


def _lifted_rows(s: Slice, points: int) -> list[Row]:
    a0, W = float(s.plane.start()[0]), s.lifted_path.W
    top = 1.25 * max(float(W[:, 1].max()), 1.6 * RHO)
    a, b = np.meshgrid(
        np.linspace(-0.5 * a0, 1.6 * a0, points), np.linspace(-0.5 * top, top, points)
    )
    a, b = a.ravel(), b.ravel()
    relative = s.plane.relative_path(np.stack([a, b], axis=1))
    rows = columns("lifted", example=s.key, a=a, b=b, shape=_shape(relative, 1.0))
    rows += columns("lifted-path", example=s.key, a=W[:, 0], b=W[:, 1])
    named = [{"example": s.key, "name": "ŵ", "a": a0, "b": 0.0}]
    end = _end(s)
    if end[1] < SUCCESS:
        named.append({"example": s.key, "name": "truth", "a": 0.0, "b": float(W[-1, 1])})
    return rows + table("lifted-points", named)


def _along_rows(s: Slice) -> list[Row]:
    a = s.plane.start()
    step = np.linspace(-0.6, 0.6, 61)
    W = a + np.stack([np.zeros_like(step), step * a[0]], axis=1)
    return columns("along", example=s.key, s=step, change=s.plane.relative_path(W) - 1)


def _condition_rows() -> list[Row]:
    """(mˡ − pˡ)/(2 stiffˡ) for the three examples and many orders."""
    rows = []
    for s in SLICES:
        p, m, stiff = s.saddle.p, s.saddle.m, s.saddle.stiff
        for order in ORDERS:
            ratio = ((m / stiff) ** order - (p / stiff) ** order) / 2
            rows.append({"example": s.label, "order": order, "ratio": ratio})
    return table("condition", rows)


def _saddle_row(s: Slice) -> dict[str, float | int | str | bool]:
    found = s.saddle
    names = ("p", "m", "omega", "stiff", "along_b", "along_b_printed", "least", "is_saddle")
    row = {name: getattr(found, name) for name in names}
    return {"example": s.key, "order": s.order, **row}


def _end(s: Slice) -> tuple[float, float]:
    """Return the distance of the lifted path's end from ŵ over ‖ŵ‖, and hˡ there over hˡ(ŵ)."""
    W, a = s.lifted_path.W[-1], s.plane.start()
    return float(np.linalg.norm(W - a) / a[0]), float(s.lifted_path.relative[-1])


# -- verdicts -------------------------------------------------------------------------------------

_LIFT = "Section 2.3, Fig. 2"


def _general_claim(slices: tuple[Slice, ...], condition: list[Row]) -> Claim:
    ratio = {(row["example"], row["order"]): row["ratio"] for row in condition}
    odd = [s for s in slices if s.order % 2]
    # Against the Hessian on the span, not against along_b: that is the condition itself.
    agrees = all(s.saddle.is_saddle == (ratio[s.label, s.order] > 1) for s in odd)
    never = [s.label for s in SLICES if max(ratio[s.label, k] for k in ORDERS if k % 2) <= 1]
    return truth_claim(
        _LIFT,
        "With odd l spurious minima become strict saddles of the lifted problem",
        all_cases(s.saddle.is_saddle for s in odd),
        changed=agrees,
        measured=f"{sum(s.saddle.is_saddle for s in odd)} of {len(odd)} cases",
        expected="all",
        note="Along b it holds iff mˡ − pˡ > 2·stiffˡ; the Hessian on span{a, b, c} "
        "agrees with that in every case. No odd l up to "
        f"{ORDERS[-1]} makes a saddle along b in: {', '.join(never) or 'none'}.",
    )


def _saddle_claim(s: Slice) -> Claim:
    found = s.saddle
    return truth_claim(
        _LIFT,
        f"{s.key}: vec(x̂)^⊗l is a strict saddle, with escape direction b",
        found.along_b < 0,
        measured=found.along_b,
        expected="< 0",
        note=f"Curvature along b 4ω + 8·stiffˡ, ω = {found.omega:.6g}, stiff = {found.stiff:.6g}; "
        f"least on span{{a, b, c}}: {found.least:.6g}.",
    )


def _traverse_claim(s: Slice) -> Claim:
    away, h = _end(s)
    return truth_claim(
        "Fig. 2, right",
        f"{s.key}: descent in the lifted space leaves ŵ and reaches the global minimum",
        h < 1e-6,
        measured=h,
        expected=0.0,
        tolerance=1e-6,
        note=f"From ŵ + {RHO:g} b in the plane of a and b, {s.lifted_steps} steps of "
        f"η = {s.eta:g}: hˡ/hˡ(ŵ) = {h:.3g}, distance from ŵ {away:.2g} ‖ŵ‖.",
    )


def _trap_claim(s: Slice) -> Claim:
    end = s.example.distance(s.path[-1])
    note = f"{s.steps} steps of {s.rate:g} from beside 0.3 x̂ end at distance {end:.4f}."
    if s.name == "basic":
        note += " A plateau: x̂ is a degenerate saddle there (figure 1)."
    return truth_claim(
        "Fig. 2, left",
        f"{s.label}: descent in the matrix space is trapped near x̂",
        abs(end - s.example.distance(s.example.X)) < 0.05,
        measured=end,
        expected=s.example.distance(s.example.X),
        tolerance=0.05,
        note=note,
    )


def _reference_claims(slices: tuple[Slice, ...]) -> list[Claim]:
    return [
        number_claim(
            "Fig. 2 (reference)", f"{s.key}: bᵀ∇²hˡ b", s.saddle.along_b, value, 1e-6, relative=True
        )
        for s in slices
        if (value := REFERENCE[s.label, s.order]) is not None
    ]


def _even_claims() -> list[Claim]:
    """Whether the order must be odd: the basic example at l = 2 and 4."""
    example = SLICES[0].example
    found = {
        k: strict_saddle(example.problem, example.X, k, o=example.oracle).along_b for k in (2, 4)
    }
    return [
        truth_claim(
            _LIFT,
            "The order must be odd (basic example)",
            all_cases(curvature >= 0 for curvature in found.values()),
            measured=f"{found[2]:.4g}, {found[4]:.4g}",
            expected=">= 0 for l = 2, 4",
            note="The lift is a strict saddle for l = 2 and l = 4 as well; mˡ − pˡ > 2·stiffˡ is "
            "all that counts.",
        ),
        number_claim("Fig. 2 (reference)", "basic, l = 2: bᵀ∇²hˡ b", found[2], -2.625, 1e-9),
        number_claim("Fig. 2 (reference)", "basic, l = 4: bᵀ∇²hˡ b", found[4], -3.826, 5e-4),
    ]
