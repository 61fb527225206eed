"""Theorems 2, 5 and 31 and Propositions 4 and 23 to 30 of the IPGD paper, each measured."""

from typing import ClassVar

from liftless_papers.experiments.base import Experiment, Outcome, Size, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.ipgd import (
    theory_31,
    theory_deviation,
    theory_escape,
    theory_sensing,
)
from liftless_papers.experiments.ipgd._paths import thinned

CAPTION = (
    "(a) Steps of Algorithm 1 to an ε-SOSP over log(1/γ), ε = 0.01, {draws} draws each, γ down to "
    "1e-100, on a function whose derivatives are Lipschitz everywhere; dashed, the bound of "
    "Proposition 11 with C = 1. They grow no faster than the first power. (b) Residual along "
    "descent of sensing from near zero (it grows) and from twice the truth (it shrinks), seed "
    "{seed}, and (c) the deviation rate there: positive where the residual grows, negative where "
    "it shrinks."
)


class Theory(Experiment):
    """Every statement of the theory that a computation can decide."""

    name = "ipgd-theory"
    paper = "ipgd"
    title = "Theorems 2, 5 and 31, Propositions 4, 11 and 23 to 30, and the lemmas"
    figures: ClassVar = (
        Figure(
            "theory",
            CAPTION,
            (
                Panel(
                    "(a) steps to an ε-SOSP",
                    "log(1/γ)",
                    "steps T",
                    (
                        Layer("theorem_2", "log", "steps", "points", "measured"),
                        Layer("theorem_2", "log", "bound", "curve", "bound", dashed=True),
                    ),
                    y_scale="log",
                    legend="outside",
                ),
                Panel(
                    "(b) residual",
                    "iteration t",
                    "‖x⊥‖",
                    (Layer("walks", "t", "residual", "line", "{group}", (), "path"),),
                    y_scale="log",
                    legend="outside",
                ),
                Panel(
                    "(c) deviation rate",
                    "iteration t",
                    "r(x_t)",
                    (Layer("walks", "t", "rate", "line", "{group}", (), "path"),),
                    (Mark("y", 0.0),),
                    legend="outside",
                ),
            ),
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """All statements; more draws and points at paper size."""
        paper = size == "paper"
        draws, samples = (20, 200) if paper else (4, 40)
        w = theory_deviation.walks(seed)
        parts = {
            "theorem_2": theory_escape.theorem_2(seed, draws),
            "escape": theory_escape.lemmas(seed),
            "dynamics": theory_deviation.residual_dynamics(w),
            "prose": theory_deviation.prose(w),
            "closed": theory_deviation.closure(seed),
            "theorem_5": theory_deviation.theorem_5(seed),
            "lipschitz": theory_sensing.lipschitz(seed, samples // 4),
            "closure": theory_sensing.closure(seed, samples),
            "lemmas": theory_sensing.lemmas(seed, samples),
            "landscape": theory_sensing.landscape(seed, samples),
            "deviation": theory_sensing.deviation(seed, samples),
            "theorem_31": theory_31.theorem_31(seed, theory_31.SPECTRA[size]),
        }
        rows = [row for name, (mine, _) in parts.items() for row in table(name, mine)]
        for name, d in (("from zero", w.growing), ("from above", w.shrinking)):
            rows += table(
                "walks",
                (
                    {
                        "path": name,
                        "t": int(t),
                        "residual": float(d.residual[t]),
                        "rate": float(d.rate[t]),
                    }
                    for t in thinned(d.residual.size)
                ),
            )
        claims = [claim for _, (_, mine) in parts.items() for claim in mine]
        return Outcome(rows, claims, {"seed": seed, "draws": draws})
