"""Two factors with fixed supports, and what they are worth: the result."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from skfact._backend import array_namespace, portable
from skfact._inputs import is_numpy
from skfact.fixed_support._supports.runs import run_of_place, with_values
from skfact.fixed_support._tractable.flat_factor import dense_factor
from skfact.fixed_support._tractable.report import SupportReport
from skfact.operators import FactorizedOperator, SparseFactor

# A factor with at most this share of non-zeros becomes a sparse factor of the operator.
SPARSE = 0.25


@dataclass(frozen=True, eq=False, repr=False)
class FixedSupportFactorization:
    """Factors with fixed supports, and what they are worth.

    Made by :func:`fixed_support_factorize`.

    Parameters
    ----------
    left_values : array of shape (n_left,)
        Values of the left factor on its support, component after component, in the array type of
        the matrix.
    right_values : array of shape (n_right,)
        Values of the right factor on its support, component after component.
    support_report : SupportReport
        What the supports say about the problem, with the masks.
    solver : {"blockwise", "complete-classes", "alternating"}
        How the factors were found.
    optimal : bool
        Whether they are a certified global optimum (up to rounding), over all pairs of a family.
    loss : float
        ||A - left @ right||_F^2 over the observed entries, plus the penalty.
    error : float
        ||A - left @ right||_F over the observed entries; infinite if it is no finite number.
    relative_error : float
        The same as a share of ||A||_F; 0 for a matrix of zeros.
    loss_curve : ndarray of shape (n_iter + 1,)
        Loss at the start and after each sweep of the best run; one number for a closed form.
    n_iter : int
        Sweeps of the best run; 1 for a closed form.
    converged : bool
        False if the best run stopped at `max_iter`.
    diverging_components : ndarray of int
        Components whose factors grew without end: the infimum is probably not attained.
    family_index : int, default=None
        Which pair of a family of supports has these factors; None without a family.
    family_losses : ndarray of shape (n_pairs,), default=None
        The loss on each pair of the family. NaN where a bound showed, before it was solved, that it
        is not the best.

    See Also
    --------
    fixed_support_factorize : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import fixed_support_factorize
    >>> groups = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    >>> result = fixed_support_factorize(np.ones((3, 4)), np.ones((3, 2)), groups)
    >>> result.right.round(2)
    array([[1.11, 1.11, 0.  , 0.  ],
           [0.  , 0.  , 1.11, 1.11]])
    """

    left_values: Any
    right_values: Any
    support_report: SupportReport
    solver: str
    optimal: bool
    loss: float
    error: float
    relative_error: float
    loss_curve: np.ndarray
    n_iter: int
    converged: bool
    diverging_components: np.ndarray
    family_index: int | None = None
    family_losses: np.ndarray | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the values, and not what is made of them."""
        return portable({field.name: getattr(self, field.name) for field in fields(self)})

    @cached_property
    def left(self) -> Any:
        """The left factor as a dense array of shape (m, r), made when asked for."""
        return dense_factor(self.support_report.left_support, self.left_values)

    @cached_property
    def right(self) -> Any:
        """The right factor as a dense array of shape (r, n), made when asked for."""
        return dense_factor(self.support_report.right_support, self.right_values)

    @cached_property
    def operator(self) -> FactorizedOperator:
        """The product as a fast linear map; factors with few non-zeros stay sparse (in NumPy)."""
        return operator_of(self.support_report, self.left, self.right)

    def __repr__(self) -> str:
        m, n = self.support_report.shape
        worth = "global optimum" if self.optimal else "no certificate"
        return (
            f"FixedSupportFactorization(({m} x {n}) ~ ({m} x {self.support_report.n_components}) @ "
            f"({self.support_report.n_components} x {n}), solver={self.solver!r}, "
            f"error={self.error:.6g}, {worth}{self._search()})"
        )

    def _search(self) -> str:
        """Which pair of a family it was, in words."""
        if self.family_losses is None:
            return ""
        skipped = int(np.isnan(self.family_losses).sum())
        pairs = f", pair {self.family_index} of {len(self.family_losses)}"
        return pairs + (f", {skipped} skipped by a bound" if skipped else "")


def operator_of(report: SupportReport, left: Any, right: Any) -> FactorizedOperator:
    """The product of dense factors as an operator, where those with few non-zeros are sparse."""
    factors = []
    for mask, factor in ((report.left_support, left), (report.right_support, right)):
        sparse = mask.nnz <= SPARSE * math.prod(mask.shape)
        if sparse and is_numpy(array_namespace(factor)):
            rows, columns = (run_of_place(mask), mask.indices)[:: 1 if mask.format == "csr" else -1]
            factor = SparseFactor(with_values(mask, factor[rows, columns]))
        factors.append(factor)
    return FactorizedOperator(factors)
