"""Error against transforms of phase retrieval and its peers, drawn.

    python benchmarks/phase_curves.py rows.csv [--size 32] [--trials 5] [--budget 8000]
    python benchmarks/phase_curves.py rows.csv --plot docs/phase-curves.png

Images of Gaussian fields behind three and six masks; every method is called with a ladder of
budgets, and what it hands back is compared with the truth: a row a method, draw and budget.  The
second form draws the rows: medians over the draws, and the middle half of them.
"""

import argparse
import csv
import math
from pathlib import Path

import numpy as np
from curves import finished, shaded

import liftless as ll
from liftless.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, new_figure, tidy
from liftless.phase.result import image_distance
from liftless_papers.compare.amplitude_instances import coded_image
from liftless_papers.compare.peers import PEERS

#: Method, name and colour.
METHODS = {
    "liftless": ("message passing, then L-BFGS (liftless)", BLUE),
    "dr-lbfgs": ("Douglas–Rachford, then weighted L-BFGS", RED),
    "raar-0.9": ("RAAR, β = 0.9", ORANGE),
    "raar-0.97": ("RAAR, β = 0.97", "#8C6D00"),
    "hio-er": ("HIO and error reduction", GREEN),
    "rwf": ("reshaped Wirtinger flow", PURPLE),
    "spectral-lbfgs": ("spectral, then weighted L-BFGS", GREY),
    "over-1": ("over-parameterised, truncated", "#56B4E9"),
}
#: Cells: title, masks, kind, real.
CELLS = {
    "three masks of signs, real image": (3, "signs", True),
    "three octanary masks, complex image": (3, "octanary", False),
    "six octanary masks, complex image": (6, "octanary", False),
}
FIELDS = ("cell", "method", "seed", "budget", "transforms", "error")
#: Budgets within a factor of two, of methods that end in a descent and of the others.
FINE, COARSE = 3, 1


def ladder(name: str, L: int, most: float) -> list[int]:
    """Budgets in transforms, multiples of the masks."""
    steps = FINE if name in ("liftless", "dr-lbfgs", "spectral-lbfgs") else COARSE
    count = math.floor(steps * math.log2(most / (20 * L))) + 1
    return [L * round(20 * 2 ** (k / steps)) for k in range(count)]


def runs(args: argparse.Namespace, cell: str, seed: int) -> list[dict]:
    """Rows of one draw."""
    L, kind, real = CELLS[cell]
    made = coded_image(args.size, L, kind, real, 8100 + seed)
    operator, rows = made.problem.operator, []
    truth = operator.image(made.truth)
    b = np.abs(np.fft.fft2(np.asarray(operator.masks) * truth, norm="ortho")) ** 2
    for name in args.methods:
        exact = False
        for budget in ladder(name, L, args.budget):
            if name == "liftless":
                found = ll.phase.retrieve(
                    b, masks=operator.masks, real=real, seed=seed, budget=float(budget)
                )
                image, spent, ended = found.image, found.ffts, found.kind == "exact"
            else:
                done = PEERS[name]().solve(made.problem, budget=budget // L, seed=seed)
                image, spent = operator.image(done.X), done.applications * L
                ended = done.success
            error = image_distance(image, truth)
            rows.append(dict(zip(FIELDS, (cell, name, seed, budget, spent, error), strict=True)))
            if exact and ended:
                break
            exact = ended
    return rows


def collected(rows: list[dict], cell: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Budgets, and the errors of all draws at each; what has ended stays as it is."""
    own = [row for row in rows if row["cell"] == cell and row["method"] == name]
    draws = {}
    for row in own:
        draws.setdefault(row["seed"], []).append((float(row["transforms"]), float(row["error"])))
    grid = np.unique([float(row["budget"]) for row in own])
    table = []
    for pairs in draws.values():
        at, error = np.array(sorted(pairs)).T
        # The last end within a budget; before the first one nothing was handed back.
        place = np.searchsorted(at, grid * (1 + 1e-9), side="right") - 1
        table.append(np.where(place >= 0, error[np.maximum(place, 0)], 1.0))
    return grid, np.transpose(table)


def draw(rows: list[dict], path: Path) -> None:
    """A panel a cell."""
    cells = [cell for cell in CELLS if any(row["cell"] == cell for row in rows)]
    figure = new_figure(max(3.4 * len(cells), 9.6), 3.9)
    panels = np.atleast_1d(figure.subplots(1, len(cells), sharey=True))
    for axes, cell in zip(panels, cells, strict=True):
        tidy(axes, cell.capitalize(), "transforms of one mask", "")
        for name, (title, colour) in METHODS.items():
            if not any(row["method"] == name for row in rows):
                continue
            grid, table = collected(rows, cell, name)
            shaded(axes, grid, table, name, title, colour)
        axes.set(xscale="log", yscale="log", ylim=(1e-12, 3))
    finished(figure, panels, "relative error of the image", path)


def main() -> None:
    """Rows, or their picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw")
    parser.add_argument("--budget", type=float, default=8000)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    args = parser.parse_args()
    if args.plot is not None:
        with args.rows.open() as file:
            draw(list(csv.DictReader(file)), args.plot)
        return
    with args.rows.open("w", newline="") as file:
        out = csv.DictWriter(file, FIELDS)
        out.writeheader()
        for cell in CELLS:
            for seed in range(args.first, args.first + args.trials):
                for row in runs(args, cell, seed):
                    out.writerow(row | {"error": f"{row['error']:.4g}"})
                file.flush()


if __name__ == "__main__":
    main()
