"""Phase retrieval: share of exact recoveries and what they take, over fresh seeds.

    python benchmarks/phase.py gaussian 128 2.3 [--rank 1] [--trials 20] [--budget 6000]
    python benchmarks/phase.py coded octanary 3 64 [--real] [--photons 100] [--trials 20]
    python benchmarks/phase.py support 32 [--real] [--loose 8] [--photons 100] [--trials 20]

Rows of the first are m/n (rank one) or m a degree of freedom; an application is one of the map or
its adjoint.  The others count Fourier transforms of one mask and want scikit-image, of whose
``camera`` the images are (complex ones have the phases of ``moon``); L below a whole number leaves
readings out at random.  A line a command: success is an error below 1e-5 (of a support 1e-4, up to
what its transform cannot tell), processor seconds are a trial's mean, compilation included.
"""

import argparse
import math
import time
from typing import Any

import numpy as np

import liftless as ll
from liftless.phase.result import image_distance
from liftless_papers.compare.amplitude_instances import MASKS, random_masks


def picture(size: int, *, real: bool) -> np.ndarray:
    """``camera``, of mean square one, with the phases of ``moon`` unless it is to be real."""
    from skimage import data, transform

    def sized(name: str) -> np.ndarray:
        return transform.resize(getattr(data, name)() / 255.0, (size, size), anti_aliasing=True)

    image = sized("camera")
    image = image / np.sqrt(np.mean(image**2))
    if real:
        return image
    phase = sized("moon")
    phase = (phase - phase.min()) / np.ptp(phase)
    return image * np.exp(1.5j * np.pi * (phase - 0.5))


def gaussian(args: argparse.Namespace, seed: int) -> tuple[bool, float, dict[str, float]]:
    """Complex Gaussian rows and a complex Gaussian factor."""
    n, r = args.order, args.rank
    rng = np.random.default_rng([71, n, r, round(100 * args.ratio), seed])
    m = round(args.ratio * (n if r == 1 else 2 * n * r - r * r))
    a = (rng.standard_normal((m, n)) + 1j * rng.standard_normal((m, n))) / math.sqrt(2)
    Z = (rng.standard_normal((n, r)) + 1j * rng.standard_normal((n, r))) / math.sqrt(2)
    b = np.sum(np.abs(a.conj() @ Z) ** 2, axis=1)
    found = ll.recover(ll.ComplexRankOneOperator(a), b, r, seed=seed, budget=args.budget)
    truth = found.space.pack(Z)
    error = found.space.distance(found.x, truth) / found.space.size(truth)
    return error < 1e-5, found.nfev, {"rounds": found.rounds}


def coded(args: argparse.Namespace, seed: int) -> tuple[bool, float, dict[str, float]]:
    """Coded diffraction patterns, exact or counted."""
    L, size = math.ceil(args.masks), args.size
    rng = np.random.default_rng([72, size, round(10 * args.masks), seed])
    image = picture(size, real=args.real)
    masks = random_masks(args.kind, (L, size, size), rng)
    b = np.abs(np.fft.fft2(masks * image, norm="ortho")) ** 2
    known = np.ones(b.shape, bool)
    known.flat[rng.permutation(b.size)[: round((L - args.masks) * size * size)]] = False
    b, image = _counted(args, rng, b, image)
    given: dict[str, Any] = {"real": args.real, "noise": "poisson" if args.photons else None}
    found = ll.phase.retrieve(
        b, masks=masks, known=None if known.all() else known, seed=seed, **given
    )
    error = found.distance(image)
    return error < 1e-5, found.ffts, {"error": error, "chi2": found.chi2, "starts": found.starts}


def support(args: argparse.Namespace, seed: int) -> tuple[bool, float, dict[str, float]]:
    """One transform, twice oversampled, and a support with room or without."""
    size, side = args.size, args.size + args.loose
    rng = np.random.default_rng([73, size, args.loose, seed])
    image = picture(size, real=args.real)
    b = np.abs(np.fft.fft2(image, (2 * side, 2 * side), norm="ortho")) ** 2
    b, image = _counted(args, rng, b, image)
    given: dict[str, Any] = {"real": args.real, "noise": "poisson" if args.photons else None}
    found = ll.phase.retrieve(b, support=(side, side), seed=seed, budget=args.budget, **given)
    whole = np.zeros((side, side), image.dtype)
    whole[:size, :size] = image
    shifts = range(-args.loose, args.loose + 1)
    turned = (found.image[:side, :side], np.conj(found.image[:side, :side][::-1, ::-1]))
    error = min(
        image_distance(np.roll(y, (i, j), (0, 1)), whole)
        for y in turned
        for i in shifts
        for j in shifts
    )
    return error < 1e-4, found.ffts, {"error": error, "starts": found.starts}


def _counted(
    args: argparse.Namespace, rng: np.random.Generator, b: np.ndarray, image: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of so many photons a reading in the mean, and the image in their units."""
    if not args.photons:
        return b, image
    scale = args.photons / b.mean()
    return rng.poisson(scale * b).astype(float), math.sqrt(scale) * image


def parser() -> argparse.ArgumentParser:
    """Options of the three commands."""
    whole = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = whole.add_subparsers(required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--trials", type=int, default=20)
    common.add_argument("--first", type=int, default=0, help="seed of the first trial")
    common.add_argument("--verbose", action="store_true")
    one = commands.add_parser("gaussian", parents=[common])
    one.add_argument("order", type=int)
    one.add_argument("ratio", type=float)
    one.add_argument("--rank", type=int, default=1)
    one.add_argument("--budget", type=int, default=6000)
    one.set_defaults(run=gaussian)
    image = argparse.ArgumentParser(add_help=False, parents=[common])
    image.add_argument("--real", action="store_true")
    image.add_argument("--photons", type=float, default=0.0)
    two = commands.add_parser("coded", parents=[image])
    two.add_argument("kind", choices=MASKS)
    two.add_argument("masks", type=float)
    two.add_argument("size", type=int)
    two.set_defaults(run=coded)
    three = commands.add_parser("support", parents=[image])
    three.add_argument("size", type=int)
    three.add_argument("--loose", type=int, default=0)
    three.add_argument("--budget", type=float, default=20000)
    three.set_defaults(run=support)
    return whole


def main() -> None:
    """One line."""
    args = parser().parse_args()
    began = time.process_time()
    good, spent, more = [], [], []
    for k in range(args.trials):
        success, count, numbers = args.run(args, args.first + k)
        good.append(success)
        spent.append(count)
        more.append(numbers)
        if args.verbose:
            print(k, success, count, numbers, flush=True)
    words = " ".join(
        f"{name}={value}"
        for name, value in vars(args).items()
        if name not in ("run", "verbose", "trials") and value not in (False, 0.0)
    )
    each = (time.process_time() - began) / args.trials
    text = f"{args.run.__name__} {words}: {sum(good)} of {args.trials}, mean count "
    text += f"{np.mean(spent):.0f}, median {np.median(spent):.0f}, most {max(spent):.0f}"
    if any(good):
        text += f", of successes {np.mean(np.array(spent)[good]):.0f}"
    for name in more[0]:
        values = [one[name] for one in more]
        text += f"; {name} median {np.median(values):.4g} most {max(values):.4g}"
    print(f"{text}; {each:.2f} s of processor", flush=True)


if __name__ == "__main__":
    main()
