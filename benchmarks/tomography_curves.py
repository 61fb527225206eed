"""Infidelity against the number of settings, beside linear inversion and full likelihood, drawn.

    python benchmarks/tomography_curves.py rows.csv [--qubits 4] [--trials 10]
    python benchmarks/tomography_curves.py rows.csv --plot docs/tomography-curves.png
    python benchmarks/tomography_curves.py rows.csv --state docs/tomography-state.png

100 shots a setting; a row a state, number of settings, draw and method.  The second form draws the
rows: medians over the draws, and the middle half of them; the third one fit (rank 2, a third of the
settings) with its eigenvalues over the noise floor, and needs no rows.
"""

import argparse
import csv
import itertools
from pathlib import Path

import numpy as np
from curves import finished, shaded
from tomography import rrr, state_of

import liftless as ll
from liftless.figures.style import BLUE, GREY, ORANGE, RED, new_figure, tidy
from liftless.tomography.counts import counts_of
from liftless.tomography.likelihood import shadow
from liftless.tomography.state import fidelity

SHOTS = 100
#: Share of all settings.
SHARES = (0.08, 0.12, 0.2, 0.33, 0.6, 1.0)
STATES = {"haar": "Haar-random, pure", "rank2": "random, rank 2", "ghz": "GHZ"}
METHODS = {
    "liftless": ("low rank, likelihood, rank by BIC (liftless)", BLUE),
    "RρR": ("RρR, likelihood over all states", ORANGE),
    "inversion": ("linear inversion on states", RED),
    "leading": ("linear inversion, true rank", GREY),
}
FIELDS = ("state", "settings", "seed", "method", "infidelity")


def on_states(rho: np.ndarray, rank: int | None = None) -> np.ndarray:
    """Nearest state of a Hermitian matrix, of its leading part alone if there is a rank."""
    values, vectors = np.linalg.eigh(rho)
    high = values[::-1][:rank]
    sums = (np.cumsum(high) - 1) / np.arange(1, high.size + 1)
    level = sums[np.flatnonzero(high > sums)[-1]]
    weights = np.maximum(high - level, 0.0)
    V = vectors[:, ::-1][:, : high.size]
    return (V * weights) @ V.conj().T


def measured(
    kind: str, qubits: int, number: int, seed: int
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Factor, settings and counts of one draw."""
    rng = np.random.default_rng([83, qubits, number, seed])
    Z = state_of(kind, 2**qubits, rng)
    words = ["".join(word) for word in itertools.product("XYZ", repeat=qubits)]
    words = [words[k] for k in np.sort(rng.permutation(len(words))[:number])]
    bases = ll.ProductBases(words)
    X = bases.space.pack(Z)
    p = np.asarray(ll.measure(bases, X, X)).reshape(number, -1)
    return Z, words, np.array([rng.multinomial(SHOTS, row / row.sum()) for row in p])


def runs(kind: str, qubits: int, number: int, seed: int) -> list[dict]:
    """Rows of one draw."""
    Z, words, counts = measured(kind, qubits, number, seed)
    inverted = shadow(counts_of(counts, words, "big"))
    found = {
        "liftless": ll.tomography.fit(counts, words, seed=seed).density,
        "RρR": rrr(ll.ProductBases(words), counts, 1000),
        "inversion": on_states(inverted),
        "leading": on_states(inverted, Z.shape[1]),
    }
    truth = Z @ Z.conj().T
    return [
        dict(zip(FIELDS, (kind, number, seed, name, 1 - fidelity(rho, truth)), strict=True))
        for name, rho in found.items()
    ]


def draw(rows: list[dict], path: Path) -> None:
    """A panel a state."""
    figure = new_figure(9.6, 3.7)
    panels = figure.subplots(1, len(STATES), sharey=True)
    for axes, (kind, title) in zip(panels, STATES.items(), strict=True):
        tidy(axes, title, "settings measured, 100 shots each", "")
        for name, (words, colour) in METHODS.items():
            own = [r for r in rows if r["state"] == kind and r["method"] == name]
            grid = sorted({int(r["settings"]) for r in own})
            table = [[float(r["infidelity"]) for r in own if int(r["settings"]) == k] for k in grid]
            shaded(axes, grid, table, name, words, colour, marker="o", markersize=3)
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(grid, [str(k) for k in grid])
        axes.minorticks_off()
    finished(figure, panels, "infidelity", path)


def main() -> None:
    """Rows, or their picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--qubits", type=int, default=4)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw")
    parser.add_argument("--state", type=Path)
    args = parser.parse_args()
    if args.state is not None:
        _, words, counts = measured("rank2", args.qubits, 3 ** (args.qubits - 1), args.first)
        ll.tomography.fit(counts, words).plot(args.state)
        return
    if args.plot is not None:
        with args.rows.open() as file:
            draw(list(csv.DictReader(file)), args.plot)
        return
    with args.rows.open("w", newline="") as file:
        out = csv.DictWriter(file, FIELDS)
        out.writeheader()
        for kind, share in itertools.product(STATES, SHARES):
            number = round(share * 3**args.qubits)
            for seed in range(args.first, args.first + args.trials):
                for row in runs(kind, args.qubits, number, seed):
                    out.writerow(row | {"infidelity": f"{row['infidelity']:.4g}"})
            file.flush()


if __name__ == "__main__":
    main()
