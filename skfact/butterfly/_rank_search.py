"""The ranks that a tolerance asks for, and the errors that each split cannot avoid."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._backend import array_namespace, detached, to_numpy
from skfact._checks import check_matrix, is_number
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact._kernels.low_rank_blocks import Classes
from skfact.butterfly._hierarchical import two_factor_step
from skfact.butterfly._reading import Permutation, arrange, values_on_support
from skfact.supports import FAMILIES, Chain, resolve_supports


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
    A = detached(check_matrix(A, "A"))
    chain = resolve_supports(supports, *A.shape, rank=rank)
    return errors_of_splits(A, chain, permutation)


def errors_of_splits(A: Any, chain: Chain, permutation: Permutation) -> np.ndarray:
    """`split_errors` of a checked matrix."""
    exponent = binary_exponent(A)
    arranged = arrange(times_power_of_two(A, -exponent), chain, permutation)
    values, outside = values_on_support(arranged, chain.product)
    errors = [
        math.hypot(outside, two_factor_step(values, chain[:s].product, chain[s:].product)[2])
        for s in range(1, len(chain))
    ]
    return unscaled(errors, exponent)


def check_tol(tol: Any, rank: Any, supports: Any) -> None:
    """Raise unless `tol` is a tolerance, and nothing else says which rank to take."""
    if not is_number(tol, float):
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


def least_rank(A: Any, family: str, permutation: Permutation, target: float) -> int:
    """Smallest rank at which the middle split alone does not already exceed the target error."""
    chain = resolve_supports(family, *A.shape)
    if len(chain) == 1:
        return 1
    xp, middle = array_namespace(A), len(chain) // 2
    arranged = arrange(A, chain, permutation)
    classes = Classes.of_pair(chain[:middle].product, chain[middle:].product)
    blocks = classes.blocks_of_product(arranged.values())
    s = xp.linalg.svdvals(xp.reshape(blocks, (-1, *blocks.shape[-2:])))
    squares = to_numpy(xp.sum(s**2, axis=0)).astype(float)
    tails = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
    # a little below the target: rounding must not skip a rank that reaches it
    return max(1, int(np.argmax(tails <= (target * (1 + 1e-6)) ** 2)))
