"""Recover the rank-one terms of a product with fixed supports, entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._checks import check_matrix, check_number, require_finite
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.runs import run_of
from skfact.fixed_support._supports.shared_entries import weighted_coverage
from skfact.fixed_support._tractable.closure import Worklist
from skfact.fixed_support._uniqueness.contributions import rank_one_pair
from skfact.supports._masks import labels_of

READ, FILLED = "read", "filled"


class CompletionStep(NamedTuple):
    """What one step found of one component, and how."""

    component: int
    rule: str  # "read": what the other components leave of Z; "filled": by ratios in the rectangle
    rows: np.ndarray  # of the entries found
    columns: np.ndarray


@dataclass(frozen=True, repr=False)
class RankOneCompletion:
    r"""What :func:`complete_rank_one` found.

    Parameters
    ----------
    left, right : array of shapes (m, r) and (r, n), or None
        Factors, unique up to the scaling of each component (here columns of `left` and rows of
        `right` have equal norms), in the array library of `Z`. None if an entry is undetermined.
    undetermined : ndarray of shape (n_undetermined, 3)
        Component, row and column of each entry that the completion could not reach.
    skipped_zeros : ndarray of shape (n_zeros, 3)
        Component, row and column of the known zeros of components that stay undetermined: no ratio
        goes through them.
    residual : float
        Largest \|Z - sum of components\| over the entries where all components are known,
        relative to the largest \|Z\|.
    rank_one_error : float
        Largest deviation of a component from rank one, relative to the largest \|Z\|.
    is_complete : bool
        Whether every entry of every component is known.
    is_consistent : bool
        Whether `residual` and `rank_one_error` are within the tolerance.
    reason : str
        The same in words.
    shape : tuple of int
        The shape of `Z`.
    blocks : tuple
        The known entries of each component, for `component`.
    steps : tuple of CompletionStep
        What was found, in this order: the `component`, the `rows` and the `columns` of its entries,
        and whether they were "read" off Z, as the other components are known there, or "filled" by
        ratios within the rectangle (`rule`).

    See Also
    --------
    complete_rank_one : Gives this result.
    skfact.inspection.CompletionDisplay : Draws the steps.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import complete_rank_one
    >>> completion = complete_rank_one([[0, 1], [1, 5]], np.tri(2), np.tri(2).T)
    >>> completion.undetermined
    array([[0, 1, 1],
           [1, 1, 1]])
    >>> completion.component(0)
    array([[ 0.,  1.],
           [ 1., nan]])
    >>> [(step.component, step.rule, len(step.rows)) for step in completion.steps]
    [(0, 'read', 3)]
    """

    left: Any
    right: Any
    undetermined: np.ndarray
    skipped_zeros: np.ndarray
    residual: float
    rank_one_error: float
    is_complete: bool
    is_consistent: bool
    reason: str
    shape: tuple[int, int]
    blocks: tuple[Block, ...]
    steps: tuple[CompletionStep, ...] = ()

    def component(self, k: int) -> np.ndarray:
        """One rank-one term as far as it is known.

        Parameters
        ----------
        k : int
            Index of the component.

        Returns
        -------
        component : ndarray of shape (m, n)
            Zero outside the rectangle of the component, NaN where it is undetermined.
        """
        block = self.blocks[k]
        dense = np.zeros(self.shape, dtype=block.values.dtype)
        dense[np.ix_(block.rows, block.columns)] = np.where(block.known, block.values, np.nan)
        return dense

    def __repr__(self) -> str:
        return f"RankOneCompletion({self.reason})"


def complete_rank_one(
    Z: Any, left_support: Any, right_support: Any, *, tol: float | None = None
) -> RankOneCompletion:
    r"""Recover the factors of a product with fixed supports by iterative completion.

    ``Z = left @ right`` is a sum of r matrices :math:`C_k` of rank one, each zero outside its
    rectangle. Two steps are repeated as long as they find something: an entry that is unknown in
    only one :math:`C_k` is what the known ones leave of Z; within a rectangle the known non-zero
    entries fix ratios of rows and columns, and every entry :math:`a_i b_j` between rows and columns
    that such entries connect is filled in. A known zero carries no ratio and is skipped, except
    that it makes a whole row (column) zero whose column (row) holds a known non-zero.

    Each step is forced, so that (in exact arithmetic) everything found is the same in every
    factorization of Z with these supports: a complete result proves that the factors are unique up
    to scaling. The converse fails: the method can stop although the factors are unique. Rectangles
    that are pairwise disjoint always succeed.

    Parameters
    ----------
    Z : array-like of shape (m, n)
        Real or complex matrix, from any array library; the work is done in NumPy.
    left_support : mask of shape (m, r)
        Support of the left factor, of booleans or of 0 and 1.
    right_support : mask of shape (r, n)
        Support of the right factor.
    tol : float, default=None
        Relative to the largest magnitude in Z: entries up to this size count as zero, and
        deviations up to it as consistent. None is the square root of the machine epsilon of Z.
        Errors grow along long chains of ratios, by the sizes of the ratios.

    Returns
    -------
    completion : RankOneCompletion
        The factors or what stays undetermined, and whether the pieces fit `Z`.

    Raises
    ------
    TypeError
        If `Z` is not an array of numbers.
    ValueError
        If `Z` is not a finite matrix, or the supports are no masks that fit it and each other.

    See Also
    --------
    is_closable : Whether this succeeds for a Z without zeros to get stuck at.
    is_locally_identifiable : Whether the factors are unique near a generic point.

    References
    ----------
    .. [1] L. Zheng, E. Riccietti, R. Gribonval, "Identifiability in two-layer sparse matrix
       factorization", arXiv:2110.01235.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import complete_rank_one
    >>> Z = np.array([[0, 1, 2, 0], [1, 2, 2, 0], [2, 6, 5, 6], [3, 5, 2, 4]])
    >>> left = [[0, 1, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]]
    >>> right = [[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1]]
    >>> completion = complete_rank_one(Z, left, right)
    >>> completion
    RankOneCompletion(all 3 components are determined and their sum is Z)
    >>> completion.component(2)
    array([[0., 0., 0., 0.],
           [0., 0., 0., 0.],
           [0., 3., 3., 6.],
           [0., 2., 2., 4.]])
    """
    labels = labels_of(Z)
    Z = check_matrix(Z, "Z")
    xp, where = array_namespace(Z), device(Z)
    host = to_numpy(Z)
    largest = float(np.abs(host).max())
    require_finite(largest, "Z")
    left, right = check_supports(left_support, right_support, matrix="Z", labels=labels)
    if host.shape != (left.shape[0], right.shape[1]):
        raise ValueError(
            f"left_support {left.shape} and right_support {right.shape} are for matrices of shape "
            f"{(left.shape[0], right.shape[1])}, but Z has shape {host.shape}."
        )
    if tol is None:
        tol = float(np.sqrt(np.finfo(host.dtype).eps))
    check_number(tol, "tol", float, 0.0)

    unit = largest or 1.0
    zero = tol * unit
    state = Completion(left, right, host, zero)
    state.run()
    blocks = state.blocks
    residual = float(np.abs(state.remainder[state.count == 0]).max(initial=0.0))
    undetermined = _listed(blocks, lambda block: ~block.known)
    skipped = _listed(
        blocks,
        lambda block: block.known & (not block.known.all()) & (np.abs(block.values) <= zero),
    )
    left_factor, right_factor, rank_one_error = _rank_one_factors(blocks, host)
    is_complete = len(undetermined) == 0
    is_consistent = max(residual, rank_one_error) <= zero
    return RankOneCompletion(
        left=move(left_factor, xp, where) if is_complete else None,
        right=move(right_factor, xp, where) if is_complete else None,
        undetermined=undetermined,
        skipped_zeros=skipped,
        residual=residual / unit,
        rank_one_error=rank_one_error / unit,
        is_complete=is_complete,
        is_consistent=is_consistent,
        reason=_reason(len(blocks), undetermined, skipped, is_consistent),
        shape=host.shape,
        blocks=tuple(blocks),
        steps=tuple(state.steps),
    )


def _rank_one_factors(blocks: list[Block], Z: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Factors of the completely known blocks, and the largest deviation from rank one."""
    left = np.zeros((Z.shape[0], len(blocks)), dtype=Z.dtype)
    right = np.zeros((len(blocks), Z.shape[1]), dtype=Z.dtype)
    worst = 0.0
    for k, block in enumerate(blocks):
        values = block.values
        if not block.known.all() or not values.any():
            continue
        column, row, deviation = rank_one_pair(values)
        left[block.rows, k], right[k, block.columns] = column, row
        worst = max(worst, deviation)
    return left, right, worst


