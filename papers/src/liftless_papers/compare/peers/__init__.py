"""Other ways to solve the same problem, behind one interface and one way of counting.

An application is one A(·) of one matrix or one A*(·) of one vector; every peer counts its own
(:class:`Attempt`), and keeps to a budget of them.
"""

from liftless_papers.compare.peers.alternating import RidgeALS
from liftless_papers.compare.peers.base import Attempt, Peer
from liftless_papers.compare.peers.convex import (
    LeastSquaresClarabel,
    LeastSquaresScs,
    TraceClarabel,
    TraceScs,
)
from liftless_papers.compare.peers.gauss_newton import GNMR, R2RILS
from liftless_papers.compare.peers.liftless import Liftless
from liftless_papers.compare.peers.manifold import ConjugateGradient, TrustRegion
from liftless_papers.compare.peers.over import OverFull, OverOne, OverTwice
from liftless_papers.compare.peers.perturbed import PerturbedDescent
from liftless_papers.compare.peers.projections import (
    HybridInputOutput,
    ReflectedThenDescent,
    RelaxedMost,
    RelaxedNine,
    ReshapedFlow,
    SpectralWeighted,
)
from liftless_papers.compare.peers.quasi_newton import QuasiNewton
from liftless_papers.compare.peers.restarts import Restarts, Spectral
from liftless_papers.compare.peers.scaled import ScaledDescent, ScaledFixed
from liftless_papers.compare.peers.soft_impute import SoftImpute
from liftless_papers.compare.peers.states import IteratedLikelihood, LinearInversion

#: Every peer by its name; a further one is one file and one line here.
PEERS: dict[str, type[Peer]] = {
    peer.name: peer
    for peer in (
        Liftless,
        Restarts,
        Spectral,
        OverOne,
        OverTwice,
        OverFull,
        PerturbedDescent,
        ScaledDescent,
        TraceClarabel,
        TraceScs,
        LeastSquaresClarabel,
        LeastSquaresScs,
        TrustRegion,
        ConjugateGradient,
        QuasiNewton,
        GNMR,
        R2RILS,
        RidgeALS,
        SoftImpute,
        ScaledFixed,
        ReflectedThenDescent,
        RelaxedNine,
        RelaxedMost,
        HybridInputOutput,
        ReshapedFlow,
        SpectralWeighted,
        LinearInversion,
        IteratedLikelihood,
    )
}

__all__ = ["PEERS", "Attempt", "Peer"]
