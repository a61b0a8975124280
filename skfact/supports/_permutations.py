"""Permutations that bring fast transforms into the form of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from skfact._checks import positive_ints


def digit_reversal(radices: Sequence[int]) -> np.ndarray:
    """Return the permutation of the columns that makes a DFT a product of a chain.

    Column `j` of the permuted matrix has the digits ``j_1, ..., j_L`` in the mixed radix system
    `radices`, most significant first; it is column
    ``j_1 + p_1 * j_2 + p_1 * p_2 * j_3 + ...`` of the DFT, whose digits, least significant first,
    are the same. For radices all equal to 2 this is bit reversal.

    Parameters
    ----------
    radices : sequence of int
        Column radices ``p_1, ..., p_L`` of the chain, from left to right.

    Returns
    -------
    permutation : ndarray of shape (prod(radices),), dtype intp
        Index such that ``F[:, permutation]`` is exactly factorable by
        ``Chain.deformable(radices, radices)``, `F` being the DFT matrix.

    See Also
    --------
    Chain.butterfly : The chain whose radices are prime factors.

    Examples
    --------
    >>> from skfact.supports import Chain, digit_reversal
    >>> digit_reversal(Chain.butterfly(8).in_radices)
    array([0, 4, 2, 6, 1, 5, 3, 7])
    >>> digit_reversal(Chain.butterfly(6).in_radices)
    array([0, 2, 4, 1, 3, 5])
    """
    p = positive_ints(radices, "radices")
    return np.arange(prod(p), dtype=np.intp).reshape(p[::-1]).T.ravel()
