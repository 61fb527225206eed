"""The control: one local solve from the spectral start.  A cell that it solves is easy."""

from dataclasses import dataclass
from typing import ClassVar, final

from liftless_papers.compare.peers import Peer
from liftless_papers.compare.peers.base import Effort


@final
@dataclass(frozen=True)
class SpectralOnce(Peer):
    """One descent from the spectral start, and no second one whatever comes of it."""

    name: ClassVar[str] = "spectral-once"
    title: ClassVar[str] = "spectral start alone"

    def search(self, effort: Effort) -> str:
        """One local solve."""
        effort.local(effort.start(spectral=True))
        return "The one start is used."
