"""The Kronecker product of two operators."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, device
from skfact._inputs import dtype_name
from skfact.operators import (
    FactorizedOperator,
    KroneckerFactor,
    OperatorSum,
    PartialPermutation,
    SparseFactor,
)
from skfact.operators._factors import changed
from skfact.operators._linear_maps.algebra import as_operator
from skfact.supports import KroneckerSparse

Operator = FactorizedOperator | OperatorSum


def kron(left: Any, right: Any) -> Operator:
    """Kronecker product, as ``numpy.kron``: two transforms, along the columns and the rows.

    For an image X of shape (n_1, n_2), flattened row by row, ``kron(left, right) @ X.ravel()`` is
    ``(left @ X @ right.T).ravel()``.

    Parameters
    ----------
    left, right : operator, factor, 2-D array or SciPy sparse matrix
        The two, of one array library and device; arrays and sparse matrices are one factor.

    Returns
    -------
    FactorizedOperator or OperatorSum
        Of shape ``(m_1 * m_2, n_1 * n_2)``. A sum if one of the two is.

    Raises
    ------
    TypeError
        If an argument is not numeric.
    ValueError
        If one is an array that is not 2-D, or the two come from different libraries or devices.

    See Also
    --------
    convolution : Kernels that are not separable.

    Notes
    -----
    The factors are those of `left`, repeated for each row or column of `right`, and those of
    `right`, repeated for `left`. Of :math:`N_1` and :math:`N_2` non-zeros the product of square
    operators has :math:`N_1 n_2 + N_2 n_1`. Selections at the ends are joined, so that products of
    Kronecker-sparse factors run in compiled loops.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.fft
    >>> from skfact.transforms import dct, kron
    >>> op = kron(dct(32), dct(64))
    >>> image = np.random.default_rng(0).standard_normal((32, 64))
    >>> bool(np.allclose((op @ image.ravel()).reshape(32, 64), scipy.fft.dctn(image)))
    True
    """
    left, right = as_operator(left, "left"), as_operator(right, "right")
    array_namespace(left._products.array, right._products.array)
    if left._device != right._device:
        raise ValueError("left and right must live on one device: move one of them by to_device.")
    terms = [product(a, b) for a in left._summands for b in right._summands]
    return terms[0] if len(terms) == 1 else OperatorSum(terms)


def product(left: FactorizedOperator, right: FactorizedOperator) -> FactorizedOperator:
    """The Kronecker product of two products of factors."""
    (before, inner, after), (other_before, other_inner, other_after) = split(left), split(right)
    m, n = sizes(inner, left), sizes(other_inner, right)
    nnz, other_nnz = (sum(f.nnz for f in factors) for factors in (inner, other_inner))
    if nnz * n[0] + m[1] * other_nnz <= m[0] * other_nnz + nnz * n[1]:
        middle = [times_identity(f, n[0]) for f in inner]
        middle += [identity_times(f, m[1]) for f in other_inner]
    else:
        middle = [identity_times(f, m[0]) for f in other_inner]
        middle += [times_identity(f, n[1]) for f in inner]
    first = selections(before, other_before, m[0], n[0])
    last = selections(after, other_after, m[1], n[1])
    return FactorizedOperator([*first, *middle, *last])


def split(operator: FactorizedOperator) -> tuple[list[Any], list[Any], list[Any]]:
    """The selections before the first factor with numbers, the factors, and selections after it."""
    factors = list(operator.factors)
    numerical = [i for i, factor in enumerate(factors) if factor.dtype is not None]
    if not numerical:
        return factors, [], []
    start, stop = numerical[0], numerical[-1] + 1
    return factors[:start], factors[start:stop], factors[stop:]


def sizes(inner: list[Any], operator: FactorizedOperator) -> tuple[int, int]:
    """Outputs and inputs of the factors between the selections."""
    if inner:
        return inner[0].shape[0], inner[-1].shape[1]
    return operator.shape[1], operator.shape[1]


def selections(left: list[Any], right: list[Any], m: int, n: int) -> list[Any]:
    """What two selections, of m and n entries or more, do to pairs of entries; [] for nothing."""
    if not left and not right:
        return []
    like = (left or right)[0].index
    one, other = host_index(left, m), host_index(right, n)
    n_in = tuple(f[-1].n_in if f else size for f, size in ((left, m), (right, n)))
    pairs = np.where(
        (one[:, None] >= 0) & (other >= 0), one[:, None] * n_in[1] + other, -1
    ).reshape(-1)
    return [PartialPermutation._of(pairs, n_in[0] * n_in[1], like)]


def host_index(factors: list[Any], n: int) -> np.ndarray:
    """Which of its entries a product of selections takes."""
    if not factors:
        return np.arange(n)
    found: np.ndarray = reduce(lambda one, other: one._times(other), factors)._host
    return found


def times_identity(factor: Any, m: int) -> Any:
    """The Kronecker product of a factor and the identity of size m."""
    if isinstance(factor, KroneckerFactor):
        a, b, c, d = factor.pattern
        xp = factor._namespace

        def widened(values: Any) -> Any:
            wide = xp.broadcast_to(values[:, :, None, :, :], (values.shape[0], d, m, b, c))
            return xp.reshape(wide, (-1, d * m, b, c))

        values = changed(factor.values, widened)
        return KroneckerFactor._wrap(values, KroneckerSparse(a, b, c, d * m))
    if isinstance(factor, PartialPermutation):
        return selections([factor], [], factor.n_in, m)[0]
    return sparse_kron(factor.to_csr(), scipy.sparse.eye_array(m), factor)


def identity_times(factor: Any, m: int) -> Any:
    """The Kronecker product of the identity of size m and a factor."""
    if isinstance(factor, KroneckerFactor):
        a, b, c, d = factor.pattern
        xp = factor._namespace
        values = xp.broadcast_to(factor.values, (m, a, d, b, c))
        tall = xp.reshape(values, (m * a, d, b, c))
        return KroneckerFactor._wrap(tall, KroneckerSparse(m * a, b, c, d))
    if isinstance(factor, PartialPermutation):
        return selections([], [factor], m, factor.n_in)[0]
    return sparse_kron(scipy.sparse.eye_array(m), factor.to_csr(), factor)


def sparse_kron(left: Any, right: Any, like: Any) -> SparseFactor:
    """The product as a sparse matrix, in the dtype and where a factor is."""
    matrix = scipy.sparse.kron(left, right, format="csr").astype(dtype_name(like.dtype))
    return SparseFactor(matrix)._to_device(like._namespace, device(like._array))
