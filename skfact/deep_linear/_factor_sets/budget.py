"""Factors within a budget of non-zeros; their values are the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from skfact._backend import array_namespace, move_like
from skfact._inputs import is_numpy
from skfact._linalg import adjoint
from skfact.deep_linear._factor_sets.factor_set import DenseSet, factor_set
from skfact.deep_linear._factor_sets.mask import MEDIUM, SPARSE
from skfact.supports import KSparse

LARGE = 2**18  # entries of a matrix beyond which a vector is multiplied as CSR


class BudgetSet(DenseSet):
    """Factors with few non-zeros, wherever these are."""

    is_linear = False

    def __init__(self, support: Any, shape: tuple[int, int]) -> None:
        super().__init__(shape)
        self.support = support
        self._last: tuple[Any, Any, Any] = (None, None, None)  # values, what multiplies for them

    @property
    def T(self) -> BudgetSet:
        return type(self)(self.support.T, (self.shape[1], self.shape[0]))

    def times(self, values: Any, X: Any) -> Any:
        return self._matrices(values, X)[0] @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        return self._matrices(values, X)[1] @ X

    def _matrices(self, values: Any, X: Any) -> tuple[Any, Any]:
        """The factor and its adjoint: CSR for few non-zeros of NumPy arrays, otherwise the values.

        Nobody writes into values, and the same ones multiply many times in a row.
        """
        least = MEDIUM if X.shape[1] > 1 else LARGE  # SciPy takes longer to begin
        if not (isinstance(values, np.ndarray) and values.size >= least):
            return values, adjoint(values)
        known, *matrices = self._last
        if known is not values:
            matrices = [values, adjoint(values)]
            if np.count_nonzero(values) <= SPARSE * values.size:
                matrix = few_as_csr(values)
                matrices = [matrix, matrix.conj().T]
            self._last = values, *matrices
        return matrices[0], matrices[1]

    def project(self, values: Any) -> Any:
        return self.support.project(values)

    def proposals(self, moved: Any, old: Any) -> Iterator[Any]:
        """The projection; then, as a budget of rows and columns is projected on by a rule of thumb,
        the same entries as before.
        """
        yield self.project(moved)
        xp = array_namespace(moved)
        yield xp.where(old != 0, moved, xp.zeros_like(moved))

    def factors(self, values: Any, like: Any) -> list[Any]:
        """The factor as one of an operator: sparse if it has zeros and the library knows that."""
        values = move_like(values, like)
        sparse = is_numpy(array_namespace(like)) and np.count_nonzero(values) < values.size
        return [csr_array(values) if sparse else values]


def few_as_csr(values: np.ndarray) -> Any:
    """A matrix with few non-zeros as CSR: faster than SciPy, which looks at each row."""
    (m, n), flat = values.shape, np.ravel(values)
    at = np.flatnonzero(flat)
    starts = np.searchsorted(at, n * np.arange(m + 1))
    return csr_array((flat[at], at % n, starts), shape=(m, n))


@factor_set.register
def _(support: KSparse, shape: tuple[int, int]) -> BudgetSet:
    return BudgetSet(support, shape)
