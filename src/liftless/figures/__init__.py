"""Figures.  They read what a run has recorded and compute nothing."""

from liftless.figures.recovery import course_rows, recovery_figure, save_figure

__all__ = ["course_rows", "recovery_figure", "save_figure"]
