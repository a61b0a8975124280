"""Solvers of SparseDeepLinearNet: from a network and data to values of its factors."""
