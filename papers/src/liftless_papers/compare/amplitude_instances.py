"""Instances with complex amplitudes: Gaussian rows, coded images, quantum states."""

import itertools
import math
from typing import Any

import numpy as np
from jaxtyping import Complex

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless.instances import Instance
from liftless.operators import (
    CodedDiffraction,
    ComplexRankOneOperator,
    ProductBases,
    SensingOperator,
    measure,
)
from liftless.problem import Problem

#: Kinds of masks.
MASKS = ("signs", "phases", "octanary")


def complex_gaussian(n: int = 64, rank: int = 1, ratio: float = 2.5, seed: int = 0) -> Instance:
    """Squared lengths of a_i* Z with independent standard complex normal a_i and Z.

    Parameters
    ----------
    n, rank : int
    ratio : float
        m/n at rank one; otherwise m over the degrees of freedom 2 n r − r².
    seed : int
    """
    n, rank = positive_int("n", n), positive_int("rank", rank, most=n)
    ratio = real_number("ratio", ratio, above=0.0)
    rng = np.random.default_rng(positive_int("seed", seed, least=0))
    m = math.ceil(ratio * (n if rank == 1 else 2 * n * rank - rank * rank) - 1e-9)
    Z, a = _normal(rng, n, rank), _normal(rng, m, n)
    reference = "Candès, Li and Soltanolkotabi (2015), Gaussian model"
    given = {"n": n, "rank": rank, "ratio": ratio, "seed": seed}
    return _instance("complex-gaussian", ComplexRankOneOperator(a), Z, seed, reference, given)


def coded_image(
    size: int = 16, masks: int = 4, kind: str = "octanary", real: bool = False, seed: int = 0
) -> Instance:
    """Coded diffraction patterns of a smooth random image.

    Parameters
    ----------
    size : int
        Pixels of a side.
    masks : int
    kind : {"signs", "phases", "octanary"}
    real : bool
        Whether the image is real; of real masks half the readings are then kept.
    seed : int

    Notes
    -----
    The image is a Gaussian field of which the power falls with the fourth power of the frequency
    beyond two periods a side.
    """
    size, masks = positive_int("size", size, least=2), positive_int("masks", masks)
    if kind not in MASKS:
        raise InvalidInput("kind", describe(kind), f"one of {', '.join(MASKS)}")
    rng = np.random.default_rng(positive_int("seed", seed, least=0))
    frequency = np.fft.fftfreq(size, 1 / size)
    power = 1 / (1 + (frequency[:, None] ** 2 + frequency**2) / 4)
    image: Any = np.fft.ifft2(power * np.fft.fft2(_normal(rng, size, size)))
    image = image.real + 1.0 if real else image
    M = random_masks(kind, (masks, size, size), rng)
    half = real and kind == "signs"
    operator = CodedDiffraction(M, real=real, half=half)
    reference = "Candès, Li and Soltanolkotabi (2015)"
    given = {"size": size, "masks": masks, "kind": kind, "real": real, "seed": seed}
    return _instance("coded-image", operator, image.reshape(-1, 1), seed, reference, given)


def quantum_state(qubits: int = 4, rank: int = 1, settings: int = 27, seed: int = 0) -> Instance:
    """Exact probabilities of a random state in some of the 3^q product bases.

    Parameters
    ----------
    qubits, rank, settings : int
    seed : int
    """
    qubits = positive_int("qubits", qubits, most=8)
    rank = positive_int("rank", rank, most=2**qubits)
    settings = positive_int("settings", settings, most=3**qubits)
    rng = np.random.default_rng(positive_int("seed", seed, least=0))
    Z = _normal(rng, 2**qubits, rank)
    Z /= np.linalg.norm(Z)
    words = np.array(list(itertools.product(range(3), repeat=qubits)))
    chosen = words[np.sort(rng.permutation(len(words))[:settings])]
    reference = "Flammia, Gross, Liu and Eisert (2012), product measurements"
    given = {"qubits": qubits, "rank": rank, "settings": settings, "seed": seed}
    return _instance("quantum-state", ProductBases(chosen), Z, seed, reference, given)


def _normal(rng: np.random.Generator, *shape: int) -> Complex[np.ndarray, "..."]:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / math.sqrt(2)


def random_masks(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Masks of a kind of :data:`MASKS`, independent from pixel to pixel."""
    if kind == "signs":
        return rng.choice([-1.0, 1.0], size=shape)
    if kind == "phases":
        return np.exp(2j * np.pi * rng.random(shape))
    lengths = rng.choice([math.sqrt(0.5), math.sqrt(3)], p=[0.8, 0.2], size=shape)
    return rng.choice([1, -1, 1j, -1j], size=shape) * lengths


def _instance(
    name: str, operator: SensingOperator, Z: Any, seed: int, reference: str, given: dict
) -> Instance:
    truth = operator.space.pack(Z)
    b = np.asarray(measure(operator, truth, truth))
    return Instance(
        name=name,
        problem=Problem(operator, b, truth.shape[1]),
        truth=truth,
        points=(),
        seed=seed,
        parameters=given,
        description=f"{operator.m} measurements of {operator.space.describe()}",
        reference=reference,
    )
