"""Errors at what a model was not shown, and what they say of it and of another model."""

import math

import numpy as np
from jaxtyping import Float, Int


def parts(size: int, folds: int, seed: int) -> Int[np.ndarray, " size"]:
    """Number of the part that each of ``size`` measurements is held out with, from 0."""
    return np.random.default_rng([seed, 31]).permutation(size) % folds


def error_of(squares: Float[np.ndarray, " k"]) -> tuple[float, float]:
    """Root mean square error, and its standard error, of squared ones."""
    error = math.sqrt(float(np.mean(squares)))
    spread = float(np.std(squares)) / math.sqrt(squares.size)
    return error, spread / (2 * error) if error > 0 else 0.0


def above(squares: Float[np.ndarray, " k"], others: Float[np.ndarray, " k"]) -> float:
    """By how many standard errors one model's mean squared error is above another's.

    Of the differences one by one: what is hard to predict is so for both.
    """
    difference = squares - others
    spread = float(np.std(difference)) / math.sqrt(difference.size)
    mean = float(np.mean(difference))
    return mean / spread if spread > 0 else math.copysign(math.inf, mean) if mean else 0.0
