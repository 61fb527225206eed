"""Many trials: statistics, a store that can be gone on with, processes, and the comparison.

``store``, ``pool`` and ``statistics`` know nothing of the comparison and serve any sweep.
Nothing is imported here, so that a process can limit its threads before NumPy and JAX start.
"""
