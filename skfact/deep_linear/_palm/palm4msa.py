"""PALM4MSA: a product of factors within given sets, by proximal alternating steps."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skfact._backend import array_namespace, device, move, move_like
from skfact._checks import check_choice, check_matrix, check_number, check_verbose
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact._inputs import as_floating
from skfact._linalg import is_complex
from skfact.deep_linear._factor_sets.resolve import FactorSupports, resolve_factor_supports
from skfact.deep_linear._factor_sets.slots import Slot
from skfact.deep_linear._factor_sets.structured import check_adjoints
from skfact.deep_linear._palm.sweeps import best_scale, normalized, suffix_products, sweep_factors
from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.supports import Chain

ORDERS = ("left-to-right", "right-to-left")


class PalmResult(NamedTuple):
    """What one run found out."""

    operator: FactorizedOperator
    losses: np.ndarray  # (n_iter + 1,), squared Frobenius norms
    converged: bool


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
        of booleans, a ``KSparse`` budget, a ``StructuredFactor``, in any mixture. Or the name of a
        family ("butterfly", "monarch", ...), a callable ``(n_out, n_in) -> Chain``, or a ``Chain``;
        one larger than `A` pads it with zeros.
    inner_sizes : sequence of int, default=None
        Sizes between neighbouring factors, for a list of supports. None takes those that the
        supports have, and between budgets the smaller side of `A`.
    init : None, "random" or sequence of arrays, default=None
        None starts as the algorithm was published: the factor that is updated first is zero, the
        others are identities. "random" draws normal entries within the supports. Otherwise one
        matrix per factor, which is projected on its set.
    order : {"left-to-right", "right-to-left"}, default="left-to-right"
        Order of the updates within a sweep.
    max_iter : int, default=300
        Largest number of sweeps.
    tol : float, default=1e-4
        The run ends when ten sweeps lower the loss by no more than this share of it. Zero makes all
        sweeps, without a warning.
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
        the same Frobenius norm.
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
    result = run_palm(
        A,
        supports,
        inner_sizes=inner_sizes,
        init=init,
        order=order,
        max_iter=max_iter,
        tol=tol,
        random_state=random_state,
        on_sweep=printer(verbose, "palm4msa"),
    )
    return (result.operator, result.losses) if return_loss else result.operator


def run_palm(
    A: Any,
    supports: Any,
    *,
    inner_sizes: Any = None,
    init: Any = None,
    order: str = "left-to-right",
    max_iter: int = 300,
    tol: float = 1e-4,
    random_state: Any = None,
    on_sweep: Callable[[int, float], Any] | None = None,
    stacklevel: int = 3,
) -> PalmResult:
    """`palm4msa` with everything it found out, and a hook called with (sweep, relative error)."""
    check_choice(order, "order", ORDERS)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)
    A = check_matrix(A, "A")
    resolved = resolve_factor_supports(supports, A.shape, inner_sizes)
    check_adjoints(resolved.supports, A)
    exponent = binary_exponent(A)
    target = padded(times_power_of_two(A, -exponent), resolved.shape)
    xp = array_namespace(target)
    slots = resolved.slots()
    values, scale, feasible = start(target, resolved, slots, init, order, exponent, random_state)
    size = float(xp.linalg.vector_norm(target))

    def report(sweep: int, loss: float) -> bool:
        return bool(on_sweep is not None and on_sweep(sweep, math.sqrt(loss) / (size or 1.0)))

    turned = order == "right-to-left"
    found = sweep_factors(
        xp.matrix_transpose(target) if turned else target,
        resolved.T.slots() if turned else slots,
        [xp.matrix_transpose(value) for value in reversed(values)] if turned else values,
        scale,
        feasible=feasible,
        max_iter=max_iter,
        tol=tol,
        on_sweep=report,
    )
    values = found.values
    if turned:
        values = [xp.matrix_transpose(value) for value in reversed(values)]
    if not found.converged and tol > 0:
        warnings.warn(
            f"PALM did not converge in {max_iter} sweeps: the loss still falls. Increase max_iter, "
            "increase tol, or start from another `init`.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
    operator = assembled(values, slots, found.scale, exponent, A.shape)
    return PalmResult(operator, unscaled(found.losses, 2 * exponent), found.converged)


def padded(A: Any, shape: tuple[int, int]) -> Any:
    """The matrix with zeros appended up to a shape."""
    if tuple(A.shape) == tuple(shape):
        return A
    xp = array_namespace(A)
    wide = xp.zeros((A.shape[0], shape[1] - A.shape[1]), dtype=A.dtype, device=device(A))
    tall = xp.zeros((shape[0] - A.shape[0], shape[1]), dtype=A.dtype, device=device(A))
    return xp.concat([xp.concat([A, wide], axis=1), tall], axis=0)


def start(
    target: Any,
    resolved: FactorSupports,
    slots: list[Slot],
    init: Any,
    order: str,
    exponent: int,
    random_state: Any,
) -> tuple[list[Any], float, bool]:
    """Values and scale to start from, and whether they are within the sets."""
    xp, where = array_namespace(target), device(target)
    if init is None:
        values = [
            slot.restrict(xp.eye(*slot.shape, dtype=target.dtype, device=where)) for slot in slots
        ]
        first = 0 if order == "left-to-right" else -1
        values[first] = xp.zeros_like(values[first])
        return values, usual_scale(target), False
    if isinstance(init, str):
        check_choice(init, "init", ("random",))
        random = check_random_state(random_state)
        matrices = [_normal(slot.shape, target, random) for slot in slots]
    else:
        matrices = _given(init, resolved, target)
    values = [slot.project(slot.restrict(matrix)) for slot, matrix in zip(slots, matrices)]
    norms = [float(xp.linalg.vector_norm(value)) for value in values]
    values = [normalized(value) for value in values]
    if isinstance(init, str):
        return values, best_scale(target, suffix_products(slots, values)[0]), True
    return values, math.ldexp(math.prod(norms), -exponent), True


def usual_scale(A: Any) -> float:
    """Root mean square of the entries: the scale that a start from identities begins with.

    The algorithm was published with the scale 1, which is this one for a Hadamard matrix, and with
    which the result for a multiple of A would be no multiple of that for A.
    """
    size: float = float(array_namespace(A).linalg.vector_norm(A)) / math.prod(A.shape) ** 0.5
    return size or 1.0


def _normal(shape: tuple[int, int], like: Any, random: np.random.RandomState) -> Any:
    host: np.ndarray = random.standard_normal(shape)
    if is_complex(like):
        host = host + 1j * random.standard_normal(shape)
    xp = array_namespace(like)
    return xp.astype(move(host, xp, device(like)), like.dtype)


def _given(init: Any, resolved: FactorSupports, like: Any) -> list[Any]:
    """The matrices of a start that the caller gives."""
    if not isinstance(init, Sequence) or len(init) != len(resolved.shapes):
        raise ValueError(
            f"init must be None, 'random' or a list of {len(resolved.shapes)} matrices, one per "
            f"factor, got {type(init).__name__}"
            + (f" of length {len(init)}." if hasattr(init, "__len__") else ".")
        )
    xp, matrices = array_namespace(like), []
    for i, (matrix, shape) in enumerate(zip(init, resolved.shapes)):
        if hasattr(matrix, "toarray"):
            matrix = matrix.toarray()
        matrix = move_like(as_floating(matrix, f"init[{i}]"), like)
        if tuple(matrix.shape) != shape:
            raise ValueError(
                f"init[{i}] has shape {tuple(matrix.shape)}, but that factor has shape {shape}."
            )
        if is_complex(matrix) and not is_complex(like):
            raise TypeError(f"init[{i}] is complex, but A is real: start from real factors.")
        if not bool(xp.all(xp.isfinite(matrix))):
            raise ValueError(f"init[{i}] contains NaN or infinity.")
        matrices.append(xp.astype(matrix, like.dtype))
    return matrices


def assembled(
    values: list[Any], slots: list[Slot], scale: float, exponent: int, shape: tuple[int, ...]
) -> FactorizedOperator:
    """The operator scale * 2**exponent * product, cropped; all factors share the scale."""
    count = len(values)
    root = abs(scale) ** (1 / count)
    shares = [exponent * (i + 1) // count - exponent * i // count for i in range(count)]
    pieces: list[Any] = [
        slot.factor(times_power_of_two(value * (math.copysign(root, scale) if i == 0 else root), s))
        for i, (slot, value, s) in enumerate(zip(slots, values, shares))
    ]
    n_out, n_in = slots[0].shape[0], slots[-1].shape[1]
    if shape[0] < n_out:
        pieces.insert(0, PartialPermutation(np.arange(shape[0]), n_out))
    if shape[1] < n_in:
        index = np.arange(n_in)
        pieces.append(PartialPermutation(np.where(index < shape[1], index, -1), shape[1]))
    return FactorizedOperator(pieces)


def printer(verbose: Any, name: str, step: str = "sweep") -> Callable[[int, float], None] | None:
    """A hook that prints every `verbose`-th step."""
    check_verbose(verbose)
    if not verbose:
        return None

    def show(number: int, error: float) -> None:
        if number % verbose == 0:
            print(f"[{name}] {step} {number}, relative error {error:.6g}")  # noqa: T201

    return show
