"""Array types of public signatures: JAX and NumPy arrays alike."""

import jax
import numpy as np
from jaxtyping import Float

AnyArray = jax.Array | np.ndarray
Scalar = Float[AnyArray, ""] | float
