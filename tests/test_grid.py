"""Power grids: cases, admittances, rows, the estimate and what it says of its readings."""

import csv

import numpy as np
import pytest
from cli_tools import run, strict_json
from grid_tools import CASE, powers, ring

import liftless as ll
from liftless.grid.matpower import from_tables
from liftless.grid.model import Model
from liftless.grid.residuals import seen_at
from liftless.grid.rows import predicted, rows_of

EVERY = [
    (kind, name, side, 0.0, 1.0)
    for kind in ("p", "q")
    for name, side in (
        *((name, "") for name in ("10", "20", "40")),
        *(
            (name, side)
            for name in ("10-20", "20-40", "10-40", "10-40#2")
            for side in ("from", "to")
        ),
    )
]
V = np.array([1.02, 0.97 * np.exp(-0.08j), 1.01 * np.exp(0.05j)])


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    path = tmp_path_factory.mktemp("case") / "case3.m"
    path.write_text(CASE)
    return ll.grid.from_matpower(path)


@pytest.fixture(scope="module")
def meshed():
    bus, branch, gen, v = ring()
    return from_tables(bus, branch, gen, 100.0), v


def test_a_case_is_its_branches_equations(three):
    assert three.buses.tolist() == ["10", "20", "40"]
    assert three.branches.tolist() == ["10-20", "20-40", "10-40", "10-40#2"]
    assert (three.slack, three.base, three.idle.tolist()) == (0, 100.0, [False] * 3)
    s, sf, st = powers(V)
    np.testing.assert_allclose(three.injections(V), s, atol=1e-13)
    for found, expected in zip(three.flows(V), (sf, st), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-13)
    np.testing.assert_allclose(three.power, [0.9 + 0.4j, -0.6 - 0.2j, -0.3 - 0.1j])
    assert abs(three.voltage[1] - 0.99 * np.exp(-3j * np.pi / 180)) < 1e-15


def test_rows_are_the_power_equations(three):
    s, sf, st = powers(V)
    readings = ll.grid.Measurements.of(
        [*EVERY, ("v", "20", "", 0.9, 0.1), ("va", 40, "", 7.0, 2.0)]
    )
    rows = rows_of(three, readings)
    operator, b, w = rows.operator, rows.b, 1 / rows.std
    X = operator.space.pack(np.r_[V, 1.0][:, None])
    flows = np.stack([sf, st], axis=1).ravel()
    expected = np.r_[s.real, flows.real, s.imag, flows.imag]
    got = np.asarray(ll.measure(operator, X, X))
    np.testing.assert_allclose(got[: len(EVERY)], expected, atol=1e-13)
    turned = V[2] * np.exp(-1j * np.deg2rad(7.0))
    np.testing.assert_allclose(got[len(EVERY) :], [abs(V[1]) ** 2, turned.imag], atol=1e-13)
    np.testing.assert_allclose(b[-2:], [0.81, 0.0])
    # The square of a Gaussian of mean x and deviation σ has the variance 4 x² σ² + 2 σ⁴.
    square = np.sqrt(4 * 0.81 * 0.01 + 2e-4)
    np.testing.assert_allclose(1 / w[-2:], [square, np.deg2rad(2.0)])
    np.testing.assert_allclose(predicted(three, V, readings)[: len(EVERY)], 100 * expected)


def test_exact_readings_give_the_state_from_a_flat_and_from_a_bad_start(meshed):
    grid, v = meshed
    readings = ll.grid.measure(grid, v, ll.grid.redundant(grid, 2.5, seed=3))
    found = ll.grid.estimate(grid, readings)
    assert (found.kind, found.status) == ("exact", 0)
    assert found.steps <= 10
    assert found.distance(v) < 1e-8
    angles = np.random.default_rng(1).uniform(-np.pi, np.pi, (3, grid.n))
    ends = [ll.grid.estimate(grid, readings, start=np.exp(1j * a)) for a in angles]
    assert max(end.distance(v) for end in ends) < 1e-6
    # One column from the same starts does not do it: the second one is what does.
    alone = [ll.grid.estimate(grid, readings, start=np.exp(1j * a), tries=0) for a in angles]
    assert max(end.distance(v) for end in alone) > 0.1
    assert all(end.distance(v) < 1e-6 or not end.success for end in alone)


