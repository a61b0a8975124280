"""PALM4MSA: a product of factors within given sets, by proximal alternating steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace
from skfact._checks import (
    check_choice,
    check_flag,
    check_matrix,
    check_number,
    check_random_state,
)
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact._linalg import count_nonzero
from skfact._progress import error_printer
from skfact._stopping import Stopping
from skfact._warn import warn, warn_if_useless
from skfact.deep_linear._factor_sets.cropped import cropped, padded
from skfact.deep_linear._factor_sets.factor_set import FactorSet, factors_of
from skfact.deep_linear._factor_sets.resolve import resolve_linear_or_budgets
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._palm.published import ProjectedSet, published_start
from skfact.deep_linear._palm.start import checked_init, starting_point
from skfact.deep_linear._palm.sweeps import Objective, sweep_factors
from skfact.exceptions import StructureWarning
from skfact.operators import FactorizedOperator
from skfact.supports import Chain

ORDERS = ("left-to-right", "right-to-left")


def palm4msa(
    A: Any,
    supports: str | Callable[[int, int], Chain] | Chain | Sequence[Any],
    *,
    inner_sizes: Sequence[int] | None = None,
    init: str | Sequence[Any] | None = None,
    order: str = "left-to-right",
    max_iter: int = 300,
    tol: float = 1e-4,
    random_state: Any = None,
    verbose: int = 0,
    return_loss: bool = False,
) -> Any:
    r"""Approximate a matrix by a product of sparse factors, by proximal alternating steps.

    PALM4MSA looks for

    .. math:: \min_{\lambda, S_j \in E_j, \|S_j\|_F = 1} \|A - \lambda S_1 \cdots S_J\|_F^2

    where each set is a fixed support or a budget of non-zeros. A sweep takes one gradient step for
    each factor in turn, with the step size that the curvature allows, projects it on its set and
    normalizes it; then it sets the scale to the best one. No sweep raises the loss. It ends at
    a critical point, which need not be a global optimum.

    Parameters
    ----------
    A : array-like of shape (n_out, n_in)
        Real or complex matrix, from any array library; integers become float64.
    supports : str, callable, Chain or list
        One support per factor, from left to right: a ``KroneckerSparse``, a ``FixedMask`` or a mask
        of booleans, a ``KSparse`` budget, a ``SupportFamily``, a ``StructuredFactor``, in any
        mixture. Or the name of a family ("butterfly", "monarch", ...), a callable ``(n_out, n_in)
        -> Chain``, or a ``Chain``; one larger than `A` pads it with zeros.
    inner_sizes : sequence of int, default=None
        Sizes between neighbouring factors, for a list of supports. None takes those that the
        supports have, and between budgets the smaller side of `A`.
    init : None, "random", "published" or sequence of arrays, default=None
        None: the factor that is updated first is zero, the others are identities, and the scale is
        the root mean square of `A`, so that the result for a multiple of `A` is this multiple. A
        mask without the diagonal has a largest matching of its rows and columns instead. Where the
        product stays zero from there, all entries are one. "random" draws normal entries within the
        supports. Otherwise one matrix per factor, which is projected on its set. "published" is the
        algorithm as in [1]_: the scale starts at 1, the identities are kept as they are until their
        updates, and step sizes follow from exact norms (elsewhere from a few power iterations, with
        steps halved where the loss would rise).
    order : {"left-to-right", "right-to-left"}, default="left-to-right"
        Order of the updates within a sweep.
    max_iter : int, default=300
        Largest number of sweeps.
    tol : float, default=1e-4
        The run ends when ten sweeps lower the loss by no more than this share of it, or two by
        nothing but rounding errors. Zero makes all sweeps, without a warning.
    random_state : int, RandomState instance or None, default=None
        Draws the random start.
    verbose : int, default=0
        Print the relative error after every `verbose` sweeps.
    return_loss : bool, default=False
        Also return the loss after each sweep.

    Returns
    -------
    operator : FactorizedOperator of shape (n_out, n_in)
        The product, in the array library of `A`; the scale is shared out, so that all factors have
        the same Frobenius norm. Which member of a family a factor has,
        ``family.nearest(factor.toarray())`` says.
    losses : ndarray of shape (n_iter + 1,)
        Squared Frobenius norm of the residual at the start and after each sweep (only with
        `return_loss`).

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `A` is sparse or not numeric.
    ValueError
        If `A` is not 2-D, is empty, or has NaN or infinite entries; if the supports do not chain or
        do not fit `A`; if an argument has a wrong value.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the loss still falls after `max_iter` sweeps.
    skfact.exceptions.StructureWarning
        If the relative error is above one half, or the factors of a matrix of 1,024 entries or more
        have no fewer numbers than it has non-zeros.

    See Also
    --------
    skfact.butterfly.butterfly_factorize : Closed form, with guarantees, for a chain of supports.

    References
    ----------
    .. [1] L. Le Magoarou, R. Gribonval, "Flexible multilayer sparse approximations of matrices and
       applications", IEEE Journal of Selected Topics in Signal Processing 10(4), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.linalg import hadamard
    >>> from skfact.deep_linear import palm4msa
    >>> operator = palm4msa(hadamard(8), "butterfly", order="left-to-right")
    >>> operator
    FactorizedOperator(8 x 8, 3 factors, nnz=48, float64)
    >>> bool(np.allclose(operator.toarray(), hadamard(8)))
    True
    """
    check_choice(order, "order", ORDERS)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)
    check_flag(return_loss, "return_loss")
    A = check_matrix(A, "A")
    sets = resolve_linear_or_budgets(supports, A.shape, A, inner_sizes)
    result = run_palm(
        A,
        sets,
        Stopping(max_iter, tol, error_printer(verbose, "palm4msa", "sweep")),
        checked_init(init, sets, A),
        order,
        check_random_state(random_state),
    )
    if result.outcome is Outcome.CUT_OFF and tol > 0:
        warn(
            f"PALM did not converge in {max_iter} sweeps: the loss still falls. Increase max_iter, "
            "increase tol, or start from another `init`.",
            ConvergenceWarning,
        )
    operator = assembled(sets, result.values, A.shape)
    warn_if_no_use(A, result)
    return (operator, result.losses) if return_loss else operator


class PalmResult(NamedTuple):
    """Values of factors of equal norms, and how they came about."""

    values: list[Any]
    losses: np.ndarray  # squared Frobenius norms
    outcome: Outcome
    error: float  # relative, in the Frobenius norm

    @property
    def n_numbers(self) -> int:
        """Number of values other than zero."""
        return sum(count_nonzero(value) for value in self.values)


def warn_if_no_use(A: Any, result: PalmResult, other_start: str = "another init") -> None:
    """Warn if the product of the factors is zero, where `A` is not, or else of no use."""
    more = f"larger supports, fewer factors, or {other_start}"
    advice = f"Try {more if result.error > 0.5 else 'smaller supports'}."
    if result.n_numbers:
        warn_if_useless(A, result.error, result.n_numbers, advice)
    elif result.error > 0:
        warn(f"PALM ended at factors whose product is zero. {advice}", StructureWarning)


def run_palm(
    A: Any,
    sets: Sequence[FactorSet],
    stopping: Stopping,
    init: str | list[Any] | None,
    order: str,
    random: np.random.RandomState,
) -> PalmResult:
    """PALM on a checked matrix of any magnitude; the relative error is reported."""
    exponent = binary_exponent(A)
    target = padded(times_power_of_two(A, -exponent), (sets[0].shape[0], sets[-1].shape[1]))
    xp = array_namespace(target)
    backwards = order == "right-to-left"
    first = -1 if backwards else 0
    if init == "published":
        inner, sets = sets, [ProjectedSet(one) for one in sets]
        start = published_start(target, sets, first, exponent)
    else:
        start = starting_point(target, sets, init, first, exponent, random)
    if backwards:
        target, values = xp.matrix_transpose(target), transposed(sets, start.values)
        start, sets = start._replace(values=values), [one.T for one in reversed(sets)]
    size = float(xp.linalg.vector_norm(target)) or 1.0
    found = sweep_factors(
        Objective(target),
        sets,
        start,
        stopping._replace(
            on_sweep=lambda sweep, loss: stopping.told(sweep, math.sqrt(loss) / size)
        ),
    )
    values = transposed(sets, found.values) if backwards else found.values
    if init == "published":
        values = [one.coordinates(value) for one, value in zip(inner, values)]
    return PalmResult(
        shared(values, found.scale, exponent),
        unscaled(found.losses, 2 * exponent),
        found.outcome,
        math.sqrt(found.losses[-1]) / size,
    )


def transposed(sets: Sequence[FactorSet], values: Sequence[Any]) -> list[Any]:
    """Values of the transposed product."""
    return [one.transposed(value) for one, value in reversed(list(zip(sets, values)))]


def shared(values: Sequence[Any], scale: float, exponent: int = 0) -> list[Any]:
    """Unit factors, times equal shares of scale * 2**exponent; the sign is in the first."""
    whole, rest = divmod(exponent, len(values))
    root = (abs(scale) * 2.0**rest) ** (1 / len(values))
    roots = [math.copysign(root, scale), *[root] * (len(values) - 1)]
    return [times_power_of_two(value * r, whole) for value, r in zip(values, roots)]


def assembled(
    sets: Sequence[FactorSet], values: Sequence[Any], shape: tuple[int, int]
) -> FactorizedOperator:
    """The product as an operator, cropped to a shape."""
    return FactorizedOperator(factors_of(cropped(sets, shape), values, values[0]))
