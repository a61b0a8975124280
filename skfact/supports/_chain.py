"""Chains of Kronecker-sparse patterns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import inf, prod
from operator import mul
from typing import Any, overload

from skfact._checks import positive_int, positive_ints, unknown_name
from skfact.supports._kronecker import KroneckerSparse, PatternLike, as_patterns
from skfact.supports._radices import balanced_factors, prime_factors


@dataclass(frozen=True, slots=True, repr=False, init=False)
class Chain(Sequence[KroneckerSparse]):
    """Chainable sequence of Kronecker-sparse patterns: the support of a butterfly product.

    A matrix of this class is a product ``factors[0] @ factors[1] @ ... @ factors[-1]`` whose
    factors have these patterns, in this order. A chain is an immutable, hashable sequence of
    :class:`KroneckerSparse`; a slice of it is a chain again.

    The transpose of a chainable chain is not chainable in this convention, so there is no ``T``:
    factor ``A.T`` instead and transpose the factors in reverse order.

    Parameters
    ----------
    patterns : iterable of KroneckerSparse or of tuples (a, b, c, d)
        The patterns, from left to right.

    Attributes
    ----------
    patterns : tuple of KroneckerSparse
        The patterns, from left to right.

    Raises
    ------
    TypeError
        If an item is neither a pattern nor a tuple of four integers.
    ValueError
        If there is no pattern, or if two neighbours are not chainable; the message gives their
        position and the condition that fails.

    See Also
    --------
    KroneckerSparse : One pattern.
    resolve_supports : A chain from a family name, a callable or a chain.

    References
    ----------
    .. [1] Q.-T. Le, L. Zheng, E. Riccietti, R. Gribonval, "Butterfly factorization with
       error guarantees", arXiv:2411.04506.

    Examples
    --------
    >>> from skfact.supports import Chain
    >>> chain = Chain([(1, 2, 2, 2), (2, 2, 2, 1)])
    >>> chain
    Chain([KroneckerSparse(1, 2, 2, 2), KroneckerSparse(2, 2, 2, 1)])
    >>> chain.shape, chain.nnz, chain.ranks
    ((4, 4), 16, (1,))
    >>> chain == Chain.butterfly(4)
    True
    """

    patterns: tuple[KroneckerSparse, ...]

    # lets `array == chain` reach __eq__ below instead of comparing entry by entry
    __array_ufunc__ = None

    def __init__(self, patterns: Iterable[PatternLike]) -> None:
        checked = as_patterns(patterns)
        if not checked:
            raise ValueError("patterns is empty; a chain needs at least one pattern (a, b, c, d).")
        for i, (left, right) in enumerate(pairwise(checked)):
            obstacle = left._obstacle(right)
            if obstacle is not None:
                raise ValueError(
                    f"patterns[{i}] = {left} and patterns[{i + 1}] = {right} are not chainable: "
                    f"{obstacle}."
                )
        object.__setattr__(self, "patterns", checked)

    # ---- what a chain is ------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the product."""
        return self.patterns[0].shape[0], self.patterns[-1].shape[1]

    @property
    def nnz(self) -> int:
        """Number of entries of all factors together that may be non-zero."""
        return sum(pattern.nnz for pattern in self.patterns)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Rank of the blocks at each gap between neighbours, one less than there are patterns."""
        return tuple(left.rank_with(right) for left, right in pairwise(self.patterns))

    @property
    def product(self) -> KroneckerSparse:
        """Pattern of the whole product: the support of what the chain can represent."""
        first, last = self.patterns[0], self.patterns[-1]
        return KroneckerSparse(
            first.a, first.b * first.d // last.d, last.a * last.c // first.a, last.d
        )

    @property
    def out_radices(self) -> tuple[int, ...]:
        """Radices `q_l` of the rows, if the chain is ``Chain.deformable`` of some radices."""
        self._require_deformable("out_radices")
        spacings = (self.shape[0], *(pattern.d for pattern in self.patterns))
        return tuple(before // after for before, after in pairwise(spacings))

    @property
    def in_radices(self) -> tuple[int, ...]:
        """Radices `p_l` of the columns, if the chain is ``Chain.deformable`` of some radices."""
        self._require_deformable("in_radices")
        blocks = (*(pattern.a for pattern in self.patterns), self.shape[1])
        return tuple(after // before for before, after in pairwise(blocks))

    def is_chainable(self: Sequence[PatternLike]) -> bool:
        """Tell whether the patterns form a chain.

        True for every `Chain`; ``Chain.is_chainable(patterns)`` answers for any sequence of
        patterns without raising.

        Returns
        -------
        chainable : bool
            True if there is at least one pattern and all neighbours are chainable: exactly if
            ``Chain(patterns)`` is accepted.

        Raises
        ------
        TypeError
            If an item is neither a pattern nor a tuple of four integers.

        Examples
        --------
        >>> from skfact.supports import Chain, KroneckerSparse
        >>> left, right = Chain.butterfly(4)
        >>> Chain.is_chainable([left, right]), Chain.is_chainable([right, left])
        (True, False)
        """
        patterns = as_patterns(self)
        return bool(patterns) and all(
            left.is_chainable_with(right) for left, right in pairwise(patterns)
        )

    def is_redundant(self) -> bool:
        """Tell whether two neighbours could be replaced by their product at no loss.

        Returns
        -------
        redundant : bool
            True if at some gap the rank is at least ``min(b, c)`` of the left `b` and the right
            `c`.
        """
        return any(left.is_redundant_with(right) for left, right in pairwise(self.patterns))

    def merge_redundant(self) -> tuple[Chain, tuple[tuple[int, int], ...]]:
        """Replace redundant neighbours by their product until none is left.

        The merged chain represents the same matrices with fewer non-zeros. Of several redundant
        pairs the one with the smallest product pattern is merged first; the merged chain does not
        depend on this order, the groups may.

        Returns
        -------
        merged : Chain
            The chain without redundancy.
        groups : tuple of (start, stop)
            For each merged pattern, the range of the patterns of this chain it replaces.

        Examples
        --------
        >>> from skfact.supports import Chain
        >>> chain = Chain.deformable((2, 2, 2), (2, 2, 2), 2)
        >>> merged, groups = chain.merge_redundant()
        >>> merged, groups
        (Chain([KroneckerSparse(1, 8, 8, 1)]), ((0, 3),))
        """
        patterns = list(self.patterns)
        groups = [(i, i + 1) for i in range(len(patterns))]
        sizes = [_merged_size(left, right) for left, right in pairwise(patterns)]
        while min(sizes, default=inf) < inf:
            i = sizes.index(min(sizes))
            patterns[i : i + 2] = [patterns[i].product(patterns[i + 1])]
            groups[i : i + 2] = [(groups[i][0], groups[i + 1][1])]
            del sizes[i]
            for gap in range(max(i - 1, 0), min(i + 1, len(sizes))):  # on both sides of the product
                sizes[gap] = _merged_size(patterns[gap], patterns[gap + 1])
        return Chain(patterns), tuple(groups)

    # ---- families -------------------------------------------------------------------------

    @classmethod
    def butterfly(cls, n: int) -> Chain:
        """Return the square butterfly whose radices are the prime factors of `n`, ascending.

        Parameters
        ----------
        n : int
            Number of rows and of columns. Powers of two give the dyadic chain of the fast
            Hadamard and Fourier transforms; a prime gives one dense pattern.

        Returns
        -------
        chain : Chain
            Chain of shape (n, n) with all ranks 1.

        Examples
        --------
        >>> from skfact.supports import Chain
        >>> Chain.butterfly(6)
        Chain([KroneckerSparse(1, 2, 2, 3), KroneckerSparse(2, 3, 3, 1)])
        """
        radices = prime_factors(positive_int(n, "n")) or (1,)
        return cls.deformable(radices, radices)

    @classmethod
    def deformable(
        cls, out_radices: Sequence[int], in_radices: Sequence[int], ranks: int | Sequence[int] = 1
    ) -> Chain:
        """Return the chain with the given radices and ranks.

        With radices `q_l` of the rows and `p_l` of the columns and ranks ``r_0 = r_L = 1``, the
        pattern `l` is ``(prod_{j<l} p_j, q_l r_{l-1}, p_l r_l, prod_{j>l} q_j)``.

        Parameters
        ----------
        out_radices : sequence of int of length L
            Radices of the rows, from left to right; 1 is allowed.
        in_radices : sequence of int of length L
            Radices of the columns, from left to right; 1 is allowed.
        ranks : int or sequence of int of length L - 1, default=1
            Rank at each gap; an int stands for all of them.

        Returns
        -------
        chain : Chain
            Chain of shape ``(prod(out_radices), prod(in_radices))``.

        Raises
        ------
        ValueError
            If the lengths do not fit together or a number is smaller than 1.

        Examples
        --------
        >>> from skfact.supports import Chain
        >>> chain = Chain.deformable((2, 3, 2), (3, 2, 2), (1, 1))
        >>> [tuple(pattern) for pattern in chain]
        [(1, 2, 3, 6), (3, 3, 2, 2), (6, 2, 2, 1)]
        """
        q = positive_ints(out_radices, "out_radices")
        p = positive_ints(in_radices, "in_radices")
        if not q or len(q) != len(p):
            raise ValueError(
                f"out_radices and in_radices must have the same length, at least 1, got "
                f"{len(q)} and {len(p)}. Merge neighbouring radices of the longer one."
            )
        if hasattr(ranks, "__iter__"):
            r = (1, *positive_ints(ranks, "ranks"), 1)
            if len(r) != len(q) + 1:
                raise ValueError(
                    f"ranks must have one entry per gap, {len(q) - 1} for {len(q)} radices, got "
                    f"{len(r) - 2}."
                )
        else:
            r = (1, *[positive_int(ranks, "ranks")] * (len(q) - 1), 1)
        blocks = accumulate(p[:-1], mul, initial=1)
        spacings = reversed([*accumulate(q[:0:-1], mul, initial=1)])
        return cls(
            KroneckerSparse(a, q[i] * r[i], p[i] * r[i + 1], d)
            for i, (a, d) in enumerate(zip(blocks, spacings, strict=True))
        )

    @classmethod
    def monarch(
        cls,
        n_out: int,
        n_in: int,
        *,
        rank: int = 1,
        out_radices: Sequence[int] | None = None,
        in_radices: Sequence[int] | None = None,
    ) -> Chain:
        """Return a chain of two factors, block-diagonal up to permutations.

        Parameters
        ----------
        n_out : int
            Number of rows.
        n_in : int
            Number of columns.
        rank : int, default=1
            Rank of the blocks at the gap.
        out_radices : pair of int, default=None
            Radices of the rows, with product `n_out`. None takes the two divisors closest to each
            other, the smaller first; ``(n_out, 1)`` for a prime.
        in_radices : pair of int, default=None
            Radices of the columns, with product `n_in`. None takes the two divisors closest to
            each other, the smaller first; ``(1, n_in)`` for a prime.

        Returns
        -------
        chain : Chain
            Chain of shape (n_out, n_in). It is redundant where `rank` reaches the smaller of
            ``out_radices[0]`` and ``in_radices[1]``. Two prime sides give plain low rank.

        Raises
        ------
        ValueError
            If radices are not a pair or do not multiply to the size.

        Examples
        --------
        >>> from skfact.supports import Chain
        >>> Chain.monarch(6, 8)
        Chain([KroneckerSparse(1, 2, 2, 3), KroneckerSparse(2, 3, 4, 1)])
        """
        n_out, n_in = positive_int(n_out, "n_out"), positive_int(n_in, "n_in")
        # (1, n_out) or (n_in, 1) would be redundant: more non-zeros than one dense pattern
        q = _radix_pair(out_radices, "out_radices", n_out, (n_out, 1))
        p = _radix_pair(in_radices, "in_radices", n_in, (1, n_in))
        return cls.deformable(q, p, positive_int(rank, "rank"))

    @classmethod
    def low_rank(cls, n_out: int, n_in: int, rank: int) -> Chain:
        """Return the two dense patterns of a matrix of rank at most `rank`.

        Parameters
        ----------
        n_out : int
            Number of rows.
        n_in : int
            Number of columns.
        rank : int
            Inner size of the product. The chain is redundant from ``min(n_out, n_in)`` on.

        Returns
        -------
        chain : Chain
            Patterns ``(1, n_out, rank, 1)`` and ``(1, rank, n_in, 1)``.

        Examples
        --------
        >>> from skfact.supports import Chain
        >>> Chain.low_rank(6, 5, 2)
        Chain([KroneckerSparse(1, 6, 2, 1), KroneckerSparse(1, 2, 5, 1)])
        """
        n_out, n_in = positive_int(n_out, "n_out"), positive_int(n_in, "n_in")
        return cls.deformable((n_out, 1), (1, n_in), positive_int(rank, "rank"))

    @classmethod
    def dense(cls, n_out: int, n_in: int) -> Chain:
        """Return one pattern without zeros.

        Parameters
        ----------
        n_out : int
            Number of rows.
        n_in : int
            Number of columns.

        Returns
        -------
        chain : Chain
            The single pattern ``(1, n_out, n_in, 1)``.

        Examples
        --------
        >>> from skfact.supports import Chain
        >>> Chain.dense(2, 3)
        Chain([KroneckerSparse(1, 2, 3, 1)])
        """
        return cls.deformable((positive_int(n_out, "n_out"),), (positive_int(n_in, "n_in"),))

    @classmethod
    def for_shape(cls, n_out: int, n_in: int, *, family: str = "butterfly", rank: int = 1) -> Chain:
        """Return a sensible chain of a family for any shape.

        Parameters
        ----------
        n_out : int
            Number of rows to cover.
        n_in : int
            Number of columns to cover.
        family : {"butterfly", "monarch", "low-rank", "dense"}, default="butterfly"
            Name of the family.
        rank : int, default=1
            Rank at each gap, clipped to what a gap can use. "dense" has no gap.

        Returns
        -------
        chain : Chain
            Chain of shape at least (n_out, n_in), to be used with zero padding at the end. It is
            not redundant, its product has no zeros, and it has at most ``n_out * n_in``
            non-zeros: one dense pattern stands in where the family would need more.

        Raises
        ------
        ValueError
            If the family is unknown or a number is smaller than 1.

        Notes
        -----
        A side with a prime factor above 7 is padded to the next size of the form
        ``2**i * 3**j * 5**k``. Radices are the prime factors in ascending order; the side with
        more of them is regrouped into as many near-equal radices as the other side has.

        Examples
        --------
        >>> from skfact.supports import Chain
        >>> Chain.for_shape(6, 31).shape
        (6, 32)
        >>> Chain.for_shape(6, 31).out_radices, Chain.for_shape(6, 31).in_radices
        ((2, 3), (4, 8))
        """
        return family_chain(family, n_out, n_in, rank, argument="family")

    # ---- a sequence -----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.patterns)

    @overload
    def __getitem__(self, index: int) -> KroneckerSparse: ...
    @overload
    def __getitem__(self, index: slice) -> Chain: ...
    def __getitem__(self, index: int | slice) -> KroneckerSparse | Chain:
        if isinstance(index, slice):
            return Chain(self.patterns[index])
        return self.patterns[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chain) and self.patterns == other.patterns

    def __repr__(self) -> str:
        return f"Chain([{', '.join(map(repr, self.patterns))}])"

    def __reduce__(self) -> tuple[Any, ...]:
        return Chain, (self.patterns,)

    def _require_deformable(self, name: str) -> None:
        # a chain with a dense product has radices: the quotients of its a's and of its d's
        if self.patterns[0].a != 1 or self.patterns[-1].d != 1:
            raise ValueError(
                f"{name} needs a chain whose product is dense, as Chain.deformable makes it, but "
                f"the product pattern is {self.product}."
            )


def _merged_size(left: KroneckerSparse, right: KroneckerSparse) -> float:
    """Non-zeros of the product of a redundant pair; infinite for others."""
    return left.product(right).nnz if left.is_redundant_with(right) else inf


def _radix_pair(radices: Any, name: str, size: int, of_prime: tuple[int, int]) -> tuple[int, ...]:
    """Return a pair of radices checked against the size, by default the closest divisors of it."""
    if radices is None:
        return balanced_factors(size, 2) if len(prime_factors(size)) > 1 else of_prime
    pair = positive_ints(radices, name)
    if len(pair) != 2 or prod(pair) != size:
        raise ValueError(f"{name} must be two integers with product {size}, got {pair}.")
    return pair


#: Families by name: callables ``(n_out, n_in, rank) -> Chain`` that work for every shape.
#: `_families` enters them.
FAMILIES: dict[str, Callable[[int, int, int], Chain]] = {}


def family_chain(
    name: str, n_out: int, n_in: int, rank: int, *, argument: str = "supports"
) -> Chain:
    """Return the chain of a named family for a shape, after checking the arguments."""
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a str, got {name!r} of type {type(name).__name__}.")
    if name not in FAMILIES:
        raise unknown_name(argument, name, FAMILIES)
    return _chain_of(
        name, positive_int(n_out, "n_out"), positive_int(n_in, "n_in"), positive_int(rank, "rank")
    )


@lru_cache(maxsize=256)
def _chain_of(name: str, n_out: int, n_in: int, rank: int) -> Chain:
    return FAMILIES[name](n_out, n_in, rank)
