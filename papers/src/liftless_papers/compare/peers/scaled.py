"""Scaled gradient descent as a peer."""

from dataclasses import dataclass
from typing import ClassVar, final

from liftless.descent.scaled import ScaledGradientDescent
from liftless_papers.compare.peers.base import Effort, Peer


@final
@dataclass(frozen=True)
class ScaledDescent(Peer):
    """Scaled gradient descent from the spectral start, then from Gaussian ones.

    Parameters
    ----------
    damping : float
        λ relative to the trace of XᵀX.

    Notes
    -----
    Tong, Ma and Chi (2021); the exact quartic step takes the place of their fixed one.
    """

    name: ClassVar[str] = "scaled-gd"
    title: ClassVar[str] = "scaled gradient descent, restarted"

    damping: float = 1e-10

    def search(self, effort: Effort) -> str:
        """Start, descend, start again."""
        method = ScaledGradientDescent(self.damping)
        while not effort.over:
            effort.local(effort.start(spectral=True), method)
        return ""
