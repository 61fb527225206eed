"""Networks and readings of pandapower, as tables and beside the package itself."""

import dataclasses

import numpy as np
import pytest
from cli_tools import run
from grid_tools import CASE

import liftless as ll


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    path = tmp_path_factory.mktemp("case") / "case3.m"
    path.write_text(CASE)
    return ll.grid.from_matpower(path)


class _Net(dict):
    """Tables by name, as pandapower's networks have them."""

    __getattr__ = dict.__getitem__


def test_readings_of_a_pandapower_table(three):
    pandas = pytest.importorskip("pandas")
    columns = ["measurement_type", "element_type", "element", "value", "std_dev", "side"]
    rows = [
        ("v", "bus", 10, 1.01, 0.01, None),
        ("p", "bus", 20, 60.0, 1.0, None),
        ("p", "bus", 20, 66.0, 2.0, None),
        ("p", "bus", 21, 5.0, 2.0, None),  # joined to 20
        ("q", "bus", 99, 5.0, 2.0, None),  # out of service
        ("q", "line", 3, 7.0, 0.5, "to"),
        ("i", "line", 3, 0.1, 0.01, 20),  # the side as its bus
        ("p", "trafo", 0, 8.0, 0.5, "hv"),
        ("p", "line", 8, 8.0, 0.5, "from"),  # out of service
    ]
    net = _Net(
        measurement=pandas.DataFrame(rows, columns=columns),
        line=pandas.DataFrame({"from_bus": [20], "to_bus": [40]}, index=[3]),
        trafo=pandas.DataFrame({"hv_bus": [10], "lv_bus": [40]}),
    )
    names = np.array(["line 2", "line 3", "trafo 0", "line 9"])
    grid = dataclasses.replace(three, branches=names, aliases={"21": "20"})
    found = ll.grid.pandapower_measurements(net, grid)
    told = {found.name(k): (found.value[k], found.std[k]) for k in range(found.m)}
    # Consumption is an injection of the other sign; 61.2 is the weighted mean of 60 and 66.
    assert told.pop("p 20") == pytest.approx((-66.2, np.sqrt(0.8 + 4.0)))
    assert told == {
        "v 10": (1.01, 0.01),
        "q line 3 to": (7.0, 0.5),
        "i line 3 from": (0.1, 0.01),
        "p trafo 0 from": (8.0, 0.5),
    }
    for bad, words in (
        (("x", "bus", 10, 1.0, 0.1, None), "of type 'x'"),
        (("p", "load", 10, 1.0, 0.1, None), "of a 'load'"),
        (("p", "line", 3, 1.0, 0.1, "hv"), "at side 'hv'"),
    ):
        spoilt = _Net(net, measurement=pandas.DataFrame([bad], columns=columns))
        with pytest.raises(ll.InvalidInput, match=words):
            ll.grid.pandapower_measurements(spoilt, grid)


# Of pandapower's own, about its older networks.
@pytest.mark.filterwarnings("ignore:tap_dependency_table:DeprecationWarning")
def test_pandapower_has_the_same_admittances_and_states():
    pandapower = pytest.importorskip("pandapower")
    from pandapower import networks

    for made in (networks.case14, networks.case118):
        net = made()
        pandapower.runpp(net, numba=False, calculate_voltage_angles=True)
        grid = ll.grid.from_pandapower(net)
        inner = net._ppc["internal"]
        np.testing.assert_allclose(grid.Y.toarray(), inner["Ybus"].toarray(), atol=1e-12)
        np.testing.assert_allclose(grid.voltage, inner["V"], atol=1e-12)
        readings = ll.grid.measure(grid, grid.voltage, ll.grid.redundant(grid, 2.0))
        assert ll.grid.estimate(grid, readings).distance(grid.voltage) < 1e-6


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"a": 1}', '"a word"'])
def test_a_file_that_is_no_network_is_told(tmp_path, text):
    pytest.importorskip("pandapower")
    path = tmp_path / "net.json"
    path.write_text(text)
    found = run("grid", path, "--out", tmp_path / "state.csv", "--quiet")
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert "a network of pandapower" in found.err
    assert [one.name for one in tmp_path.iterdir()] == ["net.json"]
