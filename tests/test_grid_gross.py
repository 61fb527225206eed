"""Readings that are taken out: at the right state, and nothing is made to fit a wrong one."""

import numpy as np
import pytest
from grid_tools import ring

import liftless as ll
from liftless.grid.matpower import from_tables


@pytest.fixture(scope="module")
def nose():
    """A line with a load, and both voltages at which it takes that power."""
    bus, branch, gen, _ = ring(2, 0)
    branch = branch[:1]
    branch[0, 2:5] = 0.02, 0.1, 0.0
    grid = from_tables(bus, branch, gen, 100.0)
    z, load, v1 = 0.02 + 0.1j, 0.9 + 0.3j, 1.02
    # |v₂|⁴ + (2 Re(z s*) − v₁²) |v₂|² + |z s|² = 0 of v₁ = v₂ + z (s/v₂)*
    x = np.roots([1, 2 * (z * np.conj(load)).real - v1**2, abs(z * load) ** 2])
    states = []
    for size in np.sqrt(np.sort(x)[::-1]):
        first = size + z * np.conj(load) / size
        states.append(np.array([v1, size * np.exp(-1j * np.angle(first))]))
    return grid, states


def test_a_wrong_start_is_not_made_to_fit_by_taking_readings_out(nose):
    grid, (high, low) = nose
    # All but one of these are the same at both voltages.
    rows = [("v", "1", "", 1.02, 1e-3), ("v", "2", "", abs(high[1]), 1e-2)]
    rows += 2 * [("p", "2", "", -90.0, 0.1), ("q", "2", "", -30.0, 0.1)]
    rows += 3 * [("p", "1-2", "to", -90.0, 0.1), ("q", "1-2", "to", -30.0, 0.1)]
    given = {"start": low, "tries": 0}
    plain = ll.grid.estimate(grid, rows, **given)
    assert (plain.kind, plain.distance(high) > 0.5) == ("stationary", True)
    without = ll.grid.estimate(grid, [*rows[:1], *rows[2:]], **given)
    assert without.distance(low) < 1e-6
    found = ll.grid.estimate(grid, rows, bad_data=True, **given)
    assert (found.success, found.gross) == (True, ())
    assert found.distance(high) < 1e-4
    assert [np.abs(other - low).max() < 0.05 for other in found.others] == [True]


def test_two_states_that_lose_as_many_readings_are_no_success(nose):
    grid, (high, low) = nose
    for v in (high, low):
        np.testing.assert_allclose(grid.injections(v)[1], -0.9 - 0.3j, rtol=1e-12)
    rows = [("v", "1", "", 1.02, 1e-3), ("p", "2", "", -90.0, 0.1), ("q", "2", "", -30.0, 0.1)]
    rows += [("v", "2", "", abs(v[1]), 1e-2) for v in (high, low)]
    found = ll.grid.estimate(grid, rows, start=low, tries=0, bad_data=True)
    assert (found.status, found.kind, len(found.gross)) == (4, "stationary", 1)
    assert "another state" in found.message
    # With one more reading there the other one needs two.
    more = [*rows, ("v", "2", "", abs(high[1]), 1e-2)]
    told = ll.grid.estimate(grid, more, start=low, tries=0, bad_data=True)
    assert (told.success, [one.reading for one in told.gross]) == (True, [4])
    assert told.distance(high) < 1e-4


def test_noise_that_is_too_large_does_not_make_a_wrong_state_the_better_one(nose):
    grid, (high, low) = nose
    sign = np.tile([1.0, -1.0], 10)
    rows = [("v", "1", "", 1.02, 1e-3)]
    rows += [("p", "2", "", -90.0 + 0.1 * x, 0.1) for x in sign]
    rows += [("q", "2", "", -30.0 + 0.1 * x, 0.1) for x in sign]
    # χ² of these is too large for noise, and none of them is gross.
    rows += [("v", "2", "", abs(high[1]) + 0.029 * x, 1e-2) for x in sign[:4]]
    given = {"start": low, "tries": 0}
    right = ll.grid.estimate(grid, rows)
    assert (right.kind, right.distance(high) < 0.01) == ("stationary", True)
    # Without the last four the wrong voltage explains all that is left.
    without = ll.grid.estimate(grid, rows[:-4], **given)
    assert (without.kind, without.distance(low) < 0.01) == ("fitted", True)
    found = ll.grid.estimate(grid, rows, bad_data=True, **given)
    assert (found.kind, found.gross) == ("stationary", ())
    assert found.distance(high) < 0.01
