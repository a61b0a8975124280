"""Sparse deep linear maps: products of factors with fixed supports or budgets of non-zeros."""

from skfact.deep_linear._hierarchical_palm import hierarchical_palm
from skfact.deep_linear._palm import palm4msa

__all__ = ["hierarchical_palm", "palm4msa"]
