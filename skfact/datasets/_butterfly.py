"""Random products along a chain."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._checks import check_random_state
from skfact.datasets._noise import checked_dtype, checked_noise, plus_noise, random_values
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.supports import Chain, resolve_supports


def make_butterfly(
    n_out: int = 64,
    n_in: int | None = None,
    *,
    supports: str | Callable[[int, int], Chain] | Chain = "butterfly",
    rank: int | None = None,
    noise: float = 0.0,
    dtype: Any = np.float64,
    random_state: Any = None,
) -> tuple[np.ndarray, FactorizedOperator]:
    """Make a random matrix that is a product of Kronecker-sparse factors, and the factors.

    The values of the factors have magnitudes between 0.5 and 1.5, before scaling, and random signs
    (phases, if complex), so that the entries of the product are of comparable size: products of
    many normal variables would not be. The entries inside the product's support have unit variance.

    Parameters
    ----------
    n_out : int, default=64
        Number of rows.
    n_in : int, default=None
        Number of columns; None makes the matrix square.
    supports : str, callable or Chain, default="butterfly"
        Family of supports ("butterfly", "monarch", "low-rank", "dense"), a callable
        ``(n_out, n_in) -> Chain``, or a chain. A chain larger than the matrix is cropped.
    rank : int, default=None
        Rank of the blocks of a named family; None is 1.
    noise : float, default=0.0
        Norm of the Gaussian noise added to the product, relative to the norm of the product.
    dtype : dtype or str, default=float64
        One of float32, float64, complex64 and complex128.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same matrix at every call.

    Returns
    -------
    A : ndarray of shape (n_out, n_in)
        The product plus the noise.
    operator : FactorizedOperator of shape (n_out, n_in)
        The product, as its factors.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `dtype` is none of the four.
    ValueError
        If a size or `noise` is out of range, or `supports` does not fit (see
        :func:`skfact.supports.resolve_supports`).

    See Also
    --------
    skfact.butterfly.butterfly_factorize : Finds the factors of such a matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.butterfly import butterfly_factorize
    >>> from skfact.datasets import make_butterfly
    >>> A, operator = make_butterfly(64, 48, noise=0.1, random_state=0)
    >>> found = butterfly_factorize(A, "butterfly")
    >>> error = np.linalg.norm(found.toarray() - A) / np.linalg.norm(A)
    >>> bool(error < 0.1)  # closer than the product the matrix was made of
    True
    """
    chain = resolve_supports(supports, n_out, n_out if n_in is None else n_in, rank=rank)
    noise, dtype = checked_noise(noise), checked_dtype(dtype)
    n_out, n_in = int(n_out), int(n_out if n_in is None else n_in)
    random = check_random_state(random_state)

    # an entry of the product is a sum over prod(ranks) paths, each with one value per factor
    second_moment = 1 + 1 / 12
    scale = math.prod(chain.ranks) ** (-0.5 / len(chain)) / math.sqrt(second_moment)
    factors: list[Any] = []
    for pattern in chain:
        a, b, c, d = pattern
        factors.append(KroneckerFactor(random_values(random, (a, d, b, c), dtype, scale), pattern))
    m, n = chain.shape
    if m > n_out:
        factors.insert(0, PartialPermutation.crop(n_out, m))
    if n > n_in:
        factors.append(PartialPermutation.pad(n, n_in))
    operator = FactorizedOperator(factors)

    return plus_noise(random, operator.toarray(), noise), operator
