"""Sparse deep linear maps: products of factors with fixed supports or budgets of non-zeros."""

from skfact.deep_linear._estimator import SparseDeepLinearNet
from skfact.deep_linear._palm.hierarchical import hierarchical_palm
from skfact.deep_linear._palm.palm4msa import palm4msa
from skfact.deep_linear._stability.factor_distance import factor_distance
from skfact.deep_linear._stability.rank_one import are_rescalings, rank_one_tensor
from skfact.deep_linear._structured import CirculantFactor, StructuredFactor, ToeplitzFactor

__all__ = [
    "CirculantFactor",
    "SparseDeepLinearNet",
    "StructuredFactor",
    "ToeplitzFactor",
    "are_rescalings",
    "factor_distance",
    "hierarchical_palm",
    "palm4msa",
    "rank_one_tensor",
]
