"""The papers behind liftless: their experiments and statements, and the comparison with peers.

Nothing is imported here, so that a process can limit its threads before NumPy and JAX start.
"""
