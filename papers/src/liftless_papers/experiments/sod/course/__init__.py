"""The course of one escape, step by step: Figs 8 and 9, Table 5."""
