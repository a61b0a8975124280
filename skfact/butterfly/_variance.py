"""How much of the variance of the samples each component of a linear map accounts for."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace


def variance_shares(centred: Any, components: Any) -> Any:
    """Share of the samples' variance that each component adds to those before it.

    The components are freed of the earlier ones by Gram-Schmidt, so that the shares add up to the
    share in their span even where they are not orthogonal (the adjusted variance of Zou, Hastie
    and Tibshirani, "Sparse principal component analysis", 2006): zero in the span of earlier ones.

    `centred` are samples (n_samples, n_features) less their mean, `components` (n_components,
    n_features) of any rank; the shares are (n_components,).
    """
    xp = array_namespace(centred)
    largest = xp.max(xp.abs(centred))
    centred = centred / xp.where(largest > 0, largest, xp.ones_like(largest))
    scores = centred @ xp.matrix_transpose(_successive_directions(components))
    # in double precision: single precision loses many rows
    total = xp.sum(centred * centred, dtype=xp.float64)
    shares = xp.sum(xp.abs(scores) ** 2, axis=0, dtype=xp.float64)
    return xp.astype(shares / xp.where(total > 0, total, xp.ones_like(total)), centred.dtype)


def _successive_directions(components: Any) -> Any:
    """Rows orthonormalized one after the other; a row in the span of the earlier ones becomes 0."""
    xp = array_namespace(components)
    sizes = xp.linalg.vector_norm(components, axis=1)
    noise = 50 * float(xp.finfo(components.dtype).eps) * float(xp.max(sizes))
    directions = components[:0, :]
    for i in range(components.shape[0]):
        row = components[i : i + 1, :]
        for _ in range(2):  # twice is enough (Kahan, Parlett)
            row = row - (row @ xp.matrix_transpose(directions)) @ directions
        size = float(xp.linalg.vector_norm(row))
        row = row / size if size > noise else xp.zeros_like(row)
        directions = xp.concat([directions, row])
    return directions
