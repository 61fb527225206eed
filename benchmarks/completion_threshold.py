"""Where completion by belief propagation stops, beside what counting and rigidity allow.

For Gaussian factors and positions drawn evenly, at several numbers of entries a degree of freedom:
whether peeling leaves a block of at least a tenth of the lines, how many entries that block has a
degree of freedom of its own, whether it is rigid (no null direction at the truth moves an entry of
it), and whether it is recovered (relative error below 10⁻⁶).  Where a block is rigid and is not
recovered, the method is what fails.

Usage: python benchmarks/completion_threshold.py [--n 100 400 1600] [--ranks 1 2 5] [--trials 20]
"""

import argparse
import time

import numpy as np
from completion import draw

from liftless import Problem, RectangularEntries, complete_entries
from liftless.identify.flexible import flexible
from liftless.start.belief.peel import peel

RATIOS = (0.8, 0.9, 0.95, 1.0, 1.02, 1.05, 1.1, 1.2)
#: Share of the lines below which a block counts as none.
LEAST = 0.1
#: Entries of the block that are looked at.
SAMPLE = 20_000


def trial(n, r, ratio, seed):
    """Entries a degree of freedom of the block, whether it is rigid and found; None if no block."""
    rng = np.random.default_rng([seed, n, r, round(1000 * ratio)])
    U, V = rng.standard_normal((2, n, r))
    m = round(ratio * r * (2 * n - r))
    i, j = np.divmod(np.sort(draw(rng, n * n, m)), n)
    core, _ = peel(i, j + n, 2 * n, r)
    rows, cols = np.flatnonzero(core[:n]), np.flatnonzero(core[n:])
    if min(rows.size, cols.size) < LEAST * n:
        return None
    problem = Problem(RectangularEntries(i, j, n, n), np.sum(U[i] * V[j], axis=1), r)
    own = np.sum(core[i] & core[j + n]) / (r * (rows.size + cols.size - r))
    k, at = rng.choice(rows, SAMPLE), rng.choice(cols, SAMPLE)
    # Fewer entries than unknowns are not rigid, and what is not rigid nobody finds.
    if own < 1 or not flexible(problem, np.r_[U, V]).determined(k, at).all():
        return own, False, False, 0
    done = complete_entries(problem)
    truth = np.sum(U[k] * V[at], axis=1)
    got = np.sum(done.X[k] * done.X[n + at], axis=1)
    return own, True, np.linalg.norm(got - truth) < 1e-6 * np.linalg.norm(truth), done.sweeps


def cell(n, r, ratio, trials, seed):
    """One line of the table."""
    begun = time.process_time()
    ends = [trial(n, r, ratio, seed + k) for k in range(trials)]
    some = [end for end in ends if end is not None]
    rigid = [end for end in some if end[1]]
    found = sum(end[2] for end in rigid)
    own = f"{np.median([e[0] for e in some]):.3f}" if some else "–"
    sweeps = f"{np.median([e[3] for e in rigid]):.0f}" if rigid else "–"
    seconds = (time.process_time() - begun) / trials
    print(
        f"| {n} | {r} | {ratio} | {len(some)}/{trials} | {own} | {len(rigid)} | {found} |"
        f" {sweeps} | {seconds:.1f} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, nargs="+", default=[100, 400, 1600])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 5])
    parser.add_argument("--ratios", type=float, nargs="+", default=RATIOS)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=910000)
    args = parser.parse_args()
    print(
        "| n | r | m/dof | block | its entries a degree | rigid | of these found |"
        " sweeps | s |\n|---|---|---|---|---|---|---|---|---|"
    )
    for r in args.ranks:
        for n in args.n:
            for ratio in args.ratios:
                cell(n, r, ratio, args.trials, args.seed)


if __name__ == "__main__":
    main()
