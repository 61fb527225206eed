"""Strict numerics for every test: float64, run-time shape checks, no silent broadcasting.

It holds for the tests of both packages.  All of it must precede the first import of ``liftless``;
pytest imports this file first.
"""

import gc
import os
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
# The threads of BLAS spin after every call and take the other worker's core: a third of the time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is compiled here runs for milliseconds: without LLVM's optimisation and by the older emitters
# it is compiled in a third of the time.  A version that does not know a flag ends at it.
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    )

import jax
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook(["liftless", "liftless_papers"], "beartype.beartype")

from liftless import _compiled  # noqa: E402  (after the hook)

# Hundreds of small shapes in one process, which are met again: keep more of what is compiled.
_compiled.MOST = 200

# Tracing makes many small objects; to look through them as often as Python does costs a tenth.
gc.set_threshold(100_000, 50, 100)

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

# One compilation cache for the workers of a run, the subprocesses they start, and the next run.
CACHE = Path(__file__).parent / ".pytest_cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

# The same few examples every time: a test passes or fails, it does not flicker.
settings.register_profile("liftless", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("liftless")


def pytest_configure(config):
    # A worker may read an entry that another is still writing; JAX then compiles it anew.
    message = "ignore:Error (reading|writing) persistent compilation cache"
    config.addinivalue_line("filterwarnings", message)


#: Tests that `make test` leaves out; the file says why.
SLOW = [
    line
    for line in (Path(__file__).parent / "slow_tests.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the slow ones; keep a file's tests in one process, unless they say otherwise."""
    unseen = set(SLOW)
    for item in items:
        for name in (item.nodeid, item.nodeid.partition("[")[0]):
            if name in SLOW:
                unseen.discard(name)
                item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    files = {item.nodeid.partition("::")[0] for item in items}
    missed = sorted(n for n in unseen if "::" in n and n.partition("::")[0] in files)
    if missed and len(files) > 50:  # a whole run, not a selection of tests
        raise pytest.UsageError(f"slow_tests.txt names no test by {missed[0]}")
