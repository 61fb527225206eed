"""Experiments of the SOD escape paper, one file a figure or table."""
