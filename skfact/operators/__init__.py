"""Linear maps as products of sparse factors, and sums of them: apply, adjoint, solve, save."""

from skfact.operators._coding import least_squares_codes
from skfact.operators._factors import (
    KroneckerFactor,
    PartialPermutation,
    SparseFactor,
    recognize_factor,
)
from skfact.operators._linear_maps.linear_map import load_operator
from skfact.operators._matching_pursuit import orthogonal_matching_pursuit
from skfact.operators._operator import FactorizedOperator
from skfact.operators._sum import OperatorSum

__all__ = [
    "FactorizedOperator",
    "KroneckerFactor",
    "OperatorSum",
    "PartialPermutation",
    "SparseFactor",
    "least_squares_codes",
    "load_operator",
    "orthogonal_matching_pursuit",
    "recognize_factor",
]
