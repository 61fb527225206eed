"""Images from few photons: error over the Cramér–Rao bound of each draw, and transforms.

    python benchmarks/phase_counts.py octanary 4 32 10 [--real] [--trials 20] [--first 100]

Words are those of ``benchmarks/phase.py coded``: masks, their number, pixels a side, and photons a
reading in the mean.  The bound is that of unbiased estimates of the image up to its phase, from the
whole Fisher information; wants scikit-image.
"""

import argparse
import math
import time

import numpy as np
from phase import picture

import liftless as ll
from liftless_papers.compare.amplitude_instances import MASKS, random_masks


def bound(masks: np.ndarray, image: np.ndarray) -> float:
    """Cramér–Rao bound of the relative error of an image in units of counts."""
    L, n, real = len(masks), image.size, not np.iscomplexobj(image)
    P = np.fft.fft2(masks * image, norm="ortho").reshape(L, n)
    information = np.zeros((n, n) if real else (2 * n, 2 * n))
    for mask, p in zip(masks, P, strict=True):
        F = np.fft.fft2(mask * np.eye(n).reshape(n, *image.shape), norm="ortho").reshape(n, n)
        # Derivatives of |p|² over √|p|², a row a pixel.
        J = 2 * (p.conj() / np.maximum(np.abs(p), 1e-300)) * F
        J = J.real if real else np.concatenate([J.real, -J.imag])
        information += J @ J.T
    # The constant phase is measured by nothing.
    values = np.linalg.eigvalsh(information)[0 if real else 1 :]
    return math.sqrt(float(np.sum(1 / values))) / float(np.linalg.norm(image))


def trial(args: argparse.Namespace, seed: int) -> list[float]:
    """Error over the bound, transforms, χ², error estimate over the error, starts."""
    rng = np.random.default_rng([72, args.size, 10 * args.masks, seed])
    image = picture(args.size, real=args.real)
    masks = random_masks(args.kind, (args.masks, args.size, args.size), rng)
    b = np.abs(np.fft.fft2(masks * image, norm="ortho")) ** 2
    scale = args.photons / b.mean()
    counts, image = rng.poisson(scale * b).astype(float), math.sqrt(scale) * image
    found = ll.phase.retrieve(counts, masks=masks, real=args.real, noise="poisson", seed=seed)
    error = found.distance(image)
    told = found.error_estimate / error
    return [error / bound(masks, image), found.ffts, found.chi2, told, found.starts]


def main() -> None:
    """One line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=MASKS)
    parser.add_argument("masks", type=int)
    parser.add_argument("size", type=int)
    parser.add_argument("photons", type=float)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    args = parser.parse_args()
    began = time.process_time()
    rows = np.array([trial(args, args.first + k) for k in range(args.trials)])
    middle, most = np.median(rows, axis=0), rows.max(axis=0)
    words = f"{args.kind}{' real' if args.real else ''} L={args.masks} {args.size}²"
    text = f"{words}, {args.photons:g} photons: error {middle[0]:.3f} (most {most[0]:.3f}) times "
    text += f"Cramér–Rao, {middle[1]:.0f} transforms (most {most[1]:.0f}), χ² {middle[2]:.3f}, "
    text += f"estimate/error {middle[3]:.2f}, starts {middle[4]:.0f}"
    print(f"{text}; {(time.process_time() - began) / args.trials:.2f} s of processor", flush=True)


if __name__ == "__main__":
    main()
