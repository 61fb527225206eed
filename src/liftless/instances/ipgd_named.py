"""The IPGD paper's matrix problems as named instances, at the rank of their truth."""

from typing import Any

from liftless._checks import positive_int
from liftless.instances.base import Instance
from liftless.instances.ipgd import SPECTRUM, IpgdProblem, completion, one_bit, sensing
from liftless.space import Rectangular

#: The paper, as references name it.
IPGD = "Implicit Regularization of Infinitesimally-perturbed Gradient Descent, Section 7"


def ipgd_sensing(
    n: int = 20, rank: int = 3, m: int = 1000, seed: int = 0, shape: str = "sym"
) -> Instance:
    """Gaussian sensing of a matrix with singular values 10, 5, 1, from the IPGD paper.

    Parameters
    ----------
    n, rank : int
        Side of the matrix, and how many of the three singular values it has.
    m, seed : int
        Number of measurements; seed of everything.
    shape : {"sym", "rect"}
        X Xᵀ, or a square U Vᵀ that is not symmetric.
    """
    made = sensing(seed, rectangular=shape == "rect", n=n, spectrum=_first(rank), N=m)
    text = (
        f"{made.problem.m} dense Gaussian measurements, order {n}, singular values {_first(rank)}"
    )
    return _instance(made, {"n": n, "rank": rank, "m": m, "seed": seed}, text, "(MS)")


def ipgd_completion(
    n: int = 20, rank: int = 3, probability: float = 0.8, seed: int = 0, shape: str = "sym"
) -> Instance:
    """Completion of a matrix with singular values 10, 5, 1, from the IPGD paper.

    Parameters
    ----------
    n, rank, seed, shape
        As in :func:`ipgd_sensing`.
    probability : float
        Fraction of the ordered pairs that is observed.
    """
    made = completion(
        seed, rectangular=shape == "rect", n=n, spectrum=_first(rank), probability=probability
    )
    text = f"{made.problem.m} of {n * n} entries observed, singular values {_first(rank)}"
    parameters = {"n": n, "rank": rank, "probability": probability, "seed": seed}
    return _instance(made, parameters, text, "(123)")


def ipgd_one_bit(n: int = 20, rank: int = 3, seed: int = 0, shape: str = "sym") -> Instance:
    """One-bit completion, the mean of every entry known, from the IPGD paper.

    Parameters
    ----------
    n, rank, seed, shape
        As in :func:`ipgd_sensing`.
    """
    made = one_bit(seed, rectangular=shape == "rect", n=n, spectrum=_first(rank))
    text = f"means of {n * n} binary entries, logistic loss, singular values {_first(rank)}"
    return _instance(made, {"n": n, "rank": rank, "seed": seed}, text, "(124)")


def _first(rank: Any) -> tuple[float, ...]:
    return SPECTRUM[: positive_int("rank", rank, most=len(SPECTRUM))]


def _instance(
    made: IpgdProblem, parameters: dict[str, Any], description: str, equation: str
) -> Instance:
    """Return the problem at the rank of its truth, without the factor ``scale``."""
    space = made.problem.operator.space
    return Instance(
        name=made.name,
        problem=made.problem.with_rank(made.rank),
        truth=made.truth,
        points=(),
        seed=parameters["seed"],
        parameters=parameters,
        description=description,
        reference=f"{IPGD}, eq. {equation}",
        readout=space.matrix if isinstance(space, Rectangular) else None,
    )
