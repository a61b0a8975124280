"""Solvers."""

from __future__ import annotations

from typing import Any

import scipy.sparse.linalg
from cupy._array import launch


class LinearOperator:
    """Holds the products, which CuPy's own solvers call."""

    matmat: Any

    def __init__(self, shape: Any, dtype: Any, **products: Any) -> None:
        self.shape, self.dtype = shape, dtype
        vars(self).update(products)

    def __matmul__(self, X: Any) -> Any:
        return self.matmat(X)


class splu:
    """SciPy's decomposition, which is also CuPy's."""

    def __init__(self, A: Any) -> None:
        self.host = scipy.sparse.linalg.splu(A.get().tocsc())

    def solve(self, rhs: Any) -> Any:
        return launch("splu.solve", self.host.solve, rhs)
