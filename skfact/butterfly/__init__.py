"""Butterfly factorization: a matrix as a product of Kronecker-sparse factors."""

from skfact.butterfly._circulant import circulant_factorize
from skfact.butterfly._estimator import ButterflyFactorizer
from skfact.butterfly._factorize import butterfly_factorize
from skfact.butterfly._report.measure import structure_report
from skfact.butterfly._report.report import StructureOption, StructureReport, StructureRow
from skfact.butterfly._split_errors import split_errors
from skfact.butterfly._structure.ranks import ComplementaryRanks, complementary_ranks

__all__ = [
    "ButterflyFactorizer",
    "ComplementaryRanks",
    "StructureOption",
    "StructureReport",
    "StructureRow",
    "butterfly_factorize",
    "circulant_factorize",
    "complementary_ranks",
    "split_errors",
    "structure_report",
]
