"""The basic example and the small ones: Figs 1, 2 and 4 to 7."""
