"""What is known of a structure before a verdict, and what verdicts say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skfact.deep_linear._stability._identifiability.second_solutions import (
    Contraction,
    Pair,
    along_fibre,
    contraction_of,
    of_masks,
)
from skfact.deep_linear._stability._lifting.lifting_rank import (
    null_space,
    thresholds,
)
from skfact.deep_linear._stability._lifting.structure import Structure

YES, NO, UNDECIDED = "identifiable", "not identifiable", "undecided"
DENSE = 2**22  # entries of a lifting operator that is formed to look at its columns
SEARCHED = 2**18  # entries of a derivative in searches for second solutions
MOST_RANK = 2048  # of a lifting operator that is looked for
FIBRE = 1e9  # multiplications of a step along equal products

# what learned factors mean
ONLY_ONES = (
    "Factors that fit a matrix exactly are the only ones, up to one scalar per factor (with "
    "product 1): they may be read as what the data says, as far as they fit."
)
OF_MANY = (
    "Learned factors are one choice among others with the same product: predict with the product, "
    "and do not read the factors."
)
BY_DIAGONALS = (
    "Learned factors are one choice among others with the same product, which diagonal matrices "
    "between them make: predict with the product. Whether factors may be read once the scales of "
    "their inner units are normalized, ask with up_to='diagonals'."
)
BY_EXCHANGE = (
    "Learned factors are one choice among others with the same product, which differ in their "
    "order at least: predict with the product, and do not read one of the two as the first. "
    "Whether they differ in more is open: compare those of several random starts, in both orders, "
    "by factor_distance."
)
SOME_ARE_NOT = (
    "Some factors share their product with others, as the second solution does, and almost all "
    "share it with none near them (the derivative has rank C): whether learned ones are the only "
    "ones is open; compare those of several random starts by factor_distance."
)
OF_SOME = (
    "Some factors share their product with others, as the second solution does; whether learned "
    "ones do is open: compare those of several random starts by factor_distance."
)
OPEN = (
    "Nothing known here shows that learned factors are the only ones, or that they are not: "
    "compare those of several random starts by factor_distance."
)
ALMOST_ALL = (
    "Almost all factors are the only ones with their product, up to the scales of their inner "
    "units: they may be read once these are normalized."
)
PATH_BY_PATH = (
    "Kernels that fit exactly are the only ones on each path, up to one scalar per kernel (with "
    "product 1 on the path): read them path by path, and compare them so by factor_distance."
)
DEAD = "a parameter of a mask is on no path: no entry depends on it."


class Facts(NamedTuple):
    """What the steps know of a structure."""

    structure: Structure
    random: np.random.RandomState
    rank: int | None
    jacobian_rank: int | None
    lift: np.ndarray | None  # the lifting operator as a matrix, if it is small

    @property
    def bounds(self) -> tuple[int, int]:
        """The thresholds C and D."""
        return thresholds(self.structure.sizes)

    @property
    def contraction(self) -> Contraction:
        """The product as a linear function of the parameters of one factor."""
        return contraction_of(self.structure, self.lift)

    @property
    def kernel(self) -> np.ndarray | None:
        """The tensor that spans the kernel of the lifting operator, if one does."""
        if self.lift is None or self.rank != self.structure.n_columns - 1:
            return None
        found = null_space(self.lift)
        return found.reshape(self.structure.sizes) if found.shape[1] == 1 else None

    @property
    def is_searched(self) -> bool:
        """Whether it is small enough to search for second solutions."""
        return self.structure.is_small(SEARCHED)


class Finding(NamedTuple):
    """A verdict with its reason, its meaning and two parameters with one product, if found."""

    verdict: str
    reason: str
    meaning: str
    pair: Pair | None = None
    of_almost_all: bool = False  # whether "not" is proved of almost every h


def fibre_pair(facts: Facts, diagonal: bool = False) -> Pair | None:
    """Two parameters with one product near each other."""
    structure = facts.structure
    if structure.masks is not None and not diagonal:
        return of_masks(structure, facts.random)
    work = structure.n_entries * sum(structure.sizes) ** 2
    if not facts.is_searched or work > FIBRE:
        return None
    return along_fibre(structure, facts.random, diagonal)
