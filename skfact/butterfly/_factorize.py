"""From a matrix to a FactorizedOperator: scale, permutation, padding, ranks, the algorithm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._validation import check_matrix, require_finite
from skfact.butterfly._hierarchical import (
    expand_redundant,
    hierarchical_factorization,
    splits_in_order,
    two_factor_step,
)
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.operators._rank_one_classes import blocks_of_product
from skfact.supports import Chain, KroneckerSparse, digit_reversal, resolve_supports
from skfact.supports._families import FAMILIES

Permutation = str | tuple[Any, Any] | None


class Factorization(NamedTuple):
    """What one run of the algorithm found out."""

    operator: FactorizedOperator
    chain: Chain
    discarded: np.ndarray  # (len(chain) - 1,): what each split discarded
    outside: float  # norm of the entries that the product support does not cover
    in_order: bool  # the splits went from one end of the chain to the other


def butterfly_factorize(
    A: Any,
    supports: str | Callable[[int, int], Chain] | Chain = "butterfly",
    *,
    rank: int | None = None,
    tol: float | None = None,
    order: str | Sequence[int] = "balanced",
    orthonormalize: bool = True,
    permutation: Permutation = None,
    return_errors: bool = False,
) -> Any:
    r"""Approximate a matrix by a product of Kronecker-sparse factors.

    Finds ``A ~ factors[0] @ ... @ factors[-1]`` whose factors have the supports of a chain, by
    successive splits in two, each a batch of best rank-r approximations. A matrix that is such a
    product is recovered to rounding. For any other one, with `orthonormalize` and :math:`\delta_l`
    the norm discarded by split l,

    .. math:: \|A - \hat A\|_F \le \sum_l \delta_l \le (L - 1) \min \|A - S_1 \cdots S_L\|_F

    and :math:`\|A - \hat A\|_F^2 = \sum_l \delta_l^2` where the splits go from one end to the
    other.

    Parameters
    ----------
    A : array-like of shape (n_out, n_in)
        Real or complex matrix, from any array library; integers become float64.
    supports : str, callable or Chain, default="butterfly"
        Family of supports by name ("butterfly", "monarch", "low-rank", "dense"), a callable
        ``(n_out, n_in) -> Chain``, or a chain. A chain larger than `A` pads it with zeros.
    rank : int, default=None
        Rank of the blocks of a named family; None is 1. A Chain or a callable has its own ranks.
    tol : float, default=None
        Take the smallest rank whose relative error in Frobenius norm is at most `tol` (named
        families only, instead of `rank`).
    order : {"balanced", "left-to-right", "right-to-left"} or sequence of int, default="balanced"
        Order of the splits 1 .. L - 1; split s parts the first s factors from the others.
    orthonormalize : bool, default=True
        Make the other parts orthonormal before each split, which the guarantee above needs.
    permutation : None, "digit-reversal" or (rows, cols), default=None
        Factor ``A[rows][:, cols]`` instead; the operator still approximates `A`.
        "digit-reversal" permutes the columns by the reversed digits of their index in the chain's
        radices, which makes a DFT exact. Either of `rows` and `cols` may be None.
    return_errors : bool, default=False
        Also return what the splits discarded.

    Returns
    -------
    operator : FactorizedOperator of shape (n_out, n_in)
        The product, in the array library of `A`.
    errors : ndarray of shape (n_factors - 1,)
        Frobenius norm discarded by each split from the part that it split, in chain order (only
        with `return_errors`). With `orthonormalize` at most :func:`split_errors`; always equal to
        it, but for entries that the product support does not cover, at the split made first.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `A` is sparse or not numeric.
    ValueError
        If `A` is not 2-D, is empty, or has NaN or infinite entries; if the chain is smaller than
        `A`; if `rank` or `tol` come with supports that carry their own ranks, or together.

    See Also
    --------
    ButterflyFactorizer : The same as a scikit-learn transformer.
    split_errors : The two-factor error of the matrix itself at each split.

    References
    ----------
    .. [1] Q.-T. Le, L. Zheng, E. Riccietti, R. Gribonval, "Butterfly factorization with error
       guarantees", arXiv:2411.04506.
    .. [2] L. Zheng, E. Riccietti, R. Gribonval, "Efficient identification of butterfly sparse
       matrix factorizations", arXiv:2110.01230.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.linalg import hadamard
    >>> from skfact.butterfly import butterfly_factorize
    >>> H = hadamard(64)
    >>> op = butterfly_factorize(H)
    >>> len(op.factors), op.nnz, H.size
    (6, 768, 4096)
    >>> bool(np.allclose(op.toarray(), H))
    True
    >>> F = np.fft.fft(np.eye(12))
    >>> op = butterfly_factorize(F, permutation="digit-reversal")
    >>> bool(np.allclose(op.toarray(), F))
    True
    """
    A = check_matrix(A, "A")
    result = factorize(
        A,
        supports,
        rank=rank,
        tol=tol,
        order=order,
        orthonormalize=orthonormalize,
        permutation=permutation,
    )
    return (result.operator, result.discarded) if return_errors else result.operator


def factorize(
    A: Any,
    supports: Any = "butterfly",
    *,
    rank: int | None = None,
    tol: float | None = None,
    order: str | Sequence[int] = "balanced",
    orthonormalize: bool = True,
    permutation: Permutation = None,
    on_split: Callable[[int, float], None] | None = None,
) -> Factorization:
    """`butterfly_factorize` of a checked matrix, with everything it found out."""
    if not isinstance(orthonormalize, (bool, np.bool_)):
        raise TypeError(f"orthonormalize must be True or False, got {orthonormalize!r}.")
    exponent = _binary_exponent(A)
    scaled = _times_power_of_two(A, -exponent)

    def run(chain: Chain) -> Factorization:
        return _factorize_scaled(
            scaled, exponent, chain, order, orthonormalize, permutation, on_split
        )

    if tol is None:
        return run(resolve_supports(supports, *A.shape, rank=rank))
    _check_tol(tol, rank, supports)
    target = float(tol) * float(array_namespace(A).linalg.vector_norm(scaled))
    r = _least_rank(scaled, supports, permutation, target)
    while True:
        result = run(resolve_supports(supports, *A.shape, rank=r))
        error = scaled - _times_power_of_two(result.operator.toarray(), -exponent)
        if float(array_namespace(A).linalg.vector_norm(error)) <= target or len(result.chain) == 1:
            return result
        r += 1


def split_errors(
    A: Any,
    supports: str | Callable[[int, int], Chain] | Chain = "butterfly",
    *,
    rank: int | None = None,
    permutation: Permutation = None,
) -> np.ndarray:
    """Error of the best two-factor approximation of the matrix at each split of a chain.

    Their maximum is a lower bound of the error of every product with these supports, and all are
    zero exactly if `A` is such a product (complementary low rank). Each split reads `A` once.

    Parameters
    ----------
    A : array-like of shape (n_out, n_in)
        Real or complex matrix, from any array library.
    supports : str, callable or Chain, default="butterfly"
        As in :func:`butterfly_factorize`.
    rank : int, default=None
        Rank of the blocks of a named family; None is 1.
    permutation : None, "digit-reversal" or (rows, cols), default=None
        As in :func:`butterfly_factorize`.

    Returns
    -------
    errors : ndarray of shape (n_factors - 1,)
        Frobenius norms, in chain order.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `A` is not a finite matrix or the supports do not fit it.

    References
    ----------
    .. [1] Q.-T. Le, L. Zheng, E. Riccietti, R. Gribonval, "Butterfly factorization with error
       guarantees", arXiv:2411.04506.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.butterfly import split_errors
    >>> split_errors(np.sin(np.arange(64.0)).reshape(8, 8)).round(4)
    array([1.6248, 1.612 ])
    """
    A = check_matrix(A, "A")
    exponent = _binary_exponent(A)
    chain = resolve_supports(supports, *A.shape, rank=rank)
    values, outside = _values_on_support(
        _arrange(_times_power_of_two(A, -exponent), chain, permutation)[0], chain.product
    )
    errors = [
        math.hypot(outside, two_factor_step(values, chain[:s].product, chain[s:].product)[2])
        for s in range(1, len(chain))
    ]
    return _unscaled(errors, exponent)


def _factorize_scaled(
    A: Any,
    exponent: int,
    chain: Chain,
    order: str | Sequence[int],
    orthonormalize: bool,
    permutation: Permutation,
    on_split: Callable[[int, float], None] | None,
) -> Factorization:
    """Factor a matrix of ordinary magnitude; the factors are those of A * 2**exponent."""
    splits = splits_in_order(order, len(chain))
    arranged, rows, cols = _arrange(A, chain, permutation)
    values, outside = _values_on_support(arranged, chain.product)

    merged, groups = chain.merge_redundant()
    position = {start: i for i, (start, _) in enumerate(groups)}
    merged_splits = [position[s] for s in splits if s in position]
    original = {position[s]: s for s in splits if s in position}

    def report(split: int, norm: float) -> None:
        if on_split is not None:
            on_split(original[split], float(_unscaled(norm, exponent)))

    merged_factors, discarded = hierarchical_factorization(
        values, merged, merged_splits, orthonormalize=orthonormalize, on_split=report
    )
    factors: list[Any] = []
    for part, (start, stop) in zip(merged_factors, groups, strict=True):
        factors += expand_redundant(part, chain[start:stop])

    # equal shares of the scale: no factor over- or underflows before the product does
    shares = [
        exponent * (i + 1) // len(chain) - exponent * i // len(chain) for i in range(len(chain))
    ]
    pieces: list[Any] = [
        KroneckerFactor(_times_power_of_two(part, share), pattern)
        for part, share, pattern in zip(factors, shares, chain, strict=True)
    ]
    n_out, n_in = A.shape
    m, n = chain.shape
    if rows is not None or m > n_out:
        where = np.argsort(np.arange(m) if rows is None else rows)[:n_out]
        pieces.insert(0, PartialPermutation(where, m))
    if cols is not None or n > n_in:
        source = np.arange(n) if cols is None else cols
        pieces.append(PartialPermutation(np.where(source < n_in, source, -1), n_in))

    errors = np.zeros(len(chain) - 1)
    for split, norm in discarded.items():
        errors[original[split] - 1] = norm
    steps = np.diff(merged_splits)
    return Factorization(
        operator=FactorizedOperator(pieces),
        chain=chain,
        discarded=_unscaled(errors, exponent),
        outside=float(_unscaled(outside, exponent)),
        in_order=bool(np.all(steps > 0) or np.all(steps < 0)),
    )


def _arrange(A: Any, chain: Chain, permutation: Permutation) -> tuple[Any, Any, Any]:
    """Pad to the shape of the chain, then permute: (A[rows][:, cols], rows, cols)."""
    xp, where = array_namespace(A), device(A)
    m, n = chain.shape
    rows, cols = _permutation_pair(permutation, A.shape, chain)
    if m > A.shape[0]:
        A = xp.concat([A, xp.zeros((m - A.shape[0], A.shape[1]), dtype=A.dtype, device=where)])
    if n > A.shape[1]:
        A = xp.concat([A, xp.zeros((m, n - A.shape[1]), dtype=A.dtype, device=where)], axis=1)
    if rows is not None:
        A = xp.take(A, move(rows, xp, where), axis=0)
    if cols is not None:
        A = xp.take(A, move(cols, xp, where), axis=1)
    return A, rows, cols


def _permutation_pair(
    permutation: Permutation, shape: tuple[int, int], chain: Chain
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Row and column permutation of the padded matrix; None is the identity."""
    if permutation is None:
        return None, None
    if isinstance(permutation, str):
        if permutation != "digit-reversal":
            raise ValueError(
                "permutation must be None, 'digit-reversal' or a pair (rows, cols), "
                f"got {permutation!r}."
            )
        return None, digit_reversal(chain.in_radices)
    if not isinstance(permutation, (tuple, list)) or len(permutation) != 2:
        raise TypeError(
            "permutation must be None, 'digit-reversal' or a pair (rows, cols), "
            f"got {permutation!r}. Pass (None, cols) to permute columns only."
        )
    rows, cols = (
        _padded_permutation(index, name, size, padded)
        for index, name, size, padded in zip(
            permutation, ("rows", "cols"), shape, chain.shape, strict=True
        )
    )
    return rows, cols


