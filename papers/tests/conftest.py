"""Which process tests an experiment; how it is tested is in the repository's ``conftest.py``."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Put what is tested of an experiment into one process, which then runs it once.

    A file of tests names its experiments in ``NAMES``.
    """
    homes = {name: i.path.stem for i in items for name in getattr(i.module, "NAMES", ())}
    for item in items:
        if item.path.name == "test_experiments.py":
            name = item.callspec.params["name"]
            item.add_marker(pytest.mark.xdist_group(homes.get(name, name)))
