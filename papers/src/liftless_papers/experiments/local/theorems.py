"""Theorems 3.1, 3.2, 3.4 and 4.1, Lemmas 4.1 to 4.4 and Corollary 4.1, each measured."""

import numpy as np

from liftless_papers.experiments.base import Experiment, Outcome, Size, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.local import theorems_noise as noise
from liftless_papers.experiments.local import theorems_saddle as saddle
from liftless_papers.experiments.local.certified import draw_sensing

NOISE_CAPTION = (
    "Left: error of local minima, ‖UUᵀ − X*‖ √m/σ_w, over the root of the degrees of freedom, at "
    "exact isometry (n = {orders}) and under Gaussian sensing (n = 10, certified δ = "
    "{delta:.3f}), seed {seed}. It follows √dof (dashed), so the bound of Theorem 3.1, 20 √log n "
    "(its value at n = 100 is the level), fails once dof > 400 log n. Right: minima of rank 2 "
    "without noise for a truth with a tail, Theorem 3.4: the error is ‖X* − X*_r‖ itself (dashed), "
    "below the bound."
)
SADDLE_CAPTION = (
    "Least eigenvalue of the Hessian of f/m at saddle points, X* with the eigenvalues named, over "
    "the largest eigenvalue that U lacks; n = 10, m = 60000, certified δ = {saddle_delta:.3f}, "
    "seed {seed}. It is −4 times that eigenvalue (dashed); Theorem 3.2 promises −0.4 (level)."
)


class Theorems(Experiment):
    """Every statement of Sections 3 and 4 that a computation can decide."""

    name = "local-theorems"
    paper = "local"
    title = "Theorems 3.1, 3.2, 3.4 and 4.1, and the lemmas of Section 4"
    figures = (
        Figure(
            name="distance",
            caption=NOISE_CAPTION,
            panels=(
                Panel(
                    "Theorem 3.1",
                    "√dof",
                    "error · √m/σ_w",
                    (
                        Layer("noise", "root", "scaled", "points", "{group}", group="label"),
                        Layer("line", "root", "root", "curve", "√dof", dashed=True),
                    ),
                    (Mark("y", "limit", "bound, n = 100"),),
                    legend="outside",
                ),
                Panel(
                    "Theorem 3.4",
                    "‖X* − X*_r‖_F",
                    "‖UUᵀ − X*‖_F",
                    (
                        Layer("low_rank", "frobenius", "error", "points", "local minima"),
                        Layer("low_rank", "frobenius", "bound", "curve", "bound"),
                        Layer("low_rank", "frobenius", "frobenius", "curve", "least", dashed=True),
                    ),
                    x_scale="log",
                    y_scale="log",
                    legend="outside",
                ),
            ),
            columns=2,
        ),
        Figure(
            name="saddles",
            caption=SADDLE_CAPTION,
            panels=(
                Panel(
                    "Theorem 3.2",
                    "largest eigenvalue of X* that U lacks",
                    "least Hessian eigenvalue of f/m",
                    (
                        Layer(
                            "saddles",
                            "largest_missing",
                            "least",
                            "points",
                            "X* = diag({group}, 0, …)",
                            group="spectrum",
                        ),
                        Layer("slope", "s", "value", "curve", "−4 s", dashed=True),
                    ),
                    (Mark("y", -0.4, "bound"),),
                    legend="outside",
                ),
            ),
            columns=1,
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """All statements; more minima, pairs and draws at paper size."""
        paper = size == "paper"
        trials, samples = (30, 2000) if paper else (4, 200)
        isometries = ((100, 10), (100, 20), (100, 30))
        isometries += ((200, 30), (200, 60)) if paper else ()
        n, m = saddle.SADDLES
        sensing = draw_sensing(np.random.default_rng([seed, 33]), m, n)
        strict, sites = saddle.strict_saddle(sensing, seed)
        parts = {
            "noise": noise.noise(seed, trials, isometries),
            "saddles": strict,
            "low_rank": noise.low_rank(seed, 5 if paper else 2),
            "minima": saddle.noiseless(seed, 10 if paper else 2),
            "isometry": saddle.isometry_lemmas(sensing, sites, seed, samples),
            "second_order": saddle.second_order(sites, seed),
            "procrustes": saddle.procrustes(seed, samples),
        }
        rows = [row for name, (mine, _) in parts.items() for row in table(name, mine)]
        for row in rows:
            if row["table"] == "noise":
                row["root"] = float(np.sqrt(row["dof"]))
                row["label"] = f"{row['case']}, n = {row['n']}"
        rows += table("line", [{"root": 0.0}, {"root": 110.0 if paper else 60.0}])
        rows += table("slope", [{"s": s, "value": -4 * s} for s in (0.0, 10.0)])
        claims = [claim for _, (_, mine) in parts.items() for claim in mine]
        values = {
            "seed": seed,
            "delta": float(parts["noise"][0][0]["delta"]),
            "saddle_delta": sensing.delta,
            "orders": " and ".join(dict.fromkeys(str(order) for order, _ in isometries)),
            "limit": 20 * float(np.sqrt(np.log(100))),
        }
        return Outcome(rows, claims, values)
