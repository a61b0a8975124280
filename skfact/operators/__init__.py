"""A linear map as a product of sparse factors: fast to apply, adjoint, solve, fuse and save."""

from ._factors import KroneckerFactor, PartialPermutation, SparseFactor
from ._operator import FactorizedOperator

__all__ = ["FactorizedOperator", "KroneckerFactor", "PartialPermutation", "SparseFactor"]
