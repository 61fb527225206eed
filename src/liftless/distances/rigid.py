"""Rigid motions and reflections of points, of one set or of many at once."""

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "n dim"]


def moved_onto(X: np.ndarray, there: np.ndarray, places: np.ndarray) -> np.ndarray:
    """X under the isometry (reflections too) that brings ``there`` nearest to ``places``.

    Arrays of shape (…, points, dim).
    """
    centre, goal = there.mean(axis=-2, keepdims=True), places.mean(axis=-2, keepdims=True)
    U, _, Vt = np.linalg.svd(np.swapaxes(there - centre, -1, -2) @ (places - goal))
    return (X - centre) @ (U @ Vt) + goal


def mirrored(X: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """X reflected in the hyperplane nearest to other points; of shape (…, points, dim)."""
    centre = flat.mean(axis=-2, keepdims=True)
    normal = np.linalg.svd(flat - centre)[2][..., -1, :, None]
    return X - 2 * ((X - centre) @ normal) * np.swapaxes(normal, -1, -2)


def motions(X: Points, anchors: np.ndarray) -> Float[np.ndarray, "N g"]:
    """Velocities of the rigid motions that leave the anchors at rest, one a column."""
    n, dim = X.shape
    centred = X - (X.mean(axis=0) if len(X) else 0.0)
    out = [np.tile(np.eye(dim)[a], (n, 1)) for a in range(dim)]
    for a in range(dim):
        for b in range(a):
            turn = np.zeros((n, dim))
            turn[:, a], turn[:, b] = centred[:, b], -centred[:, a]
            out.append(turn)
    every = np.stack(out, axis=-1)
    if anchors.size:
        at = every[anchors].reshape(-1, every.shape[-1])
        _, s, Vt = np.linalg.svd(at)
        rank = int(np.sum(s > 1e-9 * max(float(s[0]), 1e-300)))
        every = every @ Vt[rank:].T
    return every.reshape(n * dim, -1)
