"""The pattern of one Kronecker-sparse factor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from skfact._checks import check_ordered, keep_where, positive_int

SMALL = 2**12  # patterns with at most so many entries have their places remembered


@dataclass(frozen=True, slots=True, repr=False, order=True)
class KroneckerSparse:
    r"""Support :math:`I_a \otimes 1_{b \times c} \otimes I_d` of a Kronecker-sparse factor.

    The matrix has shape ``(a * b * d, a * c * d)`` and ``a * b * c * d`` entries that may be
    non-zero: entry `(i, j, k, l)` sits at row ``i * b * d + j * d + l`` and column
    ``i * c * d + k * d + l``. Patterns are immutable, hashable and ordered like the tuple
    ``(a, b, c, d)``; ``tuple(pattern)`` gives that tuple.

    Parameters
    ----------
    a : int
        Number of diagonal blocks.
    b : int
        Rows of each dense block.
    c : int
        Columns of each dense block.
    d : int
        Spacing of the entries of a dense block.

    Raises
    ------
    TypeError
        If a parameter is not an integer (bool and float are refused).
    ValueError
        If a parameter is smaller than 1.

    See Also
    --------
    Chain : A sequence of patterns whose products are again Kronecker-sparse.

    References
    ----------
    .. [1] Q.-T. Le, L. Zheng, E. Riccietti, R. Gribonval, "Butterfly factorization with
       error guarantees", arXiv:2411.04506.

    Examples
    --------
    >>> from skfact.supports import KroneckerSparse
    >>> pattern = KroneckerSparse(1, 2, 2, 2)
    >>> pattern.shape, pattern.nnz
    ((4, 4), 8)
    >>> pattern.mask().astype(int)
    array([[1, 0, 1, 0],
           [0, 1, 0, 1],
           [1, 0, 1, 0],
           [0, 1, 0, 1]])
    """

    a: int
    b: int
    c: int
    d: int

    # lets `array == pattern` reach __eq__ below instead of comparing entry by entry
    __array_ufunc__ = None

    def __post_init__(self) -> None:
        for name in ("a", "b", "c", "d"):
            value = positive_int(getattr(self, name), f"{name} of the pattern (a, b, c, d)")
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape ``(a * b * d, a * c * d)`` of the factor."""
        return self.a * self.b * self.d, self.a * self.c * self.d

    @property
    def nnz(self) -> int:
        """Number ``a * b * c * d`` of entries that may be non-zero."""
        return self.a * self.b * self.c * self.d

    @property
    def T(self) -> KroneckerSparse:
        """Pattern ``(a, c, b, d)`` of the transposed factor."""
        return KroneckerSparse(self.a, self.c, self.b, self.d)

    def mask(self) -> np.ndarray:
        """Return the support as a dense mask.

        Returns
        -------
        mask : ndarray of shape (a * b * d, a * c * d), dtype bool
            ``kron(eye(a), kron(ones((b, c)), eye(d)))``, a new array at each call.
        """
        a, b, c, d = self
        mask = np.zeros((a, b, d, a, c, d), dtype=bool)
        block = np.arange(a)[:, None]
        offset = np.arange(d)[None, :]
        mask[block, :, offset, block, :, offset] = True
        return mask.reshape(self.shape)

    def project(self, matrix: Any) -> Any:
        """Set the entries outside the support to zero.

        Parameters
        ----------
        matrix : array of shape (a * b * d, a * c * d)
            A numeric array of any array-API namespace; it is not modified.

        Returns
        -------
        projected : array of shape (a * b * d, a * c * d)
            The nearest matrix with this support, in the namespace, dtype and device of
            `matrix`.

        Raises
        ------
        TypeError
            If `matrix` is not an array of numbers.
        ValueError
            If `matrix` does not have the shape of the support.

        Examples
        --------
        >>> import numpy as np
        >>> from skfact.supports import KroneckerSparse
        >>> KroneckerSparse(2, 1, 2, 1).project(np.ones((2, 4)))
        array([[1., 1., 0., 0.],
               [0., 0., 1., 1.]])
        """
        return keep_where(self.mask(), matrix)

    def is_chainable_with(self, right: KroneckerSparse) -> bool:
        """Tell whether ``self @ right`` is again Kronecker-sparse, with one rank per block.

        Parameters
        ----------
        right : KroneckerSparse
            Pattern of the right factor.

        Returns
        -------
        chainable : bool
            True if the inner sizes agree, ``self.a`` divides ``right.a``, ``right.d`` divides
            ``self.d`` and the rank ``self.a * self.c / right.a`` is an integer.
        """
        return self._obstacle(right) is None

    def rank_with(self, right: KroneckerSparse) -> int:
        """Return the rank of the blocks of the product ``self @ right``.

        Parameters
        ----------
        right : KroneckerSparse
            Pattern of the right factor.

        Returns
        -------
        rank : int
            ``self.a * self.c / right.a``, which equals ``right.b * right.d / self.d``.

        Raises
        ------
        ValueError
            If the two patterns are not chainable; the message says why.

        Examples
        --------
        >>> from skfact.supports import KroneckerSparse
        >>> KroneckerSparse(1, 6, 2, 1).rank_with(KroneckerSparse(1, 2, 5, 1))
        2
        """
        obstacle = self._obstacle(right)
        if obstacle is not None:
            raise ValueError(f"{self} and {right} are not chainable: {obstacle}.")
        return self.a * self.c // right.a

    def product(self, right: KroneckerSparse) -> KroneckerSparse:
        """Return the pattern of the product ``self @ right``.

        Parameters
        ----------
        right : KroneckerSparse
            Pattern of the right factor.

        Returns
        -------
        product : KroneckerSparse
            ``(a1, b1 * d1 / d2, a2 * c2 / a1, d2)``.

        Raises
        ------
        ValueError
            If the two patterns are not chainable; the message says why.

        Examples
        --------
        >>> from skfact.supports import KroneckerSparse
        >>> KroneckerSparse(1, 2, 2, 4).product(KroneckerSparse(2, 2, 2, 2))
        KroneckerSparse(1, 4, 4, 2)
        """
        self.rank_with(right)
        return KroneckerSparse(
            self.a, self.b * self.d // right.d, right.a * right.c // self.a, right.d
        )

    def is_redundant_with(self, right: KroneckerSparse) -> bool:
        """Tell whether the pair could be replaced by its product at no loss.

        Parameters
        ----------
        right : KroneckerSparse
            Pattern of the right factor.

        Returns
        -------
        redundant : bool
            True if the rank is at least ``min(self.b, right.c)``: then the blocks of the product
            are unconstrained and the product pattern has fewer entries than the pair.

        Raises
        ------
        ValueError
            If the two patterns are not chainable; the message says why.
        """
        return self.rank_with(right) >= min(self.b, right.c)

    def _obstacle(self, right: KroneckerSparse) -> str | None:
        """Return the condition that keeps the pair from being chainable, or None."""
        if not isinstance(right, KroneckerSparse):
            raise TypeError(f"right must be a KroneckerSparse, got {type(right).__name__}.")
        n_columns, n_rows = self.shape[1], right.shape[0]
        if n_columns != n_rows:
            return f"the left one has {n_columns} columns, the right one {n_rows} rows"
        if right.a % self.a:
            return f"a = {self.a} on the left does not divide a = {right.a} on the right"
        if self.d % right.d:
            return f"d = {right.d} on the right does not divide d = {self.d} on the left"
        if self.a * self.c % right.a:
            return (
                f"the rank a1 * c1 / a2 = {self.a} * {self.c} / {right.a} is not an integer; "
                f"it must be one"
            )
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KroneckerSparse) and tuple(self) == tuple(other)

    def __iter__(self) -> Iterator[int]:
        return iter((self.a, self.b, self.c, self.d))

    def __repr__(self) -> str:
        return f"KroneckerSparse({self.a}, {self.b}, {self.c}, {self.d})"

    def __reduce__(self) -> tuple[Any, ...]:
        return KroneckerSparse, tuple(self)


