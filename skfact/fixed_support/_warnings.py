"""What a run of alternating least squares has to warn of."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact.exceptions import IllPosedWarning
from skfact.fixed_support._existence.open_patterns import Budget, find_open_pattern
from skfact.fixed_support._supports.rank_one import abbreviated
from skfact.fixed_support._tractable.report import SupportReport

# What may be spent on finding out whether a best approximation exists, which is to take no longer
# than some sweeps: restrictions, and entries of the rectangles of all components.
BUDGET, LARGEST = 100, 5e6


def warn_if_diverging(diverging: np.ndarray, stacklevel: int) -> bool:
    """Warn of factors that grow without end; returns whether there were any."""
    if len(diverging):
        plural = "s" * (len(diverging) > 1)
        warnings.warn(
            f"The factors of component{plural} {abbreviated(diverging)} grow while the loss falls: "
            "the best approximation on these supports seems not to exist. Pass alpha > 0 (a ridge "
            "penalty) for a problem that has a solution.",
            IllPosedWarning,
            stacklevel=stacklevel + 1,
        )
    return len(diverging) > 0


def warn_if_not_closed(report: SupportReport, stacklevel: int) -> None:
    """Warn of supports for which some matrices have no best approximation."""
    if report.is_tractable:
        return
    witness = find_open_pattern(
        report.left_support, report.right_support, Budget(BUDGET), largest=LARGEST
    )
    if witness is not None:
        warnings.warn(
            f"On these supports some matrices have no best approximation: components "
            f"{abbreviated(witness.components)} in rows {abbreviated(witness.rows)} and columns "
            f"{abbreviated(witness.columns)} form a pattern that is not closed. Whether this "
            "matrix has one is not known. Pass alpha > 0 (a ridge penalty) for a problem that "
            "has a solution; closedness() says more.",
            IllPosedWarning,
            stacklevel=stacklevel + 1,
        )


def warn_if_unfinished(converged: bool, max_iter: int, stacklevel: int) -> None:
    """Warn of a run that was cut off."""
    if not converged:
        warnings.warn(
            f"Alternating least squares still improved after max_iter={max_iter} sweeps; increase "
            "max_iter or tol.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )
