"""Where PALM starts: identities, normal entries, matrices that the caller gives; at a split, the
best two factors along a chain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move, move_like
from skfact._checks import check_choice
from skfact._inputs import as_floating
from skfact._linalg import is_complex
from skfact.butterfly._factorize import factorize
from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._palm.sweeps import Start, best_scale, product
from skfact.supports import Chain, resolve_supports

STARTS = ("auto", "identity", "chain")  # of a split


def starting_point(
    target: Any,
    sets: Sequence[FactorSet],
    init: str | list[Any] | None,
    first: int,
    exponent: int,
    random: np.random.RandomState,
) -> Start:
    """Where to start for the target A / 2**exponent, of which factor `first` is updated first."""
    if init is None:
        return identities(target, sets, first, usual_scale(target))
    if isinstance(init, str):
        matrices = [one.drawn(_normal(one.shape, target, random), random) for one in sets]
        return best_scaled(target, sets, nearest_factors(sets, matrices))
    start = nearest_factors(sets, init)
    return start._replace(scale=math.ldexp(start.scale, -exponent))


def identities(target: Any, sets: Sequence[FactorSet], first: int, scale: float) -> Start:
    """A zero factor `first`, which is updated first, and identities."""
    values = [one.identity(target) for one in sets]
    values[first] = array_namespace(target).zeros_like(values[first])
    return Start(values, scale, feasible=False)


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
    return start._replace(scale=best_scale(target, product(sets, start.values)))


def usual_scale(A: Any) -> float:
    """Root mean square of the entries: the scale that a start from identities begins with.

    Published with the scale 1, which is this one for a Hadamard matrix, and with which the result
    for a multiple of A would be no multiple of that for A.
    """
    size: float = float(array_namespace(A).linalg.vector_norm(A)) / math.prod(A.shape) ** 0.5
    return size or 1.0


def checked_init(init: Any, sets: Sequence[FactorSet], like: Any) -> str | list[Any] | None:
    """The argument `init`, its matrices in the library and dtype of `like`."""
    if init is None:
        return None
    if isinstance(init, str):
        check_choice(init, "init", ("random", "published"))
        return init
    if not isinstance(init, Sequence) or len(init) != len(sets):
        raise ValueError(
            f"init must be None, 'random', 'published' or a list of {len(sets)} matrices, one per "
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


class Splits(NamedTuple):
    """Where hierarchical PALM splits a residual in two: at factors of a chain, at an identity."""

    chain: Chain | None
    from_identity: bool
    scale: float

    @classmethod
    def of(cls, A: Any, factors: Sequence[FactorSet], init: str) -> Splits:
        """What `init` stands for.

        Raises
        ------
        ValueError
            If it is "chain" and the factors have other sizes than the butterfly chain.
        """
        shapes = [one.shape for one in factors]
        chain = grouped(resolve_supports("butterfly", *A.shape), len(factors))
        found = None if chain is None else [pattern.shape for pattern in chain]
        if init == "chain" and found != shapes:
            raise ValueError(
                f"init='chain' needs the sizes of a butterfly chain, which has "
                f"{'fewer factors' if found is None else f'factors {found}'} for a matrix of shape "
                f"{tuple(A.shape)}; these are {shapes}. Use init='auto'."
            )
        wanted = init != "identity" and found == shapes
        return cls(chain if wanted else None, init != "chain", usual_scale(A))

    def starts(self, target: Any, pair: Sequence[FactorSet], last: int) -> Iterator[Start]:
        """Starts for two factors, of which the second one becomes factor `last`."""
        if self.chain is not None:
            two = Chain([self.chain[:last].product, self.chain[last]])
            matrices = [factor.toarray() for factor in factorize(target, two).operator.factors]
            yield best_scaled(target, pair, nearest_factors(pair, matrices))
        if self.from_identity:
            yield identities(target, pair, 0, self.scale)


def grouped(chain: Chain, count: int) -> Chain | None:
    """The chain with neighbours multiplied out until `count` patterns are left."""
    if len(chain) < count:
        return None
    ends = [len(chain) * i // count for i in range(count + 1)]
    return Chain([chain[i:j].product for i, j in pairwise(ends)])