def _listed(blocks: list[Block], which: Callable[[Block], np.ndarray]) -> np.ndarray:
    """Rows (component, row, column) of the chosen entries of the blocks."""
    found = [np.empty((0, 3), dtype=np.intp)]
    for k, block in enumerate(blocks):
        i, j = np.nonzero(which(block))
        found.append(np.column_stack([np.full(len(i), k), block.rows[i], block.columns[j]]))
    return np.concatenate(found)


def _reason(
    n_components: int, undetermined: np.ndarray, skipped: np.ndarray, is_consistent: bool
) -> str:
    if len(undetermined) == 0 and is_consistent:
        return f"all {n_components} components are determined and their sum is Z"
    if len(undetermined) == 0:
        return (
            f"all {n_components} components are determined, but they do not fit: Z is no product "
            "with these supports, within the tolerance"
        )
    number = len(np.unique(undetermined[:, 0]))
    text = f"{len(undetermined)} entries of {number} of {n_components} components are undetermined"
    if len(skipped):
        text += f" ({len(skipped)} known zeros in them carry no ratio)"
    if not is_consistent:
        text += ", and what is known does not fit: Z is no product with these supports"
    return text


@dataclass
class Block:
    """The rectangle of one component: which entries are known, and their values."""

    rows: np.ndarray
    columns: np.ndarray
    known: np.ndarray  # (n_rows, n_columns)
    values: np.ndarray  # alike


