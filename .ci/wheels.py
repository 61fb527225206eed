"""Build both distributions, look into them, and use them in fresh environments.

The core alone must recover and certify a file, without anything that only draws or reports; with
the papers beside it their commands must be there.

Usage: python .ci/wheels.py [PYTHON ...]
"""

import email
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What the core must neither need nor import, but for the pictures in liftless/figures.
HEAVY = ("matplotlib", "jinja2", "rich", "typer", "pydantic", "liftless_papers")
IMPORT = re.compile(rf"^\s*(?:from|import)\s+({'|'.join(HEAVY)})\b", re.MULTILINE)
EXACT, USAGE = 0, 2


def ran(*words, code=0, cwd=None):
    """Output of a command that must end with this exit code."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, cwd=cwd
    )
    if done.returncode != code:
        line = " ".join(str(word) for word in words)
        sys.exit(f"{line}: exit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done.stdout if code == 0 else done.stderr


def check(good, text):
    if not good:
        sys.exit(f"wrong: {text}")


def build(folder):
    """The wheels of the core and of the papers, each built from its own source distribution."""
    for project in (ROOT, ROOT / "papers"):
        ran(sys.executable, "-m", "build", "--outdir", folder, project)
    (core,), (papers,) = folder.glob("liftless-*.whl"), folder.glob("liftless_papers-*.whl")
    return core, papers


def look_into_core(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for name in names:
            check(re.match(r"liftless(-[^/]*\.dist-info)?/", name), f"{name} in {wheel.name}")
            if name.endswith(".py") and not name.startswith("liftless/figures/"):
                found = IMPORT.search(archive.read(name).decode())
                check(not found, f"{name} imports {found and found[1]}")
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        needs = email.message_from_bytes(archive.read(metadata)).get_all("Requires-Dist")
    check("liftless/py.typed" in names, "no py.typed in the core")
    for need in (need for need in needs if "extra ==" not in need):
        check(not need.startswith(HEAVY), f"the core needs {need}")


def look_into_papers(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for name in names:
        check(re.match(r"liftless_papers(-[^/]*\.dist-info)?/", name), f"{name} in {wheel.name}")
    for name in ("py.typed", "report/templates/page.html"):
        check(f"liftless_papers/{name}" in names, f"no {name} in the papers")


def look_into_sources(folder):
    """Each source distribution has its own tests, and none of the other's code."""
    wanted = {
        "liftless-": ("src/liftless/__init__.py", "tests/tables.py", "docs/notation.md"),
        "liftless_papers-": ("src/liftless_papers/__init__.py", "tests/test_experiments.py"),
    }
    for start, parts in wanted.items():
        (path,) = folder.glob(f"{start}*.tar.gz")
        with tarfile.open(path) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        for part in (*parts, "conftest.py", "README.md", "LICENSE"):
            check(part in names, f"no {part} in {path.name}")
        check(not any(name.startswith("papers/") for name in names), f"papers/ in {path.name}")


def use(python, core, papers, folder):
    """Install and use the core alone, then the papers beside it."""
    ran(python, "-m", "venv", folder / "env")
    own, liftless = folder / "env/bin/python", folder / "env/bin/liftless"
    pip = (own, "-m", "pip", "--disable-pip-version-check")
    ran(*pip, "install", "--quiet", core)
    installed = {entry["name"].lower() for entry in json.loads(ran(*pip, "list", "--format=json"))}
    check(not installed & set(HEAVY), f"the core brings {installed & set(HEAVY)}")
    ran(own, "-c", "import liftless as ll; [getattr(ll, name) for name in ll.__all__]", cwd=folder)
    file, result = folder / "problem.npz", folder / "result.npz"
    ran(liftless, "instance", "real-world", "--out", file)
    words = (liftless, "recover", file, "--rank", "1")
    found = json.loads(ran(*words, "--out", result, "--json", "--quiet", code=EXACT))
    check(found["kind"] == "exact" and found["distance"] < 1e-6, f"recovered {found}")
    ran(liftless, "certify", file, result, code=EXACT)
    complaint = ran(*words, "--plot", folder / "f.png", code=USAGE)
    check("pip install 'liftless[plot]'" in complaint, complaint)
    complaint = ran(liftless, "reproduce", "all", code=USAGE)
    check("pip install liftless-papers" in complaint, complaint)

    ran(*pip, "install", "--quiet", "--find-links", core.parent, papers)
    check("sod-fig1" in ran(liftless, "list"), "no experiments")
    report = folder / "report"
    ran(liftless, "reproduce", "sod-table2", "--out", report, "--quiet")
    check((report / "index.html").stat().st_size > 1000, "no report")
    ran(*words, "--plot", folder / "f.png", "--quiet", code=EXACT)


def main():
    pythons = sys.argv[1:] or [sys.executable]
    with tempfile.TemporaryDirectory() as made:
        wheels = Path(made) / "dist"
        core, papers = build(wheels)
        look_into_core(core)
        look_into_papers(papers)
        look_into_sources(wheels)
        print(f"{core.name} and {papers.name} have what they must, and nothing else")
        for number, python in enumerate(pythons):
            folder = Path(made) / str(number)
            folder.mkdir()
            use(python, core, papers, folder)
            print(f"{ran(python, '--version').strip()}: installs, recovers, certifies, reproduces")
    return 0


if __name__ == "__main__":
    sys.exit(main())
