"""The library's own :func:`liftless.recovery.recover` behind the interface of its peers."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from liftless.recovery import recover
from liftless_papers.compare.peers.base import Effort, Peer


@final
@dataclass(frozen=True)
class Liftless(Peer):
    """``recover`` with its default arguments.

    It knows neither ``target`` nor ``level``: it stops by its own certificate, and is judged as
    every peer is.  Its final polish may exceed the budget by a tenth or 300 applications.  Of
    entries all of its work counts as iterations of LSQR too, two applications each: the sweeps of
    belief propagation at r iterations, which is what their products cost.

    Parameters
    ----------
    noise : float, optional
        Standard deviation of the noise, if it may be told.
    """

    name: ClassVar[str] = "liftless"
    title: ClassVar[str] = "liftless recover"

    noise: float | None = None

    def search(self, effort: Effort) -> str:
        """One call of ``recover``; the clock is looked at after each of its events."""

        def watch(row: dict[str, Any]) -> None:
            del row
            if effort.account.elapsed >= effort.seconds:
                raise StopIteration

        done = recover(
            effort.original,
            budget=int(effort.account.budget),
            seed=effort.seed,
            noise=self.noise,
            callback=watch if effort.seconds < float("inf") else None,
        )
        effort.account.spent, effort.account.applications = done.work, done.nfev
        effort.starts = done.rounds
        if effort.original.operator.entries() is not None:
            effort.lsqr = round(done.nfev / 2)
        effort.offer(done.x, float(done.fun), fitted=False)
        return done.message
