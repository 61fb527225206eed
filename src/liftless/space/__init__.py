"""What a factor stands for: the matrix that it gives, in which field, and what leaves it unchanged.

Everything above an operator works on one real array X of shape (n, r), since the measurements are
real and bilinear in it.  The space of the operator says which matrix X is a factor of:

==================  =============  ================================  ==========================
space               matrix         array X                           unchanged by
==================  =============  ================================  ==========================
``Symmetric(n)``    X Xᵀ           X, (n, r)                         X Q, Q orthogonal
``Rectangular(p,    U Vᵀ           [U; V], (p + q, r)                U G, V G⁻ᵀ
q)``
``Hermitian(n)``    Z Z*           [Re Z; Im Z], (2n, r)             Z Q, Q unitary
==================  =============  ================================  ==========================

A complex factor is kept as its real and imaginary part one above the other: gradients, inner
products and steps are then the real ones, an operator joins the halves where it multiplies (no
copy that its own product would not make), and the algebra that must be done over the complex
numbers (eigenvectors, truncation, rank) is done here.
"""

from liftless.space.base import PADDING, Space
from liftless.space.hermitian import Hermitian
from liftless.space.rectangular import Rectangular
from liftless.space.symmetric import Symmetric

__all__ = ["PADDING", "Hermitian", "Rectangular", "Space", "Symmetric"]
