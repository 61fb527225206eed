"""Explicit lifting against the closed form: work and memory of a step as the order grows."""

import math
import statistics
import time
from collections.abc import Callable

import numpy as np

from liftless.lifted import LiftedSubspace, projected_descent
from liftless.lifted.explicit import LIMIT, WORK_LIMIT, ExplicitLift
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    number_claim,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Panel
from liftless_papers.experiments.sod.theory.cases import Case, case

RHO, ETA = 0.1, 0.01
#: Largest order of the explicit tensors at smoke size, and the orders of the closed form beyond.
SMOKE_ORDER = 5
FAR = (11, 31, 101)
#: Steps of the compiled loop that the time of one of its steps is taken from.
LOOP = {"smoke": 20_000, "paper": 200_000}
#: Seconds after which no further run of a call is timed, once it was timed this often.
BUDGET, LEAST_RUNS = 2.0, 3
#: Memory in bytes that counts as too much for one machine.
MACHINE = 64e9
#: The paper's example of a size out of reach.
TOO_LARGE = 11


class Cost(Experiment):
    """One gradient and projection step, in explicit tensors and in closed form.

    Times are measured and shown, but nothing is judged by them: they differ from run to run, and
    operations and bytes do not.
    """

    name = "sod-cost"
    title = "Explicit lifting against the closed form"
    figures = (
        Figure(
            name="cost",
            caption=(
                "One projected gradient step at w_escape (ρ = {rho:g}): median of up to {runs} "
                "runs after a warm-up. Solid: explicit tensors, to the largest order that was run. "
                "Dashed: closed form on span{{a, b, c}}, real-world example, one step of the "
                "compiled loop; it costs the same at order 101. Multiply-adds and memory are "
                "counted from the shapes of the arrays a step needs."
            ),
            panels=tuple(
                Panel(
                    title=title,
                    x="order l",
                    y=label,
                    layers=(
                        Layer("explicit", "order", column, label="{group}", group="case"),
                        Layer(
                            "closed",
                            "order",
                            column,
                            label="closed form",
                            where=(("case", "real-world"),),
                            dashed=True,
                        ),
                    ),
                    x_scale="log",
                    y_scale="log",
                )
                for title, label, column in (
                    ("work", "multiply-adds a step", "operations"),
                    ("time", "seconds a step", "seconds"),
                    ("memory", "bytes", "bytes"),
                )
            ),
            columns=3,
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Orders to 5 at smoke size, to the limit of the explicit tensors at paper size."""
        runs = 5 if size == "smoke" else 9
        explicit: list[Row] = []
        closed: list[Row] = []
        for c in (case("basic"), case("real-world"), case("pmc", n=3, eps=0.3)):
            most = largest_order(c)
            orders = range(2, (min(most, SMOKE_ORDER) if size == "smoke" else most) + 1)
            explicit += [_explicit_row(c, order, runs) for order in orders]
            closed += [_closed_row(c, order, runs, LOOP[size]) for order in (*orders, *FAR)]
        values = {"seed": seed, "rho": RHO, "runs": runs}
        rows = table("explicit", explicit) + table("closed", closed)
        return Outcome(rows, _claims(explicit, closed), values)


def largest_order(c: Case) -> int:
    """Largest order whose explicit tensors fit."""
    n, m, r = c.problem.n, c.problem.m, c.X.shape[1]
    fits = [
        math.floor(math.log(limit) / math.log(base))
        for limit, base in ((LIMIT, n * r), (WORK_LIMIT, max(n * n, m)))
    ]
    return min(fits)


def _median(call: Callable[[], object], runs: int) -> float:
    """Median seconds of a call after a warm-up, which compiles."""
    call()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
        if len(seconds) >= LEAST_RUNS and sum(seconds) > BUDGET:
            break
    return statistics.median(seconds)


def _explicit_row(c: Case, order: int, runs: int) -> Row:
    lift = ExplicitLift.at(c.problem, order)
    basis = lift.basis(c.X, c.o)
    w = basis[0] + RHO * basis[1]
    # The projector is set up once in a descent, so it is not part of a step.
    C = basis.reshape(3, -1).T
    pseudo = np.linalg.pinv(C, rcond=1e-4)

    def step() -> np.ndarray:
        v = w - ETA * lift.printed_gradient(w)
        return (C @ (pseudo @ v.ravel())).reshape(lift.shape)

    return {
        "case": c.name,
        "order": order,
        "entries": lift.size,
        "work": lift.n ** (2 * order),
        # The projection's two products with its basis come after the gradient.
        "operations": explicit_operations(lift.n, lift.m, lift.rank, order) + 6 * lift.size,
        "seconds": _median(step, runs),
        # Basis and projector count too.
        "bytes": lift.bytes + C.nbytes + pseudo.nbytes,
    }


def explicit_operations(n: int, m: int, rank: int, order: int) -> int:
    """Multiply-adds of the printed gradient in explicit tensors, one mode after the other.

    M(w) = P Pᵀ and the product of the back-projected residual with P take n^{2l} r^l each; the
    contraction of mode k with all A_i, and its adjoint, m^{k+1} n^{2(l−k)} each.
    """
    square = n ** (2 * order) * rank**order
    modes = sum(m ** (k + 1) * n ** (2 * (order - k)) for k in range(order))
    return 2 * square + 2 * modes


def closed_operations(k: int) -> int:
    """Multiply-adds of a step of the compiled loop on k weights: its cubic and its linear sum."""
    return 2 * k**3 + k**4 + k**2


def _closed_row(c: Case, order: int, runs: int, steps: int) -> Row:
    subspace = LiftedSubspace.at(c.problem, c.X, order, o=c.o)
    k = subspace.size
    W = subspace.escaped(RHO)

    def loop() -> object:
        return projected_descent(subspace, W, ETA, steps, every=steps)

    return {
        "case": c.name,
        "order": order,
        "operations": closed_operations(k),
        "seconds": _median(loop, runs) / steps,
        "setup": _median(lambda: LiftedSubspace.at(c.problem, c.X, order, o=c.o), runs),
        # Measurements of the pairs, T and tau, and the cubic and linear forms of a step.
        "bytes": int(subspace.products.nbytes + subspace.form.T.nbytes + subspace.form.tau.nbytes)
        + 8 * (k**4 + 2 * k * k + 2 * k),
    }


def _growth(rows: list[Row], column: str) -> float:
    """Factor by which a column grows from one order to the next, over the last two."""
    last, previous = rows[-1], rows[-2]
    return last[column] / previous[column]


def _claims(explicit: list[Row], closed: list[Row]) -> list[Claim]:
    return [*_growth_claims(explicit), *_cost_claims(explicit, closed), _reach_claim()]


def _growth_claims(explicit: list[Row]) -> list[Claim]:
    """How the number of entries and the memory of a step grow from one order to the next."""
    worst, notes, slow, square = 0.0, [], True, True
    for mine in _by_case(explicit):
        base = mine[0]["entries"] ** (1 / mine[0]["order"])
        entries, memory, work = (_growth(mine, k) for k in ("entries", "bytes", "work"))
        worst = max(worst, abs(entries / base - 1))
        slow = slow and memory <= 1.2 * entries
        square = square and abs(memory / work - 1) <= 0.2
        notes.append(f"{mine[0]['case']}: entries x {entries:.2f}, bytes x {memory:.2f} an order")
    return [
        number_claim(
            "section 6.2",
            "the lifted variable has (nr)^l entries",
            worst,
            0.0,
            1e-12,
            note="Deviation of the growth factor from n r.",
        ),
        truth_claim(
            "section 6.2",
            "the cost of optimising in the lifted space grows as (nr)^l",
            slow,
            changed=square,
            measured="; ".join(notes),
            expected="bytes and entries grow alike",
            note=(
                "Change: it grows as n^{2l}. Every evaluation goes through M(w), of n^{2l} "
                "entries, or through m^l residuals."
            ),
        ),
    ]


def _by_case(rows: list[Row]) -> list[list[Row]]:
    names = dict.fromkeys(row["case"] for row in rows)
    return [[row for row in rows if row["case"] == name] for name in names]


def _cost_claims(explicit: list[Row], closed: list[Row]) -> list[Claim]:
    spread, ratios, memory = 1.0, [], []
    for mine, ours in zip(_by_case(explicit), _by_case(closed), strict=True):
        work = [row["operations"] for row in ours]
        spread = max(spread, max(work) / min(work))
        last = mine[-1]
        same = next(row for row in ours if row["order"] == last["order"])
        ratio = last["operations"] / same["operations"]
        ratios.append((ratio, f"{last['case']} l={last['order']}"))
        memory.append(last["bytes"] / same["bytes"])
    flat = len({row["bytes"] for row in closed if row["case"] == closed[0]["case"]}) == 1
    shown = ", ".join(f"{value:.3g} ({label})" for value, label in ratios)
    return [
        truth_claim(
            "abstract",
            "simulating the lift costs little beside lifting",
            min(value for value, _ in ratios) > 10,
            measured=min(value for value, _ in ratios),
            expected="> 10",
            note=(
                f"Operations of a step, explicit over closed form, at the largest order: {shown}; "
                f"memory {min(memory):.3g} times or more."
            ),
        ),
        truth_claim(
            "abstract, section 3",
            "the cost of the simulated lift does not depend on the order",
            flat and spread == 1,
            measured=spread,
            expected=1.0,
            note="Most over fewest operations of a step, orders 2 to 101; the bytes are equal.",
        ),
    ]


def _reach_claim() -> Claim:
    near, far = (_bytes(TOO_LARGE, order) for order in (3, 5))
    return truth_claim(
        "section 6.2",
        "optimising in the lifted space is infeasible for n > 10",
        near > MACHINE,
        changed=far > MACHINE,
        measured=near,
        expected=f"> {MACHINE:g} bytes",
        note=(
            f"Change: from order 5. One step at n = {TOO_LARGE}, r = 1 needs {near:.3g} bytes "
            f"at l = 3 and {far:.3g} at l = 5."
        ),
    )


def _bytes(n: int, order: int) -> float:
    """Bytes of one step at rank one: w and its gradient, M(w) and the back-projected residual."""
    return 8.0 * (2 * n**order + 2 * n ** (2 * order))
