"""What the commands of images and quantum states take."""

from dataclasses import dataclass

from liftless.cli.command import argument, option, switch
from liftless.cli.options import JSON, QUIET, SEED


@dataclass(frozen=True)
class PhaseOptions:
    """What was given to ``liftless phase``; None where nothing was."""

    file: str = argument("FILE", "Intensities with masks, support, or probe: .npz or .mat.")
    real: bool = switch("The image is real; the file's own word if left out.")
    noise: str | None = option("poisson|SIGMA", "Counts, or a standard deviation.")
    norm: str | None = option("ortho|backward|forward", "Norm of the transform, as NumPy's.")
    budget: float | None = option("N", "Transforms of one mask to spend.")
    precision: str = option("float64|mixed", "Mixed searches in float32.", "float64")
    seed: int = option("S", SEED, 0)
    out: str | None = option("RESULT.npz", "Write the image and the report (.npz or .mat).")
    plot: str | None = option("FIGURE.png", "Draw data, start, image, misfit (.png, .svg, .pdf).")
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch(QUIET)


@dataclass(frozen=True)
class TomographyOptions:
    """What was given to ``liftless tomography``; None where nothing was."""

    file: str = argument("FILE", "Counts with settings, or Pauli expectations: .npz, .mat, .json.")
    rank: str = option("auto|R", "Rank of the state.", "auto")
    no_white: bool = switch("No share of white noise beside the low rank.")
    order: str = option("big|little", "Whether bits begin with qubit 0, or end with it.", "big")
    seed: int = option("S", SEED, 0)
    out: str | None = option("RESULT.npz", "Write the state and the report (.npz or .mat).")
    plot: str | None = option("FIGURE.png", "Draw ρ and its eigenvalues (.png, .svg, .pdf).")
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch(QUIET)
