"""The search: from the rows and from the columns, and what counts as success."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, detached, to_numpy
from skfact._checks import check_matrix, check_random_state, positive_int
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._kernels.low_rank_blocks import Arranged
from skfact.butterfly._bounds import rounding_allowance
from skfact.butterfly._hierarchical import hierarchical_factorization, splits_in_order
from skfact.butterfly._permutations.levels import Effort, descend
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain, resolve_supports

SMALLEST = 8  # rows and columns of matrices of which an order is looked for
LARGEST = 256  # rows or columns up to which searches were measured
AGREEMENT = 1.02  # errors whose ratio is at most this are those of one structure

QUICK, THOROUGH = Effort(3, 1, 1), Effort(8, 3, 4)


class Found(NamedTuple):
    """Permutations, and what the factorization of ``A[rows][:, cols]`` makes of them."""

    rows: np.ndarray
    cols: np.ndarray
    error: float  # of the factorization, relative to the norm of A
    found: bool
    agreed: bool  # whether the error is rounding, or two attempts came to it


def search_permutations(
    A: Any,
    supports: str | Callable[[int, int], Chain] | Chain = "butterfly",
    *,
    random_state: Any = None,
    n_rounds: int = 3,
    on_attempt: Callable[[int, float], Any] | None = None,
) -> Found:
    """Permutations of rows and columns under which a matrix is close to a product of a chain.

    A round looks once from the rows and once from the columns; the first is quick, the others take
    more and other rows, drawn at random. The search succeeds (`found`) if its error is one of
    rounding, or at most half of what it would be for pure noise (:func:`noise_error`). It ends
    there as soon as the error is rounding, or two attempts agree about the least error (`agreed`).
    Success does not say that no other permutation is better: the error says how good this one is,
    and attempts that do not agree say that there may well be a better one.

    `on_attempt` is told the number of each attempt and its relative error. The result does not
    depend on `random_state` where the first round ends the search.

    Raises
    ------
    ValueError
        If the chain has another shape than `A`, a rank above one, or a product with zeros.
    """
    A = detached(check_matrix(A, "A"))
    random = check_random_state(random_state)
    n_rounds = positive_int(n_rounds, "n_rounds")
    A = times_power_of_two(A, -binary_exponent(A))
    chain = _searchable(resolve_supports(supports, *A.shape), A.shape)
    eps = float(array_namespace(A).finfo(A.dtype).eps)
    exact = rounding_allowance(len(chain), eps, 1.0)
    low = max(exact, noise_error(chain) / 2)
    best, errors = None, []
    for rows, cols in _attempts(to_numpy(A), chain, random, n_rounds):
        error = factorization_error(A, chain, rows, cols)
        errors.append(error)
        if on_attempt is not None:
            on_attempt(len(errors), error)
        if best is None or error < best.error:
            best = Found(rows, cols, error, error <= low, False)
        close = sum(error <= AGREEMENT * best.error for error in errors)
        best = best._replace(agreed=best.error <= exact or close > 1)
        if best.found and best.agreed:
            break
    assert best is not None
    return best


def noise_error(chain: Chain) -> float:
    """Relative error that a rank-one chain is expected to leave of pure noise in its best order.

    Degrees of freedom: the entries of the factors, less one for each class of a gap, which scales
    the factors on either side; and twice the logarithm of the number of orders that differ, which
    is what choosing among them may gain. Measured: searches of Gaussian matrices
    of size 8 to 128 end 2 to 30 % below.
    """
    free = chain.nnz - sum(right.a * left.d for left, right in pairwise(chain))
    orders = 0.0
    for radices in (chain.out_radices[::-1], chain.in_radices):  # each from the root of its tree
        size = 1
        for radix in radices:
            orders -= size * math.lgamma(radix + 1)
            size *= radix
        orders += math.lgamma(size + 1)
    return math.sqrt(max(0.0, 1 - (free + 2 * orders) / math.prod(chain.shape)))


def hint_of_orders(shape: tuple[int, int]) -> str:
    """What to try on a matrix of this shape whose rows and columns may stand in any order."""
    if min(shape) < SMALLEST:
        return ""
    ways = "permutation='cluster' (points, sensors, vertices)"
    own = Chain.for_shape(*shape)
    if own.shape == tuple(shape) and len(own) > 1 and max(shape) <= LARGEST:
        ways = f"permutation='search' (a product of rank one, as shuffled transforms are) or {ways}"
    return f" If the order of its rows or columns carries no meaning, try {ways}."


def factorization_error(A: Any, chain: Chain, rows: np.ndarray, cols: np.ndarray) -> float:
    """Relative error of the factorization of a matrix of ordinary magnitude, permuted."""
    xp = array_namespace(A)
    arranged = Arranged(A, rows, cols, checked=True)
    splits = splits_in_order("balanced", len(chain))
    values = arranged if splits else arranged.values()
    parts, _ = hierarchical_factorization(values, chain, splits)
    operator = FactorizedOperator(map(KroneckerFactor, parts, chain))
    norm = float(xp.linalg.vector_norm(A))
    missed = float(xp.linalg.vector_norm(arranged.toarray() - operator.toarray()))
    return missed / norm if norm > 0 else 0.0


def _searchable(chain: Chain, shape: tuple[int, int]) -> Chain:
    """The chain without redundant neighbours, which the search is defined for."""
    if chain.shape != tuple(shape):
        raise ValueError(
            f"A search for permutations needs supports of the shape of A, {tuple(shape)}, got "
            f"{chain.shape}: rows and columns of padding have no place. Pass another chain."
        )
    chain = chain.merge_redundant()[0]
    if any(rank > 1 for rank in chain.ranks) or not chain.product.a == chain.product.d == 1:
        raise ValueError(
            "A search for permutations needs a chain of rank one whose product has no zeros, as "
            f"Chain.butterfly(n) is; got ranks {chain.ranks} and the product {chain.product}."
        )
    return chain


def _attempts(
    A: np.ndarray, chain: Chain, random: np.random.RandomState, n_rounds: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Permutations of rows and columns, found from the rows and from the columns in turns."""
    A = A.astype(np.complex128 if np.iscomplexobj(A) else np.float64)
    q, p = chain.out_radices, chain.in_radices
    for i in range(n_rounds):
        effort, source = (THOROUGH, random) if i else (QUICK, None)
        end = descend(A, q, p, effort, source)
        yield end.rows.T.ravel(), end.cols.ravel()
        # of the transpose the last factor comes first: its digits are reversed
        end = descend(A.T, p[::-1], q[::-1], effort, source)
        yield end.cols.reshape(q[::-1]).T.ravel(), end.rows.ravel()
