"""Where hierarchical PALM starts to split a residual in two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from skfact._backend import array_namespace
from skfact.butterfly._factorize import factorize
from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._palm.start import (
    Start,
    best_scaled,
    nearest_factors,
    usual_scale,
)
from skfact.supports import Chain, resolve_supports

STARTS = ("auto", "identity", "chain")


class Splits(NamedTuple):
    """Starts that are tried: from the factors of a chain, from an identity."""

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
            zero, eye = (one.identity(target) for one in pair)
            zero = array_namespace(target).zeros_like(zero)
            yield Start([zero, eye], self.scale, feasible=False)


def grouped(chain: Chain, count: int) -> Chain | None:
    """The chain with neighbours multiplied out until `count` patterns are left."""
    if len(chain) < count:
        return None
    ends = [len(chain) * i // count for i in range(count + 1)]
    return Chain([chain[i:j].product for i, j in pairwise(ends)])
