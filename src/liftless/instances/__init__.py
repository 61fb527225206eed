"""Named problems with known truth and known points, and the registry that finds them by name.

A new instance is one function, every parameter with a default, and one line in
:data:`INSTANCES`.
"""

import difflib
from typing import Any

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless.instances.base import POINT_KINDS, Instance, InstanceSpec, KnownPoint
from liftless.instances.ensembles import completion, gaussian, phase, sparse
from liftless.instances.papers import (
    REAL_WORLD_PRINTED,
    basic,
    example_one,
    example_two,
    pmc,
    real_world,
)

#: Every named instance.
INSTANCES: dict[str, InstanceSpec] = {
    "basic": InstanceSpec(basic),
    "pmc": InstanceSpec(pmc),
    "real-world": InstanceSpec(real_world),
    "gaussian": InstanceSpec(gaussian, {"ensemble": "symmetric"}),
    "gaussian-unsymmetrised": InstanceSpec(gaussian, {"ensemble": "unsymmetrised"}),
    "phase": InstanceSpec(phase),
    "completion": InstanceSpec(completion),
    "sparse": InstanceSpec(sparse),
    "example-1": InstanceSpec(example_one),
    "example-2": InstanceSpec(example_two),
}


def make_instance(name: str, **given: Any) -> Instance:
    """Build an instance by its name.

    Parameters
    ----------
    name : str
        A key of :data:`INSTANCES`.
    **given
        Parameters of that instance (``INSTANCES[name].parameters`` lists them); one that is None
        counts as not given.

    Returns
    -------
    Instance

    Raises
    ------
    InvalidInput
        An unknown name, a parameter the instance does not take, or a value it cannot use.
    """
    if name not in INSTANCES:
        close = difflib.get_close_matches(str(name), INSTANCES, n=1, cutoff=0.5)
        cure = f"Did you mean {close[0]!r}?" if close else ""
        raise InvalidInput("name", describe(name), f"one of {', '.join(INSTANCES)}", cure)
    spec = INSTANCES[name]
    given = {key: value for key, value in given.items() if value is not None}
    for key, value in given.items():
        if key not in spec.parameters:
            takes = ", ".join(spec.parameters) or "no parameters"
            raise InvalidInput(key, describe(value), f"left out for {name!r}", f"It takes {takes}.")
    return spec.make(**given)


__all__ = [
    "INSTANCES",
    "POINT_KINDS",
    "REAL_WORLD_PRINTED",
    "Instance",
    "InstanceSpec",
    "KnownPoint",
    "basic",
    "completion",
    "example_one",
    "example_two",
    "gaussian",
    "make_instance",
    "phase",
    "pmc",
    "real_world",
    "sparse",
]
