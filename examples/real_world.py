"""The main job: measurements of a real system, a spurious minimum, an escape, the true matrix.

Six measurements of a 3 × 3 rank-one matrix (eq. (C.2) of the SOD escape paper).  Gradient descent
with the paper's step ends at a spurious local minimum; the certificate says so; one escape with
the exact amplitude leaves it; descent ends at the true matrix and the certificate says that, too.
Then the same file once more with the default `recover`.

Usage: python examples/real_world.py [--out results]
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

import liftless as ll
from liftless.figures import save_figure
from liftless.figures.style import BLUE, GREEN, GREY, ORANGE, RED, new_figure, tidy
from liftless.io import load_problem, save_problem
from liftless.linalg import matrix_distance

METHOD = ll.GradientDescent(0.1)
STOP = ll.Stop(gradient=1e-12, max_iterations=4000)


def stuck_start(problem: ll.Problem) -> tuple[int, np.ndarray]:
    """First seed whose standard normal start leads gradient descent to a spurious point."""
    for seed in range(100):
        X0 = np.random.default_rng(seed).standard_normal((problem.n, problem.rank))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = ll.descend(problem, X0, METHOD, STOP)
        if done.status == 2 and ll.certify(problem, done.X).kind == "stationary":
            return seed, X0
    raise RuntimeError("none of 100 starts ends at a spurious point")


def run(out: Path) -> int:
    """Do the job, print what happened, save one figure; 0 if the true matrix was recovered."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "real-world.npz"
    instance = ll.make_instance("real-world")
    save_problem(file, instance.problem, truth=instance.truth)
    loaded = load_problem(file)
    problem, truth = loaded.problem, loaded.truth
    print(f"{file}: n = {problem.n}, m = {problem.m}, rank {problem.rank}")

    seed, X0 = stuck_start(problem)
    first = ll.descend(problem, X0, METHOD, STOP, history="iterates")
    before = ll.certify(problem, first.X, other=truth)
    print(f"\nGradient descent, step 0.1, from seed {seed}: {first.iterations} steps")
    print(f"  {before.message}")
    print(f"  least Hessian eigenvalue {before.hessian_least:.4f}: a strict local minimum")

    o = ll.oracle(problem, first.X)
    score = ll.exact_score(o)
    print(f"  single-step score {score.score:.4f} (descent along u qᵀ needs more than 1)")
    jump = ll.OracleJump().candidates(problem, first.X, before)[0]
    print(f"\nEscape {jump.kind}, amplitude {jump.amplitude:+.6f} (exact minimiser of h along it)")
    print(f"  h: {jump.objective_before:.6f} -> {jump.objective_at:.6f}")

    second = ll.descend(problem, jump.point, METHOD, STOP, history="iterates")
    after = ll.certify(problem, second.X)
    error = matrix_distance(second.X, truth)
    print(f"\nGradient descent again: {second.iterations} steps")
    print(f"  {after.message}")
    print(f"  ‖X Xᵀ − M*‖_F = {error:.1e}")

    figure = out / "real-world.png"
    draw(problem, truth, first, jump, second, figure)
    print(f"\nFigure: {figure}")

    default = ll.recover(problem)
    print(f"\nThe same file with the default recover: {default.nfev} applications")
    print(f"  {default.certificate.message}")
    print(f"  ‖X Xᵀ − M*‖_F = {matrix_distance(default.x, truth):.1e}")
    good = before.kind == "spurious" and after.kind == "exact" and error < 1e-8
    return 0 if good and default.success else 1


def draw(problem, truth, first, jump, second, path: Path) -> None:
    """Three panels: distance over the run, h along the escape line, the three matrices."""
    figure = new_figure(9.6, 3.1)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 1.0))
    runs = [[matrix_distance(X, truth) for X in d.history["X"]] for d in (first, second)]
    cut = len(runs[0])
    left.semilogy(range(cut), runs[0], color=BLUE, label="gradient descent: stuck")
    after = range(cut, cut + len(runs[1]))
    left.semilogy(after, np.maximum(runs[1], 1e-16), color=GREEN, label="after the escape")
    left.axvline(cut, color=RED, lw=0.8, ls=":")
    tidy(left, "Distance to the true matrix", "step", "‖X Xᵀ − M*‖_F")
    left.legend(fontsize=7, frameon=False, loc="lower left")

    s = np.linspace(-1.7, 1.7, 301) * jump.amplitude
    line = problem.along(jump.base, jump.direction)
    middle.plot(s, np.polyval(line[::-1], s), color=ORANGE)
    middle.axhline(jump.objective_before, color=BLUE, lw=0.8, ls="--")
    middle.annotate(
        "h at the spurious minimum",
        (0, jump.objective_before - 0.003),
        fontsize=7,
        ha="center",
        va="top",
        color=BLUE,
    )
    middle.plot([jump.amplitude], [jump.objective_at], "o", color=RED, markersize=4)
    tidy(middle, "h along the escape direction E X̂", "amplitude s", "h")

    names = ("spurious minimum", "escape point", "recovered", "true")
    matrices = [X @ X.T for X in (first.X, jump.point, second.X, truth)]
    sheet = np.full((7, 7), np.nan)
    for k, M in enumerate(matrices):
        top, side = 4 * (k // 2), 4 * (k % 2)
        sheet[top : top + 3, side : side + 3] = M
        right.text(side + 1, top - 0.62, names[k], fontsize=7, ha="center", color=GREY)
        for (i, j), value in np.ndenumerate(M):
            shade = "white" if abs(value) > 0.6 else "black"
            text = f"{value + 0.0:.2f}".replace("-0.00", "0.00")
            place = {"ha": "center", "va": "center", "color": shade, "fontsize": 6}
            right.text(side + j, top + i, text, **place)
    right.imshow(sheet, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    right.set_axis_off()
    right.set_title("Matrices X Xᵀ on the way", fontsize=9, loc="left", pad=12)
    save_figure(figure, path)
    save_figure(figure, path.with_suffix(".svg"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results"))
    return run(parser.parse_args().out)


if __name__ == "__main__":
    sys.exit(main())
