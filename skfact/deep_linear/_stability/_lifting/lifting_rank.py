"""Ranks: of the lifting operator, and of the derivative of the product of factors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse

from skfact._checks import check_random_state
from skfact.deep_linear._stability._lifting.lifting import path_counts
from skfact.deep_linear._stability._lifting.structure import Structure, as_structure, balanced
from skfact.deep_linear._structured import CirculantFactor, ToeplitzFactor

LARGEST_RANK = 4096  # that is looked for
ALL_ENTRIES = 4096  # of products that are kept; beyond, random combinations of them
COPIES = 8  # combinations that each entry takes part in
CLOSE = 1e-2  # distance below which rounding is taken out once more
BLOCK = 256  # products that are added at a time
INDEPENDENT = 1e-9  # distance of a unit product from the span of others that counts
WORK = 1e11  # multiplications in all the products that are asked for
LARGEST_JACOBIAN = 2**25  # numbers in the derivative of all entries
MOST_PARAMETERS = 2000  # of a derivative whose singular values are computed
ZERO, NONZERO = 1e-11, 1e-7  # singular values that are certainly one or the other


def lifting_rank(structure: Any, *, random_state: Any = None) -> int:
    r"""Return the rank of the lifting operator, by the randomised algorithm of the paper.

    Products of factors of random parameters are added until their rank stops growing; the rank is
    then their number less one [1]_. With probability one over parameters with a density, any r of
    them are independent as long as r is at most the rank: the product is a polynomial of the
    parameters, and where it lies in a proper subspace of the range for a set of positive measure,
    it always does. So in exact arithmetic the answer is never above the rank, and below it with
    probability zero; in floating point, a product counts as independent whose distance from the
    span of the others is above 1e-9 of its norm. Products are
    added in blocks of 32 to 256.

    The rank of masks and Kronecker-sparse patterns is known without: the number of entries of the
    product that may be non-zero.

    Parameters
    ----------
    structure : Chain, list or SparseDeepLinearNet
        As in :func:`lifting_operator`.
    random_state : int, RandomState instance or None, default=None
        Draws parameters, and combinations of entries.

    Returns
    -------
    rank : int
        At most ``S_1 * ... * S_K``, and at most ``n_out * n_in``.

    Raises
    ------
    TypeError
        If it is no structure, or a factor has a budget of non-zeros.
    ValueError
        If shapes do not chain, a mask is empty, an adjoint is wrong, or an estimator is not fitted;
        if the rank is above 4096, or forming enough products takes too long.

    See Also
    --------
    structure_identifiability : What the rank says about the factors.

    Notes
    -----
    Of products with more than 4096 entries, 1.25 times as many random sparse combinations of the
    entries are kept as the rank can be, at most 5184, so that memory does not grow with the rank:
    0.2 GB, plus one product and 100 bytes for each of its entries. Combinations may lower the rank
    with small probability, and never raise it.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, proposition 4.

    Examples
    --------
    >>> from skfact.deep_linear import CirculantFactor, ToeplitzFactor, lifting_rank
    >>> lifting_rank([ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)], random_state=0)
    12
    >>> lifting_rank([CirculantFactor(3), CirculantFactor(3)], random_state=0)
    3
    """
    found = as_structure(structure)
    random = check_random_state(random_state)
    rank = rank_of(found, random)
    if rank is None:
        raise ValueError(
            f"structure has a lifting operator of shape {found.n_entries} x {found.n_columns}, "
            f"whose rank is above {LARGEST_RANK} or takes too long to find. Study a smaller "
            "structure of the same kind, or some rows of the first factor and some columns of the "
            "last."
        )
    return rank


def rank_of(
    structure: Structure, random: np.random.RandomState, largest: int = LARGEST_RANK
) -> int | None:
    """The rank, known or by random products; None if it is above the largest, or takes too long."""
    rank = known_rank(structure)
    return random_rank(balanced(structure)[0], random, largest) if rank is None else rank


def known_rank(structure: Structure) -> int | None:
    """The rank without random draws: that of masks and patterns, and of a Toeplitz factor alone."""
    if structure.chain is not None:
        return structure.chain.product.nnz
    counts = path_counts(structure)
    if counts is not None:
        return counts.size
    support = getattr(structure.sets[0], "support", None)
    if len(structure.sets) == 1 and isinstance(support, ToeplitzFactor | CirculantFactor):
        return support.n_parameters  # each has entries of its own
    return None


def random_rank(
    structure: Structure, random: np.random.RandomState, largest: int = LARGEST_RANK
) -> int | None:
    """The rank by random products; None if it is above the largest, or takes too long to find."""
    most = min(structure.n_entries, structure.n_columns)
    limit = min(largest, most)
    if limit * _cost(structure) > WORK and BLOCK * _cost(structure) > WORK:
        return None  # before the first products
    kept, combine = int(1.25 * limit) + 64, None  # a rank close to their number may be cut off
    if max(kept, ALL_ENTRIES) < structure.n_entries:
        combine = _combinations(kept, structure.n_entries, random)
    return _growing_rank(structure, limit, combine, random)


def _cost(structure: Structure) -> float:
    """Multiplications in one product of factors."""
    n_in = structure.shape[1]
    return float(sum(one.shape[0] * one.fan * n_in for one in structure.sets[:-1])) + 1


def _combinations(kept: int, n_entries: int, random: np.random.RandomState) -> Any:
    """Random sparse combinations of entries, (kept, n_entries)."""
    rows = random.randint(kept, size=(COPIES, n_entries)).ravel()
    columns = np.tile(np.arange(n_entries), COPIES)
    weights = random.standard_normal(rows.size)
    return scipy.sparse.csr_array((weights, (rows, columns)), shape=(kept, n_entries))


def _growing_rank(
    structure: Structure, limit: int, combine: Any, random: np.random.RandomState
) -> int | None:
    """The number of independent random products; None if it is beyond the limit, or the work."""
    n_rows = structure.n_entries if combine is None else combine.shape[0]
    most = min(structure.n_entries, structure.n_columns)
    span, rank, count = np.empty((n_rows, 0)), 0, 32
    while rank < limit and (rank + count) * _cost(structure) <= WORK:
        products = _unit_products(structure, count, combine, random)
        rest = products - span[:, :rank] @ (span[:, :rank].T @ products)
        if np.min(np.linalg.norm(rest, axis=0)) < CLOSE:  # rounding would count
            rest -= span[:, :rank] @ (span[:, :rank].T @ rest)
        basis, triangle = scipy.linalg.qr(rest, mode="economic")
        # the distance of each product from the span of those before it
        new = int(np.count_nonzero(np.abs(triangle.diagonal()) > INDEPENDENT))
        if new < count and rank + new <= limit:
            return rank + new
        if rank + count > span.shape[1]:
            span = np.concatenate([span, np.empty((n_rows, rank + count))], axis=1)
        span[:, rank : rank + count] = basis
        rank += count
        count = min(2 * count, BLOCK)
    return most if rank >= most else None


def _unit_products(
    structure: Structure, count: int, combine: Any, random: np.random.RandomState
) -> np.ndarray:
    """Products of random factors, or combinations of their entries, as columns of norm one."""
    products = []
    for _ in range(count):
        entries = structure.product(structure.draw(random)).reshape(-1)
        products.append(entries if combine is None else combine @ entries)
    columns = np.stack(products, axis=1)
    norms = np.linalg.norm(columns, axis=0)
    return columns / np.where(norms > 0, norms, 1)


def jacobian_rank(structure: Structure, random: np.random.RandomState) -> int | None:
    """Rank of the derivative of the product at almost every point; None where it is not known.

    Of a chain without redundant neighbours factors are unique up to invertible matrices between
    neighbours, one of r x r for each block of rank r; the merged chain makes the same products.
    Of other structures it is counted at a random point, and again where the count is in doubt.
    """
    if structure.chain is not None:
        chain, _ = structure.chain.merge_redundant()
        gaps = zip(chain.patterns, chain.patterns[1:], chain.ranks)
        return chain.nnz - sum(left.d * right.a * rank**2 for left, right, rank in gaps)
    if sum(structure.sizes) > MOST_PARAMETERS or not structure.is_small(LARGEST_JACOBIAN):
        return None
    for _ in range(3):
        rank = certain_rank(jacobian(structure, structure.draw(random), random))
        if rank is not None:
            return rank
    return None


def jacobian(
    structure: Structure, h: list[np.ndarray], random: np.random.RandomState | None = None
) -> np.ndarray:
    """Derivative of the product by all parameters, factor after factor.

    With `random`, of random combinations of the entries where these are many, which keep the rank.
    """
    parts = [structure.contraction(h, k) for k in range(len(h))]
    found = np.concatenate(parts, axis=1)
    n_rows = found.shape[1] + 32
    if random is None or found.shape[0] <= 2 * n_rows:
        return found
    return _combinations(n_rows, found.shape[0], random) @ found


def certain_rank(matrix: np.ndarray) -> int | None:
    """Number of singular values that are not zero; None if some are neither zero nor not."""
    norms = np.linalg.norm(matrix, axis=0)
    values = scipy.linalg.svdvals(matrix / np.where(norms > 0, norms, 1))
    if values[0] == 0:
        return 0
    values = values / values[0]
    if np.any((values > ZERO) & (values < NONZERO)):
        return None
    return int(np.count_nonzero(values >= NONZERO))


def null_space(matrix: np.ndarray, floor: float = 0.0) -> np.ndarray:
    """Orthonormal columns that a matrix maps to zero; singular values below the floor are."""
    if matrix.shape[0] > matrix.shape[1]:
        matrix = scipy.linalg.qr(matrix, mode="r")[0][: matrix.shape[1]]
    _, values, rows = scipy.linalg.svd(matrix)
    return rows[int(np.count_nonzero(values > max(1e-9 * values[0], floor))) :].T


def thresholds(sizes: tuple[int, ...]) -> tuple[int, int]:
    r"""The ranks C and D of the lifting operator that matter for tensors of these sizes.

    ``C = sum (S_k - 1) + 1`` is the dimension of the tensors of rank one, below which no structure
    is identifiable; D is the dimension of their differences, from which almost all operators of
    that rank are.
    """
    large = [size for size in sizes if size > 1]
    cone = sum(size - 1 for size in large) + 1
    if len(large) <= 1:
        return cone, math.prod(large)
    if len(large) == 2:
        return cone, 2 * sum(large) - 4
    return cone, min(math.prod(large), 2 * cone)
