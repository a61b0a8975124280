"""Sparse deep linear maps: products of factors with fixed supports or budgets of non-zeros."""

from skfact.deep_linear._estimator import SparseDeepLinearNet
from skfact.deep_linear._palm.exploration import explore_supports
from skfact.deep_linear._palm.hierarchical import hierarchical_palm
from skfact.deep_linear._palm.palm4msa import palm4msa
from skfact.deep_linear._stability._classes.factor_distance import factor_distance
from skfact.deep_linear._stability._classes.rank_one import are_rescalings, rank_one_tensor
from skfact.deep_linear._stability._classes.tensor_bounds import (
    tensor_lipschitz_bound,
    tensor_stability_bound,
)
from skfact.deep_linear._stability._identifiability.identifiability import (
    StructureIdentifiability,
    structure_identifiability,
)
from skfact.deep_linear._stability._identifiability.null_space import (
    DeepNullSpaceConstant,
    FactorErrorBound,
    deep_null_space_constant,
    factor_error_bound,
)
from skfact.deep_linear._stability._lifting.lifting import LiftingOperator, lifting_operator
from skfact.deep_linear._stability._lifting.lifting_rank import lifting_rank
from skfact.deep_linear._stability._trees.convolution_tree import (
    ConvolutionTree,
    TreeCollision,
    convolution_tree_is_recoverable,
)
from skfact.deep_linear._stability._trees.recovery import (
    TreeRecovery,
    indistinguishable_kernels,
    recover_convolution_tree,
)
from skfact.deep_linear._structured import CirculantFactor, StructuredFactor, ToeplitzFactor

__all__ = [
    "CirculantFactor",
    "ConvolutionTree",
    "DeepNullSpaceConstant",
    "FactorErrorBound",
    "LiftingOperator",
    "SparseDeepLinearNet",
    "StructureIdentifiability",
    "StructuredFactor",
    "ToeplitzFactor",
    "TreeCollision",
    "TreeRecovery",
    "are_rescalings",
    "convolution_tree_is_recoverable",
    "deep_null_space_constant",
    "explore_supports",
    "factor_distance",
    "factor_error_bound",
    "hierarchical_palm",
    "indistinguishable_kernels",
    "lifting_operator",
    "lifting_rank",
    "palm4msa",
    "rank_one_tensor",
    "recover_convolution_tree",
    "structure_identifiability",
    "tensor_lipschitz_bound",
    "tensor_stability_bound",
]
