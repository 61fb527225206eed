"""Eq. (4), noisy projected descent from random starts, and Theorem 3.3."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless.descent import NoisyProjected, Stop, descend
from liftless.instances.local_search import (
    explicit_rows,
    sphere_init,
    subspace_truth,
)
from liftless.linalg import matrix_distance
from liftless.operators import DenseOperator, measure
from liftless.problem import Problem
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    all_cases,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel

#: Radius of the projection and of the starts, over ‖U*‖_F.
RADIUS = 1.2
#: Relative error that counts as recovered.
TARGET = 1e-2
#: Share of a run, at its end, whose errors make up the floor.
TAIL = 0.25


@dataclass(frozen=True)
class Setting:
    """How one set of runs is made.

    Attributes
    ----------
    label : str
    n, r, m : int
    kappa : float
        η m σ_1(X*), the step in units of the problem's scale.
    noise : float
        ‖ψ‖_F; 1 as printed.
    batch : int or None
        Sampled measurements a step.
    condition : float
        σ_1/σ_r of the truth, whose eigenvalues are evenly spaced down to 1.
    """

    label: str
    n: int
    r: int
    m: int
    kappa: float
    noise: float = 1.0
    batch: int | None = None
    condition: float = 2.0


def _wide(kappa: float, **other: float | int | None) -> Setting:
    return Setting(f"κ = {kappa:g}", 20, 3, 400, kappa, **other)  # pyright: ignore[reportArgumentType]


#: Runs as printed.
PRINTED = (
    _wide(0.5),
    _wide(0.25),
    _wide(0.1),
    Setting("n = 10, κ = 0.25", 10, 2, 100, 0.25),
    Setting("n = 10, κ = 0.1", 10, 2, 100, 0.1),
)
#: Noise on the averaged gradient, sampled measurements, and other truths.
SCALED = Setting("ψ times m", 20, 3, 400, 0.25, noise=400.0)
SAMPLED = tuple(Setting(f"batch {k}", 20, 3, 400, 0.1, batch=k) for k in (200, 100))
SPREAD = tuple(Setting(f"σ_1/σ_r = {c:g}", 20, 3, 400, 0.25, condition=c) for c in (1.0, 4.0, 16.0))


def courses(setting: Setting, steps: int, runs: int, seed: int) -> Float[np.ndarray, "k t"]:
    """‖UUᵀ − X*‖_F / ‖X*‖_F along ``runs`` runs of (4) from random starts, start included."""
    rng = np.random.default_rng([seed, setting.n, setting.r, setting.m])
    Z = subspace_truth(rng, setting.n, np.linspace(setting.condition, 1.0, setting.r))
    rows = np.asarray(explicit_rows(rng, setting.m, setting.n), np.float64)
    operator = DenseOperator(rows, setting.n)
    problem = Problem(operator, measure(operator, Z, Z), setting.r)
    radius = RADIUS * float(np.linalg.norm(Z))
    starts = np.stack([sphere_init(rng, Z.shape, radius) for _ in range(runs)])
    step = setting.kappa / (setting.m * setting.condition)
    method = NoisyProjected(step, radius, setting.noise, setting.batch, seed=seed)
    stop = Stop(objective=0.0, gradient=0.0, max_iterations=steps)
    iterates = descend(problem, starts, method, stop, history="iterates").history["X"]
    return _errors(iterates, Z)


def _errors(X: Float[np.ndarray, "k t n r"], Z: Float[np.ndarray, "n r"]) -> np.ndarray:
    gaps = np.einsum("ktnr,ktpr->ktnp", X, X) - Z @ Z.T
    return np.linalg.norm(gaps, axis=(2, 3)) / np.linalg.norm(Z.T @ Z)


def unsymmetrised(setting: Setting, steps: int, runs: int, seed: int) -> Float[np.ndarray, "k t"]:
    """Run (4) as printed to the letter: A_i U with Gaussian A_i that are not symmetric."""
    n, r, m = setting.n, setting.r, setting.m
    rng = np.random.default_rng([seed, n, r, m, 1])
    Z = subspace_truth(rng, n, np.linspace(setting.condition, 1.0, r))
    A = rng.standard_normal((m, n * n))
    b, radius = A @ (Z @ Z.T).ravel(), RADIUS * float(np.linalg.norm(Z))
    step = setting.kappa / (m * setting.condition)
    found = np.zeros((runs, steps + 1))
    for k in range(runs):
        U = sphere_init(rng, Z.shape, radius)
        for t in range(steps + 1):
            found[k, t] = matrix_distance(U, Z) / float(np.linalg.norm(Z.T @ Z))
            psi = sphere_init(rng, U.shape, setting.noise)
            move = ((A @ (U @ U.T).ravel() - b) @ A).reshape(n, n) @ U
            U = U - step * (move + psi)
            U = U * min(1.0, radius / float(np.linalg.norm(U)))
    return found


def summary(setting: Setting, form: str, errors: Float[np.ndarray, "k t"]) -> Row:
    """First iteration at or below the target, and the error at the end of the runs."""
    hits = [np.flatnonzero(e <= TARGET) for e in errors]
    first = [float(h[0]) if h.size else math.nan for h in hits]
    tail = np.median(errors[:, -max(1, int(TAIL * errors.shape[1])) :], axis=1)
    return {
        "setting": setting.label,
        "form": form,
        "n": setting.n,
        "r": setting.r,
        "m": setting.m,
        "kappa": setting.kappa,
        "noise": setting.noise,
        "batch": setting.batch,
        "condition": setting.condition,
        "reached": int(sum(h.size > 0 for h in hits)),
        "runs": len(errors),
        "first_low": float(np.min(first)),
        "first_high": float(np.max(first)),
        "floor_low": float(np.min(tail)),
        "floor_high": float(np.max(tail)),
    }


def _claims(rows: list[Row]) -> list[Claim]:
    """Judge Theorem 3.3 and what eq. (4) leaves open."""
    printed = [row for row in rows if row["form"] == "printed"]
    wide = next(row for row in printed if (row["n"], row["kappa"]) == (20, 0.25))
    return [
        _reached(printed, wide),
        _scale(next(row for row in rows if row["form"] == "scaled"), wide),
        _letter(next(row for row in rows if row["form"] == "unsymmetrised")),
        _sampled([row for row in rows if row["form"] == "sampled"]),
        _growth([row for row in rows if row["form"] == "condition"]),
    ]


def _first(row: Row) -> str:
    return f"iteration {row['first_low']:.0f} to {row['first_high']:.0f}"


def _reached(printed: list[Row], wide: Row) -> Claim:
    steps = sorted((row["kappa"], row["floor_high"]) for row in printed if row["n"] == 20)
    falling = all(a[1] < b[1] for a, b in itertools.pairwise(steps))
    reached, runs = (sum(row[k] for row in printed) for k in ("reached", "runs"))
    return truth_claim(
        "Theorem 3.3",
        "(4) from a random start on ‖U‖ = b reaches any error with an appropriate step",
        holds=reached == runs and falling,
        measured=wide["floor_high"],
        expected="reached; the floor falls with the step",
        note=(
            f"{reached} of {runs} runs come to {TARGET:g}; n = 20, κ = 0.25: {_first(wide)}, floor "
            f"{wide['floor_low']:.1e} to {wide['floor_high']:.1e}. Largest floor by κ: "
            + ", ".join(f"{k:g}: {f:.1e}" for k, f in steps)
            + "."
        ),
    )


def _scale(scaled: Row, wide: Row) -> Claim:
    return truth_claim(
        "eq. (4), scale of ψ",
        "The noise ψ on the unit sphere is negligible beside the sum over m measurements",
        holds=scaled["reached"] == 0 and scaled["floor_low"] > 10 * wide["floor_high"],
        measured=scaled["floor_low"],
        expected=f"> {10 * wide['floor_high']:.1e} with ψ times m",
        note=(
            "The paper's f is a sum, so ‖ψ‖ = 1 shrinks with m in relation. The same noise on the "
            f"averaged gradient (ψ times m) reaches {TARGET:g} in {scaled['reached']} of "
            f"{scaled['runs']} runs; floor {scaled['floor_low']:.2f} to {scaled['floor_high']:.2f}."
        ),
    )


def _letter(row: Row) -> Claim:
    return truth_claim(
        "eq. (4), A_i U",
        "With unsymmetric Gaussian A_i the update still converges",
        holds=row["reached"] == row["runs"],
        measured=row["first_high"],
        expected="reached",
        note=(
            f"A_i U is then not a gradient, but vanishes at the truth: {_first(row)} to "
            f"{TARGET:g}, floor {row['floor_low']:.1e} to {row['floor_high']:.1e}."
        ),
    )


def _sampled(sampled: list[Row]) -> Claim:
    shown = "; ".join(f"{row['setting']} of {row['m']}: {_first(row)}" for row in sampled)
    return truth_claim(
        "Section 3, stochastic gradient descent",
        "Sampled measurements in place of the whole sum reach the truth as well",
        holds=all_cases(row["reached"] == row["runs"] for row in sampled),
        measured=max(row["first_high"] for row in sampled),
        expected="reached",
        note=f"(4) itself samples no measurement; here {shown}.",
    )


def _growth(spread: list[Row]) -> Claim:
    last = [row["first_high"] for row in spread]
    shown = ", ".join(f"{row['first_high']:.0f} at {row['setting']}" for row in spread)
    return truth_claim(
        "Theorem 3.3, T",
        "The number of iterations grows with 1/σ_r(X*) and σ_1(X*)",
        holds=all_cases(a < b for a, b in itertools.pairwise(last)),
        measured=last[-1],
        expected="growing",
        note=f"Latest iteration to the target: {shown}.",
    )


CAPTION = (
    "Relative error ‖UUᵀ − X*‖/‖X*‖ along eq. (4), n = 20, r = 3, m = 400, {runs} runs each from "
    "the sphere ‖U‖ = b = 1.2 ‖U*‖, η = κ/(m σ_1), seed {seed}; the level is 0.01. Left: as "
    "printed, ‖ψ‖ = 1; the floor falls with κ. Middle: ψ times m, noise on the averaged gradient, "
    "never comes to the level, while unsymmetric A_i make little difference. Right: κ = 0.1 with "
    "sampled measurements. Lines are medians of the runs."
)


def _panel(title: str, forms: tuple[str, ...]) -> Panel:
    layers = []
    for form in forms:
        where = (("form", form),)
        layers.append(Layer("courses", "iteration", "median", "line", "{group}", where, "setting"))
    return Panel(
        title,
        "iteration + 1",
        "relative error",
        tuple(layers),
        (Mark("y", TARGET),),
        x_scale="log",
        y_scale="log",
        legend="outside",
    )


class Sgd(Experiment):
    """Noisy projected descent, eq. (4), with every way to read its noise and its sum."""

    name = "local-sgd"
    paper = "local"
    title = "Noisy projected descent from random starts, eq. (4)"
    figures = (
        Figure(
            name="courses",
            caption=CAPTION,
            panels=(
                _panel("as printed", ("printed",)),
                _panel("other readings", ("scaled", "unsymmetrised")),
                _panel("sampled measurements", ("sampled",)),
            ),
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Five runs of 4000 iterations; three of 800, of fewer settings, in a smoke run."""
        paper = size == "paper"
        steps, runs = (4000, 5) if paper else (800, 3)
        groups = {
            "printed": PRINTED if paper else PRINTED[:3],
            "scaled": (SCALED,),
            "sampled": SAMPLED if paper else SAMPLED[-1:],
            "condition": SPREAD,
        }
        found = [
            (form, setting, courses(setting, steps, runs, seed))
            for form, settings in groups.items()
            for setting in settings
        ]
        letter = unsymmetrised(PRINTED[1], 1500 if paper else 300, runs, seed)
        found.append(("unsymmetrised", PRINTED[1], letter))
        rows = [summary(setting, form, errors) for form, setting, errors in found]
        drawn = []
        for form, setting, errors in found:
            if setting.n == 20 and form != "condition":
                label = "unsymmetric A_i" if form == "unsymmetrised" else setting.label
                drawn += _drawn(label, form, errors)
        claims = _claims(rows)
        values = {"runs": runs, "seed": seed, "steps": steps}
        return Outcome(table("settings", rows) + table("courses", drawn), claims, values)


def _drawn(label: str, form: str, errors: Float[np.ndarray, "k t"]) -> list[Row]:
    last = errors.shape[1] - 1
    at = np.unique(np.geomspace(1, last + 1, 120).astype(int)) - 1
    return [
        {
            "setting": label,
            "form": form,
            "iteration": int(t) + 1,
            "median": float(np.median(errors[:, t])),
            "low": float(np.min(errors[:, t])),
            "high": float(np.max(errors[:, t])),
        }
        for t in at
    ]
