"""What the tests of the experiments share."""

import functools

from liftless_papers.experiments import experiment


@functools.cache
def smoke(name):
    """The experiment at size smoke and seed 0; run once in a process, and not to be changed."""
    return experiment(name).run("smoke", 0)


def rows_of(outcome, name, **where):
    """Rows of a table whose columns have these values."""
    rows = [r for r in outcome.rows if r["table"] == name]
    return [r for r in rows if all(r[k] == v for k, v in where.items())]
