"""Descent from one start after another: the peer every other must beat."""

from dataclasses import dataclass
from typing import ClassVar, final

from liftless.start import SMALL
from liftless_papers.compare.peers.base import Effort, Peer


@final
@dataclass(frozen=True)
class Restarts(Peer):
    """Local solves from small Gaussian starts until one fits the data.

    Parameters
    ----------
    size : float
        Size of a start relative to the best multiple of the draw.
    """

    name: ClassVar[str] = "restarts"
    title: ClassVar[str] = "random restarts"

    size: float = SMALL

    def search(self, effort: Effort) -> str:
        """Start, descend, start again."""
        while not effort.over:
            effort.local(effort.start(spectral=False, size=self.size))
        return ""


@final
@dataclass(frozen=True)
class Spectral(Peer):
    """One local solve from the spectral start, then from small Gaussian starts.

    Parameters
    ----------
    size : float
        Size of a later start relative to the best multiple of the draw.

    Notes
    -----
    Jain, Netrapalli and Sanghavi (2013), section 1, for the start.
    """

    name: ClassVar[str] = "spectral"
    title: ClassVar[str] = "spectral start, then random restarts"

    size: float = SMALL

    def search(self, effort: Effort) -> str:
        """Start, descend, start again."""
        while not effort.over:
            effort.local(effort.start(spectral=True, size=self.size))
        return ""
