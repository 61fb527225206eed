"""How often an escape succeeds: Figs 3 and 10, the Gaussian ensemble."""
