"""Array types of public signatures: JAX and NumPy arrays alike."""

import jax
import numpy as np
from jaxtyping import Float, Shaped

AnyArray = jax.Array | np.ndarray
Scalar = Float[AnyArray, ""] | float
#: A whole number of a field: a plain one, or what became of it in compiled code.
Whole = Shaped[AnyArray, ""] | int
#: Likewise, yes or no.
Flag = Shaped[AnyArray, ""] | bool
