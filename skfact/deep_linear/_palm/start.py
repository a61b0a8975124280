"""Where PALM starts: identities, normal entries, or matrices that the caller gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, move_like
from skfact._checks import check_choice
from skfact._inputs import as_floating
from skfact._linalg import is_complex
from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._palm.sweeps import Start, best_scale, suffix_products


def starting_point(
    target: Any,
    sets: Sequence[FactorSet],
    init: str | list[Any] | None,
    first: int,
    exponent: int,
    random: np.random.RandomState,
) -> Start:
    """Where to start for the target A / 2**exponent, of which factor `first` is updated first."""
    xp = array_namespace(target)
    if init is None:
        values = [one.identity(target) for one in sets]
        values[first] = xp.zeros_like(values[first])
        return Start(values, usual_scale(target), feasible=False)
    if isinstance(init, str):
        matrices = [_normal(one.shape, target, random) for one in sets]
        return best_scaled(target, sets, nearest_factors(sets, matrices))
    start = nearest_factors(sets, init)
    return start._replace(scale=math.ldexp(start.scale, -exponent))


def nearest_factors(sets: Sequence[FactorSet], matrices: Sequence[Any]) -> Start:
    """Unit factors in the sets, and the product of their norms as a scale."""
    return unit_factors(sets, [one.coordinates(matrix) for one, matrix in zip(sets, matrices)])


def unit_factors(sets: Sequence[FactorSet], values: Sequence[Any]) -> Start:
    """Values projected on the sets, at unit norm, and the product of their norms as a scale."""
    values = [one.project(value) for one, value in zip(sets, values)]
    norms = [one.norm(value) for one, value in zip(sets, values)]
    units = [value / norm if norm > 0 else value for value, norm in zip(values, norms)]
    return Start(units, math.prod(norms))


def best_scaled(target: Any, sets: Sequence[FactorSet], start: Start) -> Start:
    """The start with the best scale for the target."""
    return start._replace(scale=best_scale(target, suffix_products(sets, start.values)[0]))


def usual_scale(A: Any) -> float:
    """Root mean square of the entries: the scale that a start from identities begins with.

    The algorithm was published with the scale 1, which is this one for a Hadamard matrix, and with
    which the result for a multiple of A would be no multiple of that for A.
    """
    size: float = float(array_namespace(A).linalg.vector_norm(A)) / math.prod(A.shape) ** 0.5
    return size or 1.0


def checked_init(init: Any, sets: Sequence[FactorSet], like: Any) -> str | list[Any] | None:
    """The argument `init`, its matrices in the library and dtype of `like`."""
    if init is None:
        return None
    if isinstance(init, str):
        check_choice(init, "init", ("random",))
        return init
    if not isinstance(init, Sequence) or len(init) != len(sets):
        raise ValueError(
            f"init must be None, 'random' or a list of {len(sets)} matrices, one per "
            f"factor, got {type(init).__name__}"
            + (f" of length {len(init)}." if hasattr(init, "__len__") else ".")
        )
    xp, matrices = array_namespace(like), []
    for i, (matrix, one) in enumerate(zip(init, sets)):
        if hasattr(matrix, "toarray"):
            matrix = matrix.toarray()
        matrix = move_like(as_floating(matrix, f"init[{i}]"), like)
        if tuple(matrix.shape) != one.shape:
            raise ValueError(
                f"init[{i}] has shape {tuple(matrix.shape)}, but that factor has shape {one.shape}."
            )
        if is_complex(matrix) and not is_complex(like):
            raise TypeError(f"init[{i}] is complex, but A is real: start from real factors.")
        if not bool(xp.all(xp.isfinite(matrix))):
            raise ValueError(f"init[{i}] contains NaN or infinity.")
        matrices.append(xp.astype(matrix, like.dtype))
    return matrices


def _normal(shape: tuple[int, int], like: Any, random: np.random.RandomState) -> Any:
    host: np.ndarray = random.standard_normal(shape)
    if is_complex(like):
        host = host + 1j * random.standard_normal(shape)
    xp = array_namespace(like)
    return xp.astype(move(host, xp, device(like)), like.dtype)
