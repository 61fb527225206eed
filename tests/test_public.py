"""The public face: one list of names, all of them there, and results that show themselves."""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from cli_tools import page
from scipy.sparse import csr_array

import liftless as ll
from liftless.io import result_fields, save_result

REAL = ll.make_instance("real-world")


def test_the_names_for_type_checkers_are_the_names():
    """The block that only type checkers read lists what is loaded on first use."""
    tree = ast.parse(Path(inspect.getfile(ll)).read_text())
    seen: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                assert isinstance(line, ast.ImportFrom)
                for name in line.names:
                    assert name.name == name.asname
                    seen[name.name] = str(line.module)
    assert seen == ll._HOME


def test_every_public_name_is_there_once_and_documented():
    assert len(ll.__all__) == len(set(ll.__all__))
    assert dir(ll) == sorted(ll.__all__)
    for name in ll.__all__:
        value = getattr(ll, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_names_of_earlier_versions_and_of_the_other_distribution():
    for old, new in ll._RENAMED.items():
        assert getattr(ll, old) is getattr(ll, new)
    with pytest.raises(AttributeError, match="liftless-papers"):
        _ = ll.PEERS
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ll.nothing


def test_readme_names_what_there_is():
    text = (Path(__file__).parents[1] / "README.md").read_text()
    names = set(re.findall(r"\bll\.([A-Za-z_]\w*)", text))
    assert {"recover", "Problem", "RankOneOperator"} <= names
    for name in names:
        assert hasattr(ll, name), name


def test_what_has_one_meaning_is_taken():
    """An operator with its data, whole matrices, a data frame, sparse and unmasked arrays."""

    class Frame:  # as pandas and polars have it
        def __array__(self, dtype=None, copy=None):
            return np.eye(3)

    A = np.stack([np.eye(3), np.ones((3, 3))])
    packed = ll.DenseOperator.from_matrices(A)
    assert np.array_equal(ll.DenseOperator(A).packed, packed.packed)
    for given in (Frame(), csr_array(np.eye(3)), np.ma.masked_array(np.eye(3), mask=False)):
        assert np.array_equal(ll.RankOneOperator(given).a, np.eye(3))
    operator, b = REAL.problem.operator, REAL.problem.b
    one, two = ll.recover(operator, b, 1), ll.recover(REAL.problem)
    assert np.array_equal(one.x, two.x)


def test_a_result_is_short_in_a_list(result):
    assert (
        repr(result) == f"Recovery(kind='exact', rank=1, fun={result.fun:.6g}, nfev={result.nfev})"
    )


@pytest.fixture(scope="module")
def result():
    return ll.recover(REAL.problem)


def test_a_result_shows_itself_in_eight_lines(result):
    lines = str(result).splitlines()
    assert len(lines) == 8
    assert lines[0].split(": ")[1].startswith("exact")
    html = result._repr_html_()
    assert html.count("<tr>") == 8
    assert "<script" not in html


def test_a_result_is_drawn_and_has_a_page(result, tmp_path):
    pytest.importorskip("jinja2")
    figure = result.plot(REAL.problem, truth=REAL.truth, path=tmp_path / "r.svg")
    assert [len(axes.get_title(loc="left")) > 0 for axes in figure.axes[:3]] == [True] * 3
    assert (tmp_path / "r.svg").exists()
    save_result(tmp_path / "r.npz", result, result_fields(REAL.problem, result, REAL.truth))
    text = page(tmp_path, tmp_path / "r.npz")
    assert "explained to the last digit" in text
    assert "6, for 3 degrees of freedom" in text
    assert f"{result.nfev} applications" in text


def test_a_result_has_one_set_of_names(result):
    assert result["x"] is result.x
    assert result["matrix"].shape == (3, 3)
    pairs = [
        ("x", "X"),
        ("fun", "objective"),
        ("nit", "iterations"),
        ("nfev", "applications"),
    ]
    for old, new in pairs:
        np.testing.assert_array_equal(result[old], result[new])
    assert set(result.keys()) >= {"x", "fun", "certificate", "identifiability", "work"}
    with pytest.raises(KeyError, match="nothing"):
        _ = result["nothing"]
    with pytest.raises(KeyError):
        _ = result["__class__"]


def test_policy_is_frozen_and_can_be_passed():
    policy = ll.Policy(polish=0.2)
    assert "polish=0.2" in repr(policy)
    found = ll.recover(REAL.problem, policy=policy)
    assert found.certificate.kind == "exact"
    with pytest.raises(AttributeError):
        policy.polish = 3
