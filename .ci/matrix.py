"""Run the fast tests on the lowest and the newest JAX allowed, on each Python given.

An environment for each pair, in build/matrix, kept from one run to the next.

Usage: python .ci/matrix.py [PYTHON ...]
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "matrix"
#: Tests that see every part of the library, in minutes.
TESTS = (
    "test_adjoint",
    "test_cli_commands",
    "test_composable",
    "test_course",
    "test_docs",
    "test_entries",
    "test_examples",
    "test_formats",
    "test_precision",
    "test_public",
    "test_quartic",
    "test_space",
)
#: What these tests import beside the library and its extras.
NEEDS = ("pytest", "hypothesis", "beartype", "mpmath", "pylops")
#: Pythons looked for where none is given.
PYTHONS = ("python3.11", "python3.13")


def allowed():
    """Lowest JAX of the requirement, and what is below its end."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (need,) = (one for one in project["dependencies"] if one.startswith("jax>="))
    low, high = re.fullmatch(r"jax>=([\d.]+),<([\d.]+)", need).groups()
    return {"lowest": f"jax=={low}.0", "newest": f"jax<{high}"}


def run(python, name, need):
    """Make the environment of a pair and run the tests there; whether they passed."""
    folder = FOLDER / f"{Path(python).name}-{name}"
    inside = folder / "bin" / "python"
    if not inside.exists():
        subprocess.run([python, "-m", "venv", folder], check=True)
    words = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    words += ["--upgrade", need, *NEEDS, f"{ROOT}[hdf5,parquet,report]"]
    subprocess.run([str(word) for word in words], check=True, cwd=ROOT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((f"{ROOT}/src", f"{ROOT}/papers/src"))}
    env["JAX_COMPILATION_CACHE_DIR"] = str(folder / "jax-cache")
    tests = [f"tests/{test}.py" for test in TESTS]
    version = "import jax, sys; print('Python', sys.version.split()[0], 'JAX', jax.__version__)"
    subprocess.run([str(inside), "-c", version], check=True, env=env)
    done = subprocess.run([str(inside), "-m", "pytest", *tests], cwd=ROOT, env=env, check=False)
    return done.returncode == 0


def main(pythons):
    """Run every pair, and say which failed."""
    found = [python for python in pythons or PYTHONS if shutil.which(python)]
    if not found:
        sys.exit(f"none of {', '.join(pythons or PYTHONS)} is here; pass PYTHONS=...")
    pairs = [(python, *item) for python in found for item in allowed().items()]
    bad = [f"{python}, {name} JAX" for python, name, need in pairs if not run(python, name, need)]
    print("\n".join(f"failed: {one}" for one in bad) or f"passed: {len(pairs)} environments")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
