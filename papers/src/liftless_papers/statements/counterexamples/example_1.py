"""Example 1 of the local-search paper: f falls from the printed point along a curve."""

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """F less one over a², at (X11, X22) = (a, 1 − 2a) and X12² = X11 X22."""
    found = {}
    for a in (0.1, 0.01):
        d, square = 1 - 2 * a, a * (1 - 2 * a)
        f = (a + d - 1) ** 2 + (a - 1) ** 2 + 2 * square
        found[f"a = {a:g}"] = (f - 1) / a**2
    return found


if __name__ == "__main__":
    show(numbers())
