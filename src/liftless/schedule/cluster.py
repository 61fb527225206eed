"""Tasks on the workers of a Dask scheduler.

A task travels as bytes and is unpacked on the worker, so that JAX is imported there only after its
threads are limited.  What is shared by all tasks travels once to each worker.
"""

import contextlib
import functools
import os
import pickle
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from liftless._errors import InvalidInput, needing, one_line
from liftless.schedule.pool import PATIENCE, Task, WorkerLost, limits
from liftless.schedule.sources import code

#: Seconds for a connection, tasks a worker has waiting beside the one it runs, and seconds between
#: two looks at how many workers there are.
CONNECTING, WAITING, COUNTING = 20, 1, 2.0
#: Processes that a task may be lost with; Dask counts them.
LOSSES = 3

#: One task at a time in a process, whatever its number of threads.
_alone = threading.Lock()
#: What has been set up in this process.
_set_up: set[bytes] = set()


def run_on_cluster(
    address: str,
    function: Callable[[Task], Any],
    tasks: Sequence[Task],
    on_row: Callable[[Any], None],
    *,
    setup: Callable[[], Any] | None,
    asked: Callable[[], bool],
    on_workers: Callable[[int], None],
) -> int:
    """As :meth:`liftless.schedule.Scheduler.run`, on the workers of a Dask scheduler.

    Parameters
    ----------
    address : str
        ``tcp://HOST:PORT``, or the file that ``dask scheduler --scheduler-file`` writes.

    Raises
    ------
    InvalidInput
        No Dask, no scheduler at the address, tasks that cannot be sent, or workers whose code is
        not the one here.
    """
    shared = _packed("function", (function, setup))
    left = deque(_packed("tasks", task) for task in tasks)
    with connected(address) as client:
        common = client.scatter(shared, broadcast=False, hash=False)
        flight: set[Any] = set()
        done, counted, workers = 0, -COUNTING, 0
        try:
            while (left and not asked()) or flight:
                if time.monotonic() - counted > COUNTING:
                    counted, before = time.monotonic(), workers
                    workers = len(client.scheduler_info(n_workers=-1)["workers"])
                    if workers != before or done == 0 == workers:
                        on_workers(workers)
                while left and len(flight) < (1 + WAITING) * max(workers, 1) and not asked():
                    flight.add(client.submit(remote, common, left.popleft(), code(), pure=False))
                ready = [future for future in flight if future.done()]
                if asked() and workers == 0 and not ready:
                    break
                for future in ready:
                    flight.discard(future)
                    on_row(_taken(future))
                    done += 1
                if not ready:
                    _look(client)
                    time.sleep(PATIENCE / 4)
        finally:
            with contextlib.suppress(Exception):  # a scheduler that is gone has nothing to cancel
                client.cancel(list(flight), force=True)
        return done


def _packed(name: str, value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        must = "what another process can be sent"
        raise InvalidInput(name, one_line(str(error)), must) from error


@contextlib.contextmanager
def connected(address: str) -> Any:
    """Client of a scheduler, closed at the end without the noise of what is closed already."""
    with needing("distributed", "dask", "installed to run on Dask"):
        import distributed
    import logging

    file = Path(address)
    options: dict[str, Any] = {"address": address}
    if "://" not in address and not (":" in address and not file.exists()):
        if not file.is_file():
            cure = "Start one with: dask scheduler --scheduler-file FILE."
            raise InvalidInput("scheduler", f"dask:{address}, no such file", "one", cure)
        options = {"scheduler_file": address}
    # What it says of lost connections is said in one line, by what comes of them.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(
            **options, timeout=CONNECTING, set_as_default=False, name="liftless"
        )
    except (OSError, ValueError, TypeError) as error:
        cure = "Start one with: dask scheduler --scheduler-file FILE."
        was = f"dask:{address}, where none answers ({type(error).__name__})"
        raise InvalidInput("scheduler", was, "that of a running scheduler", cure) from None
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # it may be gone
            client.close(timeout=5)


def _look(client: Any) -> None:
    """Raise :class:`WorkerLost` where the scheduler is gone."""
    if client.status not in ("running", "connecting", "newly-created"):
        raise WorkerLost("the Dask scheduler is gone")


def _taken(future: Any) -> Any:
    """Result of a task that is done."""
    if future.status in ("cancelled", "lost"):
        raise WorkerLost("the Dask scheduler is gone")
    if future.status == "error":
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            raise WorkerLost(f"a task was lost with its worker {LOSSES} times") from None
        if type(error).__name__ in ("FutureCancelledError", "CancelledError"):
            raise WorkerLost("the Dask scheduler is gone") from None
        raise error
    good, answer = pickle.loads(future.result())
    if not good:
        raise answer
    return answer


def remote(shared: bytes, task: bytes, wanted: str) -> bytes:
    """Run a task in this process, a worker's, with one compute thread; packed for the way back."""
    with _alone:
        if "jax" not in sys.modules:
            os.environ.update(limits())
        try:
            if code() != wanted:
                was = f"{code()}, not the {wanted} of the coordinator"
                cure = "Install the same release on all hosts."
                raise InvalidInput("code of a worker", was, "the same everywhere", cure)
            function, setup = _unpacked(shared)
            if setup is not None and shared not in _set_up:
                setup()
                _set_up.add(shared)
            return pickle.dumps((True, function(pickle.loads(task))))
        except Exception as error:  # whatever it is, the coordinator raises it
            return _failed(error)


def _failed(error: Exception) -> bytes:
    try:
        packed = pickle.dumps((False, error))
        pickle.loads(packed)
    except Exception:  # an error that cannot travel is told in words
        packed = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return packed


@functools.lru_cache(maxsize=1)
def _unpacked(shared: bytes) -> tuple[Callable[[Task], Any], Callable[[], Any] | None]:
    return pickle.loads(shared)
