"""What a page says of each verdict: a sentence in front, and what it means and does not mean."""

#: By kind of a recovery.
RECOVERED = {
    "exact": (
        "The measurements are explained to the last digit.",
        "No matrix can fit better. That alone does not make it the only one that fits: see the "
        "line “Is it the only fit?”.",
    ),
    "global": (
        "The best fit there is, and proved to be.",
        "No positive semidefinite matrix, of whatever rank, fits the measurements better. With "
        "noise the best fit is near the true matrix and not equal to it.",
    ),
    "fitted": (
        "The measurements are explained as well as their noise or digits allow.",
        "A better fit would fit noise. The matrix is as uncertain as the noise makes it.",
    ),
    "agreed": (
        "The best fit that was found, and unlike searches ended at it.",
        "That is the usual good end for noisy measurements. It is no proof: all searches may have "
        "missed a better fit.",
    ),
    "stationary": (
        "A point where the search ended, of which nothing more is known.",
        "It may be the best fit or a poor one. More measurements, a larger budget or another seed "
        "can tell.",
    ),
    "spurious": (
        "A point that is known not to be the best fit.",
        "A lower one of the same rank is known; do not use this matrix.",
    ),
    "saddle": (
        "A point that could still be improved.",
        "There is a direction in which the fit gets better; do not use this matrix.",
    ),
    "unfinished": (
        "The search ended before it had come to an end.",
        "The matrix is the best so far. The message says what ran out, and what to pass instead.",
    ),
}
#: By kind of a completed table.
TABLES = {
    "exact": (
        "Every given entry is reproduced, and the holes follow from them.",
        "The entries fit a matrix of the rank named to the last digit. Entries that the given ones "
        "leave open are not invented: they are empty, and red in the picture.",
    ),
    "noise": (
        "The holes are filled with the values to be expected, and each has its uncertainty.",
        "The table is a pattern of low rank and noise. A filled entry is a prediction: a new "
        "observation differs from it by its own error and by the noise.",
    ),
}
GLOSSARY = (
    ("rank", "Number of patterns that the rows are mixed from; the smaller, the simpler."),
    ("degrees of freedom", "Numbers that a matrix of that size and rank is made of."),
    ("objective h", "Half the sum of the squared misfits; zero for a perfect fit."),
    ("σ", "Standard deviation of the noise in one measurement or entry."),
    ("held out", "Entries hidden from the fit, so that its error on new ones is seen."),
    ("application", "One pass over all measurements; what the work is counted in."),
)