def places(pattern: KroneckerSparse) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the entries, in the order (a, d, b, c) of the values of a factor."""
    rows, columns = np.broadcast_arrays(*_lines(pattern))
    return rows, columns


def flat_places(pattern: KroneckerSparse) -> np.ndarray:
    """Where the entries are in the matrix row by row, in the same order; not to be written to."""
    return _small_places(pattern) if pattern.nnz <= SMALL else _all_places(pattern)


def _all_places(pattern: KroneckerSparse) -> np.ndarray:
    rows, columns = _lines(pattern)
    return rows * pattern.shape[1] + columns


_small_places = lru_cache(maxsize=256)(_all_places)


def _lines(pattern: KroneckerSparse) -> tuple[np.ndarray, np.ndarray]:
    """The rows (a, d, b, 1) and the columns (a, d, 1, c) of the entries."""
    a, b, c, d = pattern
    i, l, j, k = np.ogrid[:a, :d, :b, :c]
    return (i * b + j) * d + l, (i * c + k) * d + l


PatternLike: TypeAlias = KroneckerSparse | tuple[int, int, int, int]


def as_patterns(patterns: Any) -> tuple[KroneckerSparse, ...]:
    """Return the items of an iterable as patterns."""
    what = "a sequence of KroneckerSparse or of tuples (a, b, c, d)"
    if isinstance(patterns, KroneckerSparse):
        raise TypeError(f"patterns must be {what}, got one, of type KroneckerSparse: wrap it.")
    check_ordered(patterns, "patterns", what)
    return tuple(_as_pattern(item, i) for i, item in enumerate(patterns))


def _as_pattern(item: Any, position: int) -> KroneckerSparse:
    if isinstance(item, KroneckerSparse):
        return item
    if not isinstance(item, (tuple, list)) or len(item) != 4:
        raise TypeError(
            f"patterns[{position}] must be a KroneckerSparse or a tuple (a, b, c, d), got {item!r}."
        )
    return KroneckerSparse(*item)
