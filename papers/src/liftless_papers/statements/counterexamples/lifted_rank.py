"""[40, Thm. 1]: on its way to the truth lifted descent is far from rank one (basic, l = 3)."""

import numpy as np

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Second over first singular value of an unfolding, from w_escape: at its largest, at the end.

    The gradient is Lemma A.1's, with η = .01 and ρ = .1.
    """
    half = 0.75**0.5
    A = np.array([[[1, 0], [0, 0.5]], [[0, half], [half, 0]], [[0, 0], [0, half]]])
    lift = "iad,jbe,kcf,abc,def->ijk"
    z, x = (np.einsum("a,b,c->abc", v, v, v) for v in (np.eye(2)[0], np.eye(2)[1] * 0.5**0.5))
    b, w, ratios = np.einsum(lift, A, A, A, z, z, optimize=True), x + 0.1 * z, []
    for t in range(2001):
        if t % 50 == 0:
            s = np.linalg.svd(w.reshape(2, 4), compute_uv=False)
            ratios.append(float(s[1] / s[0]))
        e = np.einsum(lift, A, A, A, w, w, optimize=True) - b
        w = w - 0.01 * np.einsum("iad,jbe,kcf,ijk,def->abc", A, A, A, e, w, optimize=True)
    return {"largest": max(ratios), "end": ratios[-1]}


if __name__ == "__main__":
    show(numbers())
