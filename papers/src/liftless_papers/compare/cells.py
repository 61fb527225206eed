"""The cells of the comparison: families of instances by size and number of measurements."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from liftless._checks import positive_int
from liftless._errors import InvalidInput
from liftless.instances import INSTANCES, Instance, InstanceSpec
from liftless_papers.compare.amplitude_instances import (
    coded_image,
    complex_gaussian,
    quantum_state,
)
from liftless_papers.compare.published import KAPPAS, RANK, RATIOS, published

#: Families, in the order of the page, in words.
FAMILIES = {
    "gaussian": "dense Gaussian measurements",
    "phase": "phase retrieval",
    "pmc": "perturbed matrix completion",
    "completion": "matrix completion",
    "noisy": "measurements with noise",
    "complex": "complex phase retrieval",
    "coded": "coded diffraction",
    "state": "quantum states in product bases",
    "papers": "the papers' own examples",
}

#: Why a cell is there, in words.
GROUPS = {
    "smoke": "small cells that take seconds",
    "results": "near the sampling limit",
    "peers": "where the peers are told apart",
    "beyond": "closer to the limit than the others",
    "easy": "where every good method should succeed",
    "grid": "the heat map of success over m/dof and n",
    "scaling": "cost against n at m/n = 3",
    "completion": "completion over m/dof and n from the published sampler, and small cells",
}

#: Makers of instances: the library's, the published sampler of completion, complex amplitudes.
MAKERS: dict[str, InstanceSpec] = {
    **INSTANCES,
    "completion-published": InstanceSpec(published),
    "complex-gaussian": InstanceSpec(complex_gaussian),
    "coded-image": InstanceSpec(coded_image),
    "quantum-state": InstanceSpec(quantum_state),
}

#: Nodes of the heat maps: measurements a degree of freedom, orders.
GAUSSIAN_GRID = ((1.02, 1.05, 1.1, 1.15, 1.25, 1.5), (10, 20, 40))
PHASE_GRID = ((1.4, 1.6, 1.8, 2.0, 2.5, 3.0), (10, 20, 40, 60))
#: Orders of the cost at m/n = 3.
SCALING = (25, 50, 100, 200, 400)
#: Order of the published completion cells unless another is asked for, and the least.
ORDER, LEAST_ORDER = 100, 6 * RANK
#: m/dof and condition number at which completion's cost is drawn against the order.
COST_RATIO, COST_KAPPA = 2.0, 10.0
#: Budgets allowed in those cells: with 6000 applications each they hold the 100 × 2000 iterations
#: of LSQR that GNMR may take.
EFFORT = 100


@dataclass(frozen=True)
class Cell:
    """Instances that differ by their seed alone.

    Attributes
    ----------
    name : str
        Unique, such as "phase n=60 m/n=1.8"; it decides the seeds.
    family : str
        A key of :data:`FAMILIES`.
    instance : str
        A key of :data:`MAKERS`.
    parameters : dict
        All parameters of the instance but its seed.
    n, rank : int
    ratio : float or None
        Measurements a degree of freedom (m/n in phase retrieval), where it is what was chosen.
    groups : tuple of str
        Keys of :data:`GROUPS`.
    kappa : float or None
        Condition number, where it is what was chosen.
    effort : int
        Budgets allowed here, where the methods compared were published with more.
    """

    name: str
    family: str
    instance: str
    parameters: dict[str, Any] = field(hash=False)
    n: int
    rank: int
    ratio: float | None = None
    groups: tuple[str, ...] = ()
    kappa: float | None = None
    effort: int = 1

    @property
    def by_block(self) -> bool:
        """Whether success is judged on the block of lines that the entries determine."""
        return self.instance == "completion-published"

    @property
    def fixed(self) -> bool:
        """Whether there is but one instance, so that trials differ in the solver's seed alone."""
        return "seed" not in MAKERS[self.instance].parameters

    @property
    def noisy(self) -> bool:
        """Whether the measurements have noise."""
        return self.parameters.get("noise", 0.0) > 0

    def make(self, seed: int) -> Instance:
        """Build the instance of a seed."""
        given = {} if self.fixed else {"seed": seed}
        return MAKERS[self.instance].make(**self.parameters, **given)


def _gaussian(n: int, rank: int, ratio: float, *groups: str) -> Cell:
    name = f"gaussian n={n} r={rank} m/dof={ratio:g}"
    given = {"n": n, "rank": rank, "ratio": ratio}
    return Cell(name, "gaussian", "gaussian", given, n, rank, ratio, groups)


def _phase(n: int, ratio: float, *groups: str) -> Cell:
    name = f"phase n={n} m/n={ratio:g}"
    return Cell(name, "phase", "phase", {"n": n, "ratio": ratio}, n, 1, ratio, groups)


def _pmc(n: int, *groups: str, eps: float = 0.3) -> Cell:
    return Cell(f"pmc n={n} eps={eps:g}", "pmc", "pmc", {"n": n, "eps": eps}, n, 1, None, groups)


