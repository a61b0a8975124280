"""The supports that the parameters of an estimator stand for."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._checks import check_number, unknown_name
from skfact.fixed_support._supports.families import MASK_PAIRS
from skfact.fixed_support._supports.masks import as_mask, check_supports


def resolve_supports(
    supports: Any, left_support: Any, n_samples: int, n_features: int, n_components: int | None
) -> tuple[Any, Any]:
    """Checked masks (left, right) for samples of that shape.

    Parameters
    ----------
    supports : str, pair of masks or callable
        Name of a family, ``(left, right)`` with left None for a dense left factor, or a callable
        ``(n_samples, n_features, n_components) -> (left, right)``.
    left_support : mask of shape (n_samples, n_components) or None
        In place of the left mask of `supports`.
    n_samples, n_features : int
        Shape of the data.
    n_components : int or None
        None leaves the number to the supports.
    """
    if n_components is not None:
        check_number(n_components, "n_components", int, 1)
        n_components = int(n_components)
    if left_support is not None:
        left_support = as_mask(left_support, "left_support")
        if n_components is None:
            n_components = int(left_support.shape[1])
    if isinstance(supports, str):
        if supports not in MASK_PAIRS:
            raise unknown_name("supports", supports, MASK_PAIRS)
        left, right = MASK_PAIRS[supports](n_samples, n_features, n_components)
        origin = f"supports={supports!r}"
    elif callable(supports):
        left, right = _pair(supports(n_samples, n_features, n_components), "supports returned")
        origin = "the callable passed as supports"
    else:
        left, right = _pair(supports, "supports is")
        origin = "supports"
        if left is not None and left_support is not None:
            raise ValueError(
                "The left mask was given twice, in supports and as left_support: pass "
                "supports=(None, right) beside left_support."
            )
    if left_support is not None:
        left = left_support
    if left is None:
        right = as_mask(right, "the right mask")
        left = np.ones((n_samples, right.shape[0]), dtype=bool)
    found = check_supports(left, right, names=("the left mask", "the right mask"))
    _check_shapes(found, origin, n_samples, n_features, n_components)
    return found


def _pair(supports: Any, what: str) -> tuple[Any, Any]:
    """The two masks of a pair (right not None)."""
    if not isinstance(supports, tuple | list) or len(supports) != 2:
        shown = supports if isinstance(supports, int | float | None) else type(supports).__name__
        raise TypeError(
            f"supports must be one of the names {sorted(MASK_PAIRS)}, a pair of masks (left, "
            "right), (None, right) for a mask of the features alone, or a callable (n_samples, "
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
