"""One BLAS thread for small problems.

NumPy's and SciPy's BLAS keep their threads spinning for a while after every call, which takes the
cores away from XLA's: with two cores a recovery at n = 30 to 100 took 1.7 to 1.9 times longer.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

#: Largest n for which one thread is the faster.
SMALL = 200

_lock = threading.Lock()
#: How many contexts are entered, and the limit that the first of them has set.
_inside: int = 0
_limit: Any = None


@functools.cache
def _controller() -> ThreadpoolController:
    # The libraries that JAX loads are among those that it finds.
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()


@contextlib.contextmanager
def few_threads(n: int) -> Iterator[None]:
    """Limit BLAS to one thread while a problem of order n is worked on, if it is small.

    The limit is the whole process's: it is set by the first that comes and undone by the last that
    goes, in whatever order threads come and go.
    """
    if n > SMALL:
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _limit
    with _lock:
        _inside += 1
        if _inside == 1:
            _limit = _controller().limit(limits=1, user_api="blas")


def _leave() -> None:
    global _inside, _limit
    with _lock:
        _inside -= 1
        if _inside == 0 and _limit is not None:
            _limit.restore_original_limits()
            _limit = None