def _padded_permutation(index: Any, name: str, size: int, padded: int) -> np.ndarray | None:
    if index is None:
        return None
    found = np.asarray(to_numpy(index))
    if found.shape != (size,) or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(
            f"permutation {name} must be {size} integers, one per index of A, "
            f"got shape {found.shape} and dtype {found.dtype}."
        )
    if not np.array_equal(np.sort(found), np.arange(size)):
        raise ValueError(
            f"permutation {name} must contain each of 0 .. {size - 1} exactly once; "
            "some index is repeated, missing or out of range."
        )
    return np.concatenate([found.astype(np.intp), np.arange(size, padded)])


def _values_on_support(A: Any, support: KroneckerSparse) -> tuple[Any, float]:
    """Values (a, d, b, c) of A on a pattern, and the norm of A off it."""
    a, b, c, d = support
    xp, where = array_namespace(A), device(A)
    if a == d == 1:
        return xp.reshape(A, (1, 1, b, c)), 0.0
    row = np.arange(a * b * d).reshape(a, b, d).transpose(0, 2, 1)[..., :, None]
    col = np.arange(a * c * d).reshape(a, c, d).transpose(0, 2, 1)[..., None, :]
    flat = move((row * (a * c * d) + col).ravel(), xp, where)
    values = xp.reshape(xp.take(xp.reshape(A, (-1,)), flat), (a, d, b, c))
    outside = A - support.project(A)
    return values, float(xp.linalg.vector_norm(outside))


