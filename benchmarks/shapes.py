"""Memory of one process over many shapes of problems, each of which is another program.

python benchmarks/shapes.py [--shapes 300]
"""

import argparse
import resource
import sys
import time
import warnings

import numpy as np

import liftless as ll

#: Most bytes the process may ever hold.
BYTES = 1.5e9


def problem(k: int) -> tuple[ll.Problem, str]:
    """Number k of four kinds in turn, each time of another shape."""
    rng, n = np.random.default_rng(k), 5 + k // 4 % 25
    m = 3 * n + 4 + k // 100
    Z = rng.standard_normal((n, 1))
    M = Z @ Z.T
    if k % 4 == 0:
        a = rng.standard_normal((m, n))
        return ll.Problem(ll.RankOneOperator(a), ((a @ Z) ** 2)[:, 0], 1), "rank one"
    if k % 4 == 1:
        A = rng.standard_normal((m, n, n))
        A = A + A.transpose(0, 2, 1)
        b = np.einsum("mij,ij->m", A, M)
        return ll.Problem(ll.DenseOperator.from_matrices(A), b, 1), "dense"
    if k % 4 == 2:
        i, j = np.triu_indices(n)
        chosen = rng.permutation(i.size)[:m]
        i, j = i[chosen], j[chosen]
        return ll.Problem(ll.EntriesOperator(i, j, n), M[i, j], 1), "entries"
    D = rng.standard_normal((m, n))
    return ll.Problem(ll.DiagonalOperator(D), D @ np.diag(M), 1), "diagonal"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=int, default=300)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    most, began = 0.0, time.process_time()
    for k in range(given.shapes):
        made, kind = problem(k)
        ll.recover(made, budget=300)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
        if k % 20 == 19 or k + 1 == given.shapes:
            used = time.process_time() - began
            print(
                f"{k + 1} shapes, the last {kind}: at most {most / 1e6:.0f} MB, {used:.0f} s of CPU"
            )
            sys.stdout.flush()
    return 1 if most > BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
