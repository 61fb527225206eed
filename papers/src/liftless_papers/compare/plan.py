"""The comparison: every method on the same instances of every cell."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from liftless._checks import positive_int
from liftless._errors import InvalidInput
from liftless._version import __version__
from liftless.schedule import Scheduler
from liftless_papers.compare.cells import Cell, check_name
from liftless_papers.compare.control import SpectralOnce
from liftless_papers.compare.origin import traced
from liftless_papers.compare.peers import PEERS, Peer
from liftless_papers.compare.rows import Row
from liftless_papers.compare.trials import TARGET, Trial, run_trial

#: The library's own method, which the others are compared with.
OWN = "liftless"
#: The control.
CONTROL = SpectralOnce.name
#: Every method of the comparison by its name.
METHODS: dict[str, type[Peer]] = {**PEERS, CONTROL: SpectralOnce}


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes
    ----------
    trials : tuple of Trial
        By cell, then by trial, so that an interrupted run has treated all methods alike.
    skipped : tuple of dict
        Methods left out, with ``method``, ``cell`` (None for all) and ``reason``.
    """

    trials: tuple[Trial, ...]
    skipped: tuple[dict[str, Any], ...]


def settings(seed: int, budget: int) -> dict[str, Any]:
    """Whatever decides a row besides its cell, method and trial."""
    return {"liftless": __version__, "seed": seed, "budget": budget, "target": TARGET}


def choose_methods(
    peers: Mapping[str, type[Peer]], names: Sequence[str] | None = None
) -> tuple[dict[str, type[Peer]], list[dict[str, Any]]]:
    """Methods by name; all of them if none is named.

    Parameters
    ----------
    peers : mapping of str to class
    names : sequence of str, optional

    Returns
    -------
    chosen : dict
    skipped : list of dict
        Methods that were not named and whose package is missing.

    Raises
    ------
    InvalidInput
        An unknown name, or one named whose package is missing.
    """
    for name in names or ():
        check_name("methods", name, peers)
    chosen, skipped = {}, []
    for name in dict.fromkeys(names or peers):
        absent = ", ".join(p for p in peers[name].packages if find_spec(p) is None)
        if not absent:
            chosen[name] = peers[name]
            continue
        if names:
            cure = f"Install it with: pip install 'liftless[{peers[name].needs}]'."
            must = "a method whose packages are installed"
            raise InvalidInput("methods", f"{name!r}, which needs {absent}", must, cure)
        skipped.append({"method": name, "cell": None, "reason": f"{absent} is not installed"})
    return chosen, skipped


def plan(
    cells: Iterable[Cell],
    methods: Mapping[str, type[Peer]],
    trials: int,
    seed: int,
    budget: int,
    *,
    named: bool = True,
) -> Plan:
    """List every trial.

    A method is left out in the cells above its largest order and of families that it is not for;
    and, unless the methods were ``named``, in the published completion cells if it is neither for
    completion nor the library's own, since it would take hours there.
    """
    trials = positive_int("trials", trials)
    seed = positive_int("seed", seed, least=0)
    budget = positive_int("budget", budget, least=10)
    listed, skipped = [], []
    for cell in cells:
        fit = {}
        for name, peer in methods.items():
            reason = _unfit(cell, name, peer, named)
            if reason:
                skipped.append({"method": name, "cell": cell.name, "reason": reason})
            else:
                fit[name] = peer
        listed += [
            Trial(cell, name, peer, number, seed, budget * cell.effort)
            for number in range(trials)
            for name, peer in fit.items()
        ]
    return Plan(tuple(listed), tuple(skipped))


def _unfit(cell: Cell, name: str, peer: type[Peer], named: bool) -> str:
    """Why a method is left out in a cell; an empty string if it is not."""
    if peer.most_n is not None and cell.n > peer.most_n:
        return f"n = {cell.n} is above {peer.most_n}"
    if peer.families is not None and cell.family not in peer.families:
        return f"being for {', '.join(peer.families)} alone"
    if cell.by_block and not named and peer.families is None and name != OWN:
        return "being no method of completion (name it to run it there)"
    return ""


#: Fields that tell rows apart.
KEY = ("cell", "method", "trial")


def row_key(row: Row) -> tuple[str, str, int]:
    """Cell, method and trial: what a row is of."""
    return row["cell"], row["method"], row["trial"]


def run_plan(
    wanted: Plan,
    done: Iterable[Row],
    on_row: Callable[[Row, Row], Any],
    *,
    scheduler: Scheduler | None = None,
    setup: Callable[[], Any] | None = None,
    asked: Callable[[], bool] = lambda: False,
    on_workers: Callable[[int], None] = lambda _: None,
) -> int:
    """Run what is not done yet.

    Parameters
    ----------
    wanted : Plan
    done : iterable of Row
        Rows there are already.
    on_row : callable
        Called in this process with every new row and its origin.
    scheduler : Scheduler, optional
        Where trials run; in this process if left out.
    setup, asked, on_workers
        As in :meth:`liftless.schedule.Scheduler.run`.

    Returns
    -------
    int
        New rows.
    """
    have = {row_key(row) for row in done}
    left = [t for t in wanted.trials if (t.cell.name, t.method, t.trial) not in have]
    return (scheduler or Scheduler()).run(
        partial(traced, run_trial),
        left,
        lambda done: on_row(*done),
        key=lambda t: t.cell.name,
        setup=setup,
        asked=asked,
        on_workers=on_workers,
    )


def chosen_rows(wanted: Plan, rows: Iterable[Row]) -> list[Row]:
    """Rows of a plan, in its order whatever the order in which they came."""
    by_key = {row_key(row): row for row in rows}
    keys = [(t.cell.name, t.method, t.trial) for t in wanted.trials]
    return [by_key[key] for key in keys if key in by_key]