def _binary_exponent(A: Any) -> int:
    """Exponent e such that A / 2**e has ordinary magnitude; 0 where A has it already.

    Squares and fourth powers of the entries are formed on the way: A is scaled where they could
    over- or underflow. Finds NaN and infinity in the same pass.
    """
    xp = array_namespace(A)
    largest = float(xp.max(xp.abs(A)))
    require_finite(largest, A, "A")
    usual = 100 if xp.finfo(A.dtype).eps < 1e-10 else 8
    exponent = math.frexp(largest)[1]
    return 0 if largest == 0 or abs(exponent) <= usual else exponent


def _times_power_of_two(x: Any, exponent: int) -> Any:
    """x * 2**exponent, in two steps since 2**1074 is no float; x itself for exponent 0."""
    if exponent == 0:
        return x
    half = exponent // 2
    return (x * 2.0**half) * 2.0 ** (exponent - half)


def _unscaled(norms: Any, exponent: int) -> np.ndarray:
    """norms * 2**exponent; infinite where the norm of finite entries is no finite number."""
    with np.errstate(over="ignore"):
        return np.ldexp(np.asarray(norms, dtype=float), exponent)


def _check_tol(tol: Any, rank: Any, supports: Any) -> None:
    if isinstance(tol, (bool, np.bool_)) or not isinstance(tol, (int, float, np.number)):
        raise TypeError(f"tol must be a number, got {tol!r}.")
    if not 0 < tol < math.inf:
        raise ValueError(f"tol must be positive and finite, got {tol!r}.")
    if rank is not None:
        raise ValueError(f"Pass rank={rank!r} or tol={tol!r}, not both: tol chooses the rank.")
    if not isinstance(supports, str):
        raise ValueError(
            f"tol={tol!r} chooses the rank of a named family ({', '.join(FAMILIES)}); a Chain or "
            "a callable carries its own ranks. Pass the name, or tol=None."
        )


def _least_rank(A: Any, family: str, permutation: Permutation, target: float) -> int:
    """Smallest rank at which the middle split alone does not already exceed the target error."""
    chain = resolve_supports(family, *A.shape)
    if len(chain) == 1:
        return 1
    xp, middle = array_namespace(A), len(chain) // 2
    values, _ = _values_on_support(_arrange(A, chain, permutation)[0], chain.product)
    blocks = blocks_of_product(values, chain[:middle].product, chain[middle:].product)
    s = xp.linalg.svdvals(xp.reshape(blocks, (-1, *blocks.shape[-2:])))
    squares = to_numpy(xp.sum(s**2, axis=0)).astype(float)
    tails = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
    # a little below the target: rounding must not skip a rank that reaches it
    return max(1, int(np.argmax(tails <= (target * (1 + 1e-6)) ** 2)))
