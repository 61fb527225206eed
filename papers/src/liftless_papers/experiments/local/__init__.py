"""Experiments of the local-search paper, one file a figure or a group of statements."""
