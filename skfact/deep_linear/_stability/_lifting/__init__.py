"""Structures, and the linear operator from rank-one tensors to products of factors."""