def test_errors_are_those_of_the_dense_normal_matrix(meshed):
    grid, v = meshed
    readings = ll.grid.measure(grid, v, ll.grid.redundant(grid, 2.5, seed=3), seed=4)
    found = ll.grid.estimate(grid, readings)
    assert found.kind == "fitted"
    n = grid.n

    def residual(x):
        u = x[:n] * np.exp(1j * np.r_[0.0, x[n:]])
        return (predicted(grid, u, readings) - readings.value) / readings.std

    x = np.r_[found.vm, np.deg2rad(found.va[1:])]
    step = 1e-6
    J = np.array(
        [(residual(x + e) - residual(x - e)) / (2 * step) for e in step * np.eye(x.size)]
    ).T
    # The gradient vanishes: it is the weighted least squares of the readings themselves.
    np.testing.assert_allclose(J.T @ residual(x), 0, atol=1e-3 * np.linalg.norm(J))
    C = np.linalg.inv(J.T @ J)
    np.testing.assert_allclose(found.sigma_vm, np.sqrt(np.diag(C))[:n], rtol=1e-5)
    sigma = np.rad2deg(np.sqrt(np.diag(C))[n:])
    np.testing.assert_allclose(found.sigma_va, np.r_[0.0, sigma], rtol=1e-5, atol=1e-12)
    left = 1 - np.einsum("mi,ij,mj->m", J, C, J)
    np.testing.assert_allclose(found.residuals, residual(x), atol=1e-6)
    expected = np.abs(residual(x)) / np.sqrt(left)
    np.testing.assert_allclose(found.normalised, expected, rtol=1e-4, atol=1e-6)
    assert found.chi2 == pytest.approx(np.sum(residual(x) ** 2) / (readings.m - x.size), rel=1e-6)


def test_a_gross_error_is_found_and_taken_out(meshed):
    grid, v = meshed
    readings = ll.grid.measure(grid, v, ll.grid.redundant(grid, 3.0, seed=5), seed=6)
    value = readings.value.copy()
    value[20] += 20 * readings.std[20]
    spoilt = readings.changed(value)
    plain = ll.grid.estimate(grid, spoilt)
    assert (plain.kind, plain.status) == ("stationary", 4)
    assert np.nanargmax(plain.normalised) == 20
    clean = ll.grid.estimate(grid, spoilt, bad_data=True)
    assert [one.reading for one in clean.gross] == [20]
    assert clean.kind == "fitted"
    assert readings.name(20) in clean.message
    for one in (plain, clean):
        drawn = [text.get_text() for text in one.plot().axes[0].texts]
        assert drawn.count(readings.name(20)) == 1
    without = ll.grid.estimate(grid, readings.kept(np.arange(readings.m) != 20))
    assert clean.distance(without.voltage) < 1e-8


def test_what_is_not_observable_and_what_is_critical_are_named(three):
    # Magnitudes everywhere, and the flow of one line: the third angle is open.
    rows = [("v", name, "", 1.0, 0.01) for name in three.buses]
    rows += [(kind, "10-20", "from", 0.0, 1.0) for kind in ("p", "q")]
    found = ll.grid.estimate(three, ll.grid.measure(three, V, rows))
    assert found.observable.tolist() == [True, True, False]
    assert (found.status, found.sigma_va[2]) == (4, np.inf)
    assert "40" in found.message
    assert np.isfinite(found.sigma_va[:2]).all()
    # Of these the magnitude of bus 40 alone says anything about it.
    assert found.critical.tolist() == [False, False, True, False, False]
    seen = seen_at(Model(three, found.readings), found.voltage)
    assert np.isnan(seen.normalised[seen.critical]).all()


