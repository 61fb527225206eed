"""Figures and pages of the experiments.  They read what a run has recorded and compute nothing."""
