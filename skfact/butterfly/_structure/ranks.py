"""The rank that each way to cut a matrix into blocks asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from skfact._backend import detached
from skfact._checks import check_matrix, is_number
from skfact._exponents import binary_exponent, times_power_of_two
from skfact.butterfly._structure.nodes import (
    ARRANGEMENTS,
    Node,
    chain_through,
    lattice,
    padded,
)
from skfact.butterfly._structure.paths import cheapest_paths
from skfact.butterfly._structure.tails import Tails
from skfact.supports import Chain
from skfact.supports._radices import divisors, padded_size


@dataclass(frozen=True, eq=False)
class ComplementaryRanks:
    """Ranks of the blocks of a matrix, for each way to cut its rows and columns.

    Parameters
    ----------
    tol : float
        Share of the norm that all blocks of one cut together may miss.
    permutation : str or None
        Whose digits are reversed first; None leaves rows and columns as they are.
    shape : (int, int)
        Shape of the matrix after padding with zeros.
    ranks : mapping of (int, int) to int
        For Q classes of rows and P classes of columns the smallest rank that the Q P blocks need.
        A chain passes such cuts, with Q falling and P growing.

    See Also
    --------
    complementary_ranks : Makes it from a matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.butterfly import complementary_ranks
    >>> found = complementary_ranks(np.eye(4), permutation=None)
    >>> found.ranks[1, 2], found.chain.nnz
    (2, 16)
    """

    tol: float
    permutation: str | None
    shape: tuple[int, int]
    ranks: Mapping[tuple[int, int], int]

    @cached_property
    def chain(self) -> Chain:
        """The chain with the fewest numbers through these cuts and ranks, dense if none saves any.

        With L factors a matrix is missed by at most ``tol * sqrt(L - 1)`` of its norm along it, in
        the order of splits "left-to-right".
        """
        squares = {
            place: (np.array([max(rank, 1)]), np.zeros(1)) for place, rank in self.ranks.items()
        }
        paths = cheapest_paths(squares, self.shape, np.ones(1)) if squares else []
        if not paths or paths[0].numbers >= self.shape[0] * self.shape[1]:
            return Chain.dense(*self.shape)
        return chain_through(paths[0].nodes, self.shape)

    def __str__(self) -> str:
        m, n = self.shape
        rows, columns = divisors(m)[:-1][::-1], divisors(n)[:-1]
        lines = [["Q \\ P", *map(str, columns)]]
        lines += [[str(Q), *(str(self.ranks[Q, P]) for P in columns)] for Q in rows]
        width = max((len(word) for line in lines for word in line), default=0) + 1
        head = f"ranks of Q x P blocks of a {m} x {n} matrix, permutation={self.permutation!r}, "
        table = "\n".join("".join(word.rjust(width) for word in line) for line in lines)
        return f"{head}tol={self.tol:.3g}:\n{table}"


def complementary_ranks(
    A: Any, tol: float = 1e-6, *, permutation: str | None = "auto"
) -> ComplementaryRanks:
    r"""Ranks of the blocks of a matrix, for each way to cut its rows and columns.

    A product of sparse factors fits a matrix whose blocks have a small rank wherever a chain of
    supports passes. Here all these cuts are looked at: rows in Q classes and columns in P, for all
    divisors. Each costs as much as the singular values of its blocks.

    Parameters
    ----------
    A : array-like of shape (n_out, n_in)
        Real or complex matrix, from any array library. Sides with a prime factor above 7 are padded
        with zeros.
    tol : float, default=1e-6
        Share of the Frobenius norm of `A` that all blocks of one cut together may miss. Below the
        root of the precision, rounding counts as rank.
    permutation : {"auto", "columns", "rows", "both"} or None, default="auto"
        Whose digits are reversed first. Without, a class of rows is evenly spaced, and one of
        columns stands together; reversed, it is the other way round. "auto" takes the one with the
        chain of the fewest numbers.

    Returns
    -------
    ranks : ComplementaryRanks
        The ranks; printed, a table.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `A` is not a finite matrix, or another argument has a wrong value.

    See Also
    --------
    split_errors : What given supports cannot avoid to miss.

    References
    ----------
    .. [1] Q.-T. Le, L. Zheng, E. Riccietti, R. Gribonval, "Butterfly factorization with error
       guarantees", arXiv:2411.04506.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.butterfly import butterfly_factorize, complementary_ranks
    >>> F = np.fft.fft(np.eye(8))
    >>> found = complementary_ranks(F)
    >>> print(found)
    ranks of Q x P blocks of a 8 x 8 matrix, permutation='columns', tol=1e-06:
     Q \ P     1     2     4
         4     2     1     1
         2     4     2     1
         1     8     4     2
    >>> operator = butterfly_factorize(F, found.chain, permutation=found.permutation)
    >>> operator.nnz, bool(np.allclose(operator.toarray(), F))
    (48, True)
    """
    if not is_number(tol, float):
        raise TypeError(f"tol must be a number, got {tol!r}.")
    if not 0 <= tol < 1:
        raise ValueError(f"tol must be a share of the norm, at least 0 and below 1, got {tol!r}.")
    names: list[Any] = list(ARRANGEMENTS) if permutation == "auto" else [permutation]
    if not all(name is None or isinstance(name, str) for name in names) or not all(
        name in ARRANGEMENTS for name in names
    ):
        kind = ValueError if isinstance(permutation, str) else TypeError
        raise kind(
            f"permutation must be 'auto' or one of {tuple(ARRANGEMENTS)}, got {permutation!r}."
        )
    A = detached(check_matrix(A, "A"))
    shape = padded_size(A.shape[0]), padded_size(A.shape[1])
    A = padded(times_power_of_two(A, -binary_exponent(A)), shape)
    profiles = [_profile(A, float(tol), name) for name in names]
    return min(profiles, key=lambda profile: profile.chain.nnz) if profiles[1:] else profiles[0]


def _profile(A: Any, tol: float, name: str | None) -> ComplementaryRanks:
    ranks, of_matrix = {}, Tails(A)
    for place in lattice(A.shape):
        tails = of_matrix.exact(Node(*place, 1), ARRANGEMENTS[name])
        ranks[place] = int(np.argmax(tails <= tol * tails[0]))
    return ComplementaryRanks(tol, name, A.shape, MappingProxyType(ranks))
