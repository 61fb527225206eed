"""How series are told apart: by colour, and by marker and hatch where there is no colour."""

from dataclasses import dataclass

from liftless.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED

#: The two others of Okabe and Ito's palette that show on white.
SKY, BLACK = "#56B4E9", "#000000"

#: The palette in the order in which it is used.
COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "++", "ooo", "--")
#: Colour map of images and of families of lines; perceptually uniform and colour-blind safe.
COLOUR_MAP = "viridis"
#: Colours of "no" and "yes" where an image has nothing between.
ANSWERS = ("#D9D9D9", BLUE)
#: Colour map of tables, whose text must be readable on it.
TABLE_MAP = "Blues"


@dataclass(frozen=True)
class Pen:
    """How one series of a panel is drawn; ``under`` later lines run where it does."""

    colour: str
    marker: str
    hatch: str
    under: int = 0


def pen(number: int) -> Pen:
    """Style of the series of that number in its panel."""
    # The periods differ, so that the 64 first combinations differ.
    shift = number + number // len(COLOURS)
    return Pen(
        COLOURS[number % len(COLOURS)],
        MARKERS[shift % len(MARKERS)],
        HATCHES[number % len(HATCHES)],
    )
