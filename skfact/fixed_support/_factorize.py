"""The public function: a matrix approximated by two factors with fixed supports."""

from __future__ import annotations

from typing import Any

from skfact._checks import check_choice, check_matrix, check_number, check_random_state
from skfact.fixed_support._alternating.descent import Runs
from skfact.fixed_support._factorization import FixedSupportFactorization
from skfact.fixed_support._problem import Objective, Problem
from skfact.fixed_support._solvers.family import factorize_family
from skfact.fixed_support._solvers.outcome import warn_of
from skfact.fixed_support._solvers.solve import SOLVERS, factorize
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.pairs import pairs_of, with_left
from skfact.fixed_support._tractable.report import SupportReport, report_on
from skfact.supports._masks import Labels, labels_of, order_by


def fixed_support_factorize(
    A: Any,
    left_support: Any,
    right_support: Any = None,
    *,
    solver: str = "auto",
    alpha: float | str = 0.0,
    missing_values: float | None = None,
    positive: bool | str = False,
    entry_weight: Any = None,
    n_init: int = 1,
    max_iter: int = 200,
    tol: float = 1e-3,
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
    left_support : mask of shape (m, r), SupportReport or SupportFamily
        Where the left factor X may be non-zero: booleans or 0/1, an array of any library or a SciPy
        sparse matrix. Or the report of :func:`analyze_supports` on both masks, which saves the
        analysis. Or a :class:`~skfact.supports.SupportFamily` of masks, or of pairs of masks, all
        of which are searched.
    right_support : mask of shape (r, n) or SupportFamily, default=None
        Where the right factor Y may be non-zero; None beside a report or a family of pairs. With
        families of masks of one factor each member counts beside each one of the other factor.
    solver : {"auto", "exact", "alternating"}, default="auto"
        "auto" takes the closed form if there is one; "exact" raises if there is none.
    alpha : float or "auto", default=0.0
        Ridge penalty. A positive one makes every problem well posed; a closed form is then known
        only for disjoint supports. "auto" is 0 if `missing_values` is None and no entry has
        weight 0, and otherwise the median of the singular values of A other than 0, with zeros in
        place of what is missing.
    missing_values : float, default=None
        Entries of A equal to this (NaN or a number) do not count: masked low-rank completion, by
        alternating least squares, never certified.
    positive : {False, "components", "codes", True}, default=False
        Which factor may have no negative entry: the right one ("components"), the left one
        ("codes") or both (True), for real A. Certified only where A has no negative entry either
        and the supports are disjoint, with one component each.
    entry_weight : array-like of shape (m, n), default=None
        A weight for the square of each entry of ``A - X Y``, such as 1 / uncertainty**2: not
        negative, 0 for an entry that does not count. Loss and error are weighted then. A data frame
        is put in the order of `A` by its labels.
    n_init : int, default=1
        Number of starts of alternating least squares: the first from the tractable relaxation of
        the supports or by elimination, whichever fits better, the same each time; the others at
        random. The best one is kept.
    max_iter : int, default=200
        Largest number of sweeps per start.
    tol : float, default=1e-3
        A run ends when ten sweeps lower the loss by no more than this share of it.
    random_state : int, RandomState instance or None, default=None
        Draws the random starts, those after the first.

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
    StructureWarning
        If the relative error is above one half, with what plain low rank reaches with as many
        numbers (dense supports are that, and keep what they can in silence); or if entries are
        missing so that others are arbitrary: columns with too few observed entries, or never
        observed together with the rest of their component.
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

    Non-negative half steps are exact, too: coordinate descent for some rounds, then the active-set
    method of Lawson and Hanson for all rows or columns at once, on their normal equations: each
    then has a matrix of its own, and a sweep takes some ``(m + n) r^3`` multiplications more.
    Starts are the positive parts of the ones above. For both factors non-negative a best
    approximation exists on all supports if nothing is missing.

    Where entries are missing or have weights, each row and column has a Gram matrix of its own: for
    r components that reach everything, a sweep takes ``m n r^2`` multiplications for all of them,
    and memory for some copies of A and of the factors, and for ``2**22`` entries of Gram matrices
    at a time.

    Of a family, pairs with a closed form are solved first. A pair is skipped if no factors on it
    can be better than the best so far: its loss is at least the energy of A outside its rank-one
    supports, and, for pairs without a closed form, what the truncated singular value decomposition
    with as many components leaves. `family_index` says which pair it was, `family_losses` what the
    others reached, and `optimal` is for the whole family.

    Data frames as masks are put in the order of `A`, and of the components of the right mask, by
    their labels; labels that do not match are refused, and arrays are taken by position.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Spurious valleys, NP-hardness, and tractability of
       sparse matrix factorization with fixed support", arXiv:2112.00386: the theorem on supports
       that are disjoint beside the complete classes.
    .. [2] Q.-T. Le, E. Riccietti, R. Gribonval, "Does a sparse ReLU network training problem
       always admit an optimum?", arXiv:2306.02666.
    .. [3] C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", Prentice-Hall, 1974:
       chapter 23, non-negative least squares.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import fixed_support_factorize
    >>> A = np.array([[4.0, 0, 0, 1], [0, 3, 0, 0], [0, 0, 2, 0], [2, 0, 0, 1]])
    >>> left = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]])
    >>> result = fixed_support_factorize(A, left, left.T)
    >>> result
    FixedSupportFactorization((4 x 4) ~ (4 x 3) @ (3 x 4), solver='blockwise', error=2.44949, ...
    >>> round(result.loss, 12)
    6.0

    Groups of rows and columns, in one of three orders:

    >>> from skfact.supports import SupportFamily
    >>> orders = ([0, 1, 2, 3], [0, 2, 1, 3], [0, 2, 3, 1])
    >>> family = SupportFamily([(left[order], left[order].T) for order in orders])
    >>> fixed_support_factorize(A, family)
    FixedSupportFactorization(...global optimum, pair 2 of 3, 2 skipped by a bound)
    """
    pairs, labels = pairs_of(left_support, right_support), labels_of(A)
    objective = Objective(alpha, missing_values, positive, entry_weight)
    check_options(solver, objective, n_init, max_iter, tol)
    runs = Runs(check_random_state(random_state), max_iter, tol, n_init)
    objective = objective.beside(labels, "A")
    if pairs is None:
        report = report_of(left_support, right_support, "A", labels)
        problem = Problem.of(check_matrix(A, "A"), report, objective)
        result, outcome = factorize(problem, solver, runs)
    else:
        A = check_matrix(A, "A")
        reports = [report_of(*with_left(pair, A.shape[0]), "A", labels) for pair in pairs]
        problem = Problem.of(A, reports[0], objective)
        result, outcome = factorize_family(problem, reports, solver, runs)
    warn_of(problem._replace(report=result.support_report), result, outcome, labels[1])
    return result


def report_of(
    left_support: Any, right_support: Any, matrix: str, labels: tuple[Labels, Labels]
) -> SupportReport:
    """The report given, or one on the masks given, for a matrix with these labels."""
    if isinstance(left_support, SupportReport):
        if right_support is not None:
            raise ValueError(
                "right_support must be None beside a SupportReport, which knows both masks."
            )
        for own, wanted in zip(left_support.labels, labels, strict=True):
            if order_by(own, wanted, "The report", matrix) is not None:
                raise ValueError(
                    f"The report was made for masks with rows or columns in another order than "
                    f"{matrix} has: order {matrix} as they are, or pass the masks."
                )
        return left_support
    if right_support is None:
        raise TypeError("right_support is missing: pass two masks, or one SupportReport.")
    return report_on(*check_supports(left_support, right_support, matrix=matrix, labels=labels))


def check_options(solver: Any, objective: Objective, n_init: Any, max_iter: Any, tol: Any) -> None:
    """Raise unless the options of the solver make sense."""
    check_choice(solver, "solver", SOLVERS)
    objective.check()
    check_number(n_init, "n_init", int, 1)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)
