"""Matrices that are no products for their zeros alone, and factors that diverge towards them.

An entry of a product is a sum of terms. If none of them is non-zero, the entry is zero; if one is,
it is not. So a choice of non-zeros in the factors forces some entries to be zero and others not to
be, and a matrix that contradicts all choices is no product. For few rows and columns all choices
are looked at. Where such a matrix of zeros and ones is a limit of products is searched for among
factors whose entries are 0, +-1, +-epsilon and +-1 / epsilon.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array

from skfact.fixed_support._existence.diverging import DivergingSequence, filled_sequence
from skfact.fixed_support._existence.open_patterns import Budget
from skfact.fixed_support._supports.rank_one import classes_of
from skfact.fixed_support._supports.runs import equal_runs, grouped, run_of
from skfact.fixed_support._tractable.closure import complete_closure

COST = 20  # what one takes of the budget, as it takes longer than others
MAX_NON_ZEROS = 10  # of the factor whose choices are listed
MAX_TARGETS, MAX_STEPS = 5, 1000  # limits that are tried, and steps of the search for each


Entry = tuple[int, int]
Place = tuple[str, int, int]  # which factor, row, column
Value = tuple[int, int]  # coefficient, exponent of epsilon

# of entries of the factors, in the order of the search
VALUES = ((0, 0), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1))


def find_by_zeros(left: Any, right: Any, budget: Budget) -> DivergingSequence | None:
    """A diverging sequence in up to three rows and columns, if one is found."""
    by_row, by_column = left.tocsr(), right.tocsc()
    for rows, columns in _restrictions(left, right):
        if not budget.spend(COST):
            return None
        found = _in_restriction(by_row, by_column, rows, columns)
        if found is not None:
            return filled_sequence(left, right, rows, columns, *found)
    return None


def _restrictions(left: Any, right: Any) -> Iterator[tuple[list[int], list[int]]]:
    """Three rows and columns, or two of the one; two of both are decided by the corner."""
    labels = equal_runs(left.tocsr()), equal_runs(right.tocsc())
    for height, width in ((3, 3), (2, 3), (3, 2)):
        for rows in _lines(labels[0], height):
            for columns in _lines(labels[1], width):
                yield rows, columns


def _lines(labels: np.ndarray, size: int) -> Iterator[list[int]]:
    """Choices of lines; those with equal labels stand for each other."""
    kept = sorted(int(i) for group in grouped(labels) for i in group[:size])
    seen = set()
    for chosen in combinations(kept, size):
        kinds = tuple(sorted(labels[list(chosen)].tolist()))
        if kinds not in seen:
            seen.add(kinds)
            yield list(chosen)


def _in_restriction(
    by_row: Any, by_column: Any, rows: list[int], columns: list[int]
) -> tuple[set[Entry], dict[Place, Value]] | None:
    """Ones of a limit in rows and columns, and factors that tend to it."""
    of_rows = [set(run_of(by_row, i).tolist()) for i in rows]
    of_columns = [set(run_of(by_column, j).tolist()) for j in columns]
    reached = {
        k: (tuple(k in found for found in of_rows), tuple(k in found for found in of_columns))
        for k in set().union(*of_rows) & set().union(*of_columns)
    }
    order = sorted(reached, key=lambda k: (reached[k], k))
    found = _open(len(rows), len(columns), tuple(reached[k] for k in order))
    if found is None:
        return None
    target, chosen = found
    return target, {
        (side, i if side == "left" else order[i], order[j] if side == "left" else j): value
        for (side, i, j), value in chosen.items()
    }


@lru_cache(maxsize=10_000)
def _open(
    m: int, n: int, components: tuple[tuple[tuple[bool, ...], tuple[bool, ...]], ...]
) -> tuple[set[Entry], dict[Place, Value]] | None:
    """The same for the rows and the columns that each component has; large masks repeat them."""
    X = np.array([rows for rows, _ in components], dtype=bool).reshape(-1, m).T
    Y = np.array([columns for _, columns in components], dtype=bool).reshape(-1, n)
    if len(components) < 2:
        return None
    cover = complete_closure(classes_of(csc_array(X), csr_array(Y)), (m, n)).cover
    known = X.astype(int) @ Y > 0
    known[cover.within(np.arange(m), np.arange(n))] = False
    entries = [(i, j) for i, j in np.argwhere(known).tolist()]
    for target in unreachable(X, Y, entries)[:MAX_TARGETS]:
        found = approach(X, Y, entries, target)
        if found is not None:
            return target, found
    return None


def unreachable(left: np.ndarray, right: np.ndarray, known: list[Entry]) -> list[set[Entry]]:
    """Sets of known entries so that no product is non-zero there and zero at the other ones.

    Fewest entries first; none is listed if the factors have too many non-zeros.
    """
    if min(left.sum(), right.sum()) > MAX_NON_ZEROS:
        return []
    if right.sum() > left.sum():
        flipped = unreachable(right.T, left.T, [(j, i) for i, j in known])
        return [{(i, j) for j, i in entries} for entries in flipped]
    k, j = np.nonzero(right)
    choices = np.array(list(product((0, 1), repeat=len(k))), dtype=np.int8).reshape(-1, len(k))
    chosen = np.zeros((len(choices), *right.shape), dtype=np.int8)
    chosen[:, k, j] = choices
    possible = np.ones((len(choices), 1), dtype=bool)  # for each choice: which non-zeros so far
    entries: list[Entry] = []
    for i in range(len(left)):
        columns = [j for row, j in known if row == i]
        also = _possible_rows(chosen[:, left[i]][:, :, columns])
        possible = (possible[:, :, None] & also[:, None, :]).reshape(len(choices), -1)
        entries += [(i, j) for j in columns]
    n = len(entries)
    found = [
        {entries[t] for t in range(n) if pattern >> (n - 1 - t) & 1}
        for pattern in np.flatnonzero(~possible.any(axis=0)).tolist()
    ]
    return sorted(found, key=len)


def _possible_rows(chosen: np.ndarray) -> np.ndarray:
    """Non-zeros that a row of the product may have, the first column in the highest bit.

    From choices (n_choices, n_components, n_columns) of non-zeros that the row can add.
    """
    _, r, n = chosen.shape
    weights = 1 << np.arange(n, dtype=np.int64)[::-1]
    patterns = np.arange(2**n)
    possible = np.zeros((len(chosen), 2**n), dtype=bool)
    for row in product((0, 1), repeat=r):
        count = np.einsum("k,ckj->cj", np.array(row, dtype=np.int8), chosen)  # non-zero terms
        zero, one = (count == 0) @ weights, (count == 1) @ weights
        possible |= (patterns & zero[:, None] == 0) & (patterns & one[:, None] == one[:, None])
    return possible


def approach(
    left: np.ndarray, right: np.ndarray, known: list[Entry], target: set[Entry]
) -> dict[Place, Value] | None:
    """Factors whose product tends to one at the target and to zero at the other known entries."""
    search = _Search(
        {
            (i, j): [
                (("left", i, k), ("right", k, j))
                for k in np.flatnonzero(left[i] & right[:, j]).tolist()
            ]
            for i, j in known
        },
        target,
    )
    return search.chosen if search.run(0) else None


class _Search:
    """Depth first over the values of the entries, those first that complete an entry of A soon."""

    def __init__(self, terms: dict[Entry, list[tuple[Place, Place]]], target: set[Entry]) -> None:
        self.terms, self.target = terms, target
        self.chosen: dict[Place, Value] = {}
        self.steps = 0
        self.order: list[Place] = []
        self.complete: list[list[Entry]] = []  # entries of A that are known after each place
        waiting = dict.fromkeys(terms)
        while waiting:
            entry = min(waiting, key=lambda e: len(self._new(e)))
            new = self._new(entry)
            self.order += new
            self.complete += [[] for _ in new]
            self.complete[-1].append(entry)
            del waiting[entry]
        # components can be rescaled: the first entry of each one is 0 or 1
        component = [place[2] if place[0] == "left" else place[1] for place in self.order]
        self.values = [
            VALUES if component[t] in component[:t] else VALUES[1::-1]
            for t in range(len(self.order))
        ]

    def _new(self, entry: Entry) -> list[Place]:
        """Places of its terms that are in no entry so far."""
        places = dict.fromkeys(place for term in self.terms[entry] for place in term)
        return [place for place in places if place not in self.order]

    def run(self, t: int) -> bool:
        """Whether the places from number t on can be chosen."""
        if t == len(self.order):
            return True
        for value in self.values[t]:
            self.steps += 1
            if self.steps > MAX_STEPS:
                return False
            self.chosen[self.order[t]] = value
            if all(self.is_met(entry) for entry in self.complete[t]) and self.run(t + 1):
                return True
        return False

    def is_met(self, entry: Entry) -> bool:
        """Whether an entry of the product has its limit."""
        powers = {-2: 0, -1: 0, 0: -int(entry in self.target)}
        for place, other in self.terms[entry]:
            (a, b), (c, d) = self.chosen[place], self.chosen[other]
            if b + d in powers:
                powers[b + d] += a * c
        return not any(powers.values())
