"""Methods made for the tests of the comparison, and instances that are all identifiable."""

import signal
import types
from dataclasses import dataclass

import numpy as np
import pytest

from liftless_papers.compare import trials as module
from liftless_papers.compare.peers import Peer
from liftless_papers.compare.trials import prepare


class Stub(Peer):
    """Hands back one fixed factor: the truth e₁ of the examples of orders two and three."""

    title, answer, spent = "stub", (1.0, 0.0), 10

    def search(self, effort):
        X = np.zeros((effort.problem.n, effort.problem.rank))
        X[: len(self.answer), 0] = self.answer
        effort.offer(X, 0.0, fitted=False)
        effort.account.charge(self.spent)
        effort.starts = 1
        return "done"


class Right(Stub):
    name = "right"


class Dear(Stub):
    spent = 50


class Wrong(Stub):
    """Claims a success that it has not."""

    answer = (0.5, 0.5)


class Broken(Stub):
    def search(self, effort):
        raise ZeroDivisionError("no number")


class Small(Stub):
    most_n = 2


class Absent(Stub):
    packages, needs = ("package_that_is_absent",), "peers"


class Pressed(Stub):
    """The user presses Ctrl-C while it runs."""

    def search(self, effort):
        signal.raise_signal(signal.SIGINT)
        return super().search(effort)


@pytest.fixture(autouse=True)
def identified(monkeypatch):
    """Every truth is identifiable unless a test says otherwise."""

    @dataclass
    class Found:
        rank: int
        dof: int
        identifiable: bool

    def identifiability(problem, X):
        dof = problem.degrees_of_freedom
        assert X.shape == (problem.n, problem.rank)
        return Found(dof - stub.lacking, dof, stub.lacking == 0)

    stub = types.SimpleNamespace(lacking=0)
    monkeypatch.setattr(module, "identifiability", identifiability)
    prepare.cache_clear()
    yield stub
    prepare.cache_clear()
