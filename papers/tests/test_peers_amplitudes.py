"""Peers for complex amplitudes: each solves an easy cell, and keeps to what it is for."""

import numpy as np
import pytest

from liftless import InvalidInput, make_instance
from liftless_papers.compare.amplitude_instances import quantum_state
from liftless_papers.compare.cells import CELLS
from liftless_papers.compare.peers import PEERS
from liftless_papers.compare.peers.projections import FAMILIES, Range

AMPLITUDES = [name for name, peer in PEERS.items() if peer.families == FAMILIES]
STATES = [name for name, peer in PEERS.items() if peer.families == ("state",)]


def test_every_family_has_its_peers_and_cells():
    assert len(AMPLITUDES) == 6
    assert set(STATES) == {"linear-inversion", "rrhor"}
    for family in FAMILIES:
        assert sum(cell.family == family for cell in CELLS.values()) >= 4


@pytest.mark.parametrize("name", ["complex n=24 m/n=4", "coded 8x8 phases L=4 complex"])
def test_projections_are_onto_the_two_sets(name):
    instance = CELLS[name].make(5)
    shape, rng = Range(instance.problem), np.random.default_rng(0)
    P = shape.rows(instance.truth)
    assert shape.misfit(P) < 1e-12
    np.testing.assert_allclose(shape.nearest(P), instance.truth, atol=1e-10)
    G = P + rng.standard_normal(P.shape) + 1j * rng.standard_normal(P.shape)
    off = G - shape.rows(shape.nearest(G))
    # What is left is at right angles to all amplitudes that some X has.
    across = np.vdot(off, shape.rows(rng.standard_normal(instance.truth.shape))).real
    assert abs(across) < 1e-9 * np.linalg.norm(G) ** 2
    assert shape.misfit(shape.lengths(G)) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", AMPLITUDES)
def test_a_peer_solves_an_easy_cell(name):
    instance = CELLS["coded 8x8 phases L=4 complex"].make(100)
    done = PEERS[name]().solve(instance.problem, budget=3000, seed=0)
    assert done.success, done.message
    assert 0 < done.applications <= 3000
    assert instance.problem.space.distance(done.X, instance.truth) < 1e-6 * 64


@pytest.mark.slow
def test_all_settings_are_inverted_exactly_and_likelihood_comes_near():
    cell = CELLS["state q=3 r=1 settings=14"]
    whole = type(cell)(**{**vars(cell), "parameters": cell.parameters | {"settings": 27}})
    instance = whole.make(3)
    space, size = instance.problem.space, np.linalg.norm(instance.truth) ** 2
    inverted = PEERS["linear-inversion"]().solve(instance.problem, budget=100, seed=0)
    assert space.distance(inverted.X, instance.truth) < 1e-9 * size
    iterated = PEERS["rrhor"]().solve(instance.problem, budget=3000, seed=0)
    assert space.distance(iterated.X, instance.truth) < 0.05 * size
    assert iterated.applications <= 3000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["psd-clarabel", "trace-clarabel"])
def test_relaxations_are_truncated_over_the_complex_numbers(name):
    """Of the real form each eigenvalue comes twice: the leading two vectors may be one and i it."""
    pytest.importorskip("cvxpy")
    instance = quantum_state(2, 2, 9, 4)
    done = PEERS[name]().solve(instance.problem, budget=200, seed=0, target=1e-12)
    assert done.success, done.message
    # What the relaxation alone hands over is near: a wrong column takes descent many times that.
    assert done.applications <= 60
    space, size = instance.problem.space, np.linalg.norm(instance.truth) ** 2
    assert space.distance(done.X, instance.truth) < 1e-4 * size


def test_other_problems_are_refused():
    dense = make_instance("gaussian", n=6, rank=1, ratio=3.0, seed=0).problem
    for name in ("raar-0.9", "rrhor"):
        with pytest.raises(InvalidInput, match="DenseOperator"):
            PEERS[name]().solve(dense, budget=100, seed=0)
