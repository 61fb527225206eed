"""State evolution of message passing in complex phase retrieval: where it begins to succeed.

    python benchmarks/phase_evolution.py [--nodes 40]

Of a signal with independent complex normal entries.  Let a(v) be what the length |z| leaves of the
variance of an amplitude that is told up to a complex normal error of variance v.  With m/n = R:

    Gaussian rows (GAMP):  v' = 1/(1 + R (1 − a)/v) < v  if  R > (1 − v)/(1 − a),
    orthogonal columns (GVAMP), w = v a/(1 − a):  v' = w/(w + R − 1) < v  if  R > (1 − a v)/(1 − a),

so that the errors fall to zero from any start beyond the maximum of the right side over v; its
limit at v = 1 is where a random start begins to be left.  The curve is printed, and its maximum.
Published for the optimal algorithm: 2.027 and 2.265 (Maillard, Loureiro, Krzakala and Zdeborová,
Phase retrieval in high dimensions, NeurIPS 2020).
"""

import argparse

import numpy as np
from scipy.special import ive

#: Length of a standard complex normal number beyond which there is none.
FAR = 6.0


def shrink(v: float, number: int) -> float:
    """Mean of Var(z | r, |z|)/v for z = r + CN(0, v), r ~ CN(0, 1 − v); by quadrature."""
    # In the length of r itself: in its square the integrand has a root at zero.
    s, w = np.polynomial.legendre.leggauss(2 * number)
    s = FAR * (s + 1) / 2
    w = FAR * w * s * np.exp(-s * s)
    x, h = np.polynomial.hermite.hermgauss(number)
    r = np.sqrt(1 - v) * s[:, None, None]
    y = np.hypot(r + np.sqrt(v) * x[:, None], np.sqrt(v) * x)
    kappa = np.minimum(2 * y * r / v, 1e8)
    rho = ive(1, kappa) / ive(0, kappa)
    spread = y * y * (1 - rho * rho)
    return float(np.einsum("i,j,k,ijk->", w, h, h, spread) / np.pi) / v


def main() -> None:
    """The curves of both maps, and their maxima."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=40)
    number = parser.parse_args().nodes
    rows = []
    for v in np.concatenate([np.geomspace(0.01, 0.2, 13), np.linspace(0.25, 0.99, 38), [0.999]]):
        a = shrink(float(v), number)
        rows.append((v, a, (1 - v) / (1 - a), (1 - a * v) / (1 - a)))
        print("v {:.3f}  a {:.4f}  Gaussian {:.3f}  orthogonal {:.3f}".format(*rows[-1]))
    _, _, gaussian, orthogonal = np.array(rows).T
    print(
        f"beyond every v: Gaussian m/n > {gaussian.max():.3f}, orthogonal > {orthogonal.max():.3f}"
    )


if __name__ == "__main__":
    main()
