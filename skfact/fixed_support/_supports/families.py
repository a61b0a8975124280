"""Supports of two factors: families that make sense for every shape, and what a user may pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skfact._checks import call, check_number, unknown_name
from skfact.fixed_support._supports.groups import are_groups, group_mask
from skfact.fixed_support._supports.masks import as_mask, check_supports, refuse_other_supports
from skfact.supports import Chain
from skfact.supports._masks import Labels, labels_of

Masks = tuple[Any, Any]


def dense(n_samples: int, n_features: int, n_components: int | None) -> Masks:
    """No zeros: the truncated singular value decomposition."""
    r = _or_default(n_components, min(n_samples, n_features))
    return np.ones((n_samples, r), dtype=bool), np.ones((r, n_features), dtype=bool)


def disjoint_groups(n_samples: int, n_features: int, n_components: int | None) -> Masks:
    """Neighbouring features in groups, one component each, in turns if there are more components.

    Each group of features gets its own singular value decomposition.
    """
    r = _or_default(n_components, round(math.sqrt(n_features)))
    n_groups = min(r, n_features)
    groups = _groups(n_features, n_groups)
    return np.ones((n_samples, r), dtype=bool), np.stack([groups == k % n_groups for k in range(r)])


def overlapping_groups(n_samples: int, n_features: int, n_components: int | None) -> Masks:
    """Windows of neighbouring features, each sharing half of itself with the next one."""
    r = _or_default(n_components, round(math.sqrt(n_features)))
    return np.ones((n_samples, r), dtype=bool), _windows(n_features, r).T


def butterfly(n_samples: int, n_features: int, n_components: int | None) -> Masks:
    """The two halves of a butterfly: tiles of interleaved rows and neighbouring columns.

    With ``n_components=None`` those of the chain of the family "butterfly", cut to the shape;
    otherwise one tile per component, as square as the divisors of `n_components` allow.
    """
    if n_components is None:
        return _halves(Chain.for_shape(n_samples, n_features), n_samples, n_features)
    wanted = math.log(n_components * n_samples / n_features) / 2
    divisors = [g for g in range(1, n_components + 1) if n_components % g == 0]
    g = min(divisors, key=lambda g: abs(math.log(g) - wanted))
    return _tiles(n_samples, n_features, g, n_components // g, n_components)


def monarch(n_samples: int, n_features: int, n_components: int | None) -> Masks:
    """The two factors of a Monarch chain: as many groups of rows as of columns.

    With ``n_components=None`` those of the chain of the family "monarch", cut to the shape;
    otherwise s x s tiles with s the integer part of the square root of `n_components`, the
    components dealt out in turns.
    """
    if n_components is None:
        chain = Chain.for_shape(n_samples, n_features, family="monarch")
        return _halves(chain, n_samples, n_features)
    side = math.isqrt(n_components)
    return _tiles(n_samples, n_features, side, side, n_components)


def arrow(n_samples: int, n_features: int, n_components: int | None) -> Masks:
    """A component without zeros beside block-diagonal ones: one profile for all, one per block."""
    r = _or_default(n_components, min(n_samples, n_features))
    left, right = np.ones((n_samples, r), dtype=bool), np.ones((r, n_features), dtype=bool)
    for k, (rows, columns) in enumerate(_diagonal_blocks(n_samples, n_features, r - 1), start=1):
        left[:, k], right[k] = rows, columns
    return left, right


def banded(n_samples: int, n_features: int, n_components: int | None) -> Masks:
    """Both factors banded: windows of rows and of columns that move along the diagonal."""
    r = _or_default(n_components, min(n_samples, n_features))
    return _windows(n_samples, r), _windows(n_features, r).T


def lu(n_samples: int, n_features: int, n_components: int | None) -> Masks:
    """Lower times upper triangular, in near-equal steps where a side is longer than the rank.

    An LU decomposition without pivoting is found where there is one. Otherwise the best
    approximation may not exist (:class:`~skfact.exceptions.IllPosedWarning`): a penalty (`alpha`)
    helps.
    """
    r = _or_default(n_components, min(n_samples, n_features))
    k = np.arange(r)
    left = np.arange(n_samples)[:, None] >= k * n_samples // r
    return left, (np.arange(n_features)[:, None] >= k * n_features // r).T


#: Families of two supports by name: callables ``(n_samples, n_features, n_components) -> (left,
#: right)`` that work for every shape and every number of components (None: the family's own).
MASK_PAIRS: dict[str, Callable[[int, int, int | None], Masks]] = {
    "dense": dense,
    "disjoint-groups": disjoint_groups,
    "overlapping-groups": overlapping_groups,
    "butterfly": butterfly,
    "monarch": monarch,
    "arrow": arrow,
    "banded": banded,
    "lu": lu,
}


def _or_default(n_components: int | None, default: int) -> int:
    return max(1, default) if n_components is None else n_components


def _groups(size: int, n_groups: int) -> np.ndarray:
    """Group of each of `size` neighbours, in near-equal groups."""
    return np.arange(size) * n_groups // size


def _windows(size: int, n_windows: int) -> np.ndarray:
    """Mask (size, n_windows) of windows twice as long as they are apart; all places are covered."""
    centres = (np.arange(n_windows) + 0.5) * size / n_windows
    reach = max(size / n_windows, 0.5)
    return np.abs(np.arange(size)[:, None] + 0.5 - centres) <= reach


def _diagonal_blocks(m: int, n: int, r: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and columns of r near-equal blocks along the diagonal, in turns if there are fewer."""
    if r < 1:
        return []
    n_blocks = min(m, n, r)
    rows, columns = _groups(m, n_blocks), _groups(n, n_blocks)
    return [(rows == k % n_blocks, columns == k % n_blocks) for k in range(r)]


