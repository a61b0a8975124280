"""The errors that no product along a chain avoids: one for each split."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._backend import detached
from skfact._checks import check_matrix
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact.butterfly._factorize import factorize
from skfact.butterfly._hierarchical import two_factor_step
from skfact.butterfly._plans import first_plan
from skfact.butterfly._reading import Permutation, arrange, check_permutation, values_on_support
from skfact.supports import Chain


def split_errors(
    A: Any,
    supports: str | Callable[[int, int], Chain] | Chain = "butterfly",
    *,
    rank: int | None = None,
    permutation: Permutation = "auto",
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
    permutation : str, (rows, cols) or None, default="auto"
        As in :func:`butterfly_factorize`. "auto", "cluster" and "search" factor `A`, to take what
        is taken there.

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
    check_permutation(permutation)
    plan = first_plan(supports, A.shape, permutation)
    if permutation in ("auto", "cluster", "search"):
        plan = factorize(A, supports, rank=rank, permutation=permutation).plan
    return errors_of_splits(A, plan.chain(rank=rank), plan.permutation)


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
