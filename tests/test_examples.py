"""What a reader is shown must run: the README's Python, the examples, the main job's figure."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load(name):
    """Import an example by its path."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_readme_python_is_fifteen_lines_and_recovers(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 15
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("exact: the data are fitted to round-off")
    assert printed[1].startswith("exact ")
    assert float(printed[2]) < 1e-6


def test_readme_names_the_two_commands_and_every_verdict():
    text = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in ("recover", "test"):
        assert f"make {target}" in text
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    from liftless.certificate import KINDS

    for kind in KINDS:
        assert f"`{kind}`" in text


def test_operators_of_the_documentation_are_the_same_operator():
    import numpy as np

    from liftless import dot_test, measure

    text = (ROOT / "docs" / "extending.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert max(sum(map(bool, block.splitlines())) for block in blocks) <= 6
    names = {}
    for block in blocks:
        exec(compile(block, "extending.md", "exec"), names)
    X = np.random.default_rng(1).standard_normal((6, 2))
    wanted = np.sum((names["a"] @ X) ** 2, axis=1)
    for name in ("one", "same", "two", "three", "four", "five", "rows"):
        np.testing.assert_allclose(measure(names[name], X, X), wanted, rtol=1e-12)
    both = np.r_[wanted[::2], np.linspace(1, 2, 40) * wanted]
    np.testing.assert_allclose(measure(names["whole"], X, X), both, rtol=1e-12)
    assert dot_test(names["whole"]).passed


@pytest.mark.slow
@pytest.mark.parametrize("page", ["phase.md", "tomography.md"])
def test_pages_of_the_front_doors_run(page, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    exec(compile(block, page, "exec"), {})
    assert "message" in capsys.readouterr().out


def test_somebodys_transform_is_recovered(capsys):
    result, error = load("anyones_operator").main()
    assert result.certificate.kind == "exact"
    assert error < 1e-6
    assert "exact" in capsys.readouterr().out


def test_main_job_recovers_the_true_matrix_and_draws_it(tmp_path, capsys):
    assert load("real_world").run(tmp_path) == 0
    printed = capsys.readouterr().out
    assert re.search(r"spurious: .*λ_n = -1\.332e-01", printed)
    assert printed.count("exact: the data are fitted to round-off") == 2
    errors = [float(e) for e in re.findall(r"M\*‖_F = ([0-9.e+-]+)", printed)]
    assert len(errors) == 2
    assert max(errors) < 1e-8
    for suffix, head in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        figure = tmp_path / f"real-world{suffix}"
        assert figure.read_bytes().startswith(head)
        assert str(tmp_path / "real-world.png") in printed


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_recovery_figure_is_written_at_once_and_repeatable(tmp_path, suffix):
    from liftless import make_instance, recover
    from liftless.figures import course_rows, recovery_figure

    instance = make_instance("real-world")
    result = recover(instance.problem, trace=True)
    rows = course_rows(result)
    assert rows[-1]["objective"] == pytest.approx(result.fun, rel=1e-6, abs=1e-22)
    for name in ("one", "two"):
        recovery_figure(instance.problem, result, tmp_path / f"{name}{suffix}", instance.truth)
    one, two = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two"))
    assert len(one) > 2000
    assert one == two
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"one{suffix}", f"two{suffix}"]


def test_figure_of_an_unknown_kind_is_refused(tmp_path):
    from liftless import InvalidInput, make_instance, recover
    from liftless.figures import recovery_figure

    instance = make_instance("real-world")
    result = recover(instance.problem)
    with pytest.raises(InvalidInput, match=r"\.png"):
        recovery_figure(instance.problem, result, tmp_path / "figure.gif")
    assert list(tmp_path.iterdir()) == []
