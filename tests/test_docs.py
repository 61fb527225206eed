"""The documentation: every public name on a page, every page reachable, examples that run."""

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

import liftless as ll

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
#: Modules whose docstrings have examples that are cheap to run.
EXAMPLES = ("liftless", pytest.param("liftless.sklearn", marks=pytest.mark.slow))


def test_every_public_name_is_on_one_page_of_the_interface():
    """A page names modules, whose names are all shown; errors are named one by one."""
    text = {path: path.read_text() for path in (DOCS / "api").glob("*.md")}
    homes = [
        h
        for t in text.values()
        for line in re.findall(r"\.\. public:: (.*)", t)
        for h in line.split()
    ]
    assert sorted(homes) == sorted(set(homes)), "a module is on two pages"
    shown = {name for home in homes for name in ll._HOMES[home]}
    shown |= set(re.findall(r"\.\. (?:auto\w+|data):: (\w+)\n", "".join(text.values())))
    assert shown == set(ll.__all__)
    fronts = {ll.phase: "imaging", ll.tomography: "imaging"}
    fronts |= {ll.distances: "networks", ll.grid: "networks"}
    for front, page in fronts.items():
        for name in front.__all__:
            assert f":: {front.__name__}.{name}\n" in text[DOCS / "api" / f"{page}.md"]
    for body in text.values():  # names that come first on their page exist
        for name in re.findall(r"^   (\w[\w ]*)$", body, re.MULTILINE):
            assert set(name.split()) <= {*ll.__all__, "The", "version", "as", "text"}, name


def test_every_page_is_in_the_contents_and_every_link_leads_somewhere():
    listed = set(re.findall(r"^([\w/-]+)$", (DOCS / "index.md").read_text(), re.MULTILINE))
    found = {str(path.relative_to(DOCS).with_suffix("")) for path in PAGES} - {"index"}
    # The last list takes in whatever else lies beside the index.
    assert listed <= found
    assert {name for name in found - listed if "/" in name} == set()
    readme = [DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"]
    for path in (*PAGES, *readme):
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
            if not re.match(r"\w+://", link):
                assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_code_that_is_run_in_the_build_is_python():
    parsed = 0
    for path in PAGES:
        for block in re.findall(r"```\{code-cell\}.*?\n(.*?)```", path.read_text(), re.DOTALL):
            lines = [line for line in block.splitlines() if not line.startswith(":tags:")]
            parsed += len(ast.parse("\n".join(lines), path.name).body)
    assert parsed > 0


def test_names_in_the_code_of_the_pages_exist():
    for path in PAGES:
        for block in re.findall(
            r"```(?:\{code-cell\}|python).*?\n(.*?)```", path.read_text(), re.DOTALL
        ):
            for name in re.findall(r"\bll\.([A-Za-z_]\w*)", block):
                assert hasattr(ll, name), f"{path.name}: ll.{name}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_docstrings_run(name):
    if name.endswith("sklearn"):
        pytest.importorskip("sklearn")
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0
