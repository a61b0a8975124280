"""A linear map as a product of sparse factors: fast to apply, adjoint, solve, fuse and save."""

from skfact.operators._coding import least_squares_codes
from skfact.operators._factors import KroneckerFactor
from skfact.operators._operator import FactorizedOperator
from skfact.operators._partial_permutation import PartialPermutation
from skfact.operators._sparse_factor import SparseFactor

__all__ = [
    "FactorizedOperator",
    "KroneckerFactor",
    "PartialPermutation",
    "SparseFactor",
    "least_squares_codes",
]
