"""Families of chains by name, and the chain a `supports` argument stands for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from math import gcd, prod
from typing import Any

from skfact._checks import call, positive_int
from skfact.supports._chain import FAMILIES, Chain, family_chain
from skfact.supports._radices import balanced_factors, divisors, padded_size, prime_factors


def _radix_chain(n_out: int, n_in: int, rank: int, max_factors: int | None = None) -> Chain:
    """Return the chain of near-equal radices, at most `max_factors`, of the padded shape."""
    m, n = padded_size(n_out), padded_size(n_in)
    counts = [len(prime_factors(m)), len(prime_factors(n))]
    n_factors = max(1, min(counts if max_factors is None else [*counts, max_factors]))
    q, p = balanced_factors(m, n_factors), balanced_factors(n, n_factors)
    ranks = [min(rank, prod(q[:i]), prod(p[i:])) for i in range(1, n_factors)]
    return _at_most_dense(Chain.deformable(q, p, ranks), n_out, n_in)


def _at_most_dense(chain: Chain, n_out: int, n_in: int) -> Chain:
    """Merge redundant patterns; return one dense pattern if that has fewer non-zeros."""
    merged, _ = chain.merge_redundant()
    return Chain.dense(n_out, n_in) if merged.nnz > n_out * n_in else merged


def _low_rank(n_out: int, n_in: int, rank: int) -> Chain:
    return _at_most_dense(Chain.low_rank(n_out, n_in, rank), n_out, n_in)


def _dense(n_out: int, n_in: int, rank: int) -> Chain:
    return Chain.dense(n_out, n_in)


@lru_cache(maxsize=256)
def aligned_chain(name: str, n_out: int, n_in: int, rank: int) -> Chain | None:
    """Return the chain of a family at whose gaps a spacing of rows times the blocks is a constant.

    ``(a, b, c, d)`` and its right neighbour ``(a2, ..)`` have ``d * a2`` equal to the longer side
    n. Then a part of a Fourier matrix of size n, its columns in digit-reversed order, fits the
    chain. The shorter side is padded to a multiple of a divisor of n: the one with the fewest
    numbers. None for a family without gaps to choose.
    """
    if name not in ("butterfly", "monarch"):
        return None
    longer, shorter = padded_size(max(n_out, n_in)), min(n_out, n_in)
    chains = []
    for divisor in divisors(longer):
        size = min(-(-shorter // divisor) * divisor, longer)
        radices = _aligned_radices(size, longer, in_two=name == "monarch")
        if n_in >= n_out:
            q, p = zip(*radices, strict=True)
        else:
            p, q = zip(*radices[::-1], strict=True)
        ranks = [min(rank, prod(q[:i]), prod(p[i:])) for i in range(1, len(q))]
        chains.append(_at_most_dense(Chain.deformable(q, p, ranks), n_out, n_in))
    return min(chains, key=lambda chain: chain.nnz)


def _aligned_radices(size: int, longer: int, in_two: bool) -> list[tuple[int, int]]:
    """Radices of both sides: what they do not share stands first, in one pair."""
    common = gcd(size, longer)
    first, last = size // common, longer // common
    if not in_two:
        pairs = [(first, last), *((prime, prime) for prime in prime_factors(common))]
        return [pair for pair in pairs if pair != (1, 1)] or [(1, 1)]
    # the node with the fewest numbers on that path
    e = min(divisors(common), key=lambda e: size * last * e + longer * (common // e))
    return [(first * e, last * e), (common // e, common // e)]


FAMILIES |= {
    "butterfly": _radix_chain,
    "monarch": partial(_radix_chain, max_factors=2),
    "low-rank": _low_rank,
    "dense": _dense,
}


def resolve_supports(
    supports: str | Callable[[int, int], Chain] | Chain,
    n_out: int,
    n_in: int,
    *,
    rank: int | None = None,
) -> Chain:
    """Return the chain that a `supports` argument stands for.

    Parameters
    ----------
    supports : str, callable or Chain
        Name of a family ("butterfly", "monarch", "low-rank", "dense"), a callable
        ``(n_out, n_in) -> Chain``, or a chain.
    n_out : int
        Number of rows of the matrix to factor.
    n_in : int
        Number of columns of the matrix to factor.
    rank : int, default=None
        Rank at each gap of a named family; None stands for 1. A chain and a callable carry their
        own ranks.

    Returns
    -------
    chain : Chain
        Chain of shape at least (n_out, n_in).

    Raises
    ------
    TypeError
        If `supports`, or what a callable returns, has the wrong type.
    ValueError
        If the name is unknown, if the chain is smaller than the matrix, or if `rank` is given
        for a chain or a callable.

    See Also
    --------
    Chain.for_shape : The chain of a named family for a shape.

    Examples
    --------
    >>> from skfact.supports import Chain, resolve_supports
    >>> resolve_supports("butterfly", 4, 4) == Chain.butterfly(4)
    True
    >>> resolve_supports(lambda n_out, n_in: Chain.low_rank(n_out, n_in, 2), 8, 9).shape
    (8, 9)
    """
    n_out, n_in = positive_int(n_out, "n_out"), positive_int(n_in, "n_in")
    if isinstance(supports, str):
        return family_chain(supports, n_out, n_in, 1 if rank is None else rank)
    if not isinstance(supports, Chain) and not callable(supports):
        raise TypeError(
            f"supports must be one of the names {sorted(FAMILIES)}, a callable "
            f"(n_out, n_in) -> Chain, or a Chain, got {type(supports).__name__}."
        )
    if rank is not None:
        positive_int(rank, "rank")
        raise ValueError(
            f"rank={rank} was given together with "
            f"{'a Chain' if isinstance(supports, Chain) else 'a callable'}, which carries its own "
            f"ranks. Pass rank=None, or supports as the name of a family."
        )
    chain: Any = supports
    if not isinstance(supports, Chain):
        chain = call(supports, "supports", "(n_out, n_in)", n_out, n_in)
    if not isinstance(chain, Chain):
        raise TypeError(
            f"the callable passed as supports must return a Chain, got {type(chain).__name__}."
        )
    if chain.shape[0] < n_out or chain.shape[1] < n_in:
        raise ValueError(
            f"supports has shape {chain.shape}, smaller than the matrix {(n_out, n_in)}. A chain "
            f"may be larger (the matrix is padded with zeros), never smaller."
        )
    return chain
