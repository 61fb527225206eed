"""Tables with holes: read, completed, and asked by name."""

from liftless.tables.choose import Trial
from liftless.tables.complete import complete
from liftless.tables.completed import CompletedTable
from liftless.tables.effects import Effects, effects
from liftless.tables.fit import Model
from liftless.tables.table import Table, as_table

__all__ = [
    "CompletedTable",
    "Effects",
    "Model",
    "Table",
    "Trial",
    "as_table",
    "complete",
    "effects",
]
