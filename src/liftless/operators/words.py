"""Strings of one letter a qubit, as numbers."""

import numpy as np
from jaxtyping import Int

from liftless._checks import as_text
from liftless._errors import InvalidInput


def places_of(argument: str, words: np.ndarray, letters: str, must: str) -> Int[np.ndarray, "m q"]:
    """Place of each letter among ``letters``, a row a string.

    Raises
    ------
    InvalidInput
        By the name of the argument: another letter, or strings of different lengths.
    """
    texts = [as_text(word).strip() for word in words]
    odd = next((text for text in texts if not text or set(text) - set(letters)), None)
    if odd is not None:
        raise InvalidInput(argument, f"{odd!r} among them", must)
    if len({len(text) for text in texts}) > 1:
        raise InvalidInput(argument, "of different lengths", must)
    return np.array([[letters.index(c) for c in text] for text in texts])
