"""What may be non-zero: patterns, chains of patterns, budgets and families of supports."""

from skfact.supports._chain import Chain
from skfact.supports._families import FAMILIES, resolve_supports
from skfact.supports._kronecker import KroneckerSparse
from skfact.supports._masks import FixedMask, KSparse
from skfact.supports._radices import digit_reversal
from skfact.supports._support_family import SupportFamily

__all__ = [
    "FAMILIES",
    "Chain",
    "FixedMask",
    "KSparse",
    "KroneckerSparse",
    "SupportFamily",
    "digit_reversal",
    "resolve_supports",
]
