"""What a row comes from: the code as it stands in the files, and the packages it runs on."""

import functools
import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from liftless._version import __version__

#: Packages whose release may change a number.
PACKAGES = (
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "equinox",
    "lineax",
    "optax",
    "cvxpy",
    "clarabel",
    "scs",
    "pymanopt",
)
#: What the code is made of.
SOURCES = ("liftless", "liftless_papers")


@functools.cache
def code() -> str:
    """First 16 digits of the SHA-256 of every source file of both packages, with its name.

    The same in a checkout and in an installation of the same release.
    """
    digest = hashlib.sha256()
    for name in SOURCES:
        spec = find_spec(name)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{name}/{path.relative_to(folder).as_posix()}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _packages() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version()), ("machine", platform.machine())]
    found.append(("liftless", __version__))
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def origin() -> dict[str, Any]:
    """Code and packages of this process, as a row's ``origin``.

    Returns
    -------
    dict
        ``code``, as :func:`code`, and ``packages``: a mapping of names to releases, with the
        release of Python and the kind of processor.
    """
    return {"code": code(), "packages": dict(_packages())}
