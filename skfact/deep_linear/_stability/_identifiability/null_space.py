"""The deep null space property, and the bound on the error of factors that follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skfact._checks import check_choice, check_number, check_random_state
from skfact._linalg import is_complex
from skfact.deep_linear._stability._classes.factor_distance import check_exponent
from skfact.deep_linear._stability._classes.rank_one import largest_part, read_parameters
from skfact.deep_linear._stability._classes.tensor_bounds import (
    COMPLEX,
    CONSTANTS,
    REAL,
    bound_near,
)
from skfact.deep_linear._stability._identifiability.facts import DENSE, NO, YES
from skfact.deep_linear._stability._identifiability.identifiability import (
    StructureIdentifiability,
    structure_identifiability,
)
from skfact.deep_linear._stability._identifiability.second_solutions import (
    STARTS,
    flattest_difference,
)
from skfact.deep_linear._stability._lifting.lifting import LiftingOperator
from skfact.deep_linear._stability._lifting.lifting_rank import null_space, rank_of
from skfact.deep_linear._stability._lifting.structure import Structure, as_structure

SEARCHED = 2**20  # entries of a derivative of which differences of tensors are searched


@dataclass(frozen=True, repr=False, eq=False)
class DeepNullSpaceConstant:
    """Answer of :func:`deep_null_space_constant`.

    Parameters
    ----------
    value : float
        The constant gamma, at least 1; infinite where factors are not determined.
    is_estimate : bool
        Whether `value` is a lower bound only, found by a search.
    reason : str
        Where it comes from.
    identifiability : StructureIdentifiability
        The verdict on the structure.

    See Also
    --------
    deep_null_space_constant : Gives this answer.

    Examples
    --------
    >>> from skfact.deep_linear import ToeplitzFactor, deep_null_space_constant
    >>> found = deep_null_space_constant([ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)])
    >>> found.value, found.is_estimate
    (1.0, False)
    """

    value: float
    is_estimate: bool
    reason: str
    identifiability: StructureIdentifiability

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        sign = ">= " if self.is_estimate else ""
        return f"DeepNullSpaceConstant({sign}{self.value:.6g}: {self.reason})"


def deep_null_space_constant(structure: Any, *, random_state: Any = None) -> DeepNullSpaceConstant:
    r"""Return the constant gamma of the deep null space property of a structure.

    It is the supremum of :math:`\|T\| / \mathrm{dist}(T, \mathrm{Ker}\,\mathcal{A})` over the
    differences T of two real tensors of rank one, with the lifting operator :math:`\mathcal{A}`
    [1]_: how much of a difference of factors their product may hide. Such differences form a cone,
    so that the radius rho of the paper plays no part.

    - 1, exactly, where the kernel is trivial.
    - Infinity where two parameters of different classes have the same product.
    - Two factors, and a kernel spanned by one matrix Z of rank 3 or more:
      :math:`\|Z\|_F / (\sigma_3^2 + \sigma_4^2 + \cdots)^{1/2}`, exactly, as the differences are
      the matrices of rank 2.
    - Otherwise the largest ratio that is found from random starts, refined factor by factor: a
      **lower** bound, `is_estimate`.

    Parameters
    ----------
    structure : Chain, list or SparseDeepLinearNet
        As in :func:`lifting_operator`.
    random_state : int, RandomState instance or None, default=None
        For ranks and starts.

    Returns
    -------
    constant : DeepNullSpaceConstant
        With `value`, `is_estimate` and `reason`.

    Raises
    ------
    TypeError
        If it is no structure, or a factor has a budget of non-zeros.
    ValueError
        If shapes do not chain, a mask is empty, an adjoint is wrong, an estimator is not fitted, or
        the structure is undecided and too large for a search.

    See Also
    --------
    factor_error_bound : The bound that it enters.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, definition 3.

    Examples
    --------
    >>> from skfact.deep_linear import ToeplitzFactor, deep_null_space_constant
    >>> deep_null_space_constant([ToeplitzFactor(3, 2), ToeplitzFactor(2, 3)]).value
    inf
    """
    found = as_structure(structure)
    random = check_random_state(random_state)
    verdict = structure_identifiability(found, random_state=random)
    if verdict.rank == verdict.n_columns:
        reason = "the kernel of the lifting operator is trivial"
        return DeepNullSpaceConstant(1.0, False, reason, verdict)
    if verdict.verdict == NO:
        reason = "two parameters of different classes have the same product"
        return DeepNullSpaceConstant(math.inf, False, reason, verdict)
    if verdict.verdict == YES and sum(size > 1 for size in found.sizes) == 2:
        reason = "the kernel of the lifting operator is spanned by one matrix of rank 3 or more"
        return DeepNullSpaceConstant(_of_one_matrix(found), False, reason, verdict)
    if verdict.rank is None or not found.is_small(SEARCHED):
        raise ValueError(
            "structure is undecided, and too large for a search: study a smaller one of the same "
            "kind."
        )
    reason = f"the largest ratio from {STARTS} random starts; the constant may be larger"
    ratio = _largest_ratio(found, verdict.rank, random)
    return DeepNullSpaceConstant(ratio, True, reason, verdict)


def _of_one_matrix(structure: Structure) -> float:
    """Norm of the matrix that spans the kernel over that of its best error of rank 2."""
    kernel = null_space(LiftingOperator(structure).toarray())
    sizes = [size for size in structure.sizes if size > 1]
    values = np.linalg.svd(kernel.reshape(sizes), compute_uv=False)
    return float(np.linalg.norm(values) / np.linalg.norm(values[2:]))


def _largest_ratio(structure: Structure, rank: int, random: np.random.RandomState) -> float:
    """Of the norm of a difference to that of its part in the row space, over many starts."""
    lift = LiftingOperator(structure)
    if math.prod(lift.shape) <= DENSE:
        basis, values, _ = np.linalg.svd(lift.toarray(), full_matrices=False)
    else:
        squares, basis = np.linalg.eigh(lift._gram())
        basis, values = basis[:, ::-1], np.sqrt(np.maximum(squares[::-1], 0))
        _check_all_seen(int(np.count_nonzero(values > 1e-6 * values[0])), rank)
    # the whitened operator: of a tensor it keeps the part that is orthogonal to the kernel
    whitened = (basis[:, :rank] / values[:rank]).T
    smallest = 1.0
    for _ in range(STARTS):
        found = flattest_difference(
            lambda h, k: whitened @ structure.contraction(h, k),
            structure.draw(random),
            structure.draw(random),
        )
        smallest = min(smallest, found.ratio)
    return 1 / smallest if smallest > 0 else math.inf


@dataclass(frozen=True, repr=False)
class FactorErrorBound:
    """Answer of :func:`factor_error_bound`.

    Parameters
    ----------
    bound : float
        Bound on the distance d_p of the factors, see :func:`factor_distance`; infinite where there
        is none.
    tensor_bound : float
        Bound on the Euclidean norm of the difference of the rank-one tensors.
    gamma : float
        Constant of the deep null space property.
    sigma : float
        Smallest singular value of the lifting operator that is not zero.
    is_guaranteed : bool
        Whether the bound is guaranteed, given noise and inexactness; not where gamma is an
        estimate, from below. An infinite bound promises nothing.

    See Also
    --------
    factor_error_bound : Gives this answer.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import ToeplitzFactor, factor_error_bound
    >>> structure = [ToeplitzFactor(2, 1), ToeplitzFactor(1, 2)]
    >>> found = factor_error_bound(structure, [np.ones(2), np.ones(2)], noise=0.01)
    >>> found.is_guaranteed, round(found.bound, 6)
    (True, 0.04)
    >>> factor_error_bound([np.eye(2), np.eye(2)], [np.ones(2), np.ones(2)], noise=0.01)
    FactorErrorBound(no bound: gamma=inf, sigma=nan)
    """

    bound: float
    tensor_bound: float
    gamma: float
    sigma: float
    is_guaranteed: bool

    def __repr__(self) -> str:
        parts = f"gamma={self.gamma:.6g}, sigma={self.sigma:.6g}"
        if math.isinf(self.bound):
            return f"FactorErrorBound(no bound: {parts})"
        return (
            f"FactorErrorBound(bound={self.bound:.6g}, tensor_bound={self.tensor_bound:.6g}, "
            f"{parts}, is_guaranteed={self.is_guaranteed})"
        )


def factor_error_bound(
    structure: Any,
    h: Sequence[Any],
    noise: float,
    inexactness: float = 0.0,
    *,
    p: float = 2,
    constant: str = "sharp",
    gamma: float | None = None,
    sigma: float | None = None,
    random_state: Any = None,
) -> FactorErrorBound:
    r"""Bound the distance of factors that fit a noisy product to the true ones.

    For a matrix :math:`X = M_1(\bar h_1) \cdots M_K(\bar h_K) + E`, with
    :math:`\|E\|_F \le \delta`, and parameters h* with
    :math:`\|X - M_1(h^*_1) \cdots M_K(h^*_K)\|_F \le \eta`, theorem 5 of [1]_ gives

    .. math:: \|P(h^*) - P(\bar h)\|_2 \le b = \gamma\,(\delta + \eta) / \sigma_{\min},
        \qquad d_p(h^*, \bar h) \le c\, (\textstyle\sum_k S_k)^{1/p}\,
        \|P(h)\|_\infty^{1/K - 1}\, b,

    where h is one of the two, :math:`\sigma_{\min}` the smallest singular value of the lifting
    operator that is not zero, and gamma from :func:`deep_null_space_constant`.

    Parameters
    ----------
    structure : Chain, list, SparseDeepLinearNet or None
        As in :func:`lifting_operator`; None if `gamma` and `sigma` are given, as for the kernels on
        one path of a recoverable convolution tree: 1 and the square root of the size for matrices,
        1 and 1 for columns.
    h : sequence of K arrays of shape (S_k,)
        The parameters found or the true ones, real or complex, of any array library; arrays of
        more dimensions, such as the blocks of a Kronecker pattern, are read in C order.
    noise : float
        Bound delta on the noise.
    inexactness : float, default=0.0
        Bound eta on the residual of the fit.
    p : float, default=2
        Exponent of the distance, at least 1.
    constant : {"sharp", "published"}, default="sharp"
        c is 2 for real parameters and 1 + sqrt(2) for complex ones, without a condition (proved);
        or the 7 of the paper, for which b must be at most half the largest entry of P(h), otherwise
        the bound is infinite. Neither applies to two parameters that are both zero.
    gamma : float, default=None
        The constant, if known; otherwise it is found.
    sigma : float, default=None
        The singular value, if known; otherwise it is computed.
    random_state : int, RandomState instance or None, default=None
        For ranks and starts.

    Returns
    -------
    result : FactorErrorBound
        With `bound`, its parts, and `is_guaranteed`.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `h` does not fit the structure, a number is negative or not finite, gamma is below 1, or
        the structure is refused by :func:`deep_null_space_constant`.

    See Also
    --------
    deep_null_space_constant : The constant gamma.
    tensor_stability_bound : The step from tensors to parameters.

    Notes
    -----
    The bound is infinite where gamma is; sigma is then nan, unless it was given.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import ToeplitzFactor, factor_error_bound
    >>> structure = [ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)]
    >>> h = [np.ones(4), np.ones(3)]
    >>> result = factor_error_bound(structure, h, noise=1e-3, inexactness=1e-4)
    >>> round(result.bound, 6), result.is_guaranteed
    (0.005821, True)
    """
    vectors = read_parameters(h, "h")
    p = check_exponent(p)
    check_choice(constant, "constant", CONSTANTS)
    for value, name, low in (
        (noise, "noise", 0.0),
        (inexactness, "inexactness", 0.0),
        *(((gamma, "gamma", 1.0),) if gamma is not None else ()),
        *(((sigma, "sigma", 0.0),) if sigma is not None else ()),
    ):
        check_number(value, name, float, low)
        if not math.isfinite(value) and name != "gamma":
            raise ValueError(f"{name} must be finite, got {value!r}.")
    if sigma == 0:
        raise ValueError("sigma must be positive: the smallest singular value that is not zero.")
    is_guaranteed, rank = True, None
    if gamma is None or sigma is None:
        found = _of_size(structure, [x.shape[0] for x in vectors])
        if gamma is None:
            known = deep_null_space_constant(found, random_state=random_state)
            gamma, is_guaranteed = known.value, not known.is_estimate
            rank = known.identifiability.rank
        if sigma is None and gamma < math.inf:
            sigma = _smallest(found, rank, check_random_state(random_state))
    elif structure is not None:
        _of_size(structure, [x.shape[0] for x in vectors])
    sigma = math.nan if sigma is None else sigma  # which plays no part where gamma is infinite
    error = float(noise) + float(inexactness)
    tensor_bound = gamma * error / sigma if math.isfinite(gamma) else math.inf
    bound = bound_near(vectors, tensor_bound, p, constant, roundings=0)
    if len(vectors) == 1 and largest_part(vectors[0]) == 0:  # the constant is that of other vectors
        bound *= COMPLEX if is_complex(vectors[0]) else REAL
    return FactorErrorBound(bound, tensor_bound, float(gamma), float(sigma), is_guaranteed)


def _smallest(structure: Structure, rank: int | None, random: np.random.RandomState) -> float:
    """The smallest singular value of the lifting operator, of that rank, that is not zero."""
    lift = LiftingOperator(structure)
    values = lift.singular_values()
    if not lift._is_decomposed:
        rank = rank_of(structure, random) if rank is None else rank
        _check_all_seen(values.size, rank or values.size)
    return float(values[-1]) if values.size else math.inf


def _check_all_seen(count: int, rank: int) -> None:
    """Raise ValueError if there are more singular values than are told from zero."""
    if count < rank:
        raise ValueError(
            f"structure has a lifting operator with {rank} singular values, {rank - count} of them "
            "too small, beside the largest one, to be computed in a structure of this size: "
            "give its factors entries of one magnitude, or study a smaller one of the same kind."
        )


def _of_size(structure: Any, sizes: list[int]) -> Structure:
    """The structure, if it has parameters of these lengths."""
    if structure is None:
        raise TypeError("structure is None: pass it, or gamma and sigma both.")
    found = as_structure(structure)
    if list(found.sizes) != sizes:
        raise ValueError(
            f"h has vectors of lengths {sizes}, but the structure parameters of lengths "
            f"{list(found.sizes)}."
        )
    return found
