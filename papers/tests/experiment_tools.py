"""What the tests of several experiments share."""


def rows_of(outcome, name, **where):
    """Rows of a table whose columns have these values."""
    rows = [r for r in outcome.rows if r["table"] == name]
    return [r for r in rows if all(r[k] == v for k, v in where.items())]
