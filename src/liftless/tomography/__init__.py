"""Quantum states from counts of outcomes: tomography."""

from liftless.tomography.fit import fit
from liftless.tomography.state import State

__all__ = ["State", "fit"]
