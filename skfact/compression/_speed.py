"""About how fast products with an operator are, beside those with the dense matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.operators import SparseFactor
from skfact.operators._fuse import USUAL_BATCH, numpy_cost
from skfact.supports import KroneckerSparse

ENTRY = 0.5  # nanoseconds for an entry of a sparse factor and a row, as SciPy takes: estimated


def nanoseconds(weight: Any) -> float:
    """Expected time of products with a batch of usual size, by the model that fuses factors."""
    cost = numpy_cost(weight.dtype, USUAL_BATCH)
    if isinstance(weight, np.ndarray):
        m, n = weight.shape
        return cost(KroneckerSparse(1, m, n, 1))
    factors = [factor for term in weight._summands for factor in term.fuse().factors]
    entries = sum(factor.nnz for factor in factors if isinstance(factor, SparseFactor))
    return sum(cost(factor._pattern) for factor in factors) + ENTRY * USUAL_BATCH * entries
