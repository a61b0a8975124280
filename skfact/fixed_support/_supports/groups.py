"""Groups of features, by a label for each feature or by name, as the mask of the right factor."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from skfact._backend import to_numpy
from skfact._inputs import rectangular
from skfact.supports._masks import Labels, is_labelled, order_by

WANTED = "must be a list of positions, truth values or names of features, or a slice"


def are_groups(supports: Any) -> bool:
    """Whether supports are groups: a mapping, or a vector of labels."""
    if isinstance(supports, Mapping):
        return True
    if isinstance(supports, list | tuple):
        missing = [is_missing(label) for label in supports]
        kinds = str | int | float | np.generic
        return not all(missing) and all(
            none or isinstance(label, kinds) for none, label in zip(missing, supports, strict=True)
        )
    return len(getattr(supports, "shape", ())) == 1


def is_missing(label: Any) -> bool:
    """Whether it stands for no label: None, NaN, or the NA of pandas."""
    is_nan = isinstance(label, float | np.floating) and label != label
    return label is None or bool(is_nan) or type(label).__name__ == "NAType"


def group_mask(
    groups: Any, n_components: int | None, n_features: int, names: Labels
) -> tuple[np.ndarray, list[str]]:
    """Mask (n_components, n_features) of groups of features, and the names of its components.

    `groups` is a vector of labels, one for each feature, or maps the name of each group to its
    columns. With more components than groups all have equally many, the first ones one more where
    that does not divide.
    """
    if isinstance(groups, Mapping):
        found = {name: _columns(name, of, n_features, names) for name, of in groups.items()}
    else:
        found = _by_label(groups, n_features, names)
    if not found:
        raise ValueError("supports is a dictionary without a group.")
    n_components = len(found) if n_components is None else n_components
    if n_components < len(found):
        raise ValueError(
            f"n_components={n_components} is less than the {len(found)} groups of supports: there "
            "must be at least one component for each. Pass n_components=None for one each."
        )
    each, more = divmod(n_components, len(found))
    counts = [each + (number < more) for number in range(len(found))]
    texts = [name if isinstance(name, str) else f"group{name}" for name in found]
    components = [
        text if count == 1 else f"{text}_{i}"
        for text, count in zip(texts, counts, strict=True)
        for i in range(count)
    ]
    return np.repeat(np.stack(list(found.values())), counts, axis=0), components


def _by_label(groups: Any, n_features: int, names: Labels) -> dict[Any, np.ndarray]:
    """Masks of the features by their labels, in the order of these; a series by its own index."""
    index = list(groups.index) if hasattr(groups, "index") and hasattr(groups, "values") else None
    given = to_numpy(groups) if hasattr(groups, "shape") else np.array(groups, dtype=object)
    if len(given) != n_features:
        raise ValueError(
            f"supports has {len(given)} labels, but X has {n_features} features: pass one label "
            "for each, or a dictionary from the name of a group to its columns."
        )
    order = order_by(index, names, "supports", "X")
    labels = (given if order is None else given[order]).tolist()
    for position, label in enumerate(labels):
        if is_missing(label):
            feature = repr(names[position]) if names and is_labelled(names) else position
            raise ValueError(
                f"Feature {feature} has no label in supports, but {label!r}: give features without "
                "a group one, too."
            )
    return {label: np.array([own == label for own in labels]) for label in dict.fromkeys(labels)}


def _columns(name: Any, columns: Any, n_features: int, names: Labels) -> np.ndarray:
    """Mask of the columns of a group: positions, truth values, a slice, or names."""
    if not isinstance(columns, slice):
        given = to_numpy(columns) if hasattr(columns, "shape") else columns
        columns = np.atleast_1d(rectangular(given, f"Group {name!r} of supports"))
        if columns.ndim > 1:
            raise ValueError(
                f"Group {name!r} of supports must be one list of columns, got an array of shape "
                f"{columns.shape}."
            )
        if not columns.size:
            columns = columns.astype(int)
        elif columns.dtype.kind in "OUST":
            columns = _positions(name, columns.tolist(), names)
        elif columns.dtype.kind not in "biu":
            raise TypeError(f"Group {name!r} of supports {WANTED}, got dtype {columns.dtype}.")
    try:
        positions = np.arange(n_features)[columns]
    except (IndexError, TypeError) as error:
        raise ValueError(
            f"Group {name!r} of supports does not fit X with {n_features} features: {error}."
        ) from error
    if not len(positions):
        raise ValueError(f"Group {name!r} of supports has no columns: name one, or leave it out.")
    mask = np.bincount(positions, minlength=n_features)
    if mask.max() > 1:
        raise ValueError(
            f"Group {name!r} of supports has the column at position {mask.argmax()} more than once."
        )
    return mask > 0


def _positions(name: Any, columns: list[Any], names: Labels) -> np.ndarray:
    """Where features of these names are."""
    for column in columns:
        if column is None or not isinstance(column, Hashable):
            raise TypeError(f"Group {name!r} of supports {WANTED}, got {column!r}.")
    if not is_labelled(names):
        raise ValueError(
            f"Group {name!r} of supports names features, but X has no feature names: pass a data "
            "frame, or positions."
        )
    place = {label: position for position, label in enumerate(names or ())}
    unknown = [column for column in columns if column not in place]
    if unknown:
        raise ValueError(
            f"Group {name!r} of supports names features that X does not have: {unknown[:3]}; it "
            f"has {list(place)[:3]} among {len(place)}."
        )
    return np.array([place[column] for column in columns])
