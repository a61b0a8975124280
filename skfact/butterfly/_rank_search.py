"""The ranks that a tolerance asks for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._checks import is_number
from skfact._kernels.low_rank_blocks import Classes
from skfact.butterfly._reading import Permutation, arrange
from skfact.supports import FAMILIES, Chain


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


def least_rank(A: Any, chain: Chain, permutation: Permutation, target: float) -> int:
    """Smallest rank at which the middle split alone does not already exceed the target error."""
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
