"""What is proved about the error of a hierarchical factorization."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def error_bound(
    discarded: np.ndarray,
    outside: float,
    *,
    in_order: bool,
    orthonormalize: bool,
    split_errors: Callable[[], np.ndarray],
    n_factors: int,
) -> float:
    r"""Bound of ||A - A_hat||_F that holds for the options used, up to rounding.

    With orthonormalization every split projects the current product orthogonally, so it changes by
    exactly the norm :math:`\delta_l` that split l discards:

    - splits from one end to the other: the changes are orthogonal, the error *is*
      :math:`\sqrt{\sum \delta_l^2}`;
    - any other order: :math:`\sum \delta_l` by the triangle inequality, and
      :math:`\delta_l \le E_l`, the two-factor error of A itself, since each projection acts on
      whole rows or columns of the blocks of the later splits.

    Without it the best known factor is :math:`2^{L-1} - 1` times the optimum (arXiv 2411.04506),
    and the optimum is at most :math:`\sqrt{\sum E_l^2}`, which an orthonormalized run reaches.

    `discarded` are the :math:`\delta_l`, `split_errors` gives the :math:`E_l` (called only without
    orthonormalization), and L = `n_factors` counts redundant pairs as one. `outside` is the norm
    of the entries outside the product support: no factorization reaches them.
    """
    if orthonormalize:
        # hypot, since squares of tiny and of huge norms are no numbers
        return math.hypot(*discarded if in_order else (float(np.sum(discarded)),), outside)
    # sum E_l^2 counts the outside once per split, which only makes the bound larger
    optimum = math.hypot(*split_errors(), outside)
    return max(1.0, 2.0 ** (n_factors - 1) - 1.0) * optimum


def rounding_allowance(n_factors: int, eps: float, norm: float) -> float:
    """What floating-point arithmetic may add to any of the bounds."""
    return 10 * (n_factors + 1) * eps * norm
