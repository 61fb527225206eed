"""Tasks over processes, each with one compute thread.

Nothing but the standard library is imported, so that threads can be limited before NumPy and JAX
start.
"""

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

#: What limits NumPy's and JAX's threads, when they start, to one.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
#: Processes that a task may be lost with before it is taken to be what ends them.
LOSSES = 3
#: Seconds between two looks at whether the run shall end.
PATIENCE = 0.2

Task = Any


class WorkerLost(RuntimeError):
    """A worker process ended before its task did."""


#: Ctrl-C and SIGTERM may go to the whole group of processes; the parent decides what they mean.
SIGNALS = {signal.SIGINT, signal.SIGTERM}


def limits() -> dict[str, str]:
    """Environment that limits threads, with the flags for XLA that there are."""
    flags = os.environ.get("XLA_FLAGS", "").split()
    flags += [flag for flag in ONE_THREAD["XLA_FLAGS"].split() if flag not in flags]
    return ONE_THREAD | {"XLA_FLAGS": " ".join(flags)}


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let libraries, and processes, that start inside use one compute thread each."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(limits())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_tasks(
    function: Callable[[Task], Any],
    tasks: Iterable[Task],
    jobs: int,
    on_row: Callable[[Any], None],
    *,
    key: Callable[[Task], Hashable] = lambda _: None,
    setup: Callable[[], Any] | None = None,
    asked: Callable[[], bool] = lambda: False,
) -> int:
    """As :meth:`liftless.schedule.Scheduler.run`, in this process or on others of this machine.

    Parameters
    ----------
    jobs : int
        1 runs in this process, in order.  More start that many processes, each with one compute
        thread; results then come in the order in which they are ready.

    Raises
    ------
    WorkerLost
        A task was lost with its process three times, or processes could not start.  A process that
        is killed is replaced, and its task begun again.  An exception of ``function`` is raised as
        it is.
    """
    if jobs == 1:
        return _serial(function, tasks, on_row, asked)
    queues: dict[Hashable, deque[Task]] = {}
    for task in tasks:
        queues.setdefault(key(task), deque()).append(task)
    count = min(jobs, sum(map(len, queues.values())))
    workers: list[_Worker] = []
    try:
        with one_thread():
            workers += (_start(function, setup) for _ in range(count))
            return _feed(workers, queues, on_row, asked, lambda: _start(function, setup))
    finally:
        for worker in workers:
            worker.pipe.close()  # a worker that reads the end of its pipe returns
            worker.process.join(5)
            if worker.process.is_alive():
                worker.process.kill()


def _serial(
    function: Callable[[Task], Any],
    tasks: Iterable[Task],
    on_row: Callable[[Any], None],
    asked: Callable[[], bool],
) -> int:
    done = 0
    for task in tasks:
        if asked():
            break
        on_row(function(task))
        done += 1
    return done


@dataclass
class _Worker:
    """A process, our end of its pipe, the key of what it does, and its task with its losses."""

    process: BaseProcess
    pipe: Any
    key: Hashable = None
    task: Any = None
    busy: bool = False
    losses: int = 0


def _start(function: Callable[[Task], Any], setup: Callable[[], Any] | None) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, function, setup), daemon=True)
    with _deaf():
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that no Ctrl-C or SIGTERM reaches, not even while they import."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Any, function: Callable[[Task], Any], setup: Callable[[], Any] | None) -> None:
    """Body of a worker: tasks in, results out, until the pipe ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if setup is not None:
        setup()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            task = pipe.recv()
            try:
                answer = (True, function(task))
            except Exception as error:  # whatever it is, the parent raises it
                answer = (False, error)
            pipe.send(answer)


def _feed(
    workers: list[_Worker],
    queues: dict[Hashable, deque[Task]],
    on_row: Callable[[Any], None],
    asked: Callable[[], bool],
    start: Callable[[], _Worker],
) -> int:
    """Keep every worker busy until there is nothing left, or an end is asked for."""
    done = 0
    for worker in workers:
        _give(worker, workers, queues)
    while busy := [worker for worker in workers if worker.busy]:
        ready = wait([worker.pipe for worker in busy], PATIENCE)
        for worker in busy:
            if worker.pipe not in ready:
                continue
            try:
                good, answer = _take(worker)
            except WorkerLost:
                worker.losses += 1
                if worker.losses == LOSSES:
                    raise
                _replace(worker, start())
                if not asked():
                    _send(worker, worker.task)
                continue
            if not good:
                raise answer
            on_row(answer)
            done += 1
            if not asked():
                _give(worker, workers, queues)
    return done


def _take(worker: _Worker) -> tuple[bool, Any]:
    worker.busy = False
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(5)
        code = worker.process.exitcode
        text = f"a worker process ended with code {code}"
        raise WorkerLost(text) from None


def _replace(worker: _Worker, new: _Worker) -> None:
    """Let a new process take the place of a lost one."""
    worker.pipe.close()
    worker.process, worker.pipe = new.process, new.pipe


def _give(worker: _Worker, workers: list[_Worker], queues: dict[Hashable, deque[Task]]) -> None:
    """Give a worker its next task: of its own key, of one nobody has, of the longest queue."""
    left = [key for key, queue in queues.items() if queue]
    if not left:
        return
    if worker.key not in left:
        others = {other.key for other in workers if other.busy}
        free = [key for key in left if key not in others]
        worker.key = free[0] if free else max(left, key=lambda key: len(queues[key]))
    worker.losses = 0
    _send(worker, queues[worker.key].popleft())


def _send(worker: _Worker, task: Task) -> None:
    worker.task, worker.busy = task, True
    # One that is gone is found so when its answer is looked for.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        worker.pipe.send(task)
