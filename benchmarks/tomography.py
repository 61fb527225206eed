"""Quantum tomography: infidelity, rank told, and time, over fresh seeds, beside RρR.

    python benchmarks/tomography.py counts 4 haar 27 [--white 0.1] [--shots 100] [--trials 20]
    python benchmarks/tomography.py paulis 5 rank2 372 [--shots 1000] [--trials 20]

The third word is the state (haar, ghz, rank2, rank3), the last the number of settings or strings.
A line a command: the median infidelity of the model that is chosen and of the one of the true
rank, of maximum likelihood over all states (RρR, 5,000 steps) with --full, how many ranks were
right and how many too high, how many were called identifiable and were wrong, the share of fidelity
intervals that hold the truth's own, applications and processor seconds of a call.
"""

import argparse
import itertools
import time

import numpy as np

import liftless as ll
from liftless.tomography.state import fidelity

STEPS = 5000
#: Multiple of a parameter's mean infidelity, 1/(4 shots) each, beyond which a state is wrong.
WRONG = 20.0


def state_of(kind: str, d: int, rng: np.random.Generator) -> np.ndarray:
    """Factor of a state."""
    if kind == "ghz":
        return np.eye(d)[:, [0, -1]].sum(axis=1, keepdims=True) / np.sqrt(2)
    rank = {"haar": 1, "rank2": 2, "rank3": 3}[kind]
    Z = rng.standard_normal((d, rank)) + 1j * rng.standard_normal((d, rank))
    return Z / np.linalg.norm(Z)


def rrr(bases: ll.ProductBases, counts: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Iterated RρR of all states (Hradil et al.), from the maximally mixed one."""
    d = bases.order
    units = np.concatenate([np.eye(d), np.zeros((d, d))])
    v = np.asarray(bases.rows(units)).conj()
    f, rho = counts.ravel() / counts.sum(), np.eye(d) / d
    for _ in range(steps):
        p = np.maximum(np.einsum("mi,ij,mj->m", v.conj(), rho, v, optimize=True).real, 1e-300)
        R = (v.T * (f / p)) @ v.conj()
        new = R @ rho @ R
        new = (new + new.conj().T) / (2 * np.trace(new).real)
        if np.linalg.norm(new - rho) < 1e-7:
            return new
        rho = new
    return rho


def trial(args: argparse.Namespace, seed: int) -> dict[str, float]:
    """One state, measured and fitted."""
    q, d = args.qubits, 2**args.qubits
    rng = np.random.default_rng([81, q, args.number, seed])
    Z = state_of(args.state, d, rng)
    rho = (1 - args.white) * Z @ Z.conj().T + args.white * np.eye(d) / d
    letters = "XYZ" if args.kind == "counts" else "IXYZ"
    words = ["".join(word) for word in itertools.product(letters, repeat=q)]
    words = words if args.kind == "counts" else words[1:]
    words = [words[k] for k in np.sort(rng.permutation(len(words))[: args.number])]
    operator = (ll.ProductBases if args.kind == "counts" else ll.PauliStrings)(words)
    X = operator.space.pack(Z)
    y, given = (1 - args.white) * np.asarray(ll.measure(operator, X, X)), {}
    if args.kind == "counts":
        p = y.reshape(len(words), d) + args.white / d
        counts = np.array([rng.multinomial(args.shots, row / row.sum()) for row in p])
        given = {"counts": counts, "settings": words}
    else:
        e = 2 * rng.binomial(args.shots, np.clip((1 + y) / 2, 0, 1)) / args.shots - 1
        given = {"expectations": e, "paulis": words, "shots": args.shots}
    began = time.process_time()
    found = ll.tomography.fit(**given, seed=seed)
    spent = time.process_time() - began
    known = ll.tomography.fit(**given, rank=Z.shape[1], white=args.white > 0, seed=seed)
    low, high = known.fidelity_interval(rho)
    told = (2 * d * Z.shape[1] - Z.shape[1] ** 2) / (4 * args.shots * len(words))
    # A string tells a d-th of what all outcomes of a setting do.
    told *= 1 if args.kind == "counts" else d
    out = {
        "chosen": 1 - found.fidelity(rho),
        "true rank": 1 - known.fidelity(rho),
        "right": float((found.rank, found.white > 0) == (Z.shape[1], args.white > 0)),
        "higher by": float(found.rank - Z.shape[1]),
        "identifiable": float(found.identifiable),
        "sure and wrong": float(found.identifiable and 1 - found.fidelity(rho) > WRONG * told),
        "interval": float(low <= 1 <= high),
        "applications": known.applications / 4,
        "seconds": spent,
    }
    if args.full:
        out["RρR"] = 1 - fidelity(rrr(operator, given["counts"]), rho)
    return out


def main() -> None:
    """One line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["counts", "paulis"])
    parser.add_argument("qubits", type=int)
    parser.add_argument("state", choices=["haar", "ghz", "rank2", "rank3"])
    parser.add_argument("number", type=int)
    parser.add_argument("--white", type=float, default=0.0)
    parser.add_argument("--shots", type=int, default=None)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    parser.add_argument(
        "--full", action="store_true", help="maximum likelihood over all states too"
    )
    args = parser.parse_args()
    args.shots = args.shots or (100 if args.kind == "counts" else 1000)
    rows = [trial(args, args.first + k) for k in range(args.trials)]
    text = f"{args.kind} q={args.qubits} {args.state} {args.number} white={args.white:g}"
    parts = []
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        if name in ("right", "identifiable", "interval", "sure and wrong"):
            parts.append(f"{name} {int(values.sum())} of {len(values)}")
        elif name == "higher by":
            parts.append(f"too high {int(np.sum(values > 0))}, at most by {int(values.max())}")
        else:
            parts.append(f"{name} {np.median(values):.4g}")
    print(f"{text}: {', '.join(parts)}; seconds at most {max(r['seconds'] for r in rows):.3g}")


if __name__ == "__main__":
    main()