def test_angles_fix_the_turn(three):
    turned = V * np.exp(0.7j)
    rows = [*EVERY, *(("v", name, "", 1.0, 0.01) for name in three.buses)]
    phasor = ("va", "20", "", 0.0, 0.1)
    found = ll.grid.estimate(three, ll.grid.measure(three, turned, [*rows, phasor]))
    np.testing.assert_allclose(found.voltage, turned, atol=1e-7)
    # Also where the whole is upside down.
    found = ll.grid.estimate(three, ll.grid.measure(three, -turned, [*rows, phasor]))
    np.testing.assert_allclose(found.voltage, -turned, atol=1e-7)


@pytest.fixture(scope="module")
def idling():
    """A ring with two neighbours without load, and a state of it with small angles."""
    bus, branch, gen, v = ring()
    bus[4:6, 2:4] = 0.0
    grid = from_tables(bus, branch, gen, 100.0)
    assert np.flatnonzero(grid.idle).tolist() == [4, 5]
    v = np.abs(v) * np.exp(0.2j * np.angle(v))
    rest, Y = ~grid.idle, grid.Y.toarray()
    v[4:6] = -np.linalg.solve(Y[4:6, 4:6], Y[4:6][:, rest] @ v[rest])
    return grid, v


@pytest.mark.parametrize("idle", ["exact", 1e-3])
def test_buses_without_load_are_told_by_the_others(idling, idle):
    grid, v = idling
    rows = [("v", "1", "", 1.0, 0.01)]
    rows += [
        (k, str(name), "", 0.0, 1.0) for name in range(2, 10) if name not in (5, 6) for k in "pq"
    ]
    readings = ll.grid.measure(grid, v, rows)
    found = ll.grid.estimate(grid, readings, idle=idle)
    assert found.distance(v) < 1e-7
    assert (found.dof, found.observable.all()) == (0, True)
    # 13 unknowns are left by the two buses, and as many readings.
    assert dict(found.rows())["readings"] == "13 kept, 1.00 an unknown"
    assert not ll.grid.estimate(grid, readings, idle=None).observable.all()
    # An injection that is read there is no zero.
    more = ll.grid.Measurements.of([*rows, ("p", "5", "", 0.0, 1.0), ("q", "5", "", 0.0, 1.0)])
    loaded = v * (1 + 0.02j * np.arange(9))
    told = ll.grid.measure(grid, loaded, more)
    assert np.abs(told.value[-2:]).min() > 1
    np.testing.assert_allclose(
        predicted(grid, ll.grid.estimate(grid, told).voltage, told)[-2:], told.value[-2:], rtol=1e-6
    )


def test_elimination_is_the_limit_of_heavy_weights(idling):
    grid, v = idling
    plan = ll.grid.redundant(grid, 2.0, seed=1)
    readings = ll.grid.measure(grid, v, plan, seed=2)
    exact = ll.grid.estimate(grid, readings)
    heavy = ll.grid.estimate(grid, readings, idle=1e-6)
    assert np.abs(grid.injections(exact.voltage)[grid.idle]).max() < 1e-12
    assert exact.distance(heavy.voltage) < 1e-6
    assert (exact.dof, exact.readings.m) == (heavy.dof, heavy.readings.m)
    np.testing.assert_allclose(exact.chi2, heavy.chi2, rtol=1e-4)
    for name in ("sigma_vm", "sigma_va", "normalised"):
        np.testing.assert_allclose(getattr(exact, name), getattr(heavy, name), rtol=1e-3, atol=1e-6)


