"""Factors of a product: what they have in common, the three kinds, and how they fit together."""

from skfact.operators._factors.assemble import assemble
from skfact.operators._factors.factor import SELECTION, Factor
from skfact.operators._factors.kronecker import (
    KroneckerFactor,
    changed,
    dense_factor,
    repeated,
    shares_values,
)
from skfact.operators._factors.partial_permutation import PartialPermutation
from skfact.operators._factors.recognize import recognize_factor
from skfact.operators._factors.sparse import SparseFactor

__all__ = [
    "SELECTION",
    "Factor",
    "KroneckerFactor",
    "PartialPermutation",
    "SparseFactor",
    "assemble",
    "changed",
    "dense_factor",
    "recognize_factor",
    "repeated",
    "shares_values",
]
