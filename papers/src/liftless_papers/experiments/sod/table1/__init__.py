"""Table 1: every method, tuned, with controls."""
