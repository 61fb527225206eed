"""``liftless info``."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax

from liftless._version import __version__
from liftless.certificate import KINDS
from liftless.cli.compilation import cache_directory
from liftless.cli.messages import emit, emit_json, emit_table
from liftless.cli.options import InfoOptions
from liftless.descent import Method
from liftless.instances import INSTANCES
from liftless.io import ARRAY_SUFFIXES, FIGURE_SUFFIXES, FORMS, PROBLEM_SUFFIXES, RECTANGULAR_FORMS
from liftless.losses import LOSSES
from liftless.recovery import ESCAPES, STARTS

#: Packages whose versions decide a result.
PACKAGES = ("jax", "jaxlib", "equinox", "lineax", "optax", "numpy", "scipy", "matplotlib")


def run(options: InfoOptions) -> int:
    """Print what this installation has."""
    fields = collect()
    if options.as_json:
        emit_json(fields)
        return 0
    for name, value in fields.items():
        if isinstance(value, dict):
            emit(f"{name}:")
            emit_table([(key, _text(item)) for key, item in value.items()])
        else:
            emit(f"{name}: {_text(value)}")
    return 0


def collect() -> dict[str, Any]:
    """Gather versions, devices, names and formats."""
    return {
        "liftless": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _installed(name) for name in PACKAGES},
        "devices": [str(device) for device in jax.devices()],
        "cache": None if (folder := cache_directory()) is None else str(folder),
        "starts": list(STARTS),
        "escapes": [*ESCAPES, "none"],
        "methods": sorted(method.__name__ for method in Method.__subclasses__()),
        "losses": list(LOSSES),
        "kinds": dict(KINDS),
        "instances": {name: dict(spec.parameters) for name, spec in INSTANCES.items()},
        "formats": {
            "problem, read": list(PROBLEM_SUFFIXES),
            "problem, result, written": list(ARRAY_SUFFIXES),
            "figure": list(FIGURE_SUFFIXES),
        },
        "arrays": {kind: [*form.arrays] for kind, form in FORMS.items()},
        "rectangular": list(RECTANGULAR_FORMS),
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(k if v is None else f"{k}={v}" for k, v in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "none" if value is None else str(value)
