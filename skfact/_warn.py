"""Warnings that point to the line of the caller, and those about results of no use."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._linalg import adjoint, count_nonzero, norm2, thin_qr
from skfact.exceptions import StructureWarning

# decorators, pipelines and searches stand between an estimator and the line that called them
_BETWEEN = ("skfact", "sklearn", "joblib")
TOY = 1024  # entries of a matrix below which nobody counts numbers


def warn(message: str, category: type[Warning] = UserWarning, who: str = "") -> None:
    """Warn from the innermost line that is outside of skfact, scikit-learn and joblib.

    `who` is the estimator that warns, named first.
    """
    between = tuple(
        f"{Path(sys.modules[name].__file__ or '').parent}{os.sep}"
        for name in _BETWEEN
        if name in sys.modules
    )
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(between):
        level, frame = level + 1, frame.f_back
    warnings.warn(f"{who}: {message}" if who else message, category, stacklevel=level)


def warn_if_useless(
    A: Any,
    error: float,
    n_numbers: int,
    advice: str | Callable[[], str],
    *,
    tol_given: bool = False,
    who: str = "",
    seen: Any = None,
) -> None:
    """Warn if factors of `A` keep less than they should, or save nothing.

    Parameters
    ----------
    A : array of shape (m, n)
        The matrix that was factored.
    error : float
        Relative error of the factors, in the Frobenius norm.
    n_numbers : int
        Non-zeros of the factors.
    advice : str or callable
        What to try: a sentence, or a function that makes it once it is needed.
    tol_given : bool, default=False
        Whether the caller said which error is good enough; the error is no matter of ours then.
    who : str, default=""
        The estimator that warns.
    seen : array of shape (m, k), default=None
        What `error` is relative to, if not to `A`: its image of some inputs.
    """
    missed = error > 0.5 and not tol_given
    if not missed and (A.shape[0] * A.shape[1] < TOY or _some_nonzeros(A, n_numbers) > n_numbers):
        return
    n_needed = count_nonzero(A)
    if missed:
        complaint = f"leave a relative error of {error:.3g}"
    elif n_numbers >= n_needed:
        complaint = f"save nothing on its {n_needed} non-zeros"
    else:
        return
    rank = max(1, n_numbers // sum(A.shape))
    least = low_rank_error(A if seen is None else seen, rank)
    warn(
        f"The {n_numbers} numbers in the factors of the "
        f"{A.shape[0]} x {A.shape[1]} matrix {complaint}"
        f"{'' if seen is None else ' on the inputs'}. "
        f"Plain low rank reaches {least:.3g} with {rank * sum(A.shape)} numbers (rank {rank}). "
        f"{advice() if callable(advice) else advice}",
        StructureWarning,
        who,
    )


def _some_nonzeros(A: Any, n: int) -> int:
    """Non-zeros in some of the rows, enough of them to tell that a dense matrix has more than n."""
    rows = max(1, A.shape[0] * A.shape[1] // (2 * n + 1))
    return count_nonzero(A[::rows, :])


def low_rank_error(A: Any, rank: int) -> float:
    """A relative error that rank `rank` reaches: the least, but for a few percent.

    By block power steps from random directions, at the cost of some products with `A`.
    """
    xp = array_namespace(A)
    if rank >= min(A.shape) or not bool(xp.any(A != 0)):
        return 0.0
    A = times_power_of_two(A, -binary_exponent(A))  # squares must be numbers
    start = np.random.default_rng(0).standard_normal((A.shape[1], min(rank + 8, *A.shape)))
    basis = xp.astype(move(start, xp, device(A)), A.dtype)
    for _ in range(3):
        basis, _ = thin_qr(A @ basis)
        basis, _ = thin_qr(adjoint(A) @ basis)
    image = A @ basis
    left_out = norm2(A - image @ adjoint(basis)) + norm2(xp.linalg.svdvals(image)[rank:])
    return sqrt(left_out / norm2(A))
