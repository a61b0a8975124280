"""How much of the variance of the samples each component of a linear map accounts for."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace
from skfact._exponents import times_power_of_two


class Variances(NamedTuple):
    """What each component adds to those before it, (n_components,)."""

    shares: Any  # of the samples' variance
    variances: Any  # of the samples along it, with n_samples - 1 in the denominator
    singular_values: Any  # norms of the samples along it


def variances_of(centred: Any, components: Any) -> Variances:
    """The samples' variance along each component, freed of those before it.

    The components are freed of the earlier ones by Gram-Schmidt, so that the shares add up to the
    share in their span even where they are not orthogonal (the adjusted variance of Zou, Hastie
    and Tibshirani, "Sparse principal component analysis", 2006): zero in the span of earlier ones.

    `centred` are samples (n_samples, n_features) less their mean, `components` (n_components,
    n_features) of any rank.
    """
    xp = array_namespace(centred)
    largest = float(xp.max(xp.abs(centred)))
    exponent = math.frexp(largest)[1]
    centred = times_power_of_two(centred, -exponent)
    scores = centred @ xp.matrix_transpose(_successive_directions(components))
    # in double precision: single precision loses many rows
    total = xp.sum(centred * centred, dtype=xp.float64)
    energies = xp.sum(xp.abs(scores) ** 2, axis=0, dtype=xp.float64)
    per_sample = energies / max(centred.shape[0] - 1, 1)
    with np.errstate(over="ignore"):
        found = (
            energies / xp.where(total > 0, total, xp.ones_like(total)),
            times_power_of_two(per_sample, 2 * exponent),
            times_power_of_two(xp.sqrt(energies), exponent),
        )
        return Variances(*(xp.astype(x, centred.dtype) for x in found))


def _successive_directions(components: Any) -> Any:
    """Rows orthonormalized one after the other; a row in the span of the earlier ones becomes 0.

    In coordinates of their span: there are no more directions than it has dimensions, however
    ill-conditioned the rows are.
    """
    xp = array_namespace(components)
    eps = float(xp.finfo(components.dtype).eps)
    _, sizes, basis = xp.linalg.svd(components, full_matrices=False)
    rank = int(xp.sum(xp.astype(sizes > 50 * eps * sizes[0], xp.int64)))
    if rank == 0:
        return xp.zeros_like(components)
    basis = basis[:rank, :]
    coordinates = components @ xp.matrix_transpose(basis)
    noise = 50 * eps * float(xp.max(xp.linalg.vector_norm(coordinates, axis=1)))
    directions = coordinates[:0, :]
    for i in range(coordinates.shape[0]):
        row = coordinates[i : i + 1, :]
        for _ in range(2):  # twice is enough (Kahan, Parlett)
            row = row - (row @ xp.matrix_transpose(directions)) @ directions
        size = float(xp.linalg.vector_norm(row))
        row = row / size if size > noise else xp.zeros_like(row)
        directions = xp.concat([directions, row])
    return directions @ basis
