"""Statements checked with explicit tensors: the propositions, Tables 2 to 4, the cost."""