def test_currents_are_readings(three):
    _, sf, st = powers(V)
    base = 100 / (np.sqrt(3) * 230)  # kA of one per unit
    rows = [("i", "20-40", "from", 1.0, 0.01), ("ia", "20-40", "from", 0.0, 0.5)]
    rows += [("i", "10-40", "to", 1.0, 0.01), ("v", "10", "", 1.0, 0.01)]
    told = ll.grid.measure(three, V, rows)
    into = np.conj(sf[1] / V[1])
    np.testing.assert_allclose(told.value[:2], [base * abs(into), np.rad2deg(np.angle(into))])
    assert told.value[2] == pytest.approx(base * abs(st[2] / V[2]))
    # b is |I|², and 0 across the angle, per unit.
    found = rows_of(three, told)
    X = found.operator.space.pack(np.r_[V, 1.0][:, None])
    np.testing.assert_allclose(np.asarray(ll.measure(found.operator, X, X)), found.b, atol=1e-13)
    np.testing.assert_allclose(found.b[:2], [abs(into) ** 2, 0.0], atol=1e-13)
    np.testing.assert_allclose(found.std[1], abs(into) * np.deg2rad(0.5))
    # With magnitudes and a few powers they determine the state, noise or none.
    some = [row for row in EVERY if row[1] in ("10-20", "20")]
    more = ll.grid.measure(three, V, [*rows, *some, ("i", "20-40", "to", 1.0, 0.01)])
    np.testing.assert_allclose(ll.grid.estimate(three, more).voltage, V, atol=1e-7)


def test_islands_have_their_own_reference(meshed):
    bus, branch, gen, v = ring(6, 2)
    second = bus.copy()
    second[:, 0] += 100
    lines, units = branch.copy(), gen.copy()
    lines[:, :2] += 100
    units[:, 0] += 100
    both = [np.concatenate(pair) for pair in ((bus, second), (branch, lines), (gen, units))]
    grid = from_tables(*both, 100.0)
    state = np.r_[v, 1.01 * v]
    readings = ll.grid.measure(grid, state, ll.grid.redundant(grid, 2.5, seed=1), seed=2)
    found = ll.grid.estimate(grid, readings)
    assert (found.status, found.observable.all()) == (0, True)
    assert found.dof == readings.m - 2 * 11
    np.testing.assert_allclose(found.va[[0, 6]], 0, atol=1e-12)
    assert found.distance(state) < 0.05
    # Each is what it is alone.
    one = from_tables(bus, branch, gen, 100.0)
    names = np.isin(readings.element, np.r_[one.buses, one.branches])
    alone = ll.grid.estimate(one, readings.kept(names))
    np.testing.assert_allclose(found.voltage[:6], alone.voltage, atol=1e-6)


def test_a_flat_start_has_the_phase_shifts_alone():
    bus, branch, gen, _ = ring(4, 0)
    branch = branch[:-1]  # a line of buses, of which the shifts add up
    branch[:, 9] = [30.0, 0.0, -10.0]
    branch[:, 4] = 3.0  # much charging says nothing
    grid = from_tables(bus, branch, gen, 100.0)
    np.testing.assert_allclose(np.abs(grid.flat()), 1.0)
    np.testing.assert_allclose(np.rad2deg(np.angle(grid.flat())), [0, -30, -30, -20], atol=1e-5)


