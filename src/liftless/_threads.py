"""One BLAS thread for small problems.

NumPy's and SciPy's BLAS keep their threads spinning for a while after every call, which takes the
cores away from XLA's: with two cores a recovery at n = 30 to 100 took 1.7 to 1.9 times longer.
"""

import contextlib
import functools
from collections.abc import Iterator

from threadpoolctl import ThreadpoolController

#: Largest n for which one thread is the faster.
SMALL = 200


@functools.cache
def _controller() -> ThreadpoolController:
    # The libraries that JAX loads are among those that it finds.
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()


@contextlib.contextmanager
def few_threads(n: int) -> Iterator[None]:
    """Limit BLAS to one thread while a problem of order n is worked on, if it is small."""
    if n > SMALL:
        yield
        return
    with _controller().limit(limits=1, user_api="blas"):
        yield
