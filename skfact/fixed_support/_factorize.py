"""Two factors with fixed supports: scale, missing entries, the choice of the solver, the result."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skfact._backend import array_namespace
from skfact._checks import check_choice, check_matrix, check_number
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact._inputs import is_numpy
from skfact._kernels.low_rank_blocks import OutOfScaleError
from skfact._linalg import abs2
from skfact.fixed_support._alternating.descent import alternating_factors
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._tractable.exact import exact_factors, reads_all_once
from skfact.fixed_support._tractable.grids import dense_factor, product, with_fixed_phases
from skfact.fixed_support._tractable.report import ALTERNATING, BLOCKWISE, SupportReport, report_on
from skfact.fixed_support._warnings import (
    warn_if_diverging,
    warn_if_not_closed,
    warn_if_unfinished,
)
from skfact.operators import FactorizedOperator, SparseFactor

SOLVERS = ("auto", "exact", "alternating")
# A factor with at most this share of non-zeros becomes a sparse factor of the operator.
SPARSE = 0.25
# A loss of that many rounding errors of ||A||^2 is none.
ROUNDING = 100


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
        Whether they are a certified global optimum (up to rounding).
    loss : float
        ||A - left @ right||_F^2 over the observed entries, plus the penalty.
    error : float
        ||A - left @ right||_F over the observed entries.
    loss_curve : ndarray of shape (n_iter + 1,)
        Loss at the start and after each sweep of the best run; one number for a closed form.
    n_iter : int
        Sweeps of the best run; 1 for a closed form.
    converged : bool
        False if the best run stopped at `max_iter`.
    diverging_components : ndarray of int
        Components whose factors grew without end: the infimum is probably not attained.

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
    loss_curve: np.ndarray
    n_iter: int
    converged: bool
    diverging_components: np.ndarray

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
        factors: list[Any] = []
        for mask, values, name in (
            (self.support_report.left_support, self.left_values, "left"),
            (self.support_report.right_support, self.right_values, "right"),
        ):
            sparse = mask.nnz <= SPARSE * math.prod(mask.shape) and is_numpy(
                array_namespace(values)
            )
            factors.append(
                SparseFactor(type(mask)((values, mask.indices, mask.indptr), shape=mask.shape))
                if sparse
                else getattr(self, name)
            )
        return FactorizedOperator(factors)

    def __repr__(self) -> str:
        m, n = self.support_report.shape
        worth = "global optimum" if self.optimal else "no certificate"
        return (
            f"FixedSupportFactorization(({m} x {n}) ~ ({m} x {self.support_report.n_components}) @ "
            f"({self.support_report.n_components} x {n}), solver={self.solver!r}, "
            f"error={self.error:.6g}, {worth})"
        )


def fixed_support_factorize(
    A: Any,
    left_support: Any,
    right_support: Any = None,
    *,
    solver: str = "auto",
    alpha: float = 0.0,
    missing_values: float | None = None,
    n_init: int = 1,
    max_iter: int = 200,
    tol: float = 1e-4,
    random_state: Any = None,
) -> FixedSupportFactorization:
    r"""Approximate a matrix by a product of two factors that are zero outside given masks.

    Minimizes

    .. math:: \|A - X Y\|_F^2 + \alpha (\|X\|_F^2 + \|Y\|_F^2), \quad
              \mathrm{supp}\, X \subset I, \ \mathrm{supp}\, Y \subset J.

    Where the supports are tractable (:func:`analyze_supports` says so) a closed form gives the
    global optimum: one low-rank approximation per class of equal rank-one supports, and, where
    supports overlap in *complete* classes, these fit the remainder. Otherwise the problem is
    NP-hard; alternating least squares then gives factors whose loss no change of one factor alone
    lowers, without a certificate.

    Parameters
    ----------
    A : array-like of shape (m, n)
        Real or complex matrix, from any array library; integers become float64.
    left_support : mask of shape (m, r) or SupportReport
        Where the left factor X may be non-zero: booleans or 0/1, an array of any library or a SciPy
        sparse matrix. Or the report of :func:`analyze_supports` on both masks, which saves the
        analysis.
    right_support : mask of shape (r, n), default=None
        Where the right factor Y may be non-zero; None beside a report.
    solver : {"auto", "exact", "alternating"}, default="auto"
        "auto" takes the closed form if there is one; "exact" raises if there is none.
    alpha : float, default=0.0
        Ridge penalty. A positive one makes every problem well posed; a closed form is then known
        only for disjoint supports.
    missing_values : float, default=None
        Entries of A equal to this (NaN or a number) do not count: masked low-rank completion, by
        alternating least squares, never certified.
    n_init : int, default=1
        Number of starts of alternating least squares: the first from the tractable relaxation of
        the supports or by elimination, whichever fits better, the others at random. The best one
        is kept.
    max_iter : int, default=200
        Largest number of sweeps per start.
    tol : float, default=1e-4
        A run ends when ten sweeps lower the loss by no more than this share of it.
    random_state : int, RandomState instance or None, default=None
        Draws the random starts.

    Returns
    -------
    result : FixedSupportFactorization
        The factors as `left` and `right`, `loss`, whether they are `optimal`, and more.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `A` is sparse or not numeric.
    ValueError
        If an argument has a wrong value, the masks do not fit `A` or each other, `A` has NaN or
        infinite entries that are not declared missing, or ``solver="exact"`` has no closed form.

    Warns
    -----
    IllPosedWarning
        If the loss still falls while factors grow: the infimum is probably not attained; or if a
        short search of the kind of :func:`closedness` finds that for some matrices, on these
        supports, it is not, the fit is not exact and `alpha` is 0.
    sklearn.exceptions.ConvergenceWarning
        If alternating least squares stopped at `max_iter` otherwise.

    See Also
    --------
    FixedSupportMF : The same as a scikit-learn transformer.
    analyze_supports : Whether there is a closed form, and why.
    skfact.butterfly.butterfly_factorize : Many factors with butterfly supports.

    Notes
    -----
    Alternating least squares solves each half step exactly (a proximal term of the size of rounding
    errors handles rank deficiency), in work proportional to the entries of the rank-one supports,
    or that of a dense product where this is less. Its loss never increases, up to rounding. The
    relaxation fits disjoint supports only. Elimination takes one class of components after the
    other, as an LU decomposition without pivoting does: it fits a class to the entries that no
    other remaining class reaches, and subtracts it.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Spurious valleys, NP-hardness, and tractability of
       sparse matrix factorization with fixed support", arXiv:2112.00386, Theorem 3.8.
    .. [2] Q.-T. Le, E. Riccietti, R. Gribonval, "Does a sparse ReLU network training problem
       always admit an optimum?", arXiv:2306.02666.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import fixed_support_factorize
    >>> A = np.array([[4.0, 0, 0, 7], [0, 3, 0, 0], [0, 0, 2, 0], [5, 0, 0, 1]])
    >>> left = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]])
    >>> result = fixed_support_factorize(A, left, left.T)
    >>> result
    FixedSupportFactorization((4 x 4) ~ (4 x 3) @ (3 x 4), solver='blockwise', error=8.66025, ...
    >>> round(result.loss, 12)
    75.0
    """
    report = report_of(left_support, right_support)
    return factorize(
        A,
        report,
        solver=solver,
        alpha=alpha,
        missing_values=missing_values,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        random_state=random_state,
    )


def report_of(left_support: Any, right_support: Any) -> SupportReport:
    """The report given, or one on the masks given."""
    if isinstance(left_support, SupportReport):
        if right_support is not None:
            raise ValueError(
                "right_support must be None beside a SupportReport, which knows both masks."
            )
        return left_support
    if right_support is None:
        raise TypeError("right_support is missing: pass two masks, or one SupportReport.")
    return report_on(*check_supports(left_support, right_support))


def check_options(
    solver: Any, alpha: Any, missing_values: Any, n_init: Any, max_iter: Any, tol: Any
) -> None:
    """Raise unless the options of the solver make sense."""
    check_choice(solver, "solver", SOLVERS)
    check_number(alpha, "alpha", float, 0)
    if not math.isfinite(alpha):
        raise ValueError(f"alpha must be finite, got {alpha!r}.")
    if missing_values is not None:
        check_number(
            0.0 if isinstance(missing_values, float | np.floating) else missing_values,
            "missing_values",
            float,
            -math.inf,
        )
    check_number(n_init, "n_init", int, 1)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)


def factorize(
    A: Any,
    report: SupportReport,
    *,
    solver: str = "auto",
    alpha: float = 0.0,
    missing_values: float | None = None,
    n_init: int = 1,
    max_iter: int = 200,
    tol: float = 1e-4,
    random_state: Any = None,
    on_sweep: Callable[[int, int, float], Any] | None = None,
    stacklevel: int = 3,
) -> FixedSupportFactorization:
    """`fixed_support_factorize` with a report in place of masks, and a hook for progress."""
    check_options(solver, alpha, missing_values, n_init, max_iter, tol)
    random = check_random_state(random_state)
    A = check_matrix(A, "A")
    if A.shape != report.shape:
        raise ValueError(
            f"The supports are for matrices of shape {report.shape} (left_support "
            f"{report.left_support.shape}, right_support {report.right_support.shape}), but A has "
            f"shape {tuple(A.shape)}."
        )
    observed, A = observed_entries(A, missing_values)
    reason = no_closed_form(report, alpha, observed)
    if solver == "exact" and reason:
        raise ValueError(
            f"solver='exact' has no closed form: {reason}. Pass solver='auto' or 'alternating'."
        )
    closed_form = solver != "alternating" and not reason
    found, exponent, penalty = None, 0, float(alpha)
    if closed_form and reads_all_once(report):  # and finds what is not finite or of odd magnitude
        with suppress(OutOfScaleError):
            found = exact_factors(A, report, penalty, checked=False)
    if found is None:
        exponent = binary_exponent(A)
        exponent += exponent % 2  # equal halves for the two factors
        A = times_power_of_two(A, -exponent)
        penalty = min(math.ldexp(alpha, min(-exponent, 1000)), 1e30) if alpha else 0.0
    if closed_form:
        x, y, loss = found or exact_factors(A, report, penalty)
        name, optimal = report.route, True
        losses, converged, diverging = np.array([loss]), True, np.empty(0, dtype=np.intp)
        penalized = penalty * (_norm2(x) + _norm2(y)) if penalty else 0.0
        squared = max(loss - penalized, 0.0)
    else:
        x, y, losses, converged, diverging = alternating_factors(
            A,
            report,
            alpha=penalty,
            observed=observed,
            max_iter=max_iter,
            tol=tol,
            n_init=n_init,
            random=random,
            on_sweep=on_sweep,
        )
        name, optimal = ALTERNATING, False
        rest = A - product(report.left_support, x, report.right_support, y)
        squared = _norm2(rest if observed is None else rest * observed)
        loss = squared + (penalty * (_norm2(x) + _norm2(y)) if penalty else 0.0)
        exact = squared <= ROUNDING * float(array_namespace(A).finfo(A.dtype).eps) * _norm2(A)
        if not warn_if_diverging(diverging, stacklevel + 1):
            if not (exact or alpha) and observed is None:
                warn_if_not_closed(report, stacklevel + 1)
            warn_if_unfinished(converged, max_iter, stacklevel + 1)
    masks = report.left_support, report.right_support
    x, y = with_fixed_phases(x, y, *masks, report.class_batches)
    return FixedSupportFactorization(
        left_values=times_power_of_two(x, exponent // 2),
        right_values=times_power_of_two(y, exponent // 2),
        support_report=report,
        solver=name,
        optimal=optimal,
        loss=float(unscaled(loss, 2 * exponent)),
        error=float(unscaled(math.sqrt(squared), exponent)),
        loss_curve=unscaled(losses, 2 * exponent),
        n_iter=max(1, len(losses) - 1),
        converged=bool(converged),
        diverging_components=diverging,
    )


def observed_entries(A: Any, missing_values: float | None) -> tuple[Any, Any]:
    """Ones where A is observed (None if everywhere), and A with zeros elsewhere."""
    if missing_values is None:
        return None, A
    xp = array_namespace(A)
    missing = xp.isnan(A) if math.isnan(missing_values) else missing_values == A
    if not bool(xp.any(missing)):
        return None, A
    return xp.astype(~missing, A.dtype), xp.where(missing, xp.zeros_like(A), A)


def no_closed_form(report: SupportReport, alpha: float, observed: Any) -> str:
    """Why there is no closed form; empty if there is one."""
    if observed is not None:
        return "entries are missing"
    if not report.is_tractable:
        return report.reason
    if alpha and report.route != BLOCKWISE:
        return f"with alpha={alpha} only disjoint rank-one supports have one, and these overlap"
    return ""


def _norm2(x: Any) -> float:
    return float(array_namespace(x).sum(abs2(x)))
