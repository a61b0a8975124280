"""How much of the variance of the samples each component of a linear map accounts for."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace


def variance_shares(centred: Any, components: Any) -> Any:
    """Share of the samples' variance that each component adds to those before it.

    The components are freed of the earlier ones by Gram-Schmidt, so that the shares add up to the
    share in their span even where they are not orthogonal (the adjusted variance of Zou, Hastie
    and Tibshirani, "Sparse principal component analysis", 2006).

    Parameters
    ----------
    centred : array of shape (n_samples, n_features)
        Samples less their mean.
    components : array of shape (n_components, n_features)
        Components in rows, of any rank.

    Returns
    -------
    shares : array of shape (n_components,)
        Non-negative; zero for a component in the span of the earlier ones.
    """
    xp = array_namespace(centred)
    largest = xp.max(xp.abs(centred))
    centred = centred / xp.where(largest > 0, largest, xp.ones_like(largest))
    total = xp.sum(centred * centred)
    sizes = xp.linalg.vector_norm(components, axis=1)
    noise = 50 * float(xp.finfo(components.dtype).eps) * float(xp.max(sizes))
    basis, shares = components[:0, :], []
    for i in range(components.shape[0]):
        rest = components[i : i + 1, :]
        for _ in range(2):  # twice is enough (Kahan, Parlett)
            rest = rest - (rest @ xp.matrix_transpose(basis)) @ basis
        size = float(xp.linalg.vector_norm(rest))
        if size <= noise:
            shares.append(xp.zeros_like(total))
            continue
        direction = rest / size
        along = xp.sum((centred @ xp.matrix_transpose(direction)) ** 2)
        shares.append(along / xp.where(total > 0, total, xp.ones_like(total)))
        basis = xp.concat([basis, direction])
    return xp.stack(shares)
