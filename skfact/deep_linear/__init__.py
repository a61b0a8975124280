"""Sparse deep linear maps: products of factors with fixed supports or budgets of non-zeros."""

from skfact.deep_linear._estimator import SparseDeepLinearNet
from skfact.deep_linear._palm.hierarchical import hierarchical_palm
from skfact.deep_linear._palm.palm4msa import palm4msa
from skfact.deep_linear._stability.convolution_tree import (
    ConvolutionTree,
    TreeCollision,
    convolution_tree_is_recoverable,
)
from skfact.deep_linear._stability.factor_distance import factor_distance
from skfact.deep_linear._stability.rank_one import are_rescalings, rank_one_tensor
from skfact.deep_linear._stability.tensor_bounds import (
    tensor_lipschitz_bound,
    tensor_stability_bound,
)
from skfact.deep_linear._stability.tree_recovery import (
    TreeRecovery,
    indistinguishable_kernels,
    recover_convolution_tree,
)
from skfact.deep_linear._structured import CirculantFactor, StructuredFactor, ToeplitzFactor

__all__ = [
    "CirculantFactor",
    "ConvolutionTree",
    "SparseDeepLinearNet",
    "StructuredFactor",
    "ToeplitzFactor",
    "TreeCollision",
    "TreeRecovery",
    "are_rescalings",
    "convolution_tree_is_recoverable",
    "factor_distance",
    "hierarchical_palm",
    "indistinguishable_kernels",
    "palm4msa",
    "rank_one_tensor",
    "recover_convolution_tree",
    "tensor_lipschitz_bound",
    "tensor_stability_bound",
]