def _tiles(m: int, n: int, n_row_groups: int, n_column_groups: int, r: int) -> Masks:
    """Component k on tile k: rows i = g (mod number of row groups), a run of columns."""
    n_row_groups, n_column_groups = min(n_row_groups, m), min(n_column_groups, n)
    tile = np.arange(r) % (n_row_groups * n_column_groups)
    left = np.arange(m)[:, None] % n_row_groups == tile // n_column_groups
    right = _groups(n, n_column_groups) == (tile % n_column_groups)[:, None]
    return left, right


def _halves(chain: Chain, m: int, n: int) -> Masks:
    """Supports of the two halves of a chain, cut to m rows and n columns."""
    if len(chain) == 1:  # too small a shape for two factors
        return np.eye(m, dtype=bool), np.ones((m, n), dtype=bool)
    middle = len(chain) // 2
    left, right = chain[:middle].product.mask()[:m], chain[middle:].product.mask()[:, :n]
    alive = left.any(axis=0) & right.any(axis=1)
    return scipy.sparse.csc_array(left[:, alive]), scipy.sparse.csr_array(right[alive])


def resolve_supports(
    supports: Any,
    left_support: Any,
    n_samples: int,
    n_features: int,
    n_components: int | None,
    labels: tuple[Labels, Labels] = (None, None),
) -> NamedMasks:
    """Checked masks for samples of that shape, in a table with these labels.

    `supports` names a family, is a pair ``(left, right)`` with left None for a dense left factor,
    groups of features, or a callable ``(n_samples, n_features, n_components) -> (left, right)``.
    `left_support` takes the place of its left mask; with `n_components` None the supports say how
    many there are.
    """
    own_names = None
    if n_components is not None:
        check_number(n_components, "n_components", int, 1)
        n_components = int(n_components)
    if left_support is not None and n_components is None:
        n_components = int(as_mask(left_support, "left_support").shape[1])
    if isinstance(supports, str):
        if supports not in MASK_PAIRS:
            raise unknown_name("supports", supports, MASK_PAIRS)
        left, right = MASK_PAIRS[supports](n_samples, n_features, n_components)
        origin = f"supports={supports!r}"
    elif callable(supports):
        wanted = "(n_samples, n_features, n_components)"
        found = call(supports, "supports", wanted, n_samples, n_features, n_components)
        left, right = _pair(found, "supports returned")
        origin = "the callable passed as supports"
    elif are_groups(supports):
        left, (right, own_names) = None, group_mask(supports, n_components, n_features, labels[1])
        origin = "supports"
    else:
        left, right = _pair(supports, "supports is")
        origin = "supports"
        if left is not None and left_support is not None:
            raise ValueError(
                "The left mask was given twice, in supports and as left_support: pass "
                "supports=(None, right) beside left_support."
            )
    names = (f"the left mask of {origin}", f"the right mask of {origin}")
    if left_support is not None:
        left, names = left_support, ("left_support", names[1])
    if left is None:
        left = np.ones((n_samples, as_mask(right, names[1]).shape[0]), dtype=bool)
    masks = check_supports(left, right, names, "X", labels)
    _check_shapes(masks, origin, n_samples, n_features, n_components)
    return NamedMasks(*masks, own_names or _row_names(right))


def _row_names(mask: Any) -> list[str] | None:
    """Names of the rows of a data frame, if these are names."""
    rows = labels_of(mask)[0]
    if not rows or len(set(rows)) < len(rows) or not all(isinstance(name, str) for name in rows):
        return None
    return rows


class NamedMasks(NamedTuple):
    """Supports of two factors, and what the components are called; None where nothing says."""

    left: scipy.sparse.csc_array
    right: scipy.sparse.csr_array
    names: list[str] | None


def _pair(supports: Any, what: str) -> tuple[Any, Any]:
    """The two masks of a pair (right not None)."""
    refuse_other_supports(supports, "supports")
    if not isinstance(supports, tuple | list) or len(supports) != 2:
        shown = supports if isinstance(supports, int | float | None) else type(supports).__name__
        raise TypeError(
            f"supports must be one of the names {sorted(MASK_PAIRS)}, a pair of masks (left, "
            "right), (None, right) for a mask of the features alone, a label for each feature, a "
            "dictionary from names of groups to their columns, or a callable (n_samples, "
            f"n_features, n_components) -> (left, right); {what} {shown}."
        )
    if supports[1] is None:
        raise TypeError("The right mask of supports is None; only the left one may be.")
    return supports[0], supports[1]


def _check_shapes(
    masks: tuple[Any, Any],
    origin: str,
    n_samples: int,
    n_features: int,
    n_components: int | None,
) -> None:
    left, right = masks
    if right.shape[1] != n_features:
        raise ValueError(
            f"The right mask of {origin} has shape {right.shape}, but X has {n_features} features: "
            "it must be (n_components, n_features)."
        )
    if left.shape[0] != n_samples:
        raise ValueError(
            f"The left mask of {origin} has {left.shape[0]} rows, but X has {n_samples} samples. A "
            "mask that belongs to samples is passed as fit(X, left_support=...), which "
            "cross-validation slices with X."
        )
    if n_components is not None and left.shape[1] != n_components:
        raise ValueError(
            f"n_components={n_components} contradicts the masks of {origin}, which have "
            f"{left.shape[1]} components. Pass n_components=None to take theirs."
        )
