"""What the commands of distances and power grids take."""

from dataclasses import dataclass

from liftless.cli.command import argument, option, switch
from liftless.cli.options import FIGURE, JSON, QUIET, SEED


@dataclass(frozen=True)
class LocateOptions:
    """What was given to ``liftless locate``; None where nothing was."""

    file: str = argument("FILE", "Distances, a line each: i, j, d and perhaps std (.csv).")
    dim: int = option("D", "Dimension of the places.", 2)
    anchors: str | None = option("FILE", "Known places, a line each: point, x, y, ... (.csv).")
    noise: str = option("absolute|relative", "Whether std is a share of the distance.", "absolute")
    std: float | None = option("S", "Standard deviation of every distance.")
    rounds: int | None = option("N", "Rounds of the search at most.")
    seed: int = option("S", SEED, 0)
    out: str | None = option("RESULT.csv", "Write the places (.csv), or everything (.npz, .mat).")
    plot: str | None = option("FIGURE.png", FIGURE)
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch(QUIET)


@dataclass(frozen=True)
class GridOptions:
    """What was given to ``liftless grid``; None where nothing was."""

    case: str = argument("CASE", "The network: MATPOWER .m, or pandapower .json.")
    measurements: str | None = option(
        "FILE",
        "Readings, a line each: kind, element, side, value, std (.csv); those of the network "
        "itself where a .json has some.",
    )
    start: str | None = option("FILE", "Voltages to begin at: bus, vm, va in degrees (.csv).")
    idle: str = option(
        "exact|none|S",
        "Buses without load and generation: eliminated, left out, or weighted by S per unit.",
        "exact",
    )
    bad_data: bool = switch("Take out readings that are gross errors, one after another.")
    seed: int = option("S", SEED, 0)
    out: str | None = option("RESULT.csv", "Write the state (.csv), or everything (.npz, .mat).")
    plot: str | None = option("FIGURE.png", FIGURE)
    as_json: bool = switch(JSON, "--json")
    quiet: bool = switch(QUIET)
