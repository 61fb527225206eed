"""Tasks that a new process can import fast: neither NumPy nor JAX here."""

import os
import time

from liftless._errors import InvalidInput


def square(task):
    return task, task * task, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def fail(task):
    raise InvalidInput("task", task, "another")


def vanish(task):
    os._exit(3)


def slow(task):
    time.sleep(0.1)
    return task


def mark(path):
    path.write_text("ready")


def once(path):
    """Its process is gone at the first call of every path, and only at that."""
    if not path.exists():
        path.write_text("")
        os._exit(3)
    return path.name
