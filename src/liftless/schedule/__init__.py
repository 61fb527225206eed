"""Many independent tasks: here, over processes of this machine, or on a cluster of Dask.

Nothing but the standard library is imported, so that threads can be limited before NumPy and JAX
start; Dask is imported where it is asked for.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from liftless._errors import InvalidInput
from liftless.schedule.pool import ONE_THREAD, Task, WorkerLost, one_thread
from liftless.schedule.pool import run_tasks as _over_processes

__all__ = ["LOCAL", "ONE_THREAD", "PROCESSES", "Scheduler", "WorkerLost", "one_thread"]

LOCAL, PROCESSES, DASK = "local", "processes", "dask:"


@dataclass(frozen=True)
class Scheduler:
    """Where tasks run.

    Parameters
    ----------
    where : str
        ``local``: in this process, in order.  ``processes``: in ``jobs`` processes of this machine.
        ``dask:FILE`` or ``dask:ADDRESS``: on the workers of a Dask scheduler, by the file that it
        writes or its address.
    jobs : int
        Processes; without meaning for the others.
    """

    where: str = LOCAL
    jobs: int = 1

    @classmethod
    def of(cls, where: "str | Scheduler | None", jobs: int = 1) -> "Scheduler":
        """Check what a caller says; where nothing is said, more than one job is processes.

        Raises
        ------
        InvalidInput
            Another word, jobs that are none, or ``local`` with several jobs.
        """
        if isinstance(where, Scheduler):
            return where
        if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
            raise InvalidInput("jobs", jobs, "a whole number of at least 1")
        if where is None:
            return cls(PROCESSES if jobs > 1 else LOCAL, jobs)
        dask = where.startswith(DASK) and len(where) > len(DASK)
        if where not in (LOCAL, PROCESSES) and not dask:
            must = "local, processes, dask:FILE or dask:ADDRESS"
            raise InvalidInput("scheduler", repr(where), must)
        if jobs > 1 and where != PROCESSES:
            raise InvalidInput("jobs", jobs, f"1 with the scheduler {where!r}", "Leave it out.")
        return cls(where, jobs)

    @property
    def here(self) -> bool:
        """Whether tasks run in this process."""
        return self.where == LOCAL or (self.where == PROCESSES and self.jobs == 1)

    def reach(self) -> None:
        """Ask a scheduler of Dask for an answer, so that nothing is written where there is none.

        Raises
        ------
        InvalidInput
            No Dask, no such file, or no answer.
        """
        if self.where.startswith(DASK):
            from liftless.schedule.cluster import connected

            with connected(self.where.removeprefix(DASK)):
                pass

    def run(
        self,
        function: Callable[[Task], Any],
        tasks: Sequence[Task],
        on_row: Callable[[Any], None],
        *,
        key: Callable[[Task], Hashable] = lambda _: None,
        setup: Callable[[], Any] | None = None,
        asked: Callable[[], bool] = lambda: False,
        on_workers: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Run every task, and hand each result over, in this process, as soon as it is there.

        Parameters
        ----------
        function : callable
            Of one task; elsewhere than here it, the tasks and the results must be picklable.
        tasks : sequence
        on_row : callable
            Called in this process with each result; the only one that need write anything.
        key : callable, optional
            Tasks with the same key go to the same process as long as others have work, since what
            one has compiled serves the next.
        setup : callable, optional
            Called once in each new process, before its first task; picklable.
        asked : callable, optional
            Once it returns True no further task is begun; those that run are waited for.
        on_workers : callable, optional
            Told the number of workers when it changes.

        Returns
        -------
        int
            Results handed over, one for each task unless an end was asked for.

        Raises
        ------
        WorkerLost
            A task was lost with its process several times, or the scheduler is gone.  An exception
            of ``function`` is raised as it is.
        """
        if not tasks:
            return 0
        if self.where.startswith(DASK):
            from liftless.schedule.cluster import run_on_cluster

            address = self.where.removeprefix(DASK)
            return run_on_cluster(
                address, function, tasks, on_row, setup=setup, asked=asked, on_workers=on_workers
            )
        on_workers(1 if self.here else min(self.jobs, len(tasks)))
        jobs = 1 if self.here else self.jobs
        return _over_processes(function, tasks, jobs, on_row, key=key, setup=setup, asked=asked)
