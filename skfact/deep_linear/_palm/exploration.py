"""Which supports of families factors have: each step tries all of them, and there are many starts.

A step of PALM is as short as the largest curvature asks, and is projected on the nearest support.
Values on the support soon outgrow what one step can bring in elsewhere, and the support stays what
the first sweeps made it. Here a factor takes the step that is best along its gradient, and is
projected on each support in turn; the one whose least-squares values fit best is kept. Which
entries are non-zero is hard to find, their values are easy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace
from skfact._checks import check_flag, check_matrix, check_number, check_random_state
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact._linalg import norm2
from skfact._progress import error_printer
from skfact._stopping import Stopping
from skfact._warn import warn
from skfact.deep_linear._factor_sets.cropped import padded
from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._factor_sets.resolve import resolve_linear_or_budgets
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._palm.palm4msa import (
    PalmResult,
    assembled,
    shared,
    warn_if_no_use,
)
from skfact.deep_linear._palm.start import starting_point
from skfact.deep_linear._palm.sweeps import ROUNDING, suffix_products

ATTEMPTS, SHORTER = 4, 3  # step lengths that are tried for a support, each so many times shorter
VALUE_STEPS = 8  # of conjugate gradients, for the values on a support
TRIAL = Stopping(15, 1e-2)  # of each start: more sweeps hardly change which one is best


def explore_supports(
    A: Any,
    supports: Sequence[Any],
    *,
    inner_sizes: Sequence[int] | None = None,
    n_init: int = 20,
    max_iter: int = 300,
    tol: float = 1e-4,
    random_state: Any = None,
    verbose: int = 0,
    return_loss: bool = False,
) -> Any:
    r"""Search families of supports for those of the factors of a matrix, from many starts.

    The problem is that of :func:`palm4msa`,

    .. math:: \min_{S_j \in E_j} \|A - S_1 \cdots S_J\|_F^2 ,

    and which supports are the best is NP-hard to find. PALM soon keeps those that it has. Here each
    factor in turn takes the step along its gradient that lowers the loss most, and is projected on
    every support of its ``SupportFamily``; for each the values that fit best are computed, while
    the other factors stand still, and the best support is kept. A step that raises the loss is made
    shorter, or only the values change. The best of some random starts is followed to its end.

    Parameters
    ----------
    A : array-like of shape (n_out, n_in)
        Real or complex matrix, from any array library; integers become float64.
    supports : list
        One support per factor, from left to right, as in :func:`palm4msa`. A ``SupportFamily`` has
        its members tried, a ``KSparse`` budget is projected on, other supports stay what they are.
    inner_sizes : sequence of int, default=None
        Sizes between neighbouring factors, as in :func:`palm4msa`.
    n_init : int, default=20
        Number of random starts.
    max_iter : int, default=300
        Largest number of sweeps from the best start; each start has 15 at most before.
    tol : float, default=1e-4
        The run ends when ten sweeps lower the loss by no more than this share of it and of
        ``(tol * norm(A))**2`` together.
    random_state : int, RandomState instance or None, default=None
        Draws the starts.
    verbose : int, default=0
        Print the relative error after every `verbose` starts.
    return_loss : bool, default=False
        Also return what each start led to.

    Returns
    -------
    operator : FactorizedOperator of shape (n_out, n_in)
        The product, in the array library of `A`; all factors have the same Frobenius norm. Which
        member of a family a factor has, ``family.nearest(factor.toarray())`` says.
    losses : ndarray of shape (n_init,)
        Squared Frobenius norm of the residual that each start led to; fewer numbers if one led to
        an exact product. The loss of the operator is at most the least of them (only with
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
        If the loss still falls after `max_iter` sweeps; not for ``tol=0``, which makes all sweeps.
    skfact.exceptions.StructureWarning
        As in :func:`palm4msa`.

    See Also
    --------
    palm4msa : One start, and steps of PALM.
    hierarchical_palm : One factor after the other.
    skfact.supports.SupportFamily : Supports to choose from.

    Notes
    -----
    That the support of PALM converges prematurely is an observation of [1]_. The remedy here is not
    theirs: all supports in turn, each with its least-squares values. For supports planted in
    families of three it finds them more often than PALM from identities does, and of three factors
    more often than the best of four starts of PALM (the tests measure it, for 8 to 32 rows). The
    supports within a budget are too many to be tried: there it finds sparse principal components,
    a dense factor times one with few entries in each row, more often than PALM, and supports of
    two sparse factors no more often. No number of starts is certain to find the best supports.

    References
    ----------
    .. [1] Q.-T. Le, R. Gribonval, "Structured support exploration for multilayer sparse matrix
       factorization", ICASSP 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import explore_supports
    >>> from skfact.supports import SupportFamily
    >>> random = np.random.default_rng(0)
    >>> masks = random.random((2, 3, 8, 8)) < 0.3  # two factors, three supports each
    >>> left, right = masks[[0, 1], [2, 1]] * random.standard_normal((2, 8, 8))
    >>> families = [SupportFamily(list(three)) for three in masks]
    >>> operator = explore_supports(left @ right, families, random_state=0)
    >>> bool(np.allclose(operator.toarray(), left @ right, atol=0.01))
    True
    >>> [family.nearest(f.toarray()) for family, f in zip(families, operator.factors)]
    [2, 1]
    """
    check_number(n_init, "n_init", int, 1)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)
    check_flag(return_loss, "return_loss")
    random = check_random_state(random_state)
    told = error_printer(verbose, "explore_supports", "start")
    A = check_matrix(A, "A")
    sets = resolve_linear_or_budgets(supports, A.shape, A, inner_sizes)
    exponent = binary_exponent(A)
    target = padded(times_power_of_two(A, -exponent), (sets[0].shape[0], sets[-1].shape[1]))
    size = norm2(target) or 1.0
    best, losses = None, list[float]()
    for number in range(1, n_init + 1):
        start = starting_point(target, sets, "random", 0, 0, random)
        found = Exploration(target, sets, shared(start.values, start.scale))
        found.run(TRIAL)
        losses.append(found.loss)
        if best is None or found.loss < best.loss:
            best = found
        if told is not None:
            told(number, math.sqrt(found.loss / size))
        if best.is_exact:
            break
    assert best is not None
    outcome = best.run(Stopping(max_iter, tol))
    if outcome is Outcome.CUT_OFF and tol > 0:
        warn(
            f"The search did not converge in {max_iter} sweeps from its best start: the loss still "
            "falls. Increase max_iter or tol.",
            ConvergenceWarning,
        )
    result = PalmResult(
        shared(best.values, 1.0, exponent),
        unscaled(np.array(losses), 2 * exponent),
        outcome,
        math.sqrt(best.loss / size),
    )
    warn_if_no_use(A, result, "a larger n_init")
    operator = assembled(sets, result.values, A.shape)
    return (operator, result.losses) if return_loss else operator


class Exploration:
    """Factors on the way, of equal norms, for a target of ordinary magnitude."""

    def __init__(self, target: Any, sets: Sequence[FactorSet], values: Sequence[Any]) -> None:
        self.target, self.sets, self.values = target, sets, list(values)
        self.floor = (ROUNDING * float(array_namespace(target).finfo(target.dtype).eps)) ** 2
        self.floor *= norm2(target)
        self._start_sweep()

    @property
    def is_exact(self) -> bool:
        """Whether nothing but rounding errors is left."""
        return self.loss <= self.floor

    def run(self, stopping: Stopping) -> Outcome:
        """Sweeps until the loss hardly falls any more."""
        losses, small = [self.loss], stopping.tol**2 * norm2(self.target)
        for _ in range(stopping.max_iter):
            if self.is_exact or (stopping.tol > 0 and stopping.is_slow(losses, small)):
                return Outcome.CONVERGED
            for j in range(len(self.sets)):
                self._step(j)
            self._start_sweep()
            losses.append(self.loss)
        return Outcome.CONVERGED if self.is_exact else Outcome.CUT_OFF

    def _start_sweep(self) -> None:
        """Factors of equal norms, and the residual; no rounding errors add up."""
        norms = [one.norm(value) for one, value in zip(self.sets, self.values)]
        if all(norms):
            root = math.prod(norm ** (1 / len(norms)) for norm in norms)
            self.values = [value * (root / norm) for value, norm in zip(self.values, norms)]
        self.suffixes = suffix_products(self.sets, self.values)
        self.residual = self.target - self.suffixes[0]
        self.loss = norm2(self.residual)

    def _step(self, j: int) -> None:
        """A new support for factor j with the values that fit best, or such values for the old."""
        one, old = self.sets[j], self.values[j]
        gradient = self._pulled(j, self.residual)
        size, image = norm2(gradient), norm2(self._image(j, gradient))
        if not (size > 0 and image > 0):
            return
        step = size / image
        for _ in range(ATTEMPTS if not one.is_linear else 0):
            tried = [
                self._fitted(j, new, self.residual - self._image(j, new - old))
                for new in one.candidates(old + step * gradient)
            ]
            if self._accept(j, *min(tried, key=lambda pair: norm2(pair[1]))):
                return
            step /= SHORTER
        self._accept(j, *self._fitted(j, old, self.residual))

    def _accept(self, j: int, values: Any, residual: Any) -> bool:
        """Take the values of factor j unless they raise the loss."""
        loss = norm2(residual)
        if not loss <= self.loss:
            return False
        self.values[j], self.residual, self.loss = values, residual, loss
        return True

    def _fitted(self, j: int, values: Any, residual: Any) -> tuple[Any, Any]:
        """Values on the support of the given ones that fit better: conjugate gradients."""
        xp, one = array_namespace(values), self.sets[j]
        kept = None if one.is_linear else xp.astype(values != 0, values.dtype)

        def pulled(residual: Any) -> Any:
            gradient = self._pulled(j, residual)
            return gradient if kept is None else gradient * kept

        gradient = pulled(residual)
        direction, size = gradient, norm2(gradient)
        for _ in range(VALUE_STEPS):
            image = self._image(j, direction)
            length = norm2(image)
            if not (size > 0 and length > 0):
                break
            values = values + (size / length) * direction
            residual = residual - (size / length) * image
            gradient = pulled(residual)
            before, size = size, norm2(gradient)
            direction = gradient + (size / before) * direction
        return values, residual

    def _image(self, j: int, values: Any) -> Any:
        """The product with these values of factor j, the other factors as they are."""
        one = self.sets[j]
        last = j + 1 == len(self.sets)
        X = one.dense(values) if last else one.times(values, self.suffixes[j + 1])
        for i in range(j - 1, -1, -1):
            X = self.sets[i].times(self.values[i], X)
        return X

    def _pulled(self, j: int, residual: Any) -> Any:
        """The adjoint: the negative gradient for the values of factor j."""
        one, X = self.sets[j], residual
        for i in range(j):
            X = self.sets[i].adjoint_times(self.values[i], X)
        last = j + 1 == len(self.sets)
        return one.restrict(X) if last else one.correlate(X, self.suffixes[j + 1])
