"""Two factors with fixed supports: A ~ left @ right, each zero outside a given mask."""

from skfact.fixed_support._analysis import SupportReport, analyze_supports
from skfact.fixed_support._estimator import FixedSupportMF
from skfact.fixed_support._factorize import FixedSupportFactorization, fixed_support_factorize
from skfact.fixed_support._families import FAMILIES
from skfact.fixed_support._rank_one_supports import RankOneSupport, rank_one_supports

__all__ = [
    "FAMILIES",
    "FixedSupportFactorization",
    "FixedSupportMF",
    "RankOneSupport",
    "SupportReport",
    "analyze_supports",
    "fixed_support_factorize",
    "rank_one_supports",
]