class Completion:
    """The state of the iteration: what of Z remains, and how many components hide it.

    `determined_components` is the same on supports alone.
    """

    def __init__(self, left: Any, right: Any, Z: np.ndarray, zero: float) -> None:
        self.left, self.right, self.zero = left, right, zero
        r = left.shape[1]
        # components in which an entry is unknown: how many, and the sum of their indices + 1
        self.count = weighted_coverage(left, right, np.ones(r, dtype=np.int32)).toarray()
        self.id_sum = weighted_coverage(left, right, np.arange(1, r + 1)).toarray()
        self.remainder = Z.copy()
        self.blocks = [self._empty_block(k) for k in range(r)]
        self.steps: list[CompletionStep] = []

    def _empty_block(self, k: int) -> Block:
        rows, columns = run_of(self.left, k), run_of(self.right, k)
        shape = len(rows), len(columns)
        return Block(
            rows, columns, np.zeros(shape, dtype=bool), np.zeros(shape, self.remainder.dtype)
        )

    def run(self) -> None:
        """Iterate to the fixpoint."""
        queue = Worklist(self._owners(np.nonzero(self.count)))
        for k in queue:
            queue.add(self._visit(k))

    def _owners(self, at: tuple[np.ndarray, ...]) -> list[int]:
        """Components that alone are unknown at some of these entries."""
        return (np.unique(self.id_sum[at][self.count[at] == 1]) - 1).tolist()

    def _visit(self, k: int) -> list[int]:
        """Read off entries, complete the block; return the components that this helps."""
        block = self.blocks[k]
        at = np.ix_(block.rows, block.columns)
        before = block.known.copy()
        read = ~before & (self.count[at] == 1)
        block.known |= read
        block.values[read] = self.remainder[at][read]
        if not block.known.all():
            _fill(block, self.zero)
        for rule, found in ((READ, read), (FILLED, block.known & ~before & ~read)):
            if found.any():
                i, j = np.nonzero(found)
                self.steps.append(CompletionStep(k, rule, block.rows[i], block.columns[j]))
        i, j = np.nonzero(block.known & ~before)
        new = block.rows[i], block.columns[j]
        self.count[new] -= 1
        self.id_sum[new] -= k + 1
        self.remainder[new] -= block.values[i, j]
        return self._owners(new)


def _fill(block: Block, zero: float) -> None:
    """Fill all entries that the ratios of the known non-zero ones determine."""
    known, values = block.known, block.values
    solid = known & (np.abs(values) > zero)
    p, q = known.shape
    i, j = np.nonzero(solid)
    edges = scipy.sparse.coo_array((np.ones(len(i)), (i, p + j)), shape=(p + q, p + q))
    _, label = connected_components(edges, directed=False)
    connected = label[:p, None] == label[None, p:]
    a, b = _potentials(solid, values, label[:p])
    fill = connected & ~known
    values[fill] = np.multiply.outer(a, b)[fill]
    # a_i = 0 where a known zero faces b_j != 0, and the other way round
    row, column = np.any(solid, axis=1), np.any(solid, axis=0)
    zeros = known & ~solid
    zero_rows = np.any(zeros & column, axis=1) & ~row
    zero_columns = np.any(zeros & row[:, None], axis=0) & ~column
    known |= connected | zero_rows[:, None] | zero_columns


def _potentials(
    solid: np.ndarray, values: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """a and b with a_i b_j = values along a spanning forest of the known non-zero entries.

    Breadth first from one row of each connected part, through the largest entry at every step.
    """
    size = np.where(solid, np.abs(values), 0.0)
    a, b = (np.zeros(length, dtype=values.dtype) for length in solid.shape)
    order = np.argsort(-size.max(axis=1), kind="stable")
    has_a = np.zeros(len(a), dtype=bool)
    has_a[order[np.unique(label[order], return_index=True)[1]]] = True
    a[has_a] = 1
    has_b = np.zeros(len(b), dtype=bool)
    while True:
        new_b = ~has_b & solid[has_a].any(axis=0)
        through = np.argmax(np.where(has_a[:, None], size, -1.0), axis=0)[new_b]
        b[new_b] = values[through, new_b] / a[through]
        has_b |= new_b
        new_a = ~has_a & solid[:, has_b].any(axis=1)
        through = np.argmax(np.where(has_b, size, -1.0), axis=1)[new_a]
        a[new_a] = values[new_a, through] / b[through]
        has_a |= new_a
        if not (new_a.any() or new_b.any()):
            return a, b
