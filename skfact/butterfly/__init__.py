"""Butterfly factorization: a matrix as a product of Kronecker-sparse factors."""

from skfact.butterfly._estimator import ButterflyFactorizer
from skfact.butterfly._factorize import butterfly_factorize
from skfact.butterfly._rank_search import split_errors

__all__ = ["ButterflyFactorizer", "butterfly_factorize", "split_errors"]
