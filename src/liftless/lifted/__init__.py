"""The lifted problem on a small subspace, in closed form."""
