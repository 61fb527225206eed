"""Misuse raises one clear error that names the argument, and nothing else."""

import pickle

import jaxtyping
import numpy as np
import pytest

from liftless._errors import InvalidInput
from liftless.losses import Logistic
from liftless.operators import (
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    RankOneOperator,
    dot_test,
    rip_estimate,
)
from liftless.problem import Problem
from liftless.regularisers import Balance, Ridge

N, M = 3, 4
GOOD = DiagonalOperator(np.ones((M, N)))
EYES = np.stack([np.eye(N)] * M)


@pytest.fixture(autouse=True)
def without_run_time_shape_checks(monkeypatch):
    """The suite's own checks of types would come before the library's."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def spoiled(shape, value):
    array = np.ones(shape)
    array.flat[-1] = value
    return array


def problem(operator=GOOD, b=np.zeros(M), rank=1, **options):  # noqa: B008
    return Problem(operator, b, rank, **options)


# argument, what must be in the message, the call
CASES = [
    ("packed", "NaN", lambda: DenseOperator(spoiled((M, 6), np.nan), N)),
    ("packed", "infinity", lambda: DenseOperator(spoiled((M, 6), np.inf), N)),
    ("packed", "real numbers", lambda: DenseOperator(1j * np.ones((M, 6)), N)),
    ("packed", "shape (m, 6)", lambda: DenseOperator(np.ones((M, 5)), N)),
    ("packed", "m >= 1", lambda: DenseOperator(np.ones((0, 6)), N)),
    ("packed", "2-dimensional", lambda: DenseOperator(EYES, N)),
    ("n", "integer >= 1", lambda: DenseOperator(np.ones((M, 6)), 0)),
    ("n", "integer >= 1", lambda: DenseOperator(np.ones((M, 6)), 3.0)),
    ("n", "integer >= 1", lambda: DenseOperator(np.ones((M, 1)), True)),
    ("dtype", "float32", lambda: DenseOperator(np.ones((M, 6)), N, np.int32)),
    ("dtype", "float32", lambda: DenseOperator(np.ones((M, 6)), N, "double precision")),
    ("A", "index (3, 2, 2)", lambda: DenseOperator.from_matrices(spoiled((M, N, N), np.nan))),
    ("A", "imaginary", lambda: DenseOperator.from_matrices(EYES.astype(complex))),
    ("A", "3-dimensional", lambda: DenseOperator.from_matrices(np.eye(N))),
    ("A", "(m, n, n)", lambda: DenseOperator.from_matrices(np.ones((N, N, M)))),
    ("A", "(m, n, n)", lambda: DenseOperator.from_matrices(np.ones((0, N, N)))),
    ("A", "real numbers", lambda: DenseOperator.from_matrices([[[1.0, 2.0], [3.0]]])),
    ("A", "real numbers", lambda: DenseOperator.from_matrices("matrices")),
    ("A", "real numbers", lambda: DenseOperator.from_matrices(None)),
    ("rows", "subtract 1", lambda: EntriesOperator([1, 2, 3], [1, 2, 2], N)),
    ("rows", "out of range (-1)", lambda: EntriesOperator([0, -1], [0, 1], N)),
    ("cols", "from 0 to 2", lambda: EntriesOperator([0, 1], [0, 3], N)),
    ("rows", "whole numbers", lambda: EntriesOperator([0, 0.5], [0, 1], N)),
    ("rows", "whole numbers", lambda: EntriesOperator([0, np.nan], [0, 1], N)),
    ("rows", "whole numbers", lambda: EntriesOperator([0, np.inf], [0, 1], N)),
    ("rows", "whole numbers", lambda: EntriesOperator([True, False], [0, 1], N)),
    ("rows", "whole numbers", lambda: EntriesOperator(["0", "1"], [0, 1], N)),
    ("rows", "at least one", lambda: EntriesOperator([], [], N)),
    ("rows", "at least one", lambda: EntriesOperator([[0, 1]], [0, 1], N)),
    ("cols", "as long as rows", lambda: EntriesOperator([0, 1], [0], N)),
    ("n", "integer >= 1", lambda: EntriesOperator([0], [0], -1)),
    ("weights", "as long as rows", lambda: EntriesOperator([0], [0], N, [1.0, 2.0])),
    ("weights", "NaN", lambda: EntriesOperator([0], [0], N, [np.nan])),
    ("a", "m, n >= 1", lambda: RankOneOperator(np.ones((0, N)))),
    ("a", "imaginary", lambda: RankOneOperator(np.ones((M, N), complex))),
    ("a", "2-dimensional", lambda: RankOneOperator(np.ones(N))),
    ("a", "infinity", lambda: RankOneOperator(spoiled((M, N), -np.inf))),
    ("diag", "m, n >= 1", lambda: DiagonalOperator(np.ones((M, 0)))),
    ("diag", "NaN", lambda: DiagonalOperator(spoiled((M, N), np.nan))),
    ("operator", "from_matrices", lambda: problem(operator=EYES)),
    ("operator", "SensingOperator", lambda: problem(operator=None)),
    ("operator", "SensingOperator", lambda: problem(operator=DiagonalOperator)),
    ("b", "shape (4,)", lambda: problem(b=np.zeros(M + 1))),
    ("b", "1-dimensional", lambda: problem(b=np.zeros((M, 1)))),
    ("b", "index (3,)", lambda: problem(b=spoiled(M, np.nan))),
    ("b", "real numbers", lambda: problem(b=np.zeros(M, complex))),
    ("b", "real numbers", lambda: problem(b=["x"] * M)),
    ("b", "signs", lambda: problem(b=np.array([1.0, -1.0, 1.0, -1.0]), loss=Logistic())),
    ("b", "between 0 and 1", lambda: problem(b=np.full(M, 1.01), loss=Logistic())),
    ("rank", "from 1 to 3", lambda: problem(rank=0)),
    ("rank", "from 1 to 3", lambda: problem(rank=N + 1)),
    ("rank", "from 1 to 3", lambda: problem(rank=1.5)),
    ("rank", "from 1 to 3", lambda: problem().with_rank(-1)),
    ("weights", ">= 0", lambda: problem(weights=spoiled(M, -1.0))),
    ("weights", "shape (4,)", lambda: problem(weights=np.ones(M - 1))),
    ("weights", "1-dimensional", lambda: problem(weights=np.ones((M, 1)))),
    ("weights", "NaN", lambda: problem(weights=spoiled(M, np.nan))),
    ("loss", "a Loss", lambda: problem(loss="logistic")),
    ("loss", "a Loss", lambda: problem(loss=Logistic)),
    ("regularisers", "tuple", lambda: problem(regularisers=Ridge(0.1))),
    ("regularisers", "tuple", lambda: problem(regularisers=(0.1,))),
    ("weight", ">= 0", lambda: Ridge(-0.1)),
    ("weight", ">= 0", lambda: Ridge([])),
    ("weight", "NaN", lambda: Ridge(np.nan)),
    ("weight", "2-dimensional", lambda: Ridge(np.ones((1, 1, 1)))),
    ("weight", "real numbers", lambda: Ridge("small")),
    ("weight", "real numbers", lambda: Ridge(1j)),
    ("weight", ">= 0", lambda: Balance(1, -1.0)),
    ("weight", "finite", lambda: Balance(1, np.inf)),
    ("split", "integer >= 1", lambda: Balance(0)),
    ("rank", "integer >= 1", lambda: dot_test(GOOD, rank=0)),
    ("rank", "from 1 to 3", lambda: rip_estimate(GOOD, N + 1)),
    ("starts", "integer >= 1", lambda: rip_estimate(GOOD, 1, starts=0)),
]


@pytest.mark.parametrize(
    ("argument", "says", "call"), CASES, ids=[f"{k}-{case[0]}" for k, case in enumerate(CASES)]
)
def test_bad_argument(argument, says, call):
    with pytest.raises(InvalidInput) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(f"{argument} was ")
    assert says in message
    assert len(message) < 300
    assert caught.value.argument == argument


def test_the_error_survives_a_process_boundary():
    with pytest.raises(InvalidInput) as caught:
        problem(rank=0)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is InvalidInput
    assert str(copy) == str(caught.value)
    assert copy.argument == "rank"


def test_good_arguments_of_other_types_are_taken():
    """Lists, integers, single precision and whole-number floats mean what they say."""
    accepted = problem(b=[0, 1, 2, 3], rank=np.int64(2), weights=np.ones(M, np.float32))
    assert accepted.b.dtype == accepted.weights.dtype == np.float64
    assert accepted.rank == 2
    assert EntriesOperator([0.0, 2.0], np.array([1, 2], np.uint8), N).rows.tolist() == [0, 2]
    assert Ridge(1).weight.shape == ()