def _completion(n: int, rank: int, probability: float, *groups: str) -> Cell:
    given = {"n": n, "rank": rank, "probability": probability}
    name = f"completion n={n} r={rank} p={probability:g}"
    return Cell(name, "completion", "completion", given, n, rank, None, groups)


def _completion_at(n: int, rank: int, ratio: float, *groups: str) -> Cell:
    """Completion where m is ``ratio`` times the degrees of freedom on average."""
    dof = n * rank - rank * (rank - 1) // 2
    given = {"n": n, "rank": rank, "probability": ratio * dof / (n * (n + 1) / 2)}
    name = f"completion n={n} r={rank} m/dof={ratio:g}"
    return Cell(name, "completion", "completion", given, n, rank, ratio, groups)


def _published(n: int, rank: int, ratio: float, kappa: float, *groups: str) -> Cell:
    given = {"n": n, "rank": rank, "ratio": ratio, "kappa": kappa}
    name = f"completion published n={n} r={rank} kappa={kappa:g} m/dof={ratio:g}"
    made = "completion-published"
    return Cell(name, "completion", made, given, n, rank, ratio, groups, kappa, EFFORT)


def published_cells(n: int = ORDER) -> list[Cell]:
    """Cells of the published sampler: the curves at order n, and the cost at orders about it.

    Raises
    ------
    InvalidInput
        If n is below :data:`LEAST_ORDER`, where the densest cell would have too many entries.
    """
    n = positive_int("n", n, least=LEAST_ORDER)
    curve = [_published(n, RANK, ratio, k, "completion") for k in KAPPAS for ratio in RATIOS]
    orders = [k for k in (n // 4, n // 2, 2 * n) if k >= LEAST_ORDER]
    return curve + [_published(k, RANK, COST_RATIO, COST_KAPPA, "completion") for k in orders]


def _noisy(instance: str, noise: float, *groups: str, **given: Any) -> Cell:
    words = {"n": "n", "rank": "r", "ratio": "m/n" if instance == "phase" else "m/dof"}
    shown = [f"{words.get(name, 'p')}={value:g}" for name, value in given.items()]
    name = " ".join(["noisy", instance, *shown, f"sigma={noise:g}"])
    n, rank, ratio = given["n"], given.get("rank", 1), given.get("ratio")
    return Cell(name, "noisy", instance, given | {"noise": noise}, n, rank, ratio, groups)


def _complex(n: int, ratio: float, *groups: str, rank: int = 1) -> Cell:
    words = f"m/n={ratio:g}" if rank == 1 else f"r={rank} m/dof={ratio:g}"
    given = {"n": n, "rank": rank, "ratio": ratio}
    name = f"complex n={n} {words}"
    # The array of real and imaginary parts has twice the rows.
    return Cell(name, "complex", "complex-gaussian", given, 2 * n, rank, ratio, groups)


def _coded(size: int, masks: int, kind: str, *groups: str, real: bool = False) -> Cell:
    given = {"size": size, "masks": masks, "kind": kind, "real": real}
    name = f"coded {size}x{size} {kind} L={masks} {'real' if real else 'complex'}"
    order = size * size * (1 if real else 2)
    return Cell(name, "coded", "coded-image", given, order, 1, float(masks), groups)


def _state(qubits: int, rank: int, settings: int, *groups: str) -> Cell:
    given = {"qubits": qubits, "rank": rank, "settings": settings}
    name = f"state q={qubits} r={rank} settings={settings}"
    return Cell(name, "state", "quantum-state", given, 2 ** (qubits + 1), rank, None, groups)


def _example(instance: str, n: int, rank: int, *groups: str) -> Cell:
    return Cell(f"papers {instance}", "papers", instance, {}, n, rank, None, groups)


def cells_at(order: int = ORDER) -> dict[str, Cell]:
    """Every cell by its name; one that is named twice has the groups of both.

    ``order`` is that of the published completion cells.
    """
    ratios, orders = GAUSSIAN_GRID
    listed = [
        _gaussian(20, 1, 1.05, "results"),
        _gaussian(20, 1, 1.1, "peers", "smoke"),
        _gaussian(20, 1, 1.15, "easy"),
        _gaussian(20, 2, 1.1, "peers", "smoke"),
        _gaussian(20, 2, 1.25, "easy"),
        _gaussian(20, 3, 1.05, "results"),
        _gaussian(30, 3, 1.1, "results", "peers"),
        _gaussian(30, 3, 1.15, "easy"),
        _gaussian(40, 4, 1.05, "beyond"),
        _gaussian(50, 1, 1.02, "beyond"),
        _gaussian(50, 1, 1.05, "results"),
        *(_gaussian(n, 1, ratio, "grid") for n in orders for ratio in ratios),
        *(_gaussian(n, 1, ratio, "smoke") for n in (10, 20) for ratio in (1.1, 1.5)),
    ]
    ratios, orders = PHASE_GRID
    listed += [
        _phase(60, 1.5, "results"),
        _phase(60, 1.8, "results", "peers"),
        _phase(100, 1.5, "beyond"),
        _phase(100, 1.6, "results"),
        _phase(100, 1.8, "results", "peers"),
        *(_phase(n, ratio, "easy") for n in (20, 60, 100) for ratio in (2.0, 3.0)),
        *(_phase(n, ratio, "grid") for n in orders for ratio in ratios),
        *(_phase(n, 3.0, "scaling") for n in SCALING),
        *(_phase(n, ratio, "smoke") for n in (10, 20) for ratio in (1.8, 3.0)),
    ]
    listed += [
        _pmc(20, "smoke"),
        *(_pmc(n, "easy") for n in (40, 100, 200)),
        _published(40, 2, 1.5, 10.0, "smoke"),
        *published_cells(order),
        _completion(30, 2, 0.25, "results", "completion"),
        _completion(20, 2, 0.35, "easy", "smoke", "completion"),
        _completion(30, 2, 0.35, "easy", "completion"),
        _completion(60, 2, 0.35, "easy", "completion"),
        _completion_at(60, 3, 1.1, "beyond", "completion"),
        _noisy("gaussian", 0.1, "easy", "smoke", n=20, rank=2, ratio=2.0),
        _noisy("phase", 1.0, "easy", n=40, ratio=4.0),
        _noisy("completion", 0.1, "easy", n=30, rank=2, probability=0.5),
        *(_complex(64, ratio, "peers") for ratio in (2.3, 2.5, 3.0)),
        _complex(24, 4.0, "easy", "smoke"),
        _complex(32, 1.5, "peers", rank=2),
        _coded(16, 3, "signs", "peers", real=True),
        _coded(16, 3, "octanary", "peers"),
        _coded(16, 4, "octanary", "peers"),
        _coded(16, 6, "octanary", "easy"),
        _coded(8, 4, "phases", "easy", "smoke"),
        _state(3, 1, 14, "easy", "smoke"),
        _state(4, 1, 27, "peers"),
        _state(4, 2, 27, "peers"),
        _state(4, 1, 81, "easy"),
        _example("basic", 2, 1, "easy", "smoke"),
        _example("real-world", 3, 1, "easy", "smoke"),
        _example("example-1", 2, 1, "easy"),
        _example("example-2", 3, 2, "easy"),
    ]
    found: dict[str, Cell] = {}
    for cell in listed:
        before = found.get(cell.name)
        groups = (*(before.groups if before else ()), *cell.groups)
        found[cell.name] = Cell(**{**vars(cell), "groups": tuple(dict.fromkeys(groups))})
    return found


CELLS: dict[str, Cell] = cells_at()


def choose_cells(
    families: Sequence[str] | None = None,
    filters: Sequence[str] | None = None,
    size: str | None = None,
    cells: Iterable[Cell] | None = None,
) -> list[Cell]:
    """Cells of these families that a filter keeps.

    Parameters
    ----------
    families : sequence of str, optional
        Keys of :data:`FAMILIES`; all if left out.
    filters : sequence of str, optional
        A cell is kept if one of these is part of its name or is one of its groups.
    size : {"smoke", "paper"}, optional
        "smoke" keeps the cells of that group, unless filters choose.
    cells : iterable of Cell, optional
        Chosen from; all of :data:`CELLS` if left out.

    Returns
    -------
    list of Cell
        In the order of the families.

    Raises
    ------
    InvalidInput
        An unknown family, or a filter that keeps nothing, with the nearest names.
    """
    known = list(CELLS.values() if cells is None else cells)
    for name in families or ():
        check_name("families", name, FAMILIES)
    kept = [cell for cell in known if not families or cell.family in families]
    if filters:
        for text in filters:
            if not any(_matches(cell, text) for cell in kept):
                names = [*GROUPS, *(cell.name for cell in known)]
                must = "part of the name of a chosen cell, or a group of them"
                raise InvalidInput("cells", repr(text), must, nearest(text, names))
        kept = [cell for cell in kept if any(_matches(cell, text) for text in filters)]
    elif size == "smoke":
        kept = [cell for cell in kept if "smoke" in cell.groups]
    order = list(FAMILIES)
    return sorted(kept, key=lambda cell: order.index(cell.family))


def _matches(cell: Cell, text: str) -> bool:
    return text in cell.groups or (text not in GROUPS and text in cell.name)


def check_name(argument: str, name: str, names: Iterable[str]) -> None:
    """Refuse a name that is not among ``names``, and suggest the nearest."""
    names = list(names)
    if name not in names:
        raise InvalidInput(argument, repr(name), f"among {', '.join(names)}", nearest(name, names))


def nearest(name: str, names: Iterable[str]) -> str:
    """Suggest the nearest of ``names``, or the list of all."""
    close = difflib.get_close_matches(name, list(names), n=2, cutoff=0.5)
    if not close:
        return "'liftless compare --list' shows them."
    return f"Did you mean {' or '.join(map(repr, close))}?"
