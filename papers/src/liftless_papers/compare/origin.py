"""What a row comes from: the code as it stands in the files, and the packages it runs on."""

import functools
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from liftless._version import __version__
from liftless.schedule.sources import code
from liftless_papers.compare.rows import Row

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


def origin() -> Row:
    """Code and packages of this process, as a row's ``origin``.

    Returns
    -------
    Row
        ``code``, as :func:`code`, and ``packages``: a mapping of names to releases, with the
        release of Python and the kind of processor.
    """
    return {"code": code(), "packages": dict(_packages())}


def traced(function: Callable[[Any], Row], task: Any) -> tuple[Row, Row]:
    """Row of a task, and what code and packages its process had."""
    return function(task), origin()
