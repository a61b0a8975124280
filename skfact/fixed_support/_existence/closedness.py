"""Whether a best factorization with fixed supports exists for every matrix: closedness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skfact._checks import check_number
from skfact.fixed_support._existence.comparable import incomparable
from skfact.fixed_support._existence.diverging import DivergingSequence, corner_sequence, is_corner
from skfact.fixed_support._existence.everything import reach_everything
from skfact.fixed_support._existence.open_patterns import (
    Budget,
    find_corner_at_hole,
    find_open_pattern,
)
from skfact.fixed_support._existence.zero_patterns import find_by_zeros
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.rank_one import abbreviated, classes_of, in_lines
from skfact.fixed_support._tractable.closure import Closure, complete_closure


@dataclass(frozen=True, repr=False, eq=False)
class Closedness:
    """Answer of :func:`closedness`.

    Parameters
    ----------
    answer : {"closed", "not closed", "undecided"}
        The answer.
    reason : str
        Why, in words.
    witness : DivergingSequence or None
        For "not closed": the sub-pattern, and factors that diverge while their product converges
        to a matrix outside the set.
    n_examined : int
        Restrictions that counted against the budget.

    See Also
    --------
    closedness : Gives this answer.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import closedness
    >>> closedness(np.eye(3), np.eye(3)).answer
    'closed'
    """

    answer: str
    reason: str
    witness: DivergingSequence | None
    n_examined: int

    def __repr__(self) -> str:
        return f"Closedness({self.answer}: {self.reason})"


def closedness(left_support: Any, right_support: Any, *, budget: int = 10_000) -> Closedness:
    r"""Decide whether the set of products with these supports is closed, as far as it is known.

    A best approximation :math:`\min \|A - XY\|_F` over factors with the supports exists for every
    matrix A if and only if the set of the products is closed [1]_. Where it is not, there are
    matrices for which the loss falls towards an infimum that no factors attain, while the factors
    grow without bound.

    - **closed** (proved): a complete class of components, with at least as many as the shorter
      side of their common rectangle, reaches every matrix there. These rectangles are taken out,
      again and again; the set is closed if the remaining pieces are rectangles, and one of any two
      that meet has no more rows and no fewer columns than the other. It is, too, if the components
      together reach every matrix (see Notes).
    - **not closed** (proved): some rows and columns show a sub-pattern that is not closed. Four
      kinds are searched for, see Notes, and the witness is checked numerically before it is
      returned.
    - **undecided**: neither. Deciding all patterns takes quantifier elimination, at a doubly
      exponential cost [1]_.

    Parameters
    ----------
    left_support : mask of shape (m, r)
        Support of the left factor, of booleans or of 0 and 1.
    right_support : mask of shape (r, n)
        Support of the right factor.
    budget : int, default=10_000
        Largest number of restrictions to rows and columns to be examined, see Notes. All 2 x 2 ones
        are decided together, at no cost, even with a budget of 0.

    Returns
    -------
    closedness : Closedness
        With the fields `answer`, `reason`, `witness` and `n_examined`.

    Raises
    ------
    TypeError
        If a support holds no truth values or numbers, or `budget` is no int.
    ValueError
        If a support is no non-empty mask, the two do not fit, or `budget` is negative.

    See Also
    --------
    rank_one_supports : The classes of components.
    relu_training_has_optimum : What follows for a network with one hidden layer.

    Notes
    -----
    Let T be the set of components that reach an entry. Not closed are (each proved by its
    sequence):

    - p + 1 rows and columns where all entries but one have the same T of p components, and the
      last one more than these. For p = 1, a 2 x 2 pattern, this is the LU factorization. No
      restriction of any size is found not closed by the complete classes without such a 2 x 2
      pattern in it;
    - three rows and two columns (or the transpose) where T is {k} in the first row, {k, q} in the
      second and {q} in the third: for instance a dense left support and two right ones that
      overlap partially;
    - up to three rows and columns with a limit of zeros and ones that contradicts each choice of
      non-zeros in the factors: an entry with one non-zero term is not zero, one with none is.
      Factors that tend to it are searched for among the entries 0, 1, epsilon, 1 / epsilon and
      their negatives. Each such restriction counts as 20 in the budget.

    Rectangles that are ordered wherever they meet (no more rows, no fewer columns) are closed: the
    left columns of each class and of those below it span a space within its rows. The columns of a
    product lie in sums of these spaces, whose dimensions do not depend on the matrix, and which
    range over a compact set. The components reach every matrix if, in each column, the entries
    outside the complete classes can be matched with distinct components that reach them: then a
    generic left factor serves all matrices (or a right one, with rows).

    Of the 58 patterns of 2 x 2 matrices with two components (up to the order of rows, columns and
    components) 57 are closed and one is not; of the others none stays undecided. Of 1,000 random
    ones with 2 to 5 rows, columns and components (uniform), and a density from 0.3 to 0.9
    (uniform), 66 % were found closed and 26 % not closed; 8 % stayed undecided. Of 500 with three
    rows, columns and components and a density of 0.6, 5 % stayed undecided.

    Memory is proportional to the non-zeros of the supports and the pairs of classes that meet where
    a closed set is found; else also to the number of entries that at least two components reach.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Does a sparse ReLU network training problem always
       admit an optimum?", NeurIPS 2023, arXiv:2306.02666.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import closedness
    >>> closedness(np.ones((3, 2)), np.ones((2, 4))).answer
    'closed'
    >>> lu = closedness(np.tri(2), np.tri(2).T)
    >>> lu.answer
    'not closed'
    >>> lu.witness
    DivergingSequence(rows [0, 1], columns [0, 1], components [0, 1])
    >>> lu.witness.distance(1e-6), lu.witness.largest_entry(1e-6)
    (1e-06, 1000000.0)
    """
    left, right = check_supports(left_support, right_support)
    check_number(budget, "budget", int, 0)
    return closedness_of(left, right, budget)


def closedness_of(left: Any, right: Any, budget: int) -> Closedness:
    """`closedness` of two checked masks."""
    closure = complete_closure(classes_of(left, right), (left.shape[0], right.shape[1]))
    obstacle = closure.obstacle(()) or _incomparable(closure, (left.shape[0], right.shape[1]))
    if not obstacle:
        return Closedness("closed", _closed_reason(closure), None, 0)
    if reach_everything(left, right, closure.cover):
        return Closedness("closed", "the components together reach every matrix", None, 0)

    limited = Budget(budget)
    witness = (
        _from_pieces(closure, left, right)
        or find_open_pattern(left, right, limited)
        or find_by_zeros(left, right, limited)
    )
    if witness is not None:
        reason = f"in {in_lines(witness.rows, witness.columns)} {witness.why}"
        return Closedness("not closed", reason, witness, limited.spent)
    searched = f"{limited.spent} restrictions examined" + (
        ", all that the budget allows" if limited.is_spent else ", which are all of these kinds"
    )
    reason = f"{obstacle}, and no known pattern that is not closed was found in it ({searched})"
    return Closedness("undecided", reason, None, limited.spent)


def _closed_reason(closure: Closure) -> str:
    if not closure.pieces:
        return "complete classes reach every entry of the product by themselves"
    outside = "outside the complete classes " if closure.absorbed else ""
    return (
        f"{outside}the rectangles of the components are disjoint or equal, or one of two that meet "
        "has no more rows and no fewer columns"
    )


def _incomparable(closure: Closure, shape: tuple[int, int]) -> str:
    """Which pieces meet without being ordered; empty if none do."""
    pair = incomparable(closure.pieces, shape)
    if pair is None:
        return ""
    first, second = (abbreviated(piece.components) for piece in pair)
    beside = "beside the complete classes, " if closure.absorbed else ""
    return (
        f"{beside}what is left of components {first} and {second} overlaps, neither of them with "
        "no more rows and no fewer columns than the other"
    )


def _from_pieces(closure: Closure, left: Any, right: Any) -> DivergingSequence | None:
    """The 2 x 2 corner of a piece of one component, if no other component reaches its entries."""
    for piece, is_rectangle in zip(closure.pieces, closure.is_rectangle, strict=True):
        if is_rectangle or piece.multiplicity > 1:
            continue
        holes = closure.cover.within(piece.rows, piece.columns)
        corner = find_corner_at_hole(piece.rows, piece.columns, *holes)
        if corner is not None and is_corner(left, right, *corner):
            return corner_sequence(left, right, *corner)
    return None
