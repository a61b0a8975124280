"""Hierarchical PALM: one factor is split off after the other, and all are refined together."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, device
from skfact._checks import check_choice, check_matrix, check_number
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact.butterfly import butterfly_factorize
from skfact.deep_linear._factor_sets.resolve import FactorSupports, resolve_factor_supports
from skfact.deep_linear._factor_sets.slots import make_slot, transposed_support
from skfact.deep_linear._factor_sets.structured import check_adjoints
from skfact.deep_linear._palm.palm4msa import PalmResult, assembled, printer, usual_scale
from skfact.deep_linear._palm.sweeps import (
    Sweeps,
    best_scale,
    normalized,
    suffix_products,
    sweep_factors,
)
from skfact.supports import Chain, KSparse, resolve_supports

STARTS = ("auto", "identity", "chain")
SIDES = ("left", "right")


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
        Number of factors where no list says it. None is log2 of the shorter side, rounded.
    k : int, default=2
        Entries for each row and each column of a factor, where no list says it.
    inner_sizes : sequence of int, default=None
        Sizes between neighbouring factors, as in :func:`palm4msa`.
    residual : {"left", "right"}, default="left"
        On which side the residual is: "left" splits off the rightmost factor first.
    init : {"auto", "identity", "chain"}, default="auto"
        Where a split starts: "identity" as the algorithm was published, from a zero residual and an
        identity; "chain" from the best two factors with the supports of the butterfly chain of that
        many factors, projected on the budgets (for sizes that the chain has). "auto" follows both
        where both exist and keeps the better result.
    max_iter : int, default=30
        Largest number of sweeps of each run of PALM: two for each level.
    tol : float, default=1e-4
        A run ends when ten sweeps lower the loss by no more than this share of it.
    verbose : int, default=0
        Print the relative error after every `verbose` levels.
    return_loss : bool, default=False
        Also return the loss after each level.

    Returns
    -------
    operator : FactorizedOperator of shape (n_out, n_in)
        The product, in the array library of `A`; all factors have the same Frobenius norm.
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

    See Also
    --------
    palm4msa : All factors at once.
    skfact.butterfly.butterfly_factorize : Closed form, with guarantees, for a chain of supports.

    Notes
    -----
    The identity start recovers a Hadamard matrix only because equal magnitudes are told apart by
    their position: its first step keeps the largest entries of `A`, and with the slightest noise
    these are at random places, not on a union of rank-one blocks. The chain start does not look at
    magnitudes; see the user guide.

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
    result = run_hierarchical(
        A,
        supports,
        residual_supports,
        n_factors=n_factors,
        k=k,
        inner_sizes=inner_sizes,
        residual=residual,
        init=init,
        max_iter=max_iter,
        tol=tol,
        on_level=printer(verbose, "hierarchical_palm", "level"),
    )
    if not result.converged and tol > 0:
        warnings.warn(
            f"The last refinement did not converge in {max_iter} sweeps: the loss still falls. "
            "Increase max_iter or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return (result.operator, result.losses) if return_loss else result.operator


def run_hierarchical(
    A: Any,
    supports: Any = None,
    residual_supports: Any = None,
    *,
    n_factors: Any = None,
    k: Any = 2,
    inner_sizes: Any = None,
    residual: str = "left",
    init: str = "auto",
    max_iter: int = 30,
    tol: float = 1e-4,
    on_level: Callable[[int, float], Any] | None = None,
) -> PalmResult:
    """`hierarchical_palm` with everything it found out; the hook gets (level, relative error)."""
    check_choice(residual, "residual", SIDES)
    check_choice(init, "init", STARTS)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)
    A = check_matrix(A, "A")
    budgets = resolve_budgets(A.shape, supports, residual_supports, n_factors, k, inner_sizes)
    check_adjoints(budgets.factors.supports, A)
    exponent = binary_exponent(A)
    target = times_power_of_two(A, -exponent)
    turned = residual == "right"
    xp = array_namespace(target)
    if turned:
        target, budgets = xp.matrix_transpose(target), budgets.T
    chain = matching_chain(budgets, init)
    size = float(xp.linalg.vector_norm(target)) or 1.0
    found, losses, converged = peel(target, budgets, chain, init, max_iter, tol, size, on_level)
    values, slots = found.values, budgets.factors.slots()
    if turned:
        values = [xp.matrix_transpose(value) for value in reversed(values)]
        slots = budgets.T.factors.slots()
    operator = assembled(values, slots, found.scale, exponent, A.shape)
    return PalmResult(operator, unscaled(np.array(losses), 2 * exponent), converged)


class Budgets(NamedTuple):
    """Supports of the factors, and of the residual of each level but the last."""

    factors: FactorSupports
    residuals: tuple[Any, ...]

    @property
    def T(self) -> Budgets:
        return Budgets(self.factors.T, tuple(transposed_support(s) for s in self.residuals))


def resolve_budgets(
    shape: tuple[int, int], supports: Any, residuals: Any, n_factors: Any, k: Any, sizes: Any
) -> Budgets:
    """The supports that the arguments stand for."""
    check_number(k, "k", int, 1)
    if n_factors is not None:
        check_number(n_factors, "n_factors", int, 1)
    if supports is None:
        count = n_factors or (2 + len(residuals) if residuals is not None else None)
        count = count or max(1, round(math.log2(min(shape))))
        supports = [KSparse(k, axis=(0, 1))] * count
    factors = resolve_factor_supports(supports, shape, sizes)
    count = len(factors.supports)
    if n_factors is not None and n_factors != count:
        raise ValueError(
            f"n_factors={n_factors} contradicts the {count} supports. Leave n_factors out."
        )
    if factors.shape != tuple(shape):
        raise ValueError(
            f"The factors have a product of shape {factors.shape}, but A has shape {tuple(shape)}."
        )
    levels = max(count - 2, 0)
    if residuals is None:
        residuals = [
            KSparse(max(k, math.ceil(max(shape) / 2**level)), axis=(0, 1))
            for level in range(1, levels + 1)
        ]
    elif isinstance(residuals, str) or not isinstance(residuals, Sequence):
        raise TypeError(f"residual_supports must be a list of supports, got {residuals!r}.")
    if len(residuals) != levels:
        raise ValueError(
            f"residual_supports must have {levels} supports, one for each level but the last, for "
            f"{count} factors; got {len(residuals)}."
        )
    checked = []
    for level, support in enumerate(residuals, start=1):
        inner = (shape[0], factors.shapes[count - level][0])
        checked.append(resolve_factor_supports([support], inner).supports[0])
    return Budgets(factors, tuple(checked))


def matching_chain(budgets: Budgets, init: str) -> Chain | None:
    """A chain with the sizes of the factors to start from; None if not wanted or not there."""
    if init == "identity":
        return None
    shapes = budgets.factors.shapes
    chain = grouped(resolve_supports("butterfly", *budgets.factors.shape), len(shapes))
    if chain is not None and tuple(pattern.shape for pattern in chain) == shapes:
        return chain
    if init == "chain":
        found = "fewer factors" if chain is None else f"factors {[p.shape for p in chain]}"
        raise ValueError(
            f"init='chain' needs the sizes of a butterfly chain, which has {found} for a matrix of "
            f"shape {budgets.factors.shape}; these are {list(shapes)}. Use init='auto'."
        )
    return None


def grouped(chain: Chain, count: int) -> Chain | None:
    """The chain with neighbours multiplied out until `count` patterns are left."""
    if len(chain) < count:
        return None
    ends = [len(chain) * i // count for i in range(count + 1)]
    return Chain([chain[i:j].product for i, j in pairwise(ends)])


def peel(
    A: Any,
    budgets: Budgets,
    chain: Chain | None,
    init: str,
    max_iter: int,
    tol: float,
    size: float,
    on_level: Callable[[int, float], Any] | None,
) -> tuple[Sweeps, list[float], bool]:
    """Split off the rightmost factor, refine all, and so on with the residual on the left."""
    xp = array_namespace(A)
    supports, shapes = budgets.factors.supports, budgets.factors.shapes
    count = len(shapes)
    if count == 1:
        slot = budgets.factors.slots()[0]
        value = slot.project(slot.restrict(A))
        found = Sweeps([normalized(value)], float(xp.linalg.vector_norm(value)), np.empty(0), True)
        return found, [], True
    target, losses = A, list[float]()
    values: list[Any] = []
    slots = [make_slot(supports[i], shapes[i]) for i in range(count)]
    refined: Sweeps | None = None
    for level in range(1, count):
        last = count - level  # position of the factor that is split off
        support = supports[0] if level == count - 1 else budgets.residuals[level - 1]
        pair = [make_slot(support, (A.shape[0], shapes[last][0])), slots[last]]
        split = best_split(target, pair, chain, last, init, usual_scale(A), max_iter, tol)
        values = [*split.values, *values]
        together = [pair[0], *slots[last:]]
        scale = best_scale(A, suffix_products(together, values)[0])
        refined = sweep_factors(
            A, together, values, scale, feasible=True, max_iter=max_iter, tol=tol
        )
        losses.append(float(refined.losses[-1]))
        values = refined.values[1:]
        target = refined.scale * pair[0].dense(refined.values[0])
        if on_level is not None:
            on_level(level, math.sqrt(losses[-1]) / size)
    assert refined is not None
    return refined, losses, refined.converged


def best_split(
    target: Any,
    pair: list[Any],
    chain: Chain | None,
    last: int,
    init: str,
    unit: float,
    max_iter: int,
    tol: float,
) -> Sweeps:
    """The better two-factor approximation of those that the starts lead to."""
    xp = array_namespace(target)
    best: Sweeps | None = None
    if chain is not None:
        two = Chain([chain[:last].product, chain[last]])
        factors = [factor.toarray() for factor in butterfly_factorize(target, two).factors]
        values = [
            normalized(slot.project(slot.restrict(factor))) for slot, factor in zip(pair, factors)
        ]
        scale = best_scale(target, suffix_products(pair, values)[0])
        best = sweep_factors(target, pair, values, scale, feasible=True, max_iter=max_iter, tol=tol)
        if init == "chain" or best.exact:
            return best
    zero = xp.zeros(pair[0].shape, dtype=target.dtype, device=device(target))
    eye = xp.eye(*pair[1].shape, dtype=target.dtype, device=device(target))
    values = [pair[0].restrict(zero), pair[1].restrict(eye)]
    other = sweep_factors(target, pair, values, unit, feasible=False, max_iter=max_iter, tol=tol)
    return other if best is None or other.losses[-1] < best.losses[-1] else best