def test_a_critical_pair_is_told_by_its_rivals(three):
    # Two readings of one angle and nothing else: either may be the wrong one.
    rows = [("v", name, "", 1.0, 0.01) for name in three.buses]
    rows += [(kind, "10-20", "from", 0.0, 1.0) for kind in ("p", "q")]
    rows += [("p", "20-40", "from", 0.0, 1.0), ("p", "20-40", "to", 0.0, 1.0)]
    readings = ll.grid.measure(three, V, rows)
    value = readings.value.copy()
    value[-1] += 40
    found = ll.grid.estimate(three, readings.changed(value), bad_data=True)
    assert len(found.gross) == 1
    assert {found.gross[0].reading, *found.gross[0].rivals} >= {5, 6}
    assert "(or p 20-40" in found.message
    # Which one is taken out makes the state, of which nothing is certain then.
    assert (found.kind, found.status) == ("exact", 4)
    assert found.summary()["gross"][0]["rivals"] == list(found.gross[0].rival_names)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("i", "10", "", 1.0, 0.1)], "side was empty for the current"),
        ([("ia", "10-20", "to", 1.0, 0.1)], "kind was 'ia 10-20 to' alone"),
        ([("i", "10-20", "to", -1.0, 0.1)], "value was a current magnitude < 0"),
        ([("w", "10", "", 1.0, 0.1)], "kind was 'w'"),
        ([("p", "11", "", 1.0, 0.1)], "element was '11'; it must be a bus"),
        ([("p", "10", "from", 1.0, 0.1)], "element was '10'; it must be a branch"),
        ([("v", "10-20", "from", 1.0, 0.1)], "side was given for the voltage"),
        ([("v", "10", "", -1.0, 0.1)], "value was a voltage magnitude <= 0"),
        ([("v", "10", "", 1.0, 0.0)], "std was"),
        ([("v", "10", "", np.nan, 0.1)], "value was not finite"),
        ([("v", "10")], "measurements was"),
        ({"kind": ["v"], "element": ["10"], "value": [1.0]}, "measurements was without 'std'"),
        (17, "measurements was 17"),
    ],
)
def test_bad_readings_are_told(three, rows, words):
    with pytest.raises(ll.InvalidInput, match=words.replace("(", r"\(")):
        ll.grid.estimate(three, rows)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("mpc.baseMVA = 100;", "", "without mpc.baseMVA"),
        ("0.02 0.10 0.04", "0.02 abc 0.04", "rows of numbers in mpc.branch"),
        ("mpc.branch", "mpc.twigs", "without mpc.branch"),
        ("0.01 0.20 0.00", "0 0 0.00", "branch was without impedance"),
        ("\t10\t3\t", "\t10\t1\t", "without a reference bus"),
        ("mpc.version", "mpc.bus(2, 3) = 4; mpc.version", "which computes mpc.bus"),
    ],
)
def test_bad_cases_are_told(tmp_path, old, new, words):
    path = tmp_path / "case.m"
    path.write_text(CASE.replace(old, new, 1))
    with pytest.raises(ll.InvalidInput, match=words.replace("(", r"\(")):
        ll.grid.from_matpower(path)


def test_command(tmp_path, three):
    case, readings, start = (tmp_path / name for name in ("c.m", "r.csv", "s.csv"))
    case.write_text(CASE)
    rows = [*EVERY, ("v", "10", "", 1.0, 0.01)]
    made = ll.grid.measure(three, V, rows, seed=1)
    fields = zip(made.kind, made.element, made.side, made.value, made.std, strict=True)
    with readings.open("w", newline="") as file:
        csv.writer(file).writerows([("kind", "element", "side", "value", "std"), *fields])
    start.write_text("bus vm va\n10 1.02 0\n20 1 -3\n")
    out, plot = tmp_path / "state.csv", tmp_path / "grid.svg"
    words = ("--measurements", readings, "--start", start, "--out", out, "--plot", plot, "--json")
    found = run("grid", case, *words, "--quiet")
    assert (found.code, found.err) == (0, "")
    told = strict_json(found.out)
    assert (told["kind"], told["readings"], told["unobservable"]) == ("fitted", len(rows), [])
    with out.open(newline="") as file:
        table = list(csv.DictReader(file))
    vm = [float(row["vm"]) for row in table]
    np.testing.assert_allclose(vm, np.abs(V), atol=0.05)
    assert "<svg" in plot.read_text()
    assert run("grid", case, "--measurements", readings, "--quiet").out.startswith("The readings")
    for bad in (
        ("grid", readings, "--measurements", readings),
        ("grid", case),
        ("grid", case, "--measurements", case),
        ("grid", case, "--measurements", readings, "--idle", "some"),
    ):
        assert run(*bad).code == 2
