"""Whether two factors are unique near a generic point: the rank of the Jacobian."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact._checks import check_number, check_random_state
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.runs import run_of, with_values
from skfact.fixed_support._supports.shared_entries import weighted_coverage
from skfact.fixed_support._uniqueness.closability import determined_components, has_equal_rectangles


def is_locally_identifiable(
    left_support: Any,
    right_support: Any,
    *,
    tol: float = 1e-10,
    max_size: int = 20_000_000,
    random_state: Any = None,
) -> bool:
    """Whether generic factors with these supports are unique near themselves, up to scaling.

    The product of the factors does not change under the r scalings of the components, so that the
    Jacobian of (left, right) -> left @ right has rank at most r less than there are entries in both
    supports.
    The rank is the same at all points but a set of measure zero. Where it is full, the factors near
    such a point with the same product are its scalings, and no others; where it is not, there is a
    curve of other ones.

    Three facts (all proved) come first: two components with the same rectangle can be mixed;
    components that iterative completion determines are unique, and what remains is the same
    question about the others; a Jacobian with fewer rows than the rank asked for falls short. Only
    then the rank is counted from singular values at a random point, for each group of components
    whose rectangles overlap.

    Parameters
    ----------
    left_support : mask of shape (m, r)
        Support of the left factor, of booleans or of 0 and 1.
    right_support : mask of shape (r, n)
        Support of the right factor.
    tol : float, default=1e-10
        Singular values up to `tol` times the largest one count as zero.
    max_size : int, default=20_000_000
        Largest number of entries of a dense Jacobian that may be formed (8 bytes each).
    random_state : int, RandomState instance or None, default=None
        For the random point, whose entries have magnitudes between 1 and 2.

    Returns
    -------
    identifiable : bool
        Components with an empty column or row of a support are left out.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a support is no non-empty mask, the two do not fit, or a group needs a Jacobian larger
        than `max_size`.

    See Also
    --------
    is_closable : Sufficient for a product of factors without zeros, in sparse memory.

    Notes
    -----
    It says nothing about factors far away with the same product, and is a statement about almost
    all factors: particular ones, for instance with zeros, may not be unique.

    References
    ----------
    .. [1] L. Zheng, E. Riccietti, R. Gribonval, "Identifiability in two-layer sparse matrix
       factorization", arXiv:2110.01235.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import is_locally_identifiable
    >>> lower = np.tri(3, dtype=bool)
    >>> is_locally_identifiable(lower, lower.T)
    True
    >>> is_locally_identifiable(np.ones((3, 2)), np.ones((2, 3)))
    False
    """
    left, right = check_supports(left_support, right_support)
    check_number(tol, "tol", float, 0.0)
    check_number(max_size, "max_size", int, 1)
    random = check_random_state(random_state)

    if has_equal_rectangles(left, right):
        return False
    open_ones = np.flatnonzero(~determined_components(left, right))
    left, right = left[:, open_ones], right[open_ones]
    for group in _overlapping_groups(left, right):
        if not _has_full_rank(left[:, group], right[group], tol, max_size, random):
            return False
    return True


def _overlapping_groups(left: Any, right: Any) -> list[np.ndarray]:
    """Components joined by overlaps: their entries are those of no other group."""
    if left.shape[1] == 0:
        return []
    rows, columns = left.astype(np.int32), right.astype(np.int32)
    number, label = connected_components((rows.T @ rows).multiply(columns @ columns.T), False)
    return [np.flatnonzero(label == group) for group in range(number)]


def _has_full_rank(left: Any, right: Any, tol: float, max_size: int, random: Any) -> bool:
    """Whether the Jacobian of a group has the rank |left| + |right| - r at a random point."""
    n_parameters = left.nnz + right.nnz
    wanted = n_parameters - left.shape[1]
    # a rectangle bounds the number of entries, which takes longer to count
    n_entries = int((np.diff(left.indptr).astype(float) * np.diff(right.indptr)).max())
    if n_entries < wanted or n_entries * n_parameters <= max_size:
        n_entries = (left.astype(np.int32) @ right.astype(np.int32)).nnz
    if n_entries < wanted:
        return False
    if n_entries * n_parameters > max_size:
        raise ValueError(
            f"{left.shape[1]} overlapping components need a Jacobian of at least {n_entries} x "
            f"{n_parameters} entries, more than max_size={max_size}. Raise max_size, or ask "
            "is_closable, which is sufficient."
        )
    singular = scipy.linalg.svdvals(_jacobian(left, right, random))
    return int(np.count_nonzero(singular > tol * singular[0])) == wanted


def _jacobian(left: Any, right: Any, random: Any) -> np.ndarray:
    """Derivatives of the covered entries (rows) by left[:, k] and right[k, :], one k after another.

    The derivative of entry (i, j) by left[i, k] is right[k, j], and the other way round.
    """
    covered = weighted_coverage(left, right, np.ones(left.shape[1], dtype=np.int32))
    number = with_values(covered, np.arange(covered.nnz)).toarray()  # of each covered entry
    jacobian = np.zeros((covered.nnz, left.nnz + right.nnz))
    start = 0
    for k in range(left.shape[1]):
        rows, columns = run_of(left, k), run_of(right, k)
        p, q = len(rows), len(columns)
        a, b = (random.uniform(1, 2, size) * random.choice([-1, 1], size) for size in (p, q))
        at = number[np.ix_(rows, columns)]  # (p, q)
        jacobian[at, start + np.arange(p)[:, None]] = b
        jacobian[at, start + p + np.arange(q)] = a[:, None]
        start += p + q
    return jacobian
