"""Hierarchical PALM: one factor is split off after the other, and all are refined together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace
from skfact._checks import check_choice, check_flag, check_matrix, check_number
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact._linalg import norm2
from skfact._progress import error_printer
from skfact._stopping import WINDOW, Stopping
from skfact._warn import warn
from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._factor_sets.resolve import resolve_linear_or_budgets, shown
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._palm.palm4msa import (
    PalmResult,
    assembled,
    shared,
    transposed,
    warn_if_no_use,
)
from skfact.deep_linear._palm.start import STARTS, Splits, best_scaled, nearest_factors
from skfact.deep_linear._palm.sweeps import Objective, Start, Sweeps, sweep_factors
from skfact.supports import KSparse

SIDES = ("left", "right")
MANY = 1000  # factors that nobody waits for


def hierarchical_palm(
    A: Any,
    supports: Sequence[Any] | None = None,
    residual_supports: Sequence[Any] | None = None,
    *,
    n_factors: int | None = None,
    k: int = 2,
    inner_sizes: Sequence[int] | None = None,
    residual: str = "left",
    init: str = "auto",
    max_iter: int = 30,
    tol: float = 1e-4,
    verbose: int = 0,
    return_loss: bool = False,
) -> Any:
    r"""Approximate a matrix by a product of factors within budgets, split off one by one.

    Level l splits the residual in two, ``T ~ residual @ factor``, by :func:`palm4msa` on two
    factors, and then refines all factors found so far on `A` itself. The factors need no fixed
    support: a budget says how many non-zeros each may have, and the data say where.

    Parameters
    ----------
    A : array-like of shape (n_out, n_in)
        Real or complex matrix, from any array library; integers become float64.
    supports : list, default=None
        One support per factor, from left to right, as in :func:`palm4msa`. None is
        ``KSparse(k, axis=(0, 1))`` for each.
    residual_supports : list, default=None
        Supports of the residuals of levels 1 .. n_factors - 2: what is not split yet. (The last
        residual is a factor.) None halves the budget at each level: ``max(k, n / 2**l)`` entries
        for each row and each column, n the longer side of `A`.
    n_factors : int, default=None
        Number of factors where no list says it, at most 1000. None is log2 of the shorter side,
        rounded.
    k : int, default=2
        Entries for each row and each column of a factor, where no list says it.
    inner_sizes : sequence of int, default=None
        Sizes between neighbouring factors, as in :func:`palm4msa`.
    residual : {"left", "right"}, default="left"
        On which side the residual is: "left" splits off the rightmost factor first.
    init : {"auto", "identity", "chain"}, default="auto"
        Where a split starts: "identity" from a zero residual and an identity, as published, with
        the scale of :func:`palm4msa`; "chain" from the best two factors with the supports of the
        butterfly chain of that many factors, projected on the budgets (for sizes that the chain
        has). "auto" follows both where both exist and keeps the better result.
    max_iter : int, default=30
        Largest number of sweeps of each run of PALM: two for each level.
    tol : float, default=1e-4
        A run ends when ten sweeps lower the loss by no more than this share of it, or two by
        nothing but rounding errors.
    verbose : int, default=0
        Print the relative error after every `verbose` levels.
    return_loss : bool, default=False
        Also return the loss after each level.

    Returns
    -------
    operator : FactorizedOperator of shape (n_out, n_in)
        The product, in the array library of `A`; all factors have the same Frobenius norm. Which
        member of a family a factor has, ``family.nearest(factor.toarray())`` says.
    losses : ndarray of shape (n_factors - 1,)
        Squared Frobenius norm of the residual after each level (only with `return_loss`).

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `A` is sparse or not numeric.
    ValueError
        If `A` is not 2-D, is empty, or has NaN or infinite entries; if the supports do not chain or
        do not fit `A`; if lists and `n_factors` contradict each other; if ``init="chain"`` and the
        chain has other sizes.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the loss still falls after the `max_iter` sweeps of the last refinement; not for
        ``tol=0``, which makes all sweeps.
    skfact.exceptions.StructureWarning
        As in :func:`palm4msa`.

    See Also
    --------
    palm4msa : All factors at once.
    skfact.butterfly.butterfly_factorize : Closed form, with guarantees, for a chain of supports.

    Notes
    -----
    The identity start recovers a Hadamard matrix only because equal magnitudes are told apart by
    their position: its first step keeps the largest entries of `A`, and with the slightest noise
    these are at random places, not on a union of rank-one blocks. The chain start does not look at
    magnitudes; see :doc:`/theory/deep_linear`.

    References
    ----------
    .. [1] L. Le Magoarou, R. Gribonval, "Flexible multilayer sparse approximations of matrices and
       applications", IEEE Journal of Selected Topics in Signal Processing 10(4), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.linalg import hadamard
    >>> from skfact.deep_linear import hierarchical_palm
    >>> operator = hierarchical_palm(hadamard(32))
    >>> operator
    FactorizedOperator(32 x 32, 5 factors, nnz=320, float64)
    >>> bool(np.allclose(operator.toarray(), hadamard(32)))
    True
    """
    check_choice(residual, "residual", SIDES)
    check_choice(init, "init", STARTS)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)
    check_number(k, "k", int, 1)
    check_flag(return_loss, "return_loss")
    A = check_matrix(A, "A")
    if n_factors is not None:
        check_number(n_factors, "n_factors", int, 1)
        if n_factors > MANY:
            raise ValueError(f"n_factors must be at most {MANY}, got {n_factors}.")
    if supports is None:
        listed = None if residual_supports is None else len(residual_supports) + 2
        count = n_factors or listed or max(1, round(math.log2(min(A.shape))))
        supports = [KSparse(k, axis=(0, 1))] * count
    budgets = resolve_budgets(A, supports, residual_supports, inner_sizes, k, residual)
    if n_factors is not None and n_factors != len(budgets.factors):
        raise ValueError(
            f"n_factors={n_factors} contradicts the {len(budgets.factors)} supports. Leave "
            "n_factors out."
        )
    stopping = Stopping(max_iter, tol, error_printer(verbose, "hierarchical_palm", "level"))
    result = run_hierarchical(A, budgets, stopping, init)
    if result.outcome is Outcome.CUT_OFF and tol > 0:
        warn(
            f"The last refinement did not converge in {max_iter} sweeps: the loss still falls. "
            "Increase max_iter or tol.",
            ConvergenceWarning,
        )
    operator = assembled(budgets.factors, result.values, A.shape)
    warn_if_no_use(A, result)
    return (operator, result.losses) if return_loss else operator


def run_hierarchical(
    A: Any, budgets: Budgets, stopping: Stopping, init: str = "auto"
) -> PalmResult:
    """Hierarchical PALM on a checked matrix; levels and relative errors are reported."""
    exponent = binary_exponent(A)
    target, turned = times_power_of_two(A, -exponent), budgets
    if budgets.residual == "right":
        target, turned = array_namespace(A).matrix_transpose(target), budgets.T
    if len(turned.factors) == 1:
        start = nearest_factors(turned.factors, [target])
        rest = start.scale * turned.factors[0].dense(start.values[0]) - target
        found = Sweeps(start.values, start.scale, np.array([norm2(rest)]), Outcome.CONVERGED)
        losses = list[float]()
    else:
        found, losses = peel(target, turned, Splits.of(target, turned.factors, init), stopping)
    values = found.values
    if budgets.residual == "right":
        values = transposed(turned.factors, values)
    return PalmResult(
        shared(values, found.scale, exponent),
        unscaled(np.array(losses), 2 * exponent),
        found.outcome,
        math.sqrt(found.losses[-1] / (norm2(target) or 1.0)),
    )


def peel(
    A: Any, budgets: Budgets, splits: Splits, stopping: Stopping
) -> tuple[Sweeps, list[float]]:
    """Split off the rightmost factor, refine all, and so on with the residual on the left."""
    size = float(array_namespace(A).linalg.vector_norm(A)) or 1.0
    each = Stopping(stopping.max_iter, stopping.tol)
    sets = budgets.factors
    target, values, losses = A, list[Any](), list[float]()
    for level in range(1, len(sets)):
        last = len(sets) - level  # position of the factor that is split off
        residual = sets[0] if last == 1 else budgets.residuals[level - 1]
        pair, together = [residual, sets[last]], [residual, *sets[last:]]
        split = best_split(target, pair, splits.starts(target, pair, last), each)
        values = [*split.values, *values]
        refined = sweep_factors(
            Objective(A), together, best_scaled(A, together, Start(values, 1.0)), each
        )
        losses.append(float(refined.losses[-1]))
        values = refined.values[1:]
        target = refined.scale * residual.dense(refined.values[0])
        stopping.told(level, math.sqrt(losses[-1]) / size)
    return refined, losses


def best_split(
    target: Any, pair: Sequence[FactorSet], starts: Iterable[Start], stopping: Stopping
) -> Sweeps:
    """The best two-factor approximation that the starts lead to; the first that is exact.

    Sweeps from a later start end where they are too slow to overtake those before.
    """
    found: list[Sweeps] = []
    for start in starts:
        on_sweep = None
        if found:
            on_sweep = falls_behind(min(float(one.losses[-1]) for one in found), stopping.max_iter)
        each = stopping._replace(on_sweep=on_sweep)
        found.append(sweep_factors(Objective(target), pair, start, each))
        if found[-1].exact:
            break
    return min(found, key=lambda one: float(one.losses[-1]))


def falls_behind(best: float, max_iter: int) -> Callable[[int, float], bool]:
    """Whether a run, told of its sweeps, does not reach a loss in ten more, or as many as are left.

    At the rate of the last two, that is: rates fall.
    """
    losses: list[float] = []

    def told(sweep: int, loss: float) -> bool:
        losses.append(loss)
        if len(losses) < 3:
            return False
        rate = (losses[-3] - loss) / 2
        return loss - best > rate * min(WINDOW, max_iter - sweep)

    return told


class Budgets(NamedTuple):
    """Sets of the factors, and of the residual of each level but the last."""

    factors: list[FactorSet]
    residuals: list[FactorSet]
    residual: str  # the side it is on

    @property
    def T(self) -> Budgets:
        """Those of the transposed product."""
        other = SIDES[1 - SIDES.index(self.residual)]
        return Budgets(
            [one.T for one in reversed(self.factors)], [one.T for one in self.residuals], other
        )


def resolve_budgets(
    A: Any, supports: Any, residual_supports: Any, inner_sizes: Any, k: int, residual: str
) -> Budgets:
    """The sets that the arguments of `hierarchical_palm` stand for."""
    factors = resolve_linear_or_budgets(supports, A.shape, A, inner_sizes)
    product = factors[0].shape[0], factors[-1].shape[1]
    if product != tuple(A.shape):
        raise ValueError(
            f"The factors have a product of shape {product}, but A has shape {tuple(A.shape)}."
        )
    count, levels = len(factors), max(len(factors) - 2, 0)
    if residual_supports is None:
        return Budgets(factors, usual_residuals(A, factors, k, residual), residual)
    if isinstance(residual_supports, str) or not isinstance(residual_supports, Sequence):
        raise TypeError(
            f"residual_supports must be a list of supports, got {shown(residual_supports)}."
        )
    if len(residual_supports) != levels:
        raise ValueError(
            f"residual_supports must have {levels} supports, one for each level but the last, for "
            f"{count} factors; got {len(residual_supports)}."
        )
    return Budgets(factors, _residual_sets(A, factors, residual_supports, residual), residual)


def usual_residuals(
    A: Any, factors: Sequence[FactorSet], k: int = 2, residual: str = "left"
) -> list[FactorSet]:
    """Budgets that halve at each level, ``max(k, n / 2**level)`` for each row and column."""
    longer = max(A.shape)
    supports = [
        KSparse(max(k, math.ceil(longer / 2**level)), axis=(0, 1))
        for level in range(1, len(factors) - 1)
    ]
    return _residual_sets(A, factors, supports, residual)


def _residual_sets(
    A: Any, factors: Sequence[FactorSet], supports: Sequence[Any], residual: str
) -> list[FactorSet]:
    """The sets of residuals between one end of A and the factors that are split off."""
    sets = []
    for level, support in enumerate(supports, start=1):
        if residual == "left":
            shape = (A.shape[0], factors[-level].shape[0])
        else:
            shape = (factors[level - 1].shape[1], A.shape[1])
        sets += resolve_linear_or_budgets([support], shape, A)
    return sets
